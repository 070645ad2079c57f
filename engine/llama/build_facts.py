"""What the installed llama.cpp can do, as facts for the rules."""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from pathlib import Path

from engine.llama.library import api, has_ggml
from engine.planning.facts import BuildFacts, parsed_fa_pairs


def build_facts(backends: tuple[str, ...]) -> BuildFacts:
    """The facts of this process's build.

    Args:
        backends: Names of the backends that have a device here.
    """
    native = api()
    system_info = native.llama_print_system_info().decode("utf-8", "replace")
    pairs, all_pairs = parsed_fa_pairs(system_info)
    return BuildFacts(
        id=hashlib.sha256(_library_stamp().encode() + system_info.encode()).hexdigest()[:12],
        backends=backends,
        fa_pairs=pairs,
        fa_all_pairs=all_pairs,
        has_nccl=_has_nccl() if "CUDA" in backends else None,
        has_rpc=has_ggml("ggml_backend_rpc_add_server"),
        platform=sys.platform,
    )


def _library_stamp() -> str:
    library = Path(api()._lib._name)
    return f"{library} {library.stat().st_size}"


@cache
def _has_nccl() -> bool | None:
    """Whether the CUDA backend is linked with NCCL; None when its file is not found."""
    if os.environ.get("GGML_CUDA_DEVICES"):
        # Virtual devices share a card, which NCCL refuses.
        return False
    folder = Path(api()._lib._name).parent
    for path in sorted(folder.glob("*ggml-cuda*")):
        return b"libnccl" in path.read_bytes()
    return None

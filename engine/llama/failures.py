"""From llama.cpp's log lines and return codes to errors that a user can act on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OUT_OF_MEMORY = r"out of memory|failed to allocate|unable to allocate|cannot allocate|bad_alloc"

# First match wins; named groups become the sentence's parameters.
_LOAD_FAILURES: tuple[tuple[str, str], ...] = (
    (r"invalid magic characters|failed to read magic", "engine.not_gguf"),
    (r"GGUFv1 is no longer supported|bad GGUF version", "engine.gguf_version"),
    (r"only supports up to version", "engine.gguf_version"),
    (r"unknown model architecture: '(?P<architecture>[^']*)'", "engine.unknown_architecture"),
    (r"unsupported model architecture: '(?P<architecture>[^']*)'", "engine.unknown_architecture"),
    (r"CLIP cannot be used", "engine.not_a_chat_model"),
    (
        r"SPLIT_MODE_TENSOR not implemented for architecture '(?P<architecture>[^']*)'",
        "engine.tensor_split_unsupported",
    ),
    (r"does not support split buffers", "engine.split_unsupported"),
    (r"model must be loaded with the first split", "engine.not_first_part"),
    (
        r"failed to load GGUF split|invalid split|missing key .* in GGUF split",
        "engine.part_missing",
    ),
    (_OUT_OF_MEMORY, "engine.load_out_of_memory"),
    (r"[Pp]ermission denied", "engine.file_unreadable"),
    (
        r"not within the file bounds|end of file|corrupt|failed to read|exceeds remaining file"
        r"|invalid data|number of tensors is|is duplicated|invalid ggml type|has offset",
        "engine.file_corrupt",
    ),
    (r"key not found in model: (?P<key>\S+)|missing tensor '(?P<tensor>[^']+)'", "engine.file_odd"),
)

_CONTEXT_FAILURES: tuple[tuple[str, str], ...] = (
    (r"requires? flash_?\s?attn|requires Flash Attention", "engine.needs_flash_attention"),
    (
        r"cache type (?P<type>\S+) with block size (?P<block>\d+) does not divide "
        r"n_embd_head_[kv]=(?P<head>\d+)",
        "engine.kv_type_refused",
    ),
    (r"does not support different K", "engine.kv_types_differ"),
    (_OUT_OF_MEMORY, "engine.context_out_of_memory"),
)


def load_failure(complaints: Sequence[str], path: str) -> UserError:
    """Why a model file was not loaded."""
    return _failure(_LOAD_FAILURES, complaints, "engine.load_failed", path=path)


def context_failure(complaints: Sequence[str], n_ctx: int) -> UserError:
    """Why no context could be made."""
    return _failure(_CONTEXT_FAILURES, complaints, "engine.context_failed", n_ctx=n_ctx)


def decode_failure(code: int, complaints: Sequence[str]) -> UserError:
    """What a return code of `llama_decode` other than 0 and 2 means."""
    known = {
        1: "engine.no_slot",
        -1: "engine.bad_batch",
        -2: "engine.decode_out_of_memory",
        -3: "engine.compute_failed",
    }
    return UserError(
        known.get(code, "engine.decode_failed"), status=code, detail="\n".join(complaints)
    )


def _failure(
    table: Sequence[tuple[str, str]],
    complaints: Sequence[str],
    otherwise: str,
    **params: str | int,
) -> UserError:
    detail = "\n".join(complaints)
    for pattern, code in table:
        match = re.search(pattern, detail)
        if match:
            found = {name: value for name, value in match.groupdict().items() if value}
            return UserError(code, detail=detail, **{**params, **found})
    return UserError(otherwise, detail=detail, reason=_last(complaints), **params)


def _last(complaints: Sequence[str]) -> str:
    # "llama_model_load: error loading model: x" -> "x"; the sentence around it says the rest.
    return complaints[-1].rsplit(": ", 1)[-1] if complaints else "no reason was given"

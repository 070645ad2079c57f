"""Sweeps KV pairs, split modes and flash attention over architectures, on two RPC devices.

Run it as `python -m tests.engine.sweep_rules [--families 28] [--pairs all] [--out FILE]`. Each
combination is loaded and decoded with in a process of its own, forked from one that has the
library open; what happened is compared with what the rules said. It prints a JSON summary and
answers 1 on any disagreement: a verdict other than no must run, and a no must be refused.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import lzma
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from engine.errors import UserError
from engine.llama.build_facts import build_facts
from engine.llama.devices import Devices
from engine.llama.header import Header, read_header
from engine.llama.library import api
from engine.llama.parameters import context_parameters, model_parameters
from engine.planning.facts import DeviceFacts
from engine.planning.rules import check, worst
from engine.remote.servers import start_server, stop_server
from engine.settings import EngineSettings
from engine.settings.engine_settings import KvType

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Sequence

ZOO = Path(__file__).parents[1] / "data" / "zoo"
KV_TYPES: tuple[str, ...] = get_args(KvType)
SPLITS = ("none", "layer", "tensor")
FLASH = ("auto", "on", "off")
FEW_PAIRS = (
    ("f16", "f16"),
    ("q8_0", "q8_0"),
    ("q8_0", "f16"),
    ("f16", "q4_0"),
    ("iq4_nl", "iq4_nl"),
)
_CASE_S = 60
_PROMPT = 40
_RUNS, _LOAD_REFUSED, _CONTEXT_REFUSED, _DECODE_FAILED = 0, 10, 11, 12
_CHILD_FAILED = 20
_OUTCOMES = {
    _RUNS: "runs",
    _LOAD_REFUSED: "refused",
    _CONTEXT_REFUSED: "refused",
    _DECODE_FAILED: "decode failed",
}


@dataclass(frozen=True)
class Outcome:
    """One combination: what the rules said and what happened."""

    family: str
    split: str
    flash: str
    type_k: str
    type_v: str
    verdict: str
    codes: tuple[str, ...]
    outcome: str
    last_line: str = ""

    @property
    def agrees(self) -> bool:
        """A no is refused or would abort; everything else runs."""
        return (self.outcome == "runs") == (self.verdict != "no")


class Pair:
    """Two RPC devices on loopback, restarted when one was taken down with a case."""

    def __init__(self) -> None:
        self._servers: list[tuple[str, subprocess.Popen[bytes]]] = []

    def addresses(self) -> tuple[str, ...]:
        for address, server in list(self._servers):
            if server.poll() is not None:
                self._servers.remove((address, server))
        while len(self._servers) < 2:
            self._servers.append(start_server("CPU", threads=1))
        return tuple(address for address, _ in self._servers)

    def restart(self) -> None:
        self.close()

    def close(self) -> None:
        servers, self._servers = self._servers, []
        for _, server in servers:
            stop_server(server)


def families(folder: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """The zoo's files, unpacked into a folder."""
    found = {}
    for packed in sorted(ZOO.glob("*.gguf.xz")):
        name = packed.name.removesuffix(".gguf.xz")
        if only and name not in only:
            continue
        path = folder / f"{name}.gguf"
        if not path.exists():
            path.write_bytes(lzma.decompress(packed.read_bytes()))
        found[name] = path
    return found


def combinations(
    names: Iterable[str],
    pairs: Iterable[tuple[str, str]],
    splits: Sequence[str] = SPLITS,
    flash: Sequence[str] = FLASH,
) -> Iterator[tuple[str, str, str, tuple[str, str]]]:
    """Family, split, flash attention, KV pair."""
    return itertools.product(names, splits, flash, list(pairs))


def tried(path: Path, header: Header, settings: EngineSettings, family: str, pair: Pair) -> Outcome:
    """Load and decode in a process of its own, and compare with the rules."""
    devices = tuple(
        DeviceFacts(name=f"RPC{n}", id=address, backend="RPC", kind="rpc")
        for n, address in enumerate(settings.devices)
    )
    verdicts = check(settings, header.facts, build_facts(("CPU", "RPC")), devices)
    code, last_line = _in_child(path, settings)
    if code not in _OUTCOMES:
        # What took the client down may have taken a server with it, or left it waiting.
        pair.restart()
    return Outcome(
        family=family,
        split=settings.split_mode,
        flash=settings.flash_attn,
        type_k=settings.type_k,
        type_v=settings.type_v,
        verdict=worst(verdicts),
        codes=tuple(verdict.code for verdict in verdicts if verdict.severity == "no"),
        outcome=_OUTCOMES.get(code, "aborted" if code < 0 else f"status {code}"),
        last_line=last_line,
    )


def _in_child(path: Path, settings: EngineSettings) -> tuple[int, str]:
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            os.dup2(log.fileno(), 2)
            os.dup2(log.fileno(), 1)
            # Nothing of the parent may run on in here, not even its clean-up of files.
            code = _CHILD_FAILED
            try:
                code = _load_and_decode(path, settings)
            except UserError as error:
                os.write(2, f"E {error.code}: {error.problem.detail}\n".encode())
            finally:
                os._exit(code)
        deadline_s = time.monotonic() + _CASE_S
        while time.monotonic() < deadline_s:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.002)
        else:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        log.seek(0)
        lines = log.read().decode("utf-8", "replace").splitlines()
    wanted = [line for line in lines if line[:2] == "E " or "ASSERT" in line or "ABORT" in line]
    return code, " | ".join(line[:200] for line in (wanted or lines)[-4:]) if code else ""


def _load_and_decode(path: Path, settings: EngineSettings) -> int:
    native = api()
    handles = [device.handle for device in Devices().chosen(settings.devices)]
    parameters = model_parameters(settings, handles)
    model = native.llama_model_load_from_file(str(path).encode(), parameters.struct)
    if not model:
        return _LOAD_REFUSED
    context = native.llama_init_from_model(
        model, context_parameters(settings, threads=1, threads_batch=1).struct
    )
    if not context:
        return _CONTEXT_REFUSED
    for length in (_PROMPT, 1, 1):
        tokens = (ctypes.c_int32 * length)(*[(7 * i + length) % 100 for i in range(length)])
        if native.llama_decode(context, native.llama_batch_get_one(tokens, length)):
            return _DECODE_FAILED
    native.llama_synchronize(context)
    return _RUNS if native.llama_get_logits(context) else _DECODE_FAILED


def swept(
    cases: Iterable[tuple[str, str, str, tuple[str, str]]], paths: dict[str, Path]
) -> Iterator[Outcome]:
    """Every case, one after another."""
    api()
    headers = {name: read_header([path]) for name, path in paths.items()}
    pair = Pair()
    try:
        for family, split, flash, (type_k, type_v) in cases:
            settings = EngineSettings(
                model_path=str(paths[family]),
                devices=pair.addresses(),
                split_mode=split,  # type: ignore[arg-type]
                flash_attn=flash,  # type: ignore[arg-type]
                type_k=type_k,  # type: ignore[arg-type]
                type_v=type_v,  # type: ignore[arg-type]
                n_ctx=512,
                n_batch=64,
                n_ubatch=64,
            )
            yield tried(paths[family], headers[family], settings, family, pair)
    finally:
        pair.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep, print the summary, and answer whether all agreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default="", help="names, separated by commas; all by default")
    parser.add_argument("--pairs", choices=("all", "few"), default="all")
    parser.add_argument("--out", type=Path, help="write every outcome as JSON lines")
    options = parser.parse_args(arguments)
    pairs = FEW_PAIRS if options.pairs == "few" else tuple(itertools.product(KV_TYPES, KV_TYPES))
    counts: Counter[str] = Counter()
    odd: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        only = [name for name in options.families.split(",") if name]
        paths = families(Path(folder), only)
        sink = options.out.open("w") if options.out else None
        for outcome in swept(combinations(paths, pairs), paths):
            counts[f"{outcome.verdict} / {outcome.outcome}"] += 1
            if not outcome.agrees:
                odd.append(outcome)
            if sink:
                sink.write(json.dumps(asdict(outcome)) + "\n")
                sink.flush()
        if sink:
            sink.close()
    summary = {
        "tried": sum(counts.values()),
        "outcomes": dict(counts),
        "disagreements": [asdict(outcome) for outcome in odd[:50]],
        "disagreement_count": len(odd),
    }
    json.dump(summary, sys.stdout, indent=2)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())

"""Sweeps KV pairs, split modes and flash attention over architectures, on two RPC devices.

Run it as `PYTHONPATH=. python tests/engine/sweep_rules.py [--families A,B] [--out FILE]`. A
throw-away process, forked from one that has the library open, loads a model for one split mode and
then tries its combinations: what the engine's own guard says of each, and whether a context can be
made and decoded with. An abort ends the process; the next one goes on behind it. A combination
that does not agree is tried once more in a process of its own.

What happened is compared with what the rules said. It prints a JSON summary and answers 1 on any
disagreement: a verdict other than no must pass the guard and run; with a no, the guard must refuse
with the sentence of a rule, and llama.cpp itself must fail or abort. What the file of `--out` holds
already is not tried again.
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
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, get_args

from engine.errors import UserError
from engine.llama.build_facts import build_facts
from engine.llama.devices import Device, Devices
from engine.llama.guard import refuse_what_fails
from engine.llama.library import api
from engine.llama.parameters import context_parameters, model_parameters
from engine.planning.facts import BuildFacts, DeviceFacts
from engine.planning.header import Header, read_header
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

Case = tuple[str, str, str, tuple[str, str]]
"""Family, split, flash attention, KV pair."""


@dataclass(frozen=True)
class Outcome:
    """One combination: what the rules said, what the engine's guard said, and what happened."""

    family: str
    split: str
    flash: str
    type_k: str
    type_v: str
    verdict: str
    codes: tuple[str, ...]
    guard: str
    outcome: str
    last_line: str = ""

    @property
    def agrees(self) -> bool:
        """A no is refused by the guard and would fail; everything else passes it and runs."""
        if self.verdict == "no":
            return self.guard in self.codes and self.outcome != "runs"
        return not self.guard and self.outcome == "runs"

    @property
    def case(self) -> Case:
        """Which combination it is."""
        return self.family, self.split, self.flash, (self.type_k, self.type_v)


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

    def close(self) -> None:
        servers, self._servers = self._servers, []
        for _, server in servers:
            stop_server(server)


class Worker:
    """A throw-away process that tries combinations of one model and split until one ends it."""

    def __init__(self, cases: Sequence[Case], path: Path, devices: tuple[str, ...]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed when the process has ended
        reader, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(reader)
            os.dup2(self._log.fileno(), 2)
            os.dup2(self._log.fileno(), 1)
            # Nothing of the parent may run on in here, not even its clean-up of files.
            try:
                with os.fdopen(writer, "w", buffering=1) as sink:
                    _try_all(cases, path, devices, sink)
            finally:
                os._exit(0)
        os.close(writer)
        self._lines = os.fdopen(reader)

    def line(self) -> str | None:
        """The next line it tells; None when it has ended, also after a hang."""
        patience = threading.Timer(_CASE_S, os.kill, (self._child, signal.SIGKILL))
        patience.start()
        line = self._lines.readline()
        patience.cancel()
        return line[:-1] if line.endswith("\n") else None

    def end(self) -> tuple[str, str]:
        """How it ended, and its last words."""
        _, status = os.waitpid(self._child, 0)
        self._lines.close()
        with self._log as log:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").splitlines()
        wanted = [line for line in lines if "ASSERT" in line or "ABORT" in line]
        code = os.waitstatus_to_exitcode(status)
        words = " | ".join(line[:200] for line in (wanted or lines)[-4:])
        return "aborted" if code < 0 else f"status {code}", words


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
) -> Iterator[Case]:
    """Every combination, those of one model and split together."""
    return itertools.product(names, splits, flash, list(pairs))


def settings_of(case: Case, path: Path, devices: tuple[str, ...]) -> EngineSettings:
    """The settings of a combination; small, so that a context costs next to nothing."""
    _, split, flash, (type_k, type_v) = case
    return EngineSettings(
        model_path=str(path),
        devices=devices,
        split_mode=split,  # type: ignore[arg-type]
        flash_attn=flash,  # type: ignore[arg-type]
        type_k=type_k,  # type: ignore[arg-type]
        type_v=type_v,  # type: ignore[arg-type]
        n_ctx=512,
        n_batch=64,
        n_ubatch=64,
    )


def _try_all(cases: Sequence[Case], path: Path, devices: tuple[str, ...], sink: TextIO) -> None:
    """Two lines a combination: what the guard says, then what happened."""
    native = api()
    chosen = Devices().chosen(devices)
    model: int | None = None
    for case in cases:
        settings = settings_of(case, path, devices)
        sink.write(_guarded(settings, chosen) + "\n")
        if model is None:
            parameters = model_parameters(settings, [device.handle for device in chosen])
            model = native.llama_model_load_from_file(str(path).encode(), parameters.struct) or 0
        sink.write((_decoded(model, settings) if model else "load refused") + "\n")


def _guarded(settings: EngineSettings, devices: Sequence[Device]) -> str:
    """Code of the sentence with which the engine refuses a load; empty when it would load."""
    try:
        refuse_what_fails(settings, devices)
    except UserError as error:
        return error.code
    return ""


def _decoded(model: int, settings: EngineSettings) -> str:
    native = api()
    parameters = context_parameters(settings, threads=1, threads_batch=1)
    context = native.llama_init_from_model(model, parameters.struct)
    if not context:
        return "context refused"
    try:
        for length in (_PROMPT, 1, 1):
            tokens = (ctypes.c_int32 * length)(*[(7 * i + length) % 100 for i in range(length)])
            if native.llama_decode(context, native.llama_batch_get_one(tokens, length)):
                return "decode failed"
        native.llama_synchronize(context)
        return "runs" if native.llama_get_logits(context) else "decode failed"
    finally:
        native.llama_free(context)


def tried(cases: Sequence[Case], path: Path, header: Header, pair: Pair) -> Iterator[Outcome]:
    """The outcomes of combinations of one model and split, in order."""
    left = list(cases)
    while left:
        devices = pair.addresses()
        worker = Worker(left, path, devices)
        while left and (guard := worker.line()) is not None:
            happened = worker.line()
            if happened is None:
                # It took the client down, and may have taken a server with it.
                pair.close()
                happened, words = worker.end()
                yield judged(left.pop(0), path, header, devices, (guard, happened, words))
                break
            yield judged(left.pop(0), path, header, devices, (guard, happened, ""))
        else:
            happened, words = worker.end()
            if left:
                raise RuntimeError(f"{left[0]}: the worker ended between two cases: {words}")


def judged(
    case: Case, path: Path, header: Header, devices: tuple[str, ...], found: tuple[str, str, str]
) -> Outcome:
    """What was found (guard, outcome, last words) beside what the rules say."""
    facts = [
        DeviceFacts(name=f"RPC{n}", id=address, backend="RPC", kind="rpc")
        for n, address in enumerate(devices)
    ]
    verdicts = check(settings_of(case, path, devices), header.facts, _build(), facts)
    family, split, flash, (type_k, type_v) = case
    guard, happened, words = found
    return Outcome(
        family=family,
        split=split,
        flash=flash,
        type_k=type_k,
        type_v=type_v,
        verdict=worst(verdicts),
        codes=tuple(verdict.code for verdict in verdicts if verdict.severity == "no"),
        guard=guard,
        outcome=happened,
        last_line=words,
    )


@cache
def _build() -> BuildFacts:
    return build_facts(("CPU", "RPC"))


def swept(cases: Iterable[Case], paths: dict[str, Path]) -> Iterator[Outcome]:
    """Every case; one that does not agree is tried again alone, and that is what counts."""
    api()
    pair = Pair()
    try:
        for (family, _), group in itertools.groupby(cases, key=lambda case: case[:2]):
            header = read_header(paths[family])
            for outcome in tried(list(group), paths[family], header, pair):
                if outcome.agrees:
                    yield outcome
                else:
                    alone = Pair()
                    yield from tried([outcome.case], paths[family], header, alone)
                    alone.close()
    finally:
        pair.close()


def _earlier(path: Path) -> list[Outcome]:
    if not path.exists():
        return []
    stored = [json.loads(line) for line in path.read_text().splitlines()]
    return [Outcome(**{**row, "codes": tuple(row["codes"])}) for row in stored]


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep, print the summary, and answer whether all agreed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default="", help="names, separated by commas; all by default")
    parser.add_argument("--pairs", choices=("all", "few"), default="all")
    parser.add_argument("--out", type=Path, help="write every outcome as JSON lines")
    options = parser.parse_args(arguments)
    pairs = FEW_PAIRS if options.pairs == "few" else tuple(itertools.product(KV_TYPES, KV_TYPES))
    outcomes = _earlier(options.out) if options.out else []
    done = {outcome.case for outcome in outcomes}
    with (
        tempfile.TemporaryDirectory() as folder,
        (options.out or Path(os.devnull)).open("a") as sink,
    ):
        paths = families(Path(folder), [name for name in options.families.split(",") if name])
        cases = (case for case in combinations(paths, pairs) if case not in done)
        for outcome in swept(cases, paths):
            outcomes.append(outcome)
            sink.write(json.dumps(asdict(outcome)) + "\n")
            sink.flush()
    odd = [outcome for outcome in outcomes if not outcome.agrees]
    counts = Counter(f"{one.verdict} / {one.outcome}" for one in outcomes)
    summary = {
        "tried": len(outcomes),
        "outcomes": dict(counts),
        "disagreements": [asdict(outcome) for outcome in odd[:50]],
        "disagreement_count": len(odd),
    }
    json.dump(summary, sys.stdout, indent=2)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())

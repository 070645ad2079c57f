"""Compares plans with live contexts, byte by byte, over the zoo.

Run it as `PYTHONPATH=. python tests/engine/exactness.py [--devices]`. It prints a JSON summary: the
largest difference by kind. It is a process of its own because a model that llama.cpp gives up on
would take the test run with it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.llama.breakdown import kv_kinds, memory_breakdown
from engine.llama.build_facts import build_facts
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun, Measured
from engine.llama.library import api
from engine.llama.parameters import context_parameters, model_parameters
from engine.planning.facts import DeviceFacts
from engine.planning.rules import check, worst
from engine.remote.servers import start_server, stop_server
from engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ZOO = Path(__file__).parents[1] / "data" / "zoo"
CONTEXTS = (512, 4096, 32768)
Difference = dict[str, int]


def models(folder: Path, extra: Path | None) -> Iterator[Path]:
    """The zoo's files, written into a folder, and those of another folder."""
    for packed in sorted(ZOO.glob("*.gguf.xz")):
        path = folder / packed.name.removesuffix(".xz")
        path.write_bytes(lzma.decompress(packed.read_bytes()))
        yield path
    if extra is not None:
        yield from sorted(extra.glob("*.gguf"))


def candidates(path: Path, addresses: tuple[str, ...]) -> Iterator[EngineSettings]:
    """f16 and q8_0, full window or not, three contexts; on devices both splits."""
    base = EngineSettings(model_path=str(path), mmap=False, devices=addresses or ("cpu",))
    splits = ("layer", "tensor") if addresses else ("layer",)
    contexts = CONTEXTS[1:2] if addresses else CONTEXTS
    shares: tuple[tuple[int, ...], ...] = ((1, 1), (3, 2)) if addresses else ((),)
    for split, share, kv_type, full, n_ctx in itertools.product(
        splits, shares, ("f16", "q8_0"), (False, True), contexts
    ):
        yield msgspec.structs.replace(
            base,
            split_mode=split,
            tensor_split=share,
            type_k=kv_type,
            type_v=kv_type,
            swa_full=full,
            n_ctx=n_ctx,
        )


def differences(run: DryRun, settings: EngineSettings, devices: Devices) -> Difference:
    """Bytes by which the live context differs from the plan, by kind."""
    plan = run.measure(settings)
    native = api()
    handles = [device.handle for device in devices.chosen(settings.devices)]
    parameters = model_parameters(settings, handles)
    model = native.llama_model_load_from_file(settings.model_path.encode(), parameters.struct)
    context = native.llama_init_from_model(
        model, context_parameters(settings, threads=1, threads_batch=1).struct
    )
    try:
        found = _difference(plan, context, [d.info.name for d in devices.chosen(settings.devices)])
    finally:
        native.llama_free(context)
        native.llama_model_free(model)
    return found


def _difference(plan: Measured, context: int, names: Sequence[str]) -> Difference:
    rows = memory_breakdown(context)
    meta = [row for row in rows if row.buffer.startswith("Meta(")]
    host = [
        row for row in rows if row not in meta and (row.is_host or row.device_name not in names)
    ]
    found: Difference = {}

    def note(kind: str, live: int, planned: int) -> None:
        found[kind] = max(found.get(kind, 0), abs(live - planned))

    for part in ("weights", "kv", "compute"):
        field = f"{part}_bytes"
        note(f"host {part}", sum(getattr(row, field) for row in host), getattr(plan.host, field))
        if meta:
            # A live tensor split tells the fullest device alone.
            planned = max(getattr(share, field) for share in plan.devices)
            note(f"device {part}", sum(getattr(row, field) for row in meta), planned)
            continue
        for name, share in zip(names, plan.devices, strict=True):
            own = [row for row in rows if row.device_name == name and not row.is_host]
            live = sum(getattr(row, field) for row in own)
            note(f"device {part}", live, getattr(share, field))
    if not meta:
        live_kinds = kv_kinds(context)
        for kind in live_kinds.keys() | plan.kv_kinds.keys():
            note(f"kv {kind}", live_kinds.get(kind, 0), plan.kv_kinds.get(kind, 0))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the largest differences; answer 1 when there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", action="store_true", help="on two RPC devices")
    parser.add_argument("--extra", type=Path, help="a folder with more GGUF files")
    options = parser.parse_args(arguments)
    servers = [start_server("CPU", threads=1) for _ in range(2)] if options.devices else []
    addresses = tuple(address for address, _ in servers)
    worst_by_kind: Difference = {}
    odd: list[str] = []
    compared = 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            for path in models(Path(folder), options.extra):
                devices = Devices()
                run = DryRun(str(path), devices)
                for settings in candidates(path, addresses):
                    if _is_refused(run, settings):
                        continue
                    compared += 1
                    for kind, size in differences(run, settings, devices).items():
                        worst_by_kind[kind] = max(worst_by_kind.get(kind, 0), size)
                        if size:
                            odd.append(f"{path.stem} {settings.split_mode} {kind}: {size}")
                run.close()
    finally:
        for _, server in servers:
            stop_server(server)
    json.dump(
        {"compared": compared, "max_bytes": worst_by_kind, "odd": odd[:40]}, sys.stdout, indent=2
    )
    return 1 if odd else 0


def _is_refused(run: DryRun, settings: EngineSettings) -> bool:
    chosen = tuple(
        DeviceFacts(name=address, id=address, backend="RPC", kind="rpc")
        for address in settings.devices
        if address != "cpu"
    )
    verdicts = check(settings, run.header.facts, build_facts(("CPU",)), chosen)
    return worst(verdicts) == "no"


if __name__ == "__main__":
    sys.exit(main())

"""``leadline devices``: what this machine offers, as llama.cpp sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    import argparse

    from engine.worker.protocol import BuildInfo, DeviceInfo

_GIB = 1 << 30


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")


def run(options: argparse.Namespace) -> int:
    """List; always 0."""
    with BlockingWorker() as worker:
        hello = worker.hello
    if options.json:
        print(
            json.dumps(
                {
                    "devices": msgspec.to_builtins(hello.devices),
                    "build": msgspec.to_builtins(hello.build),
                }
            )
        )
        return 0
    for device in hello.devices:
        print(_line(device))
    print(_build(hello.build))
    return 0


def _line(device: DeviceInfo) -> str:
    if device.free_bytes is None or device.total_bytes is None:
        memory = "memory unknown"
    else:
        memory = f"{device.free_bytes / _GIB:.1f} of {device.total_bytes / _GIB:.1f} GiB free"
    return f"{device.name:8} {device.id:16} {device.description} · {memory}"


def _build(build: BuildInfo) -> str:
    threads = f"{build.physical_cores} threads ({build.threads_reason})"
    return f"backends: {', '.join(build.backends)} · {threads}"

"""`leadline node`: lends a device of this machine to a Leadline on another one."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

from engine.errors import Problem, UserError
from engine.remote.node import Node, is_exposed
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from engine.worker.protocol import DeviceInfo

_PORT = 50052


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: only here"
    )
    parser.add_argument("--port", type=int, default=_PORT, help=f"port; default: {_PORT}, 0: any")
    parser.add_argument("--device", default="", help="device to lend; default: a GPU or the CPU")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; default: all cores")
    parser.add_argument("--list", action="store_true", help="list the devices and leave")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    with BlockingWorker() as worker:
        devices, build = worker.hello.devices, worker.hello.build
    if options.list:
        for device in devices:
            print(f"{device.name:8} {device.id:16} {device.description}")
        return 0
    device = _lent(devices, options.device)
    node = Node(
        options.host,
        options.port,
        device.name,
        threads=options.threads or build.physical_cores,
        on_change=lambda: _show_clients(node),
    )
    if is_exposed(options.host):
        warning = Problem(code="node.exposed", params={"address": node.address})
        print(f"Warning: {warning.message} {warning.fix}", file=sys.stderr)
    with _interrupted() as interrupted:
        node.start()
        print(f"Lending {device.description or device.name} at {node.address}", flush=True)
        interrupted.wait()
        node.stop()
    return 0


def _lent(devices: tuple[DeviceInfo, ...], name: str) -> DeviceInfo:
    for device in devices:
        if name and name.lower() in (device.name.lower(), device.id.lower()):
            return device
    if name:
        raise UserError("node.no_device", name=name)
    gpus = [device for device in devices if device.kind == "gpu"]
    return (gpus or [device for device in devices if device.kind == "cpu"])[0]


def _show_clients(node: Node) -> None:
    names = ", ".join(node.clients)
    print(f"Clients: {names or 'none'}", flush=True)


@contextlib.contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C and a polite end set."""
    event = threading.Event()
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in old:
        signal.signal(number, lambda *_: event.set())
    try:
        yield event
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)

"""RPC server processes on loopback: started, waited for, stopped."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time

from engine.child_process import end, start
from engine.errors import UserError

LOOPBACK = "127.0.0.1"
_START_S = 20.0
_POLL_S = 0.05


def start_server(
    device: str, *, threads: int, within_s: float = _START_S
) -> tuple[str, subprocess.Popen[bytes]]:
    """Start one RPC server on a free loopback port, and wait until it listens.

    Raises:
        UserError: ``node.not_built`` when it ends before, ``node.not_started`` when it still does
            not listen after `within_s`.
    """
    port = free_port()
    command = [sys.executable, "-P", "-m", "engine.remote.serve", str(port), str(threads), device]
    server = start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 0.2):
            return f"{LOOPBACK}:{port}", server
        time.sleep(_POLL_S)
    status = server.poll()
    stop_server(server)
    if status is None:
        raise UserError("node.not_started", device=device, seconds=f"{within_s:.0f}")
    raise UserError("node.not_built", detail=f"status {status}")


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """End a server: it leaves when its stdin closes."""
    end(server)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

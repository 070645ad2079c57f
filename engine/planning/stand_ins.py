"""Stand-ins for devices that are not in this machine: CPU devices behind RPC on loopback.

A plan for "two cards with 24 GB" needs devices to place layers on. Nothing is allocated in a dry
run, so a CPU device that answers for a card is enough; sizes can differ by the padding that a
card's own backend adds.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time

from engine.errors import UserError

_START_S = 15.0
_POLL_S = 0.05
LOOPBACK = "127.0.0.1"


class StandIns:
    """Server processes that are started when first needed. Owned by the planner."""

    def __init__(self) -> None:
        self._servers: list[tuple[str, subprocess.Popen[bytes]]] = []

    def addresses(self, count: int) -> tuple[str, ...]:
        """Addresses of `count` devices.

        Raises:
            UserError: ``node.not_built`` when they do not start.
        """
        self._servers = [entry for entry in self._servers if entry[1].poll() is None]
        while len(self._servers) < count:
            self._servers.append(start_server("CPU", threads=1))
        return tuple(address for address, _ in self._servers[:count])

    def close(self) -> None:
        """Stop all servers."""
        servers, self._servers = self._servers, []
        for _, server in servers:
            stop_server(server)


def start_server(device: str, *, threads: int) -> tuple[str, subprocess.Popen[bytes]]:
    """Start one RPC server on a free loopback port, and wait until it listens.

    Raises:
        UserError: ``node.not_built`` when it ends before.
    """
    port = free_port()
    command = [sys.executable, "-P", "-m", "engine.remote.serve", str(port), str(threads), device]
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 0.2):
            return f"{LOOPBACK}:{port}", server
        time.sleep(_POLL_S)
    stop_server(server)
    raise UserError("node.not_built", detail=f"status {server.returncode}")


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """End a server: it leaves when its stdin closes."""
    if server.stdin is not None:
        server.stdin.close()
    try:
        server.wait(2.0)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

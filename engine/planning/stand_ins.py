"""Stand-ins for devices that are not in this machine: CPU devices behind RPC on loopback.

A plan for "two cards with 24 GB" needs devices to place layers on. Nothing is allocated in a dry
run, so a CPU device that answers for a card is enough; sizes can differ by the padding that a
card's own backend adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.rpc import can_serve
from engine.remote.servers import start_server, stop_server

if TYPE_CHECKING:
    import subprocess


class StandIns:
    """Server processes that are started when first needed. Owned by the planner."""

    def __init__(self) -> None:
        self._servers: list[tuple[str, subprocess.Popen[bytes]]] = []

    def addresses(self, count: int) -> tuple[str, ...]:
        """Addresses of `count` devices.

        Raises:
            UserError: ``planning.what_if_not_built`` where this build has no RPC, else
                ``node.not_built`` or ``node.not_started``.
        """
        if not can_serve():
            raise UserError("planning.what_if_not_built")
        self._servers = [entry for entry in self._servers if entry[1].poll() is None]
        while len(self._servers) < count:
            self._servers.append(start_server("CPU", threads=1))
        return tuple(address for address, _ in self._servers[:count])

    def close(self) -> None:
        """Stop all servers."""
        servers, self._servers = self._servers, []
        for _, server in servers:
            stop_server(server)

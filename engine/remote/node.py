"""A node: lends this machine's devices to several clients at a time.

ggml's RPC server serves one client and crashes with what that client sends. So each client gets a
server process of its own, on loopback, and the node passes the bytes on. A planner and a worker can
then use one node together, and a crash takes down one client's server alone.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.remote.servers import LOOPBACK, start_server, stop_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

_CHUNK_BYTES = 1 << 20
_SPARE_S = 60.0
_ACCEPT_POLL_S = 0.2
_LOCAL = ("127.0.0.1", "localhost", "::1")


def is_exposed(host: str) -> bool:
    """Whether others than this machine reach an address: the protocol has no password."""
    return host not in _LOCAL


class Node:
    """Accepts clients and passes their bytes to server processes.

    Owned by `leadline node` or a test; `start` returns at once, threads do the rest.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        device: Name or id of the device to lend, as llama.cpp calls it.
        threads: CPU threads of each server.
        on_change: Told after a client came or went, on a thread of the node.
    """

    def __init__(
        self,
        host: str,
        port: int,
        device: str,
        *,
        threads: int,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._device, self._threads, self._on_change = device, threads, on_change
        self._lock = threading.Lock()
        self._spare: list[tuple[str, subprocess.Popen[bytes], float]] = []
        self._clients: dict[int, str] = {}
        self._sockets: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._workers: list[threading.Thread] = []
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            address = f"{host}:{port}"
            raise UserError("node.port_taken", address=address, reason=str(error)) from error
        self._listener.settimeout(_ACCEPT_POLL_S)
        self.host, self.port = host, int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{self.host}:{self.port}"

    @property
    def clients(self) -> tuple[str, ...]:
        """The addresses of those who use the device now."""
        with self._lock:
            return tuple(self._clients.values())

    def start(self) -> None:
        """Start the first server and accept clients.

        Raises:
            UserError: ``node.not_built``, ``node.not_started``.
        """
        address, server = start_server(self._device, threads=self._threads)
        self._spare.append((address, server, time.monotonic()))
        self._run(self._accept, "node-accept")

    def stop(self) -> None:
        """Hang up on all clients and stop their servers."""
        self._stopping.set()
        # Closing alone leaves it open for as long as the other thread waits on it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.join(5.0)
        for _, server, _ in self._spare:
            stop_server(server)

    def _run(self, target: Callable[..., None], name: str, *arguments: object) -> threading.Thread:
        worker = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        with self._lock:
            # Started within: one that has not begun is not alive and would be forgotten.
            worker.start()
            self._workers = [each for each in self._workers if each.is_alive()] + [worker]
        return worker

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, peer = self._listener.accept()
            except TimeoutError:
                self._drop_spares()
                continue
            except OSError:
                return
            connection.settimeout(None)
            self._run(self._serve, "node-client", connection, f"{peer[0]}:{peer[1]}")

    def _serve(self, connection: socket.socket, peer: str) -> None:
        identity = id(connection)
        with connection:
            try:
                address, server = self._server()
            except UserError:
                return
            with self._lock:
                self._clients[identity] = peer
                self._sockets.add(connection)
            self._on_change()
            try:
                self._relay(connection, address)
            finally:
                with self._lock:
                    self._clients.pop(identity, None)
                    self._sockets.discard(connection)
                    if server.poll() is None:
                        self._spare.append((address, server, time.monotonic()))
                if server.poll() is not None:
                    stop_server(server)
                self._on_change()

    def _server(self) -> tuple[str, subprocess.Popen[bytes]]:
        with self._lock:
            while self._spare:
                address, server, _ = self._spare.pop()
                if server.poll() is None:
                    return address, server
                stop_server(server)
        return start_server(self._device, threads=self._threads)

    def _relay(self, connection: socket.socket, address: str) -> None:
        port = int(address.rpartition(":")[2])
        try:
            upstream = socket.create_connection((LOOPBACK, port), timeout=5.0)
        except OSError:
            return
        upstream.settimeout(None)
        with upstream:
            for end in (connection, upstream):
                # Small answers per token must not wait for each other.
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = self._run(_pump, "node-back", upstream, connection)
            _pump(connection, upstream)
            back.join()

    def _drop_spares(self) -> None:
        """Stop servers that wait for nobody: each may hold a context on its GPU. Keep one."""
        now_s = time.monotonic()
        with self._lock:
            old = [entry for entry in self._spare[:-1] if now_s - entry[2] > _SPARE_S]
            self._spare = [entry for entry in self._spare if entry not in old]
        for _, server, _ in old:
            stop_server(server)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass bytes on until one end hangs up; then hang up on both."""
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with contextlib.suppress(OSError):
        while size := source.recv_into(buffer):
            sink.sendall(buffer[:size])
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

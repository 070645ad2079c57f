"""What a device server of another machine answers to: ggml's greeting, and a plain knock.

Sockets alone: nothing here needs llama.cpp, and no process of its own is at risk.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct

from engine.errors import UserError

_ADDRESS = re.compile(r"^(?:rpc:)?([^\s:]+:\d{1,5})$", re.IGNORECASE)
_HELLO = 14
_CAPS_BYTES = 24
_VERSION = (7, 0)
_TIMEOUT_S = 3.0


def address_of(device: str) -> str | None:
    """Where a device as written in the settings is; None for one of this machine."""
    found = _ADDRESS.match(device)
    return found.group(1) if found else None


def knock(address: str) -> None:
    """Ask whether a server that is known is still there.

    It may serve this very process, and nobody else until that is over: it is not waited for.

    Raises:
        UserError: Nobody listens there any more.
    """
    _connected(address, _TIMEOUT_S).close()


def greet(address: str, timeout_s: float = _TIMEOUT_S) -> None:
    """Do the RPC handshake once and hang up.

    Raises:
        UserError: Nobody answers there, or not with ggml's protocol.
    """
    hello = struct.pack("<BQ", _HELLO, _CAPS_BYTES) + bytes(_CAPS_BYTES)
    try:
        with _connected(address, timeout_s) as connection:
            connection.sendall(hello)
            answer = _received(connection, 8 + 4)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
    except TimeoutError as error:
        # A server serves one client at a time: the others are accepted and wait.
        raise UserError("engine.rpc_busy", address=address, detail=str(error)) from error
    except OSError as error:
        raise UserError("engine.rpc_unreachable", address=address, detail=str(error)) from error
    if len(answer) != 12 or struct.unpack_from("<Q", answer)[0] != 4 + _CAPS_BYTES:
        raise UserError("engine.rpc_not_ggml", address=address)
    major, minor = answer[8], answer[9]
    if (major, minor) > _VERSION or major != _VERSION[0]:
        ours = ".".join(map(str, _VERSION))
        raise UserError("engine.rpc_version", address=address, theirs=f"{major}.{minor}", ours=ours)


def _connected(address: str, timeout_s: float) -> socket.socket:
    host, _, port = address.rpartition(":")
    try:
        return socket.create_connection((host, int(port)), timeout=timeout_s)
    except (OSError, OverflowError) as error:
        raise UserError("engine.rpc_unreachable", address=address, detail=str(error)) from error


def _received(connection: socket.socket, size: int) -> bytes:
    """Up to `size` bytes; fewer when the other end hangs up.

    MSG_WAITALL does not wait here: a socket with a timeout is non-blocking underneath.
    """
    data = b""
    while len(data) < size and (part := connection.recv(size - len(data))):
        data += part
    return data

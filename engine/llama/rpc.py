"""ggml's RPC server: lends devices of this process to one client at a time."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.library import api, ggml, has_ggml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Device

_P = ctypes.c_void_p
_START = "ggml_backend_rpc_start_server"


def can_serve() -> bool:
    """Whether this build has the RPC backend."""
    api()
    return has_ggml(_START)


def serve(host: str, port: int, devices: Sequence[Device], threads: int) -> None:
    """Serve clients one after another; returns only when the port cannot be opened.

    Raises:
        UserError: ``node.not_built``.
    """
    if not can_serve():
        raise UserError("node.not_built")
    handles = (_P * len(devices))(*[device.handle for device in devices])
    start = ggml(
        _START, None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, _P
    )
    start(f"{host}:{port}".encode(), None, threads, len(devices), ctypes.addressof(handles))

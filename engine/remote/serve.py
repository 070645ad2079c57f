"""One ggml RPC server as a process: `python -m engine.remote.serve PORT THREADS DEVICE…`.

A node starts one per client it has at a time. It listens on loopback alone and leaves when its
stdin closes, so that it never outlives the node.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading

from engine.llama.devices import Devices
from engine.llama.library import api
from engine.llama.rpc import serve

LOOPBACK = "127.0.0.1"
_M_MMAP_THRESHOLD = -3
_OWN_PAGES_BYTES = 64 * 1024


def main(arguments: list[str]) -> int:
    """Serve until stdin closes or the port is refused."""
    port, threads = int(arguments[0]), int(arguments[1])
    _take_fresh_memory()
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    api()
    known = {device.info.id: device for device in Devices().all()}
    known |= {device.info.name: device for device in Devices().all()}
    serve(LOOPBACK, port, [known[name] for name in arguments[2:]], threads)
    return 1


def _take_fresh_memory() -> None:
    """Have glibc give each buffer pages of its own, which the kernel hands out as zeros.

    Where a device holds no part of a tensor, a tensor split makes zeros by multiplying what lies in
    memory by 0, and 0 times NaN is NaN (ggml-backend-meta.cpp, `allreduce_fallback`). A server that
    has served a client before would give the next one that client's leavings.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES_BYTES)


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

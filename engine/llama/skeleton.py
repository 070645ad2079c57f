"""A stand-in for a model file that is only measured: its header without the words, and no weights.

Reading a header with a vocabulary of 262,144 words takes llama.cpp a tenth of a second, and each
position of a split handle opens the model anew. The stand-in lives in memory: the tensors' place in
it is a hole, which takes no room.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from engine.llama.library import ggml, has_ggml

_P = ctypes.c_void_p
_WORDS = ("tokens", "scores", "token_type", "merges")


class _GgufInit(ctypes.Structure):
    """`gguf_init_params`."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


class Skeleton:
    """A file in memory; it is gone with `close`, or with the process.

    Attributes:
        path: Where llama.cpp finds it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.path = f"/proc/self/fd/{descriptor}"

    def close(self) -> None:
        """Free it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def skeleton_of(path: Path) -> Skeleton | None:
    """The stand-in for a file that is not split; None where this system cannot keep one."""
    if sys.platform != "linux" or not has_ggml("gguf_remove_key"):
        return None
    context = ggml("gguf_init_from_file", _P, ctypes.c_char_p, _GgufInit)(
        str(path).encode(), _GgufInit(True, None)
    )
    if not context:
        return None
    try:
        return _written(context, path)
    except OSError:
        # No memory file, or none as large as the model: the model itself will do.
        return None
    finally:
        ggml("gguf_free", None, _P)(context)


def _written(context: int, path: Path) -> Skeleton | None:
    data_bytes = path.stat().st_size - ggml("gguf_get_data_offset", ctypes.c_size_t, _P)(context)
    for name in _WORDS:
        key = f"tokenizer.ggml.{name}".encode()
        ggml("gguf_remove_key", ctypes.c_int64, _P, ctypes.c_char_p)(context, key)
    skeleton = Skeleton(os.memfd_create("skeleton", os.MFD_CLOEXEC))
    write = ggml("gguf_write_to_file", ctypes.c_bool, _P, ctypes.c_char_p, ctypes.c_bool)
    try:
        if not write(context, skeleton.path.encode(), True):
            raise OSError
        # llama.cpp checks that all tensors lie within the file, and reads none of them.
        os.truncate(skeleton.path, Path(skeleton.path).stat().st_size + data_bytes)
    except OSError:
        skeleton.close()
        raise
    return skeleton

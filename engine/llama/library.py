"""The one import of `llama_cpp`, done when first needed, and access to ggml's own functions.

Everything that must be in place before native code runs is set here: environment variables, the log
callback and the hook for an assert that is about to abort the process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.llama.logs import LogSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_BEFORE_LOADING = {
    # CUDA's own order puts the fastest card first and disagrees with NVML and nvidia-smi.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    # The backtrace of an abort starts a debugger, which can hang; the assert's text is enough.
    "GGML_NO_BACKTRACE": "1",
}
_LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_ABORT_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_char_p)

log_sink = LogSink()


@cache
def api() -> ModuleType:
    """The low-level API, loaded and initialised on the first call.

    Logs go to `log_sink` from then on. Call it from the thread that owns the engine.
    """
    loaded = _module()
    send_logs(loaded.llama_log_set)
    loaded.llama_backend_init()
    _load_dynamic_backends()
    return loaded


def send_logs(setter: Callable[..., Any]) -> None:
    """Have a library's log go to `log_sink`."""
    _keep(_LOG_CALLBACK(_on_log), setter)


def ggml(name: str, result: Any = None, *arguments: Any) -> Any:  # noqa: ANN401
    """A function of ggml that `llama_cpp` does not wrap, with its C types declared.

    Raises:
        AttributeError: This build does not export it.
    """
    function = _symbol(name)
    function.restype = result
    function.argtypes = list(arguments)
    return function


def address_of(pointer: Any) -> int:  # noqa: ANN401
    """The address of a function of the API, or of what a pointer of it points to."""
    return int(ctypes.cast(pointer, ctypes.c_void_p).value or 0)


def has_ggml(name: str) -> bool:
    """Whether this build exports a function."""
    try:
        _symbol(name)
    except AttributeError:
        return False
    return True


def set_abort_hook(hook: Callable[[str], None]) -> None:
    """Have `hook` called with the text of a failed assert, just before the process aborts."""

    def before_abort(text: bytes | None) -> None:
        message = (text or b"").decode("utf-8", "replace").strip()
        log_sink.flush()
        os.write(2, f"E {message}\n".encode())
        hook(message)

    api()
    callback = _ABORT_CALLBACK(before_abort)
    _kept.append(callback)
    ggml("ggml_set_abort_callback", ctypes.c_void_p, _ABORT_CALLBACK)(callback)


# ctypes callbacks are freed with their Python object, so each one is kept for good.
_kept: list[Any] = []


def _keep(callback: Any, setter: Any) -> None:  # noqa: ANN401
    _kept.append(callback)
    setter(callback, ctypes.c_void_p(0))


def _on_log(level: int, text: bytes | None, _user_data: int | None) -> None:
    log_sink.feed(level, text or b"")


def _symbol(name: str) -> Any:  # noqa: ANN401
    for library in _libraries():
        try:
            # Not by attribute: that would be the very object whose types `llama_cpp` has declared.
            return library[name]
        except AttributeError:
            continue
    raise AttributeError(name)


@cache
def _libraries() -> tuple[ctypes.CDLL, ...]:
    loaded: ctypes.CDLL = _module()._lib
    if sys.platform != "win32":
        # A handle also finds what its library depends on: the very ggml that libllama uses. Opening
        # ggml by file name could load a second copy with a registry of its own.
        return (loaded,)
    names = ("ggml-base.dll", "ggml.dll", "ggml-rpc.dll")
    folder = Path(loaded._name).parent
    return (loaded, *(ctypes.CDLL(str(folder / n)) for n in names if (folder / n).is_file()))


@cache
def _module() -> ModuleType:
    for name, value in _BEFORE_LOADING.items():
        os.environ.setdefault(name, value)
    import llama_cpp.llama_cpp as loaded

    return loaded


def binding_version() -> str:
    """Version of llama-cpp-python, also where it lies unpacked without its package metadata."""
    import llama_cpp

    _module()
    return str(llama_cpp.__version__)


def _load_dynamic_backends() -> None:
    # Builds with GGML_BACKEND_DL register nothing by themselves.
    if ggml("ggml_backend_dev_count", ctypes.c_size_t)() == 0:
        folder = str(Path(_module()._lib._name).parent).encode()
        ggml("ggml_backend_load_all_from_path", None, ctypes.c_char_p)(folder)

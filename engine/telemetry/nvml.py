"""The one gate to NVML: the only module that imports pynvml.

NVML is initialised on first use and again, at most every half minute, while that fails. All calls
take one lock. Whatever is missing (driver, function, figure) is None and is logged once.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

_log = logging.getLogger(__name__)
_RETRY_S = 30.0


class GpuLostError(Exception):
    """A GPU that was there no longer answers."""


class NvmlGate:
    """Calls NVML by function name.

    Owned by the sampler or a command; any thread may call. `module` stands in for pynvml.
    """

    def __init__(self, module: ModuleType | None = None) -> None:
        self._module = module
        self._lock = threading.RLock()
        self._ready = False
        self._next_try_s = 0.0
        self._said: set[str] = set()
        self._generation = 0

    @property
    def generation(self) -> int:
        """Counts initialisations: handles of an older generation are no longer valid."""
        return self._generation

    def available(self) -> bool:
        """Whether NVML answers; tries to initialise it."""
        with self._lock:
            if self._ready:
                return True
            if time.monotonic() < self._next_try_s:
                return False
            self._next_try_s = time.monotonic() + _RETRY_S
            return self._initialise()

    def call(self, function: str, *arguments: Any) -> Any | None:  # noqa: ANN401
        """The function's result, or None when it is missing or has no answer.

        Raises:
            GpuLostError: The GPU the call is about fell off the bus or needs a reset.
        """
        with self._lock:
            if not self.available() or self._module is None:
                return None
            found = getattr(self._module, function, None)
            if found is None:
                self._say_once(function, f"{function} is missing in pynvml")
                return None
            try:
                return found(*arguments)
            except self._module.NVMLError as error:
                self._judge(function, error)
                return None

    def constant(self, name: str) -> Any | None:  # noqa: ANN401
        """A constant of pynvml, or None when this version has none of that name."""
        with self._lock:
            return getattr(self._module, name, None) if self.available() else None

    def close(self) -> None:
        """Shut NVML down; a later call initialises it again."""
        with self._lock:
            if self._ready:
                self.call("nvmlShutdown")
            self._ready = False
            self._next_try_s = 0.0

    def _initialise(self) -> bool:
        try:
            if self._module is None:
                self._module = importlib.import_module("pynvml")
        except ImportError as error:
            self._say_once("import", f"NVML is not available: {error}")
            return False
        try:
            self._module.nvmlInit()
        except (self._module.NVMLError, OSError, AttributeError) as error:
            self._say_once("init", f"NVML is not available: {error}")
            return False
        self._ready = True
        self._generation += 1
        return True

    def _judge(self, function: str, error: Exception) -> None:
        kind = type(error).__name__
        if kind in ("NVMLError_GpuIsLost", "NVMLError_ResetRequired"):
            raise GpuLostError(str(error)) from error
        if kind in ("NVMLError_Uninitialized", "NVMLError_DriverNotLoaded"):
            # The driver went away under us (an update, a suspend): start over later.
            self._ready = False
            self._next_try_s = time.monotonic() + _RETRY_S
            self._say_once(kind, f"NVML stopped answering: {error}")
        else:
            self._say_once(f"{function}:{kind}", f"{function}: {error}")

    def _say_once(self, topic: str, text: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            _log.info("%s", text)

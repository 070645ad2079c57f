"""Tells when an engine that is asked something says nothing: the window and the command line agree.

An engine that waits for a node says nothing either, so the nodes in use are greeted before the
engine itself is suspected.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from engine.errors import Problem
from engine.remote.lost import nodes_among, silent_nodes

if TYPE_CHECKING:
    from engine.worker.client import WorkerClient

# A slice of prefill is asked to take 0.3 s; this much silence is a hang or a machine in trouble.
SILENCE_S = 30.0
# The time after which the nodes in use are looked at; it takes them seconds to be found silent.
NODE_SILENCE_S = 10.0
# Between two looks at a cancel lies a slice of prefill or a token; what takes longer hangs.
CANCEL_S = 15.0


class SilenceWatch:
    """Looks at a worker every second or so. For one thread; nothing here waits."""

    def __init__(self, client: WorkerClient) -> None:
        self._client = client
        self._asking: _Asking | None = None
        self._silence: object = None
        self.told: Problem | None = None
        """What was said of the silence that lasts; None while there is none."""

    def look(self) -> Problem | None:
        """What there is to say about a silence; once for each."""
        if self._silence != self._client.last_sign_s:
            # Something was heard, or asked for.
            self._silence, self._asking, self.told = self._client.last_sign_s, None, None
        silent_s = self._client.silent_s
        if self.told is None and (silent := self._silent_nodes(silent_s)):
            self.told = self._problem("node.silent", silent_s, address=", ".join(silent))
            return self.told
        if self.told is None and silent_s > SILENCE_S:
            self.told = self._problem("worker.silent", silent_s)
            return self.told
        return None

    def _silent_nodes(self, silent_s: float) -> tuple[str, ...]:
        if silent_s < NODE_SILENCE_S or not nodes_among(self._client.devices):
            return ()
        if self._asking is None:
            self._asking = _Asking(tuple(self._client.devices))
        return self._asking.silent

    def _problem(self, code: str, silent_s: float, **params: str) -> Problem:
        seconds = int(silent_s)
        return Problem(
            code=code, params={"seconds": seconds, "phase": self._client.phase, **params}
        )


class _Asking:
    """Greets the nodes on a thread of its own."""

    def __init__(self, devices: tuple[str, ...]) -> None:
        self._devices = devices
        self.silent: tuple[str, ...] = ()
        threading.Thread(target=self._ask, name="node greeting", daemon=True).start()

    def _ask(self) -> None:
        self.silent = silent_nodes(self._devices)


def is_deaf(client: WorkerClient, cancelled_s: float, limit_s: float | None = None) -> bool:
    """Whether a request that was cancelled at a time has not been heard of for too long."""
    limit_s = CANCEL_S if limit_s is None else limit_s
    return min(client.silent_s, time.monotonic() - cancelled_s) > limit_s

"""The programs that the product is compared with, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.bench.talk import Broken, Ready, Task, Timed, decode_answer, encode
from engine.child_process import ChildProcess
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.bench.plan import Mode, Trial
    from engine.bench.talk import Answer, Request, Setup
    from engine.settings import EngineSettings

_END_S = 3.0


@dataclass(frozen=True, slots=True)
class _Program:
    named: str
    module: str
    needs: str
    package: str


_PROGRAMS: dict[Mode, _Program] = {
    "llama-class": _Program(
        "llama-cpp-python's Llama class",
        "engine.llama.peer_llama_class",
        "llama_cpp",
        "llama-cpp-python",
    ),
    "server": _Program(
        "xllamacpp's llama-server", "engine.bench.peer_server", "xllamacpp", "xllamacpp"
    ),
}
PEERS = frozenset(_PROGRAMS)
"""Modes that are other programs."""


class PeerProcess:
    """One peer as a context manager. Waits for each answer.

    Args:
        mode: Which one.
        on_cpu: Keep it off every GPU.

    Raises:
        UserError: From every method: the peer is missing, failed or died.
    """

    def __init__(self, mode: Mode, *, on_cpu: bool = False) -> None:
        self._mode = mode
        self._on_cpu = on_cpu
        self._program = _PROGRAMS[mode]
        self._child: ChildProcess
        self._answers: Iterator[Answer]

    def __enter__(self) -> PeerProcess:
        program = self._program
        if importlib.util.find_spec(program.needs) is None:
            raise UserError(
                "bench.peer_missing", peer=program.named, package=program.package, mode=self._mode
            )
        # Devices are ordered as the product does. Without layers on a GPU llama.cpp still sends
        # large products there.
        env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        if self._on_cpu:
            env["CUDA_VISIBLE_DEVICES"] = ""
        command = [sys.executable, "-P", "-m", program.module]
        self._child = ChildProcess(command, name="peer", env=env)
        self._answers = self._child.answers(decode_answer)
        return self

    def __exit__(self, *_error: object) -> None:
        self._child.close(_END_S)

    def set_up(self, setup: Setup) -> str:
        """Load the model; the peer's version."""
        if not self._on_cpu and (lacking := _lacking(setup.settings)):
            raise self._failed(f"it cannot be told {lacking}")
        answer = self._ask(setup)
        if isinstance(answer, Ready):
            return answer.version
        raise self._failed("it gave no sensible answer")

    def time(self, trial: Trial) -> float:
        """Seconds of one repetition."""
        answer = self._ask(Task(kind=trial.kind, n=trial.n, depth=trial.depth))
        if isinstance(answer, Timed):
            return answer.seconds
        raise self._failed("it gave no sensible answer")

    def _ask(self, request: Request) -> Answer:
        # A peer that is gone shows in the answer that never comes.
        with contextlib.suppress(OSError, ValueError):
            self._child.send(encode(request))
        answer = next(self._answers, None)
        if answer is None:
            self._child.process.kill()
            self._child.process.wait()
            raise UserError("bench.peer_died", **self._told())
        if isinstance(answer, Broken):
            raise self._failed(answer.reason)
        return answer

    def _failed(self, reason: str) -> UserError:
        return UserError("bench.peer_failed", reason=reason, **self._told())

    def _told(self) -> dict[str, str]:
        """Which peer it is, and the last that it logged."""
        log = "\n".join(self._child.log_tail())
        return {"peer": self._program.named, "mode": self._mode, "detail": log}


def _lacking(settings: EngineSettings) -> str:
    """What decides about the speed on a GPU and that none of them can be told."""
    if settings.devices:
        return "which devices to use"
    return "which experts stay in RAM" if settings.n_cpu_moe else ""

"""The programs that the product is compared with, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.bench.talk import Broken, Ready, Task, Timed, decode_answer, encode
from engine.child_process import ChildProcess
from engine.errors import UserError
from engine.worker.death import WorkerExit, in_brief

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
            reason = "it is not installed"
            raise UserError("bench.peer_missing", package=program.package, **self._named(reason))
        # Devices are ordered as the product does. Without layers on a GPU llama.cpp still sends
        # large products there.
        env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        if self._on_cpu:
            env["CUDA_VISIBLE_DEVICES"] = ""
        command = [sys.executable, "-P", "-m", program.module]
        try:
            self._child = ChildProcess(command, name="peer", env=env)
        except OSError as error:
            raise UserError("bench.peer_failed", **self._named(str(error))) from error
        self._answers = self._child.answers(decode_answer)
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End its process, which frees its copy of the model; once more does nothing."""
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
            raise self._died()
        if isinstance(answer, Broken):
            raise self._failed(answer.reason)
        return answer

    def _died(self) -> UserError:
        try:
            # Its output ends a moment before it does.
            self._child.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.process.kill()
        status, log = self._child.process.wait(), self._child.log_tail()
        reason = in_brief(WorkerExit(status=status, log_tail=log))
        return UserError("bench.peer_died", detail="\n".join(log), **self._named(reason))

    def _failed(self, reason: str) -> UserError:
        log = "\n".join(self._child.log_tail())
        return UserError("bench.peer_failed", detail=log, **self._named(reason))

    def _named(self, reason: str) -> dict[str, str]:
        """What its sentences say."""
        # Other programs' words end as they like.
        said = " ".join(reason.split()).rstrip(".")
        return {"peer": self._program.named, "mode": self._mode, "reason": said}


def _lacking(settings: EngineSettings) -> str:
    """What decides about the speed on a GPU and that none of them can be told."""
    if settings.devices:
        return "which devices to use"
    return "which experts stay in RAM" if settings.n_cpu_moe else ""

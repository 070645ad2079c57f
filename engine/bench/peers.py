"""The programs that the product is compared with, each in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.bench.talk import Broken, Ready, Task, Timed, decode_answer, encode
from engine.errors import UserError
from engine.framing import FramingError, read_frame, write_frame

if TYPE_CHECKING:
    from engine.bench.plan import Mode, Trial
    from engine.bench.talk import Answer, Request, Setup

_END_S = 3.0
_LOG_LINES = 40


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
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._process: subprocess.Popen[bytes]
        self._reader: threading.Thread

    def __enter__(self) -> PeerProcess:
        program = self._program
        if importlib.util.find_spec(program.needs) is None:
            raise UserError(
                "bench.peer_missing", peer=program.named, package=program.package, mode=self._mode
            )
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", program.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=_environment(on_cpu=self._on_cpu),
        )
        self._reader = threading.Thread(target=self._read_log, name="peer-log", daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_error: object) -> None:
        process = self._process
        assert process.stdin
        assert process.stdout
        assert process.stderr
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._reader.join(_END_S)
        process.stdout.close()
        process.stderr.close()

    def set_up(self, setup: Setup) -> str:
        """Load the model; the peer's version."""
        if setup.settings.devices and not self._on_cpu:
            raise self._failed("it cannot be told which devices to use")
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
        assert self._process.stdin
        assert self._process.stdout
        try:
            write_frame(self._process.stdin, encode(request))
            body = read_frame(self._process.stdout)
        except (OSError, FramingError):
            body = None
        if body is None:
            self._process.kill()
            self._reader.join(_END_S)
            raise UserError(
                "bench.peer_died",
                detail="\n".join(self._log),
                peer=self._program.named,
                mode=self._mode,
            )
        answer: Answer = decode_answer(body)
        if isinstance(answer, Broken):
            raise self._failed(answer.reason)
        return answer

    def _failed(self, reason: str) -> UserError:
        return UserError(
            "bench.peer_failed",
            detail="\n".join(self._log),
            peer=self._program.named,
            mode=self._mode,
            reason=reason,
        )

    def _read_log(self) -> None:
        assert self._process.stderr
        for line in iter(self._process.stderr.readline, b""):
            self._log.append(line.decode("utf-8", "replace").rstrip())


def _environment(*, on_cpu: bool) -> dict[str, str]:
    """It must import this very `engine`, and order devices as the product does."""
    import engine

    root = os.path.dirname(os.path.dirname(os.path.abspath(engine.__file__ or "")))
    paths = [root, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "GGML_NO_BACKTRACE": "1",
        # Without layers on a GPU llama.cpp still sends large products there.
        **({"CUDA_VISIBLE_DEVICES": ""} if on_cpu else {}),
    }

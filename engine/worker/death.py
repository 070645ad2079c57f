"""Turns the end of a worker into a sentence: exit status, last words and last log lines."""

from __future__ import annotations

import re
import signal

import msgspec

from engine.errors import Problem

_OUT_OF_MEMORY = re.compile(
    r"out of memory|cudaMalloc failed|failed to allocate|unable to allocate|ErrorOutOfDeviceMemory"
    r"|bad_alloc|cannot allocate memory",
    re.IGNORECASE,
)
# How llama.cpp says where an assert failed: "/…/file.cpp:123: GGML_ASSERT(x) failed".
_ASSERT = re.compile(r"(?:^|[/\\])([\w.-]+\.(?:c|cpp|cu|cuh|h|m|metal):\d+): (.+)")


class WorkerExit(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker ended.

    Attributes:
        status: Exit status; negative for the number of a signal.
        phase: What it was doing, in words that end a sentence, e.g. ``"while writing"``.
        asked: It was told to end, so nothing is wrong.
        last_words: Text of the assert before an abort; empty when there was none.
        log_tail: The last lines it logged, oldest first.
        cause: Set when the client ended it itself (garbled stream, hang).
        lost_node: Set when another machine's device took the engine with it.
    """

    status: int
    phase: str = ""
    asked: bool = False
    last_words: str = ""
    log_tail: tuple[str, ...] = ()
    cause: str = ""
    lost_node: Problem | None = None


def explain(ended: WorkerExit) -> Problem | None:
    """The sentence for an end, or None when it was asked for."""
    if ended.asked:
        return None
    if ended.lost_node is not None:
        return ended.lost_node
    detail = "\n".join([ended.last_words, *ended.log_tail]).strip()
    code, params = _cause(ended)
    return Problem(code=code, params={"phase": ended.phase, **params}, detail=detail)


def in_brief(ended: WorkerExit) -> str:
    """Why another program's process ended, without a capital and a full stop: for a table."""
    code, params = _cause(ended)
    match code:
        case "worker.out_of_memory":
            return "it ran out of memory"
        case "worker.aborted":
            return f"llama.cpp gave up: {params['reason']}"
        case "worker.exited":
            last = next((line.strip() for line in reversed(ended.log_tail) if line.strip()), "")
            return f"it ended with status {params['status']}" + (f": {last}" if last else "")
        case "worker.killed":
            return "it was killed, which the system does when memory runs out"
        case _:
            return f"it ended by {params['signal']}"


def _cause(ended: WorkerExit) -> tuple[str, dict[str, str | int | float]]:
    if ended.cause:
        return ended.cause, {}
    if _OUT_OF_MEMORY.search("\n".join([ended.last_words, *ended.log_tail[-20:]])):
        return "worker.out_of_memory", {}
    reason = _reason(ended)
    if reason:
        return "worker.aborted", {"reason": reason}
    if ended.status >= 0:
        return "worker.exited", {"status": ended.status}
    name = _signal_name(-ended.status)
    if name == "SIGKILL":
        return "worker.killed", {}
    if name in ("SIGTERM", "SIGHUP", "SIGINT"):
        return "worker.terminated", {"signal": name}
    return "worker.crashed", {"signal": name}


def _reason(ended: WorkerExit) -> str:
    """The assert that failed, without the folder of whoever built the library."""
    for line in (ended.last_words, *reversed(ended.log_tail[-30:])):
        found = _ASSERT.search(line)
        if found:
            return f"{found.group(2).strip()} ({found.group(1)})"
    return ended.last_words.strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

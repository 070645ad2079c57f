"""A worker that goes wrong on cue: the one place for a fake engine.

Started as ``python faulty_worker.py FAULT [MOMENT]`` in the place of the real worker.
It speaks the real protocol, answers like a small model, and at the given moment commits the fault.
A word counts as a token. Like the real worker it hears a cancel while it writes.

Environment: ``FAULTY_REPLY`` is what it says. ``FAULTY_PLAN`` names a file that holds the fault and
the moment instead; it is deleted as the fault is committed, so that it happens once.
``FAULTY_HOLD`` names a file that holds replies up, see `tests.support.desk.Hold`.
``FAULTY_UBATCH_US`` makes a token take so many microseconds longer for each token of a micro-batch.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.child_main import owner_messages
from engine.errors import Problem
from engine.worker.codec import Sender, decode_command
from engine.worker.protocol import (
    PROTOCOL_VERSION,
    Aborting,
    Bench,
    BenchResult,
    BuildInfo,
    Cancel,
    Command,
    ContextInfo,
    Count,
    Counted,
    Delta,
    Eject,
    Ejected,
    Failed,
    Finished,
    Forget,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadProgress,
    Measure,
    Measured,
    ModelInfo,
    PrefillProgress,
    Prompt,
    Segment,
    Shutdown,
    Usage,
)

if TYPE_CHECKING:
    from engine.settings import EngineSettings

N_CTX = 8192
N_CTX_TRAIN = 32768
REPLY = os.environ.get("FAULTY_REPLY", "one two three four five six seven eight nine ten").split(
    " "
)


class FaultyWorker:
    """Answers with ten words; `fault` happens at `moment`."""

    def __init__(self, fault: str, moment: str) -> None:
        self._fault = fault
        self._moment = moment
        self._protocol = os.fdopen(os.dup(1), "wb", buffering=0)
        self._sender = Sender(self._protocol)
        self._commands: queue.Queue[Command] = queue.Queue()
        self._cancelled: set[int] = set()
        self._is_leaving = False
        self._replies = 0
        self._n_ubatch = 0

    def run(self) -> None:
        self._reach("start")
        version = 99 if self._fault == "other_version" else PROTOCOL_VERSION
        build = BuildInfo(
            llama_cpp_python="0",
            backends=("fake",),
            system_info="",
            physical_cores=1,
        )
        self._sender.send(Hello(protocol_version=version, pid=os.getpid(), build=build, devices=()))
        threading.Thread(target=self._read, daemon=True).start()
        while not isinstance(command := self._commands.get(), Shutdown):
            self._obey(command)
        if self._fault == "ignores_shutdown":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
        # Not a plain return: the reader sits in a read that the interpreter would wait for.
        os._exit(0)

    def _read(self) -> None:
        for command in owner_messages(sys.stdin.buffer, decode_command):
            self._is_leaving = self._is_leaving or isinstance(command, Shutdown)
            if isinstance(command, Cancel):
                self._cancelled.add(command.request_id)
            elif isinstance(command, Measure):
                # The real one has a thread for it: it answers while a reply is written.
                self._measure(command)
            else:
                self._commands.put(command)

    def _obey(self, command: Command) -> None:
        match command:
            case Load():
                self._load(command)
            case Generate():
                self._generate(command)
            case Count():
                counts = tuple(len(text.split()) for text in command.texts)
                self._sender.send(Counted(request_id=command.request_id, counts=counts))
            case Eject():
                self._sender.send(Ejected(request_id=command.request_id))
            case Bench():
                self._reach("bench")
                self._sender.send(timed(command, self._n_ubatch))
            case Forget():
                sys.stderr.write(f"forgot {command.chat_id}\n")
                sys.stderr.flush()
            case _:
                pass

    def _load(self, command: Load) -> None:
        for step in range(3):
            self._sender.send(
                LoadProgress(
                    request_id=command.request_id,
                    phase="weights",
                    fraction=step / 2,
                    total_bytes=1000,
                    elapsed_s=0.0,
                )
            )
        self._reach("load")
        if self._fault == "load_fails":
            problem = Problem(code="models.not_found", params={"path": "x"})
            self._sender.send(Failed(request_id=command.request_id, problem=problem))
            return
        self._n_ubatch = command.settings.n_ubatch
        self._sender.send(loaded(command.request_id, command.settings))

    def _generate(self, command: Generate) -> None:
        request_id = command.request_id
        self._sender.send(PrefillProgress(request_id=request_id, done=5, total=10, cached=0))
        self._reach("prefill")
        if self._fault == "reply_fails":
            problem = Problem(
                code="engine.prompt_too_long", params={"tokens": 9000, "n_ctx": 8192, "over": 808}
            )
            self._sender.send(Failed(request_id=request_id, problem=problem))
            return
        self._replies += 1
        written = 0
        for word in REPLY:
            while self._is_held_up(request_id, written):
                time.sleep(0.002)
            if request_id in self._cancelled:
                break
            written += 1
            self._write(request_id, word, written)
            if written == 5:
                self._reach("decode")
        usage = Usage(prompt_tokens=10, cached_tokens=0, completion_tokens=written)
        self._sender.send(
            Finished(
                request_id=request_id,
                stop_reason="end" if written == len(REPLY) else "cancelled",
                usage=usage,
                context_used=10 + written,
                n_ctx=N_CTX,
            )
        )

    def _is_held_up(self, request_id: int, written: int) -> bool:
        if request_id in self._cancelled or self._is_leaving:
            return False
        try:
            held = Path(os.environ.get("FAULTY_HOLD", "")).read_text().split()
        except OSError:
            return False
        # An empty file is about to be written.
        return not held or (self._replies >= int(held[0]) and written >= int(held[1]))

    def _write(self, request_id: int, word: str, written: int) -> None:
        self._sender.send(
            Delta(
                request_id=request_id,
                text=word if written == 1 else " " + word,
                thinking=False,
                completion_tokens=written,
                context_used=10 + written,
                tokens_per_second=100.0,
            )
        )

    def _measure(self, command: Measure) -> None:
        if self._fault == "measure_fails":
            problem = Problem(code="worker.bug", detail="measure")
            self._sender.send(Failed(request_id=command.request_id, problem=problem))
            return
        segments = tuple(_segments(command.prompt))
        self._sender.send(
            Measured(
                request_id=command.request_id,
                segments=segments,
                prompt_tokens=sum(segment.tokens for segment in segments),
                cached_tokens=0,
                n_ctx=N_CTX,
            )
        )

    def _reach(self, moment: str) -> None:
        fault, due = _planned() or (self._fault, self._moment)
        if moment == due:
            _planned(take=True)
            _commit(fault, self)

    def garbage(self) -> None:
        os.write(self._protocol.fileno(), b"Hello from a C library that prints to stdout\n" * 100)
        time.sleep(60)

    def abort(self, text: str) -> None:
        self._sender.send(Aborting(text=text))
        os.abort()


def loaded(request_id: int, settings: EngineSettings) -> Loaded:
    model = ModelInfo(
        path=settings.model_path,
        name="Fake",
        architecture="llama",
        description="fake",
        size_bytes=1000,
        parameter_count=1,
        n_layer=1,
        n_head=1,
        n_head_kv=1,
        n_embd=1,
        n_vocab=10,
        n_ctx_train=N_CTX_TRAIN,
        n_swa=0,
        memory_class="attention",
        vocabulary_id="fake",
        template_source="model",
    )
    context = ContextInfo(
        n_ctx=N_CTX,
        n_batch=512,
        n_ubatch=512,
        type_k="f16",
        type_v="f16",
        flash_attn=True,
        n_threads=1,
        n_threads_batch=1,
        split_mode="none",
        devices=(),
    )
    return Loaded(
        request_id=request_id, settings=settings, model=model, context=context, seconds=0.0
    )


def timed(command: Bench, n_ubatch: int) -> BenchResult:
    """A token takes a millisecond, and longer to read where that is asked for."""
    token_s = 1e-3 + 1e-6 * n_ubatch * int(os.environ.get("FAULTY_UBATCH_US", "0"))
    return BenchResult(
        request_id=command.request_id,
        prompt_s=(command.n_prompt * token_s,) if command.n_prompt else (),
        generate_s=(command.n_generate / 1000,) if command.n_generate else (),
        worker_rss_bytes=0,
    )


def _segments(prompt: Prompt) -> list[Segment]:
    """Documents and messages by their words."""
    documents = [
        Segment(kind="document", label=one.name, tokens=len(one.text.split()), document_id=one.id)
        for one in prompt.documents
    ]
    words = sum(len(turn.text.split()) for turn in prompt.turns)
    return [*documents, Segment(kind="message", label="message", tokens=words)]


def _planned(*, take: bool = False) -> list[str] | None:
    path = Path(os.environ.get("FAULTY_PLAN", ""))
    if not path.is_file():
        return None
    plan = path.read_text().split()
    if take:
        path.unlink()
    return plan


def _commit(fault: str, worker: FaultyWorker) -> None:
    match fault:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "abort":
            worker.abort("/build/ggml/src/ggml.c:42: GGML_ASSERT(n > 0) failed")
        case "oom":
            sys.stderr.write("ggml_backend_cuda_buffer: cudaMalloc failed: out of memory\n")
            sys.stderr.flush()
            worker.abort("/build/ggml-cuda.cu:100: CUDA error")
        case "exit":
            os._exit(7)
        case "hang":
            time.sleep(120)
        case "garbage":
            worker.garbage()


if __name__ == "__main__":
    FaultyWorker(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "").run()

"""A worker that goes wrong on cue: the one place for a fake engine.

Started as ``python faulty_worker.py FAULT [MOMENT]`` in the place of the real worker.
It speaks the real protocol, answers like a small model, and at the given moment commits the fault.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from engine.errors import Problem
from engine.worker.codec import Sender, read_command
from engine.worker.protocol import (
    PROTOCOL_VERSION,
    Aborting,
    BuildInfo,
    Cancel,
    ContextInfo,
    Count,
    Counted,
    Delta,
    Eject,
    Ejected,
    Failed,
    Finished,
    Generate,
    Hello,
    Load,
    Loaded,
    LoadProgress,
    Measure,
    Measured,
    ModelInfo,
    PrefillProgress,
    Segment,
    Shutdown,
    Usage,
)

if TYPE_CHECKING:
    from engine.settings import EngineSettings

REPLY = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


class FaultyWorker:
    """Answers with ten words; `fault` happens at `moment`."""

    def __init__(self, fault: str, moment: str) -> None:
        self._fault = fault
        self._moment = moment
        self._protocol = os.fdopen(os.dup(1), "wb", buffering=0)
        self._sender = Sender(self._protocol)

    def run(self) -> None:
        self._reach("start")
        version = 99 if self._fault == "other_version" else PROTOCOL_VERSION
        build = BuildInfo(
            llama_cpp_python="0",
            backends=("fake",),
            system_info="",
            gpu_offload=False,
            physical_cores=1,
        )
        self._sender.send(Hello(protocol_version=version, pid=os.getpid(), build=build, devices=()))
        while (command := read_command(sys.stdin.buffer)) is not None:
            match command:
                case Load():
                    self._load(command)
                case Generate():
                    self._generate(command)
                case Measure():
                    self._measure(command)
                case Count():
                    counts = tuple(len(text.split()) for text in command.texts)
                    self._sender.send(Counted(request_id=command.request_id, counts=counts))
                case Eject():
                    self._sender.send(Ejected(request_id=command.request_id))
                case Shutdown():
                    if self._fault == "ignores_shutdown":
                        signal.signal(signal.SIGTERM, signal.SIG_IGN)
                        time.sleep(60)
                    return
                case Cancel():
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
        self._sender.send(loaded(command.request_id, command.settings))

    def _generate(self, command: Generate) -> None:
        request_id = command.request_id
        self._sender.send(PrefillProgress(request_id=request_id, done=5, total=10, cached=0))
        self._reach("prefill")
        pause_s = float(os.environ.get("FAULTY_PAUSE_S", "0"))
        for index, word in enumerate(REPLY, start=1):
            time.sleep(pause_s)
            text = word if index == 1 else " " + word
            self._sender.send(
                Delta(
                    request_id=request_id,
                    text=text,
                    thinking=False,
                    completion_tokens=index,
                    context_used=10 + index,
                    tokens_per_second=100.0,
                )
            )
            if index == 5:
                self._reach("decode")
        usage = Usage(prompt_tokens=10, cached_tokens=0, completion_tokens=10)
        self._sender.send(
            Finished(
                request_id=request_id, stop_reason="end", usage=usage, context_used=20, n_ctx=8192
            )
        )

    def _measure(self, command: Measure) -> None:
        segments = (Segment(kind="message", label="message", tokens=10),)
        self._sender.send(
            Measured(
                request_id=command.request_id,
                segments=segments,
                prompt_tokens=10,
                cached_tokens=0,
                n_ctx=8192,
            )
        )

    def _reach(self, moment: str) -> None:
        if moment == self._moment:
            _commit(self._fault, self)

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
        n_ctx_train=8192,
        n_swa=0,
        memory_class="attention",
        vocabulary_id="fake",
        template_source="model",
    )
    context = ContextInfo(
        n_ctx=8192,
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

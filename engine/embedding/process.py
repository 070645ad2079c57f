"""The embedding process: holds one embedding model on the CPU and answers one request at a time.

The CPU, because the chat model has the graphics cards: it must never have to give way. The process
leaves when idle, and at once when its owner's end of stdin closes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import BinaryIO

from engine.child_main import owner_messages, run_main
from engine.embedding.protocol import (
    Aborting,
    Answer,
    Embed,
    Failed,
    Vectors,
    decode_question,
)
from engine.errors import Problem, UserError
from engine.framing import write_frame
from engine.llama.embedding import EmbeddingModel
from engine.llama.library import set_abort_hook
from engine.packing import packed

IDLE_S = 60.0


class EmbeddingProcess:
    """Owns the model; `run` is the main thread's loop, a second thread reads requests."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, *, idle_s: float = IDLE_S) -> None:
        self._source = source
        self._sink = sink
        self._idle_s = idle_s
        self._requests: queue.Queue[Embed] = queue.Queue()
        self._model: EmbeddingModel | None = None

    def run(self) -> None:
        """Answer until nobody asks for a while."""
        set_abort_hook(lambda text: self._emit(Aborting(text=text)))
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while True:
            try:
                request = self._requests.get(timeout=self._idle_s)
            except queue.Empty:
                return
            self._emit(self._answer(request))

    def _read(self) -> None:
        for request in owner_messages(self._source, decode_question):
            self._requests.put(request)

    def _answer(self, request: Embed) -> Answer:
        try:
            vectors, shortened = self._opened(request).embed(request.texts)
        except UserError as error:
            return Failed(problem=error.problem)
        except Exception as error:  # noqa: BLE001  a bug with one text must not lose the model
            sys.excepthook(*sys.exc_info())
            return Failed(problem=Problem(code="worker.bug", detail=repr(error)))
        return Vectors(width=vectors.shape[1], data=vectors.tobytes(), shortened=shortened)

    def _opened(self, request: Embed) -> EmbeddingModel:
        if self._model is not None and self._model.path != request.path:
            self._model.close()
            self._model = None
        if self._model is None:
            self._model = EmbeddingModel(request.path, n_threads=request.n_threads)
        return self._model

    def _emit(self, answer: Answer | Aborting) -> None:
        try:
            write_frame(self._sink, packed(answer))
        except (OSError, ValueError):
            os._exit(0)


def main() -> None:
    """Entry point of ``python -m engine.embedding [IDLE_S]``."""
    idle_s = float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_S
    run_main(lambda source, sink: EmbeddingProcess(source, sink, idle_s=idle_s).run())

"""The app's end of the embedding process: started on demand, replaced after it left or crashed."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.child_process import ChildProcess, end
from engine.embedding.model_file import read_embedding_file
from engine.embedding.protocol import Aborting, Answer, Embed, Vectors, decode_answer
from engine.errors import UserError
from engine.packing import packed
from engine.worker.death import WorkerExit, explain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from engine.embedding.model_file import Role

_ANSWER_S = 180.0
_JOIN_S = 2.0
# It computes on the CPU. Not to be seen is the one sure way to take no memory of a graphics card.
_WITHOUT_CARDS = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "GGML_VK_VISIBLE_DEVICES": "",
}


class Embedded(NamedTuple):
    """What became of some texts.

    Attributes:
        vectors: One row of length one per text.
        shortened: Places of the texts that are longer than the model reads: their beginnings count.
    """

    vectors: NDArray[np.float32]
    shortened: tuple[int, ...] = ()


class EmbeddingClient:
    """One embedding model, wherever its process may be. Thread-safe: calls wait for one another.

    Close it when done.

    Attributes:
        name: What people call the model.
        model_id: Names the model by its content.
    """

    def __init__(
        self,
        path: Path,
        *,
        n_threads: int = 0,
        idle_s: float | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        """Look at the file; the process starts with the first text.

        Args:
            path: A GGUF file.
            n_threads: Threads to compute with; 0 for half of the cores.
            idle_s: Seconds without a text after which the process leaves; None keeps its default.
            command: What to start as the process; the real one by default.

        Raises:
            UserError: The file is missing, damaged, or no embedding model.
        """
        self._file = read_embedding_file(path)
        self.name, self.model_id = self._file.name, self._file.identity
        self._n_threads = n_threads
        plain = [sys.executable, "-P", "-m", "engine.embedding"]
        self._command = list(command or plain) + ([] if idle_s is None else [str(idle_s)])
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        running = self._running
        return running.child.pid if running else None

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Embedded:
        """Turn texts into vectors.

        Args:
            texts: Any texts; of a very long one, the beginning counts.
            role: What the texts are: some models tell questions from passages.

        Raises:
            UserError: ``embedding.crashed`` and the like: the process crashed, hangs or was closed,
                or the model cannot be loaded.
        """
        prefixed = tuple(self._file.prefixed(text, role) for text in texts)
        request = Embed(path=self._file.path, texts=prefixed, n_threads=self._n_threads)
        answer = self._asked(request)
        if not isinstance(answer, Vectors):
            # Whatever is wrong, it is wrong with the search by meaning and not with the engine.
            problem = answer.problem
            raise UserError("embedding.unusable", reason=problem.message, detail=problem.detail)
        vectors = np.frombuffer(answer.data, np.float32).reshape(len(texts), answer.width)
        return Embedded(vectors, answer.shortened)

    def close(self) -> None:
        """Stop the process, also in the middle of a text: whoever waits for it gets an error."""
        self._closed = True
        running = self._running
        if running is not None:
            running.stop()

    def _asked(self, request: Embed) -> Answer:
        with self._lock:
            for _attempt in range(2):
                running = self._started()
                answer = running.ask(request)
                if answer is not None:
                    return answer
                self._running = None
                running.stop()
                # Status 0: it left for want of work just as this came, so ask a new one.
                if running.child.process.returncode != 0:
                    break
            raise running.error()

    def _started(self) -> _Running:
        running = self._running
        if running is None and not self._closed:
            try:
                running = self._running = _Running(self._command)
            except OSError as error:
                raise UserError("embedding.not_started", reason=str(error)) from error
        # Looked at again: `close` may not have seen a process that was only being started.
        if running is None or self._closed:
            self.close()
            raise UserError("embedding.gone")
        return running


class _Running:
    """One life of the process."""

    def __init__(self, command: Sequence[str]) -> None:
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._last_words = ""
        self._is_stalled = False
        self._stopping = threading.Lock()
        self.child = ChildProcess(command, name="embedding", env=_WITHOUT_CARDS)
        self._reader = threading.Thread(target=self._read, name="embedding-read", daemon=True)
        self._reader.start()

    def ask(self, request: Embed) -> Answer | None:
        """The answer; None when the process is over."""
        # A process that is gone shows in the answer that never comes.
        with contextlib.suppress(OSError, ValueError):
            self.child.send(packed(request))
        try:
            return self._answers.get(timeout=_ANSWER_S)
        except queue.Empty:
            self._is_stalled = True
            self.child.process.kill()
            return None

    def stop(self) -> None:
        """End the process: it leaves when its stdin closes."""
        with self._stopping:
            end(self.child.process)
            self._reader.join(_JOIN_S)

    def error(self) -> UserError:
        """Why it is over, as a sentence."""
        if self._is_stalled:
            return UserError("embedding.stalled", seconds=_ANSWER_S)
        ended = WorkerExit(
            status=self.child.process.returncode,
            last_words=self._last_words,
            log_tail=self.child.log_tail(),
        )
        problem = explain(ended)
        params = problem.params if problem else {}
        detail = problem.detail if problem else ""
        if problem is not None and problem.code == "worker.out_of_memory":
            return UserError("embedding.crashed", reason="out of memory", detail=detail)
        reason = params.get("reason") or params.get("signal") or f"status {ended.status}"
        if self.child.garbage:
            reason = "its answer could not be understood"
        elif problem is not None and problem.code == "worker.killed":
            reason = "SIGKILL"
        return UserError("embedding.crashed", reason=reason, detail=detail)

    def _read(self) -> None:
        for answer in self.child.answers(decode_answer):
            if isinstance(answer, Aborting):
                self._last_words = answer.text
            else:
                self._answers.put(answer)
        self._answers.put(None)

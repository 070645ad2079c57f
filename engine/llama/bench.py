"""Times prefill and decode at a depth: bare decode calls, or the path that a reply takes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
from msgspec.structs import replace

from engine.errors import UserError
from engine.llama.generation import Generation
from engine.llama.outcome import Cancelled
from engine.llama.prefill import Prefill
from engine.llama.prompt import LaidOut
from engine.worker.protocol import BenchResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.loaded import Loaded
    from engine.llama.vocabulary import Tokens
    from engine.worker.protocol import Bench, Delta, PrefillProgress

_CHAT_ID = "\0bench"
_SEED = 20


class BenchRun:
    """One `Bench` command. Leaves the memory empty, as other chats' state is in the way.

    Both ways read the same tokens up to the depth once, and go back to it for each repetition.
    """

    def __init__(
        self,
        loaded: Loaded,
        command: Bench,
        *,
        cancelled: Callable[[], bool],
        emit: Callable[[PrefillProgress | Delta], None],
    ) -> None:
        """Check that it fits.

        Raises:
            UserError: ``engine.bench_too_long``.
        """
        needed = command.depth + max(command.n_prompt, command.n_generate) + 1
        if needed > loaded.context.n_ctx:
            raise UserError("engine.bench_too_long", tokens=needed, n_ctx=loaded.context.n_ctx)
        self._loaded = loaded
        self._command = command
        self._cancelled = cancelled
        self._emit = emit
        # Any text serves: the work does not depend on what the tokens are.
        random = np.random.default_rng(_SEED)
        n_vocab = loaded.vocabulary.n_vocab
        self._tokens: Tokens = random.integers(0, n_vocab, needed, dtype=np.int32)

    def run(self) -> BenchResult:
        """Do it.

        Raises:
            Cancelled: It was asked for.
        """
        command, loaded = self._command, self._loaded
        loaded.ledger.forget()
        try:
            with loaded.context.abort.watching(self._cancelled):
                read = self._raw_prompt if command.raw else self._product_prompt
                write = self._raw_reply if command.raw else self._product_reply
                prompt_s = self._repeated(read) if command.n_prompt else ()
                generate_s = self._repeated(write) if command.n_generate else ()
        finally:
            loaded.context.clear()
            loaded.ledger.forget()
        return BenchResult(
            request_id=command.request_id,
            prompt_s=prompt_s,
            generate_s=generate_s,
            worker_rss_bytes=int(psutil.Process(os.getpid()).memory_info().rss),
        )

    def _repeated(self, once: Callable[[], float]) -> tuple[float, ...]:
        # The first one warms up caches and kernels and does not count.
        return tuple([once() for _ in range(self._command.repetitions + 1)][1:])

    # ---- bare decode calls

    def _go_to_depth(self) -> None:
        context, depth = self._loaded.context, self._command.depth
        if not context.cut(depth):
            context.clear()
            self._read_raw(0, depth)

    def _read_raw(self, start: int, count: int) -> None:
        context, end = self._loaded.context, start + count
        for position in range(start, end, context.n_batch):
            if self._cancelled():
                raise Cancelled
            tokens = self._tokens[position : min(end, position + context.n_batch)]
            context.decode(tokens, position, outputs=int(position + len(tokens) == end))
        context.synchronize()

    def _raw_prompt(self) -> float:
        self._go_to_depth()
        began = time.perf_counter()
        self._read_raw(self._command.depth, self._command.n_prompt)
        return time.perf_counter() - began

    def _raw_reply(self) -> float:
        self._go_to_depth()
        context, depth = self._loaded.context, self._command.depth
        began = time.perf_counter()
        for step in range(self._command.n_generate):
            if self._cancelled():
                raise Cancelled
            context.decode((int(self._tokens[depth + step]),), depth + step)
            context.synchronize()
        return time.perf_counter() - began

    # ---- the path of a reply

    def _product_prompt(self) -> float:
        depth = self._command.depth
        if depth:
            self._read(depth)
        return self._read(depth + self._command.n_prompt)

    def _read(self, length: int) -> float:
        """Read up to a length, keeping what is there; seconds for what was not."""
        loaded, tokens = self._loaded, self._tokens[:length]
        reuse = loaded.ledger.prepare(_CHAT_ID, tokens, (self._command.depth,))
        prefill = Prefill(
            loaded.context,
            loaded.ledger,
            loaded.pace,
            loaded.slices,
            cancelled=self._cancelled,
            emit=self._emit,
            request_id=self._command.request_id,
        )
        prefill.read(tokens, reuse)
        return prefill.seconds

    def _product_reply(self) -> float:
        command = self._command
        prompt = self._tokens[: max(1, command.depth)]
        settings = command.generation
        reply = Generation(
            self._loaded,
            LaidOut(prompt, (), (command.depth,), False),
            replace(settings, max_tokens=command.n_generate, stop=()),
            cancelled=self._cancelled,
            emit=self._emit,
            request_id=command.request_id,
            ignores_end=True,
        )
        finished = reply.run(_CHAT_ID)
        if finished.stop_reason == "cancelled":
            raise Cancelled
        if finished.stop_reason == "failed":
            raise UserError.of(finished.notices[0])
        return reply.writing_s

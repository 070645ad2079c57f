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
    from engine.worker.protocol import Bench, ReplyEvent

_CHAT_ID = "\0bench"
_SEED = 20


class BenchRun:
    """One `Bench` command. Other chats' state is dropped, as it is in the way.

    Both ways read the same tokens up to the depth once, and go back to it for each repetition. What
    they read after it is new each time, so that nothing of it can be in the memory already.
    """

    def __init__(
        self,
        loaded: Loaded,
        command: Bench,
        *,
        emit: Callable[[ReplyEvent], None],
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
        self._emit = emit
        # Any text serves: the work does not depend on what the tokens are. Up to the depth they
        # are the same in every command.
        self._front = self._tokens(_SEED, command.depth)
        self._random_seed = command.request_id

    def run(self) -> BenchResult:
        """Do it.

        Raises:
            Cancelled: It was asked for.
        """
        command, ledger = self._command, self._loaded.ledger
        if ledger.cached_prefix(_CHAT_ID, self._with_tail(1)) < command.depth or not command.depth:
            ledger.forget()
        kept = False
        try:
            read = self._raw_prompt if command.raw else self._product_prompt
            write = self._raw_reply if command.raw else self._product_reply
            prompt_s = self._repeated(read) if command.n_prompt else ()
            generate_s = self._repeated(write) if command.n_generate else ()
            kept = command.keep_depth
        finally:
            if not kept:
                ledger.forget()
        return BenchResult(
            request_id=command.request_id,
            prompt_s=prompt_s,
            generate_s=generate_s,
            worker_rss_bytes=int(psutil.Process(os.getpid()).memory_info().rss),
        )

    def _repeated(self, once: Callable[[], float]) -> tuple[float, ...]:
        # The first one warms up caches and kernels and does not count.
        skipped = int(self._command.warm_up)
        return tuple([once() for _ in range(self._command.repetitions + skipped)][skipped:])

    # ---- what is read

    def _tokens(self, seed: int, count: int) -> Tokens:
        random = np.random.default_rng(seed)
        return random.integers(0, self._loaded.vocabulary.n_vocab, count, dtype=np.int32)

    def _with_tail(self, count: int) -> Tokens:
        """The tokens up to the depth, and new ones."""
        self._random_seed += 1
        return np.concatenate((self._front, self._tokens(_SEED + self._random_seed, count)))

    def _go_to_depth(self) -> None:
        """Leave the memory holding the tokens up to the depth and no others."""
        ledger, depth = self._loaded.ledger, self._command.depth
        if not depth:
            ledger.forget()
        elif ledger.used < depth or not ledger.rollback(ledger.used - depth):
            self._read(self._front, self._with_tail(1))

    def _read(self, tokens: Tokens, wanted: Tokens) -> float:
        """Read what is not there yet, as a reply does; seconds for it."""
        loaded = self._loaded
        reuse = loaded.ledger.prepare(_CHAT_ID, wanted, (self._command.depth,))
        prefill = Prefill(
            loaded.context,
            loaded.ledger,
            loaded.pace,
            loaded.slices,
            emit=self._emit,
            request_id=self._command.request_id,
        )
        prefill.read(tokens, reuse)
        return prefill.seconds

    # ---- bare decode calls

    def _raw_prompt(self) -> float:
        self._go_to_depth()
        context, depth, count = self._loaded.context, self._command.depth, self._command.n_prompt
        tokens = self._with_tail(count)[depth:]
        began = time.perf_counter()
        for start in range(0, count, context.n_batch):
            context.abort.check()
            part = tokens[start : start + context.n_batch]
            context.decode(part, depth + start, outputs=int(start + len(part) == count))
        context.synchronize()
        seconds = time.perf_counter() - began
        self._loaded.ledger.note_decoded(tokens)
        return seconds

    def _raw_reply(self) -> float:
        self._go_to_depth()
        context, depth = self._loaded.context, self._command.depth
        tokens = self._with_tail(self._command.n_generate)[depth:]
        began = time.perf_counter()
        for step, token in enumerate(tokens.tolist()):
            context.abort.check()
            context.decode((token,), depth + step)
            context.synchronize()
        seconds = time.perf_counter() - began
        self._loaded.ledger.note_decoded(tokens)
        return seconds

    # ---- the path of a reply

    def _product_prompt(self) -> float:
        self._go_to_depth()
        tokens = self._with_tail(self._command.n_prompt)
        return self._read(tokens, tokens)

    def _product_reply(self) -> float:
        command = self._command
        prompt = self._with_tail(1)
        settings = command.generation
        reply = Generation(
            self._loaded,
            LaidOut(prompt, (), (command.depth,), False),
            replace(settings, max_tokens=command.n_generate, stop=()),
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

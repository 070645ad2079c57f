"""Writes one reply: prefill, then token by token until it ends."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import Problem, UserError
from engine.llama.guesses import can_guess, guesses_for
from engine.llama.outcome import Cancelled
from engine.llama.prefill import Prefill
from engine.llama.reply_text import ReplyText
from engine.llama.rolling import Rolling, can_shift, without
from engine.llama.sampling import Sampler
from engine.llama.schema_keywords import not_enforced
from engine.llama.speedometer import Beat
from engine.llama.stepping import Stepper
from engine.worker.protocol import Finished, Removed, StopReason, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.loaded import Loaded
    from engine.llama.prompt import LaidOut
    from engine.llama.reuse import Reuse
    from engine.settings import GenerationSettings
    from engine.worker.protocol import ReplyEvent


class Generation:
    """One request, from its prompt to its end. Used once, on the engine's main thread.

    Attributes:
        writing_s: Seconds from the first choice of a token to the last decode.
    """

    def __init__(
        self,
        loaded: Loaded,
        prompt: LaidOut,
        settings: GenerationSettings,
        *,
        emit: Callable[[ReplyEvent], None],
        request_id: int,
        ignores_end: bool = False,
        began: float = 0.0,
    ) -> None:
        """Check the prompt and build the samplers.

        Args:
            loaded: The model.
            prompt: What to read.
            settings: How to sample.
            emit: Given progress and text.
            request_id: Marks what is emitted.
            ignores_end: Go on after the token that ends a turn (to measure speed).
            began: When the request came, by `time.perf_counter`; 0 for now.

        Raises:
            UserError: The prompt does not fit, or the settings cannot be used.
        """
        self._loaded = loaded
        self._prompt = prompt
        self._settings = settings
        self._request_id = request_id
        self._ignores_end = ignores_end
        self._began = began or time.perf_counter()
        n_ctx = loaded.context.n_ctx
        _check_length(len(prompt.tokens), n_ctx)
        stream = prompt.reply_stream(settings.stop)
        self._sampler = Sampler(
            settings,
            loaded.model.handle,
            loaded.vocabulary,
            n_ctx=n_ctx,
            prompt=prompt.tokens,
            begun=prompt.begun,
            reasons=stream.thinking,
        )
        beat = Beat(on_cpu=loaded.on_cpu)
        self._text = ReplyText(stream, loaded.vocabulary, emit, request_id, beat)
        self._emit = emit
        self._prefill = self._new_prefill()
        self._rolling = Rolling(prompt, n_ctx) if settings.overflow == "rolling" else None
        self._chat_id = ""
        self._guesses = guesses_for(loaded, settings, prompt.tokens.tolist())
        self._stepper = self._new_stepper()
        self._position = len(prompt.tokens)
        # Without a limit a reply ends with the context, and a rolling one never does.
        self._limit = settings.max_tokens or (sys.maxsize if self._rolling else n_ctx)
        self._first_at: float | None = None
        self._last_at = 0.0
        self._stepped_at = 0.0
        self._guessed = 0
        self._hits = 0
        self.writing_s = 0.0

    def _new_stepper(self) -> Stepper | None:
        """None where nothing was compiled, or only the sampler itself can draw."""
        # On the CPU the text goes first, as a decode keeps it waiting; a grammar is asked first,
        # and guesses are decoded with the token that they follow.
        asks_first = self._sampler.has_grammar or self._guesses is not None
        decodes = not self._loaded.on_cpu and not asks_first
        stops = not self._ignores_end
        return Stepper.of(self._loaded.context, self._sampler, decodes=decodes, stops=stops)

    def _new_prefill(self) -> Prefill:
        loaded = self._loaded
        return Prefill(
            loaded.context,
            loaded.ledger,
            loaded.pace,
            loaded.slices,
            emit=self._emit,
            request_id=self._request_id,
        )

    def run(self, chat_id: str, *, is_passing: bool = False) -> Finished:
        """Do it.

        Args:
            chat_id: Whose KV state it continues.
            is_passing: Whether what it reads is of no use once another request needs the place.

        Returns:
            How it ended. A failure after the first token is reported in it, so that what was
            written counts.

        Raises:
            UserError: The prompt could not be read.
        """
        loaded, problem = self._loaded, None
        self._chat_id = chat_id
        reuse = loaded.ledger.prepare(
            chat_id, self._prompt.tokens, self._prompt.marks, is_passing=is_passing
        )
        reason: StopReason
        try:
            self._prefill.read(self._prompt.tokens, reuse)
            if self._guesses is not None:
                self._guesses.read()
            began = time.perf_counter()
            reason = self._write()
            loaded.context.synchronize()
            self.writing_s = time.perf_counter() - began
        except Cancelled:
            reason = "cancelled"
        except UserError as error:
            if self._first_at is None:
                raise
            reason, problem = "failed", error.problem
        finally:
            self._sampler.close()
        self._text.finish(self._position)
        return self._finished(reason, reuse, problem)

    def _write(self) -> StopReason:
        """Sample, decode, show; returns why it is over."""
        loaded, context = self._loaded, self._loaded.context
        draft: list[int] = []
        row = -1
        while True:
            token = self._choose(row)
            ends = loaded.vocabulary.is_eog(token) and not self._ignores_end
            if draft and (ends or token != draft[0]):
                self._take_back(len(draft))
                draft = []
            if ends:
                return "end"
            self._accept(token)
            if self._stepper and self._stepper.decoded:
                self._note_decoded((token,))
                self._show(token)
            elif draft:
                # Guessed right: it is in the memory already, and the next row follows it.
                del draft[0]
                row += 1
                self._hits += 1
                self._show(token)
            elif not loaded.on_cpu and self._position < context.n_ctx:
                # A GPU computes the next token while the text of this one is worked out.
                draft = self._decode(token)
                row = 0 if draft else -1
                self._show(token)
            else:
                self._show(token)
                if not self._text.stopped and self._position < context.n_ctx:
                    draft = self._decode(token)
                    row = 0 if draft else -1
                elif self._over() is None and not self._make_room(token):
                    return "context_full"
                else:
                    row = -1
            reason = self._over()
            if reason:
                if draft:
                    self._take_back(len(draft))
                return reason

    def _choose(self, row: int) -> int:
        """The next token, by the logits of a row of the last decode.

        The stepper has decoded it already if it says so.
        """
        token = None
        # The stepper draws from the last row, which is the only one but where guesses are checked.
        if self._stepper is not None and row == -1:
            try:
                token = self._stepper.step(self._position)
            except (Cancelled, UserError):
                self._loaded.ledger.note_failed()
                raise
            if token is not None and self._sampler.allows(token):
                return token
        return self._sampler.sample(self._loaded.context.logits(row), token)

    def _make_room(self, token: int) -> bool:
        """Take out what is oldest and decode the token behind the rest; False if nothing may go."""
        loaded, ledger = self._loaded, self._loaded.ledger
        stretch = self._rolling.next(ledger.used) if self._rolling else None
        if stretch is None:
            return False
        is_shifted = can_shift(loaded) and ledger.shift(stretch.start, stretch.end)
        rest = ledger.held if is_shifted else without(ledger.held, stretch)
        self._emit(
            Removed(
                request_id=self._request_id,
                left_out=stretch.left_out,
                how="shifted" if is_shifted else "read_again",
                read_again=0 if is_shifted else len(rest) - stretch.start,
            )
        )
        self._position, self._stepped_at = len(rest), 0.0
        if is_shifted:
            self._decode_all((token,))
        else:
            tokens = np.append(rest, np.int32(token))
            reuse = ledger.prepare(self._chat_id, tokens, (stretch.start,))
            self._new_prefill().read(tokens, reuse)
            self._position += 1
        if self._guesses is not None:
            self._guesses.restart(ledger.held.tolist())
        return True

    def _over(self) -> StopReason | None:
        if self._text.stopped:
            return "stop_string"
        if self._text.tokens >= self._limit:
            return "max_tokens"
        return "cancelled" if self._loaded.context.abort.is_set() else None

    def _accept(self, token: int) -> None:
        self._last_at = time.perf_counter()
        if self._first_at is None:
            self._first_at = self._last_at
        self._text.tokens += 1
        if self._guesses is not None:
            self._guesses.note(token)

    def _decode(self, token: int) -> list[int]:
        """Decode a token, with guesses at what follows it; gives the guesses."""
        draft = self._guess() if self._guesses is not None else []
        self._decode_all((token, *draft))
        return draft

    def _decode_all(self, tokens: tuple[int, ...]) -> None:
        context, ledger = self._loaded.context, self._loaded.ledger
        try:
            context.decode(tokens, self._position, outputs=len(tokens))
        except (Cancelled, UserError):
            ledger.note_failed()
            raise
        self._note_decoded(tokens)

    def _note_decoded(self, tokens: tuple[int, ...]) -> None:
        self._loaded.ledger.note_decoded(tokens)
        self._position += len(tokens)

    def _guess(self) -> list[int]:
        guesses, now = self._guesses, time.perf_counter()
        if guesses is None:
            return []
        if self._stepped_at:
            guesses.note_step(self._guessed, self._hits, now - self._stepped_at)
        room = min(self._loaded.context.n_ctx - self._position, self._limit - self._text.tokens)
        draft = guesses.propose(room - 1)
        self._stepped_at, self._guessed, self._hits = now, len(draft), 0
        return draft

    def _take_back(self, count: int) -> None:
        """Take wrong guesses out of the memory."""
        if not self._loaded.ledger.rollback(count):
            self._loaded.ledger.note_failed()
            raise UserError("engine.rollback_failed")
        self._position -= count

    def _show(self, token: int) -> None:
        # The samplers learn of it here, as what they do with it may take long too.
        self._sampler.accept(token)
        self._text.add(token, self._last_at, self._position)
        if self._sampler.reasons and not self._text.thinking:
            self._sampler.reasons = False

    def _finished(self, reason: StopReason, reuse: Reuse, problem: Problem | None) -> Finished:
        first = self._first_at
        usage = Usage(
            prompt_tokens=len(self._prompt.tokens),
            cached_tokens=reuse.kept,
            completion_tokens=self._text.tokens,
            thinking_tokens=self._text.thinking_tokens,
            read_reason=reuse.reason,
            prefill_s=self._prefill.seconds,
            decode_s=self._last_at - first if first is not None else 0.0,
            time_to_first_token_s=first - self._began if first is not None else None,
            drafted_tokens=self._guesses.drafted if self._guesses else 0,
            accepted_tokens=self._guesses.accepted if self._guesses else 0,
            seed=self._sampler.seed,
        )
        notices = [problem] if problem else []
        if self._settings.prompt_lookup and not can_guess(self._loaded):
            notices.append(Problem(code="engine.lookup_unsupported"))
        if keywords := not_enforced(self._settings.json_schema):
            params: dict[str, str | int | float] = {"keywords": ", ".join(keywords)}
            notices.append(Problem(code="engine.schema_not_enforced", params=params))
        return Finished(
            request_id=self._request_id,
            stop_reason=reason,
            usage=usage,
            context_used=self._loaded.ledger.used,
            n_ctx=self._loaded.context.n_ctx,
            notices=tuple(notices),
        )


def _check_length(tokens: int, n_ctx: int) -> None:
    # One token of the reply has to fit. Nothing is ever cut to make it.
    if tokens >= n_ctx:
        over = tokens - n_ctx + 1
        raise UserError("engine.prompt_too_long", tokens=tokens, n_ctx=n_ctx, over=over)

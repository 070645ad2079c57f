"""Chooses tokens from logits, by llama.cpp's own samplers over the few candidates that matter.

Copying a large vocabulary into the samplers for each token costs up to a quarter of the speed. But
what survives top-k, top-p or min-p lies within a window below the largest logit: one pass finds it,
and the samplers run over a few dozen candidates instead of hundreds of thousands. The result
is exact: a window is accepted only if no token outside could have survived, and widened otherwise,
up to the whole vocabulary.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import UserError
from engine.llama.library import api
from engine.llama.sampling_chain import (
    adjusting_chain,
    choosing_chain,
    has_penalties,
    token_biases,
)
from engine.llama.sampling_grammar import Grammar
from engine.llama.sampling_open import OpenDraw
from engine.llama.sampling_plan import (
    StepPlan,
    cuts_nothing,
    first_rank,
    is_greedy,
    needs_all,
    raises_logits,
)
from engine.llama.sampling_search import Search, sound
from engine.llama.sampling_window import (
    Candidates,
    Ids,
    Logits,
    Peaks,
    floor_reached,
    survivors_of_top_p,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.llama.vocabulary import Vocabulary
    from engine.settings import GenerationSettings

_NONE: Ids = np.empty(0, dtype=np.intp)
# Distances from the largest logit, tried in turn where no rank bounds what can be drawn.
_OPEN_WIDTHS = (5.0, 9.0, 14.0)
# Tokens that a grammar is asked about together at least, the likeliest first: about 0.1 ms.
_ASKED_AT_ONCE = 512


class Sampler:
    """Chooses the tokens of one reply. Owned by the reply, on the engine's main thread.

    Attributes:
        seed: The seed in use, also when it was drawn.
        candidates: What the last draw chose from.
        reasons: Whether what is written is reasoning, which a grammar does not rule. Who reads the
            text tells when it is over.
    """

    def __init__(
        self,
        settings: GenerationSettings,
        model: int,
        vocabulary: Vocabulary,
        *,
        n_ctx: int,
        prompt: Iterable[int] = (),
        begun: str = "",
        reasons: bool = False,
    ) -> None:
        """Build the samplers.

        Args:
            settings: What the user asked for.
            model: The `llama_model` whose logits will come.
            vocabulary: That model's.
            n_ctx: What a penalty over "all" tokens looks back over.
            prompt: Tokens before the reply, which the penalties count too.
            begun: Text of the reply that the prompt ends with. A grammar goes on behind it; where
                it does not follow the grammar, what comes does from its own beginning.
            reasons: Whether the reply begins with reasoning.

        Raises:
            UserError: The grammar, the schema or a bias cannot be used.
        """
        if vocabulary.is_blank and (settings.grammar or settings.json_schema):
            raise UserError("engine.no_vocabulary")
        self._settings = settings
        self._n_vocab = vocabulary.n_vocab
        self.seed = settings.seed if settings.seed >= 0 else secrets.randbelow(2**32 - 1)
        vocab: int = api().llama_model_get_vocab(model)
        bias = token_biases(settings.logit_bias, vocab, vocabulary.single_token, self._n_vocab)
        self._adjusting = adjusting_chain(settings, vocab, self._n_vocab, n_ctx, bias)
        self._needs_all = needs_all(settings)
        open_ended = settings.top_k == 0 and settings.typical_p >= 1 and not self.is_greedy
        self._cuts_top_p = open_ended and settings.top_p < 1 and not self._needs_all
        self._cuts_min_p_alone = open_ended and settings.top_p >= 1 and settings.min_p > 0
        self._choosing = choosing_chain(settings, self.seed, top_p=not self._cuts_top_p)
        self._grammar = Grammar.of(settings, vocabulary, model)
        if self._grammar is not None and begun:
            self._grammar.follow(begun)
        self.reasons = reasons
        self._bias_ids: Ids = np.fromiter(sorted(bias), dtype=np.intp, count=len(bias))
        last_n = n_ctx if settings.repeat_last_n < 0 else settings.repeat_last_n
        last_n = last_n if has_penalties(settings) else 0
        self._recent: deque[int] = deque(maxlen=last_n)
        self._rises = raises_logits(settings) or any(value > 0 for value in bias.values())
        self.candidates = Candidates()
        self._search = Search(self._n_vocab)
        self._open = OpenDraw(settings.temperature, self.seed) if cuts_nothing(settings) else None
        self._watches_recent = has_penalties(settings) and (
            self._cuts_top_p or self._open is not None or raises_logits(settings)
        )
        self._greedy = self.is_greedy and self._adjusting.length == 0
        # Logits stay as they are, so the k largest are all that top-k lets through.
        self._rank_decides = settings.top_k > 0 and self._adjusting.length == 0
        adjusted = self._adjusting.length > 0
        self._first_rank = first_rank(settings, adjusted=adjusted)
        for token in prompt:
            self._note(int(token))

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return is_greedy(self._settings)

    def sample(self, logits: Logits, drawn: int | None = None) -> int:
        """Choose a token; `accept` tells that it was used.

        Args:
            logits: Of the whole vocabulary.
            drawn: What was drawn from them by the `step_plan` and may not come.

        Raises:
            UserError: The logits are broken, or the grammar leaves nothing.
        """
        if drawn is None:
            if self._greedy:
                token = self._search.likeliest(self.candidates, logits)
            elif self._rank_decides:
                token = self._drawn_by_rank(logits)
            else:
                token = self._draw(logits, constrained=False)
            if self.allows(token):
                return token
        return self._draw(logits, constrained=True)

    @property
    def has_grammar(self) -> bool:
        """Whether a token that was drawn may turn out not to be allowed."""
        return self._grammar is not None

    def allows(self, token: int) -> bool:
        """Whether a grammar, if there is one, lets a token come next."""
        return self._grammar is None or self.reasons or self._grammar.allows(token)

    def step_plan(self) -> StepPlan | None:
        """How a step may draw without asking here, or None if it may not.

        What it draws still has to be what `allows`.
        """
        bounded = self._settings.top_k > 0 or self.is_greedy
        if not bounded or self._rises:
            return None
        if self._greedy:
            return StepPlan(1, 0, 0, 0)
        adjusting, choosing = self._adjusting, self._choosing.address
        if not adjusting.length:
            return StepPlan(self._first_rank, 0, 0, choosing)
        least = 1 if self.is_greedy else self._settings.top_k
        return StepPlan(self._first_rank, least, adjusting.address, choosing)

    def accept(self, token: int) -> None:
        """This token was written."""
        if self._grammar is not None and not self.reasons:
            self._grammar.accept(token)
        self._note(token)

    def _note(self, token: int) -> None:
        if self._adjusting.length:
            self._adjusting.accept(token)
            self._recent.append(token)

    def close(self) -> None:
        """Free the native samplers."""
        self._adjusting.close()
        self._choosing.close()
        if self._grammar is not None:
            self._grammar.close()

    # ---- one draw

    def _drawn_by_rank(self, logits: Logits) -> int:
        found, rank = self.candidates, self._first_rank
        self._search.fill(found, Peaks(logits, rank), rank, None)
        self._choosing.apply(found.native)
        return found.selected()

    def _draw(self, logits: Logits, *, constrained: bool) -> int:
        found, peaks = self.candidates, Peaks(logits, self._first_rank)
        if self._open is not None and not constrained:
            sound(peaks.top)
            return self._draw_openly(self._open, peaks)
        always, grammar = self._always(), self._grammar if constrained else None
        for _ in self._windows(peaks, always, grammar):
            if grammar is not None:
                grammar.restrict(found.native)
            if self._adjusting.length:
                self._adjusting.apply(found.native)
            keep = self._enough(found, peaks)
            if keep is not None:
                break
        if keep:
            found.truncate(keep)
        if grammar is not None:
            found.drop_ruled_out()
        self._choosing.apply(found.native)
        return found.selected()

    def _draw_openly(self, draw: OpenDraw, peaks: Peaks) -> int:
        touched, found = self._always(), self.candidates
        if touched is None:
            touched = _NONE
        found.fill(peaks, math.inf, touched)
        if self._adjusting.length:
            self._adjusting.apply(found.native)
        return draw.draw(peaks.logits, touched, found.logits)

    def _windows(self, peaks: Peaks, always: Ids | None, grammar: Grammar | None) -> Iterator[None]:
        """Fill the candidates from ever wider windows, up to all tokens that can come."""
        found, by_distance = self.candidates, self._cuts_top_p or self._cuts_min_p_alone
        by_rank = not self._needs_all and not by_distance
        if by_rank:
            # A grammar has ruled out the token that was drawn, so the narrowest would not do.
            for factor in (1, 4, 16) if grammar is None else (4, 8):
                self._search.fill(found, peaks, self._first_rank * factor, always)
                yield
        sound(peaks.top)
        for floor in self._floors(peaks.top) if by_distance else ():
            found.fill(peaks, floor, always)
            yield
        possible = grammar.possible() if grammar is not None else None
        if possible is None:
            found.fill(peaks, -math.inf, always)
            yield
        else:
            yield from self._likely_ones(peaks, possible, always, by_rank=by_rank)

    def _likely_ones(
        self, peaks: Peaks, possible: Ids, always: Ids | None, *, by_rank: bool
    ) -> Iterator[None]:
        """Fill the candidates from the likeliest of some tokens, then from all of them."""
        found, logits = self.candidates, peaks.logits[possible]
        floor, wanted = found.floor, _ASKED_AT_ONCE
        while by_rank and wanted * 4 < len(possible):
            floor = floor_reached(logits, wanted, floor)
            some = possible[logits >= np.float32(floor)]
            if len(some) * 2 > len(possible):
                break
            if always is not None:
                some = np.union1d(some, always)
            found.take(some, peaks.logits[some], floor)
            yield
            wanted *= 8
        found.take(possible, logits, -math.inf)
        yield

    def _floors(self, top: float) -> Iterator[float]:
        cut = top
        if self._cuts_min_p_alone:
            cut += math.log(self._settings.min_p)
            yield cut
        yield from (cut - width for width in _OPEN_WIDTHS)

    def _always(self) -> Ids | None:
        """Tokens whose logits may rise, or must be known exactly, wherever they stand."""
        if not self._watches_recent:
            return self._bias_ids if len(self._bias_ids) else None
        recent = np.fromiter(self._recent, dtype=np.intp, count=len(self._recent))
        return np.union1d(recent, self._bias_ids)

    def _enough(self, found: Candidates, peaks: Peaks) -> int | None:
        """How many candidates to keep (0: all) if nothing outside them can matter, else None.

        Everything outside has a logit below the floor and can only have been lowered.
        """
        settings, adjusted, floor = self._settings, found.logits, found.floor
        top = float(adjusted.max()) if len(adjusted) else -math.inf
        if top == -math.inf:
            if found.is_all:
                raise UserError("engine.grammar_dead_end")
            return None
        if self._cuts_top_p:
            return survivors_of_top_p(found, peaks, settings.top_p)
        if found.is_all or (self.is_greedy and top >= floor):
            return 0
        if settings.top_k > 0 and np.count_nonzero(adjusted >= floor) >= settings.top_k:
            return 0
        bounded = settings.min_p > 0 and settings.top_p >= 1 and settings.typical_p >= 1
        if bounded and top + math.log(settings.min_p) >= floor:
            return 0
        return None

"""Chooses tokens from logits, by llama.cpp's own samplers over the few candidates that matter.

Copying a large vocabulary into the samplers for each token costs up to a quarter of the speed. But
what survives top-k, top-p or min-p lies within a window below the largest logit: a numpy pass finds
it, and the samplers run over a few dozen candidates instead of hundreds of thousands. The result
is exact: a window is accepted only if no token outside could have survived, and widened otherwise,
up to the whole vocabulary.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import UserError
from engine.llama.library import api
from engine.llama.sampling_chain import (
    adjusting_chain,
    choosing_chain,
    has_penalties,
    token_biases,
)
from engine.llama.sampling_grammar import Grammar
from engine.llama.sampling_window import Candidates, survivors_of_top_p

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.llama.vocabulary import Vocabulary
    from engine.settings import GenerationSettings

Logits = npt.NDArray[np.float32]

_FIRST_WIDTH = 12.0
_WIDEN = 2.0
# Past this part of the vocabulary, a window saves nothing.
_MOST_OF_VOCABULARY = 0.25


class Sampler:
    """Chooses the tokens of one reply. Owned by the reply, on the engine's main thread.

    Attributes:
        seed: The seed in use, also when it was drawn.
    """

    def __init__(
        self,
        settings: GenerationSettings,
        model: int,
        vocabulary: Vocabulary,
        *,
        n_ctx: int,
        prompt: Iterable[int] = (),
    ) -> None:
        """Build the samplers.

        Args:
            settings: What the user asked for.
            model: The `llama_model` whose logits will come.
            vocabulary: That model's.
            n_ctx: What a penalty over "all" tokens looks back over.
            prompt: Tokens before the reply, which the penalties count too.

        Raises:
            UserError: The grammar, the schema or a bias cannot be used.
        """
        self._settings = settings
        self._n_vocab = vocabulary.n_vocab
        self.seed = settings.seed if settings.seed >= 0 else secrets.randbelow(2**32 - 1)
        vocab: int = api().llama_model_get_vocab(model)
        bias = token_biases(settings.logit_bias, vocab, vocabulary.single_token, self._n_vocab)
        self._adjusting = adjusting_chain(settings, vocab, self._n_vocab, n_ctx, bias)
        self._cuts_top_p = settings.top_k == 0 and settings.top_p < 1 and settings.typical_p >= 1
        self._choosing = choosing_chain(settings, self.seed, top_p=not self._cuts_top_p)
        self._grammar = Grammar.of(settings, vocab)
        self._bias_ids = np.fromiter(bias, dtype=np.int64, count=len(bias))
        last_n = n_ctx if settings.repeat_last_n < 0 else settings.repeat_last_n
        self._recent: deque[int] = deque(maxlen=last_n if has_penalties(settings) else 0)
        self._candidates = Candidates()
        self._width = _FIRST_WIDTH
        for token in prompt:
            self._note(int(token))

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self._settings.temperature <= 0 and self._settings.xtc_probability == 0

    def sample(self, logits: Logits) -> int:
        """Choose a token; `accept` tells that it was used.

        Raises:
            UserError: The logits are broken, or the grammar leaves nothing.
        """
        if self.is_greedy and self._adjusting.length == 0:
            token = int(logits.argmax())
            if logits[token] != logits[token]:
                raise UserError("engine.bad_logits")
        else:
            token = self._draw(logits, constrained=False)
        if self._grammar is None or self._grammar.allows(token):
            return token
        return self._draw(logits, constrained=True)

    def accept(self, token: int) -> None:
        """This token was written."""
        if self._grammar is not None:
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

    def _draw(self, logits: Logits, *, constrained: bool) -> int:
        peak = float(logits.max())
        if not math.isfinite(peak):
            raise UserError("engine.bad_logits")
        width = math.inf if self._needs_all() else self._width
        while True:
            floor = peak - width
            found = self._candidates
            found.fill(logits, floor, self._always(), self._n_vocab * _MOST_OF_VOCABULARY)
            self._adjust(found, constrained=constrained)
            keep = self._enough(found, logits, peak)
            if keep is not None:
                break
            width *= _WIDEN
        self._width = self._next_width(found, width)
        return self._choose(found, keep)

    def _needs_all(self) -> bool:
        """Whether no truncation bounds what can be drawn."""
        settings = self._settings
        if self.is_greedy or settings.top_k > 0:
            return False
        if settings.typical_p < 1:
            return True
        if settings.top_p < 1:
            # The probabilities that top-p adds up depend on every adjusted logit.
            return settings.dry_multiplier > 0
        return settings.min_p <= 0

    def _always(self) -> npt.NDArray[np.int64] | None:
        """Tokens whose logits may rise, or must be known exactly, wherever they stand."""
        settings = self._settings
        rises = (
            settings.repeat_penalty < 1
            or settings.presence_penalty < 0
            or settings.frequency_penalty < 0
        )
        if (rises or self._cuts_top_p) and self._recent:
            recent = np.fromiter(self._recent, dtype=np.int64, count=len(self._recent))
            return np.union1d(recent, self._bias_ids)
        return self._bias_ids if len(self._bias_ids) else None

    def _adjust(self, found: Candidates, *, constrained: bool) -> None:
        if constrained and self._grammar is not None:
            self._grammar.restrict(found.native)
        if self._adjusting.length:
            self._adjusting.apply(found.native)

    def _enough(self, found: Candidates, logits: Logits, peak: float) -> int | None:
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
            return survivors_of_top_p(found, logits, peak, settings.top_p)
        if found.is_all or (self.is_greedy and top >= floor):
            return 0
        only_min_p = settings.min_p > 0 and settings.top_p >= 1 and settings.typical_p >= 1
        if only_min_p and top + math.log(settings.min_p) >= floor:
            return 0
        if settings.top_k > 0 and np.count_nonzero(adjusted >= floor) >= settings.top_k:
            return 0
        return None

    def _next_width(self, found: Candidates, width: float) -> float:
        # A little wider than what this token needed; narrows slowly, so that few draws need a
        # second pass.
        if width == math.inf:
            return self._width
        needed = self._settings.top_k or 1
        if len(found) > 4 * needed + 64:
            return max(1.0, width * 0.95)
        return width

    def _choose(self, found: Candidates, keep: int) -> int:
        if keep:
            found.truncate(keep)
        self._choosing.apply(found.native)
        return found.selected()

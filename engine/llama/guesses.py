"""Guesses at what a reply goes on with: from the text already read, or from a draft model.

Whoever guesses, the model checks: each position is sampled as usual and compared, so a reply is
distributed as without guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.draft_model import TAKES_BACK
from engine.llama.guess_costs import Chance, best_size
from engine.llama.lookup import PromptLookup
from engine.llama.outcome import Cancelled
from engine.llama.parameters import OUTPUTS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.draft_model import DraftModel, Guess
    from engine.llama.loaded import Loaded
    from engine.settings import GenerationSettings

_SIZES = (1, 2, 3, 4, 6, 8, 11, 15)
# Where guessing did not pay it is tried again after so many tokens, then after twice as many: the
# text may have changed, or something else on the machine was in the way.
_PAUSE_TOKENS = (8, 128)
# What was lost by that is made up for first, at this share of the time: reading what was written in
# a pause can take the draft half as long as the model took to write it.
_SHARE_LOST = 0.03
# So much it reads again where guessing is tried anew.
_NEAR_TOKENS = 256
# Steps without a guess: at first, and later after so many with one.
_PLAIN_FIRST = 3
_STEPS_BETWEEN_PLAIN = 64
# How likely a guess is right, before there were any.
_HOPE = 0.9
# Tokens that the draft is not sure of are guessed where they are right more often.
_WORTH_A_DOUBT = 0.6
# As many plain steps may be lost before that, from what was gained earlier.
_CREDIT_STEPS = 8


class DraftGuesser:
    """Decides when the draft model guesses and how much. Owned by one reply.

    Attributes:
        asked: Whether the draft was asked for the step that is going on.
        drafted: Tokens guessed.
        accepted: Those that were right.
    """

    def __init__(self, draft: DraftModel, text: list[int], most: int) -> None:
        """Args: the model, the prompt's tokens, and how many guesses a decode checks at most."""
        self._draft = draft
        self._text = text
        self._sizes = [size for size in _SIZES if size <= most]
        # What the next tokens are held against, and which of them were guessed.
        self._awaited: list[Guess] = []
        self._guessed = 0
        self._pause = 0
        self._next_pause = _PAUSE_TOKENS[0]
        self._since_plain = 0
        self._catching_up = False
        # Seconds in which the draft was asked and was not sure of anything.
        self._vain_s = 0.0
        self.asked = False
        self.drafted = 0
        self.accepted = 0
        self._hope()
        draft.begin(text)

    def read(self) -> None:
        """Have the draft read the prompt, unless it is known not to pay on this machine.

        Raises:
            Cancelled: It was asked for.
        """
        draft = self._draft
        if draft.lost_s > 0:
            self._rest()
            return
        if not self._promises() and draft.missing(self._text) <= _NEAR_TOKENS:
            # What was measured may be of a busy machine, and to try again costs little here.
            draft.costs.forget_guesses()
        if self._promises():
            draft.read(self._text)
        else:
            self._sizes = []

    def _promises(self) -> bool:
        """Whether guessing may pay, as far as is known."""
        costs = self._draft.costs
        chance = self._draft.chance.value
        return costs.of(1) is None or best_size(self._sizes, OUTPUTS_MAX, chance, costs) > 0

    def note(self, token: int) -> None:
        """A token was written."""
        self._text.append(token)
        if self._awaited:
            awaited = self._awaited.pop(0)
            right = awaited.token == token
            self._draft.chance.note(right=right and self._guessed > 0)
            self._guessed -= 1
            if not awaited.is_sure:
                self._draft.doubtful.note(right=right)
            if not right:
                self._awaited.clear()

    def propose(self, room: int) -> list[int]:
        """Tokens to check with the next decode, at most `room`; none when they would not pay."""
        self.asked = False
        if not self._sizes:
            return []
        if self._pause:
            self._pause -= 1
            if not self._pause and self._draft.missing(self._text) > _NEAR_TOKENS:
                # Reading all of it would take what guessing the rest of the reply could bring.
                self._sizes = []
            return []
        self._since_plain += 1
        if self._draft.costs.times(1) < _PLAIN_FIRST or self._since_plain > _STEPS_BETWEEN_PLAIN:
            # What guessing is held against has to be timed, too.
            self._since_plain = 0
            return []
        size = best_size(self._sizes, room, self._draft.chance.value, self._draft.costs)
        if not size:
            self._rest()
            return []
        self._catching_up = self._draft.missing(self._text) > size + 2
        self.asked = True
        try:
            boldly = self._draft.doubtful.value > _WORTH_A_DOUBT
            self._awaited = self._draft.guess(self._text, size, boldly=boldly)
        except (Cancelled, UserError):
            # The reply does not need the draft; a cancel ends it where its own text is whole.
            self._sizes = []
            return []
        guess = [one.token for one in self._awaited if boldly or one.is_sure]
        self._guessed = len(guess)
        return guess

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A step with so many guesses gave so many right ones, plus the token after them."""
        self.drafted += drafted
        self.accepted += accepted
        draft = self._draft
        if 2 * accepted > drafted:
            self._next_pause = _PAUSE_TOKENS[0]
        alone = draft.costs.of(1)
        if not self.asked:
            draft.costs.note(1, seconds)
            draft.lost_s = max(min(0.0, draft.lost_s), draft.lost_s - _SHARE_LOST * seconds)
        elif alone is not None:
            if seconds < alone:
                # So long a plain step cannot have taken, but for something else on the machine.
                draft.costs.note(1, seconds)
            over_s = seconds - (accepted + 1) * alone
            draft.lost_s = max(-_CREDIT_STEPS * alone, draft.lost_s + over_s)
            if not drafted:
                self._vain_s += max(0.0, over_s)
            elif not self._catching_up:
                draft.costs.note(drafted + 1, seconds + self._vain_s)
                self._vain_s = 0.0
        self._catching_up = False

    def _rest(self) -> None:
        """Guess nothing for a while, then try anew."""
        alone = self._draft.costs.of(1) or 0.0
        lost = self._draft.lost_s / (_SHARE_LOST * alone) if alone else 0.0
        self._pause = max(self._next_pause, round(lost))
        self._next_pause = min(2 * self._next_pause, _PAUSE_TOKENS[1])
        self._hope()

    def _hope(self) -> None:
        """What comes next may be easier to guess than what went before."""
        if self._draft.chance.value < _HOPE:
            self._draft.chance = Chance(_HOPE * 4, 4)

    def restart(self, text: list[int]) -> None:
        """The reply goes on behind another text."""
        self._text = text
        self._awaited.clear()
        self._draft.begin(text)


class Guesses:
    """Asks the text first, which costs nothing, then the draft model. Owned by one reply."""

    def __init__(self, lookup: PromptLookup | None, draft: DraftGuesser | None) -> None:
        self._draft = draft
        self._all = [one for one in (lookup, draft) if one is not None]
        self._latest: PromptLookup | DraftGuesser | None = None

    @property
    def drafted(self) -> int:
        """Tokens guessed."""
        return sum(one.drafted for one in self._all)

    @property
    def accepted(self) -> int:
        """Those that were right."""
        return sum(one.accepted for one in self._all)

    def read(self) -> None:
        """Have the draft model read the prompt.

        Raises:
            Cancelled: It was asked for.
        """
        if self._draft is not None:
            self._draft.read()

    def note(self, token: int) -> None:
        """A token was written."""
        for one in self._all:
            one.note(token)

    def propose(self, room: int) -> list[int]:
        """Tokens to check with the next decode, at most `room`; none when they would not pay."""
        for one in self._all:
            guess = one.propose(room)
            if guess:
                self._latest = one
                return guess
        self._latest = None
        return []

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A step with so many guesses gave so many right ones, plus the token after them."""
        latest = self._latest
        if latest is None and self._draft is not None and self._draft.asked:
            # The step holds the time in which it found nothing to be sure of.
            latest = self._draft
        for one in self._all if latest is None else [latest]:
            one.note_step(drafted, accepted, seconds)

    def restart(self, text: Sequence[int]) -> None:
        """The reply goes on behind another text, some of the old one being gone."""
        if self._draft is not None:
            self._draft.restart(list(text))


def can_guess(loaded: Loaded) -> bool:
    """Whether wrong guesses can be taken back, which only caches of attention can do."""
    return loaded.memory_class in TAKES_BACK


def guesses_for(loaded: Loaded, settings: GenerationSettings, tokens: list[int]) -> Guesses | None:
    """Who guesses for a reply to these tokens; None for nobody."""
    most = min(OUTPUTS_MAX, loaded.context.n_batch) - 1
    if most < 1 or not can_guess(loaded):
        return None
    lookup = PromptLookup(tokens, most, loaded.lookup_costs) if settings.prompt_lookup else None
    draft = None
    if loaded.draft is not None:
        most = min(most, loaded.settings.draft_tokens)
        draft = DraftGuesser(loaded.draft, tokens, most)
    return Guesses(lookup, draft) if lookup or draft else None

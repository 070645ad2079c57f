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
from engine.llama.parameters import OUTPUTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.llama.draft_model import DraftModel
    from engine.llama.loaded import Loaded
    from engine.settings import GenerationSettings

_SIZES = (1, 2, 3, 4, 6, 8, 11, 15)
# Where guessing did not pay it is tried again after so many tokens, then after twice as many: the
# text may have changed, or something else on the machine was in the way.
_PAUSE_TOKENS = (8, 128)


class DraftGuesser:
    """Decides when the draft model guesses and how much. Owned by one reply.

    Attributes:
        drafted: Tokens guessed.
        accepted: Those that were right.
    """

    def __init__(self, draft: DraftModel, text: list[int], most: int) -> None:
        """Args: the model, the prompt's tokens, and how many guesses a decode checks at most."""
        self._draft = draft
        self._text = text
        self._sizes = [size for size in _SIZES if size <= most]
        self._chance = Chance(3, 4)
        self._awaited: list[int] = []
        self._pause = 0
        self._next_pause = _PAUSE_TOKENS[0]
        self._catching_up = False
        self.drafted = 0
        self.accepted = 0
        draft.begin(text)

    def read(self, cancelled: Callable[[], bool]) -> None:
        """Have the draft read the prompt, unless it is known not to pay on this machine.

        Raises:
            Cancelled: It was asked for.
        """
        costs = self._draft.costs
        if costs.of(1) is None or best_size(self._sizes, 16, self._chance.value, costs):
            self._draft.read(self._text, cancelled)
        else:
            self._rest()

    def note(self, token: int) -> None:
        """A token was written."""
        self._text.append(token)
        if self._awaited:
            right = self._awaited.pop(0) == token
            self._chance.note(right=right)
            if not right:
                self._awaited.clear()

    def propose(self, room: int) -> list[int]:
        """Tokens to check with the next decode, at most `room`; none when they would not pay."""
        if not self._sizes:
            return []
        if self._pause:
            self._pause -= 1
            return []
        size = best_size(self._sizes, room, self._chance.value, self._draft.costs)
        if not size:
            # Without the cost of a plain step there is nothing to compare with: one is due.
            if self._draft.costs.of(1) is not None:
                self._rest()
            return []
        self._catching_up = self._draft.missing(self._text) > size + 2
        try:
            self._awaited = self._draft.guess(self._text, size)
        except UserError:
            # The reply does not need the draft.
            self._sizes = []
            return []
        return list(self._awaited)

    def note_step(self, drafted: int, accepted: int, seconds: float) -> None:
        """A step with so many guesses gave so many right ones, plus the token after them."""
        self.drafted += drafted
        self.accepted += accepted
        if 2 * accepted > drafted:
            self._next_pause = _PAUSE_TOKENS[0]
        if not self._catching_up:
            self._draft.costs.note(drafted + 1, seconds)
        self._catching_up = False

    def _rest(self) -> None:
        """Guess nothing for a while, then try anew."""
        self._pause = self._next_pause
        self._next_pause = min(2 * self._next_pause, _PAUSE_TOKENS[1])
        self._chance = Chance(3, 4)

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

    def read(self, cancelled: Callable[[], bool]) -> None:
        """Have the draft model read the prompt.

        Raises:
            Cancelled: It was asked for.
        """
        if self._draft is not None:
            self._draft.read(cancelled)

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
        for one in self._all if self._latest is None else [self._latest]:
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
    lookup = PromptLookup(tokens, most) if settings.prompt_lookup else None
    draft = None
    if loaded.draft is not None:
        most = min(most, loaded.settings.draft_tokens)
        draft = DraftGuesser(loaded.draft, tokens, most)
    return Guesses(lookup, draft) if lookup or draft else None

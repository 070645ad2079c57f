"""A small model that guesses what a large one will write next; the large one checks the guesses.

It has a context of its own, which follows the text of the reply: what both have in common stays,
from reply to reply as well, and only the rest is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.errors import UserError
from engine.llama.context import Context
from engine.llama.draft_settings import draft_settings
from engine.llama.guess_costs import Chance, Costs
from engine.llama.model import Model
from engine.llama.outcome import Cancelled
from engine.llama.reuse_memory import memory_class
from engine.llama.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.errors import Problem
    from engine.llama.abort import AbortFlag
    from engine.llama.devices import Device, Devices
    from engine.llama.loaded import Loaded
    from engine.llama.model import LoadProgress
    from engine.settings import EngineSettings
    from engine.worker.protocol import DeviceMemory

TAKES_BACK = ("attention", "swa")
"""Kinds of memory from which a wrong guess can be taken."""

# Less likely than this, by its own account, a draft is not sure of a token.
_SURE = 0.4


class Guess(NamedTuple):
    """A token that may come next, and whether the draft is sure of it."""

    token: int
    is_sure: bool


class DraftModel:
    """Owns the draft's weights and context. Lives on the engine's main thread.

    Attributes:
        costs: What steps with its guesses take, kept from reply to reply.
        chance: How likely a token is guessed and right, the same.
        doubtful: How likely one is right that it is not sure of, also where that was not guessed.
        lost_s: Seconds lost by asking it where that did not pay, less what was made up for.
    """

    def __init__(
        self,
        settings: EngineSettings,
        devices: Sequence[Device],
        vocabulary: Vocabulary,
        abort: AbortFlag,
        progress: LoadProgress,
    ) -> None:
        """Load it.

        Args:
            settings: Its own, from `draft_settings`.
            devices: Where it goes.
            vocabulary: Of the large model.
            abort: The engine's flag.
            progress: As for a model.

        Raises:
            UserError: It cannot be loaded, its tokens are others, or guesses cannot be taken back.
            Cancelled: `progress` returned False.
        """
        self._model = Model(settings, devices, progress)
        try:
            if memory_class(self._model.handle) not in TAKES_BACK:
                raise UserError("engine.draft_no_use", path=settings.model_path)
            if not Vocabulary(self._model.handle).shares_tokens_with(vocabulary):
                raise UserError("engine.draft_vocabulary", path=settings.model_path)
            self._context = Context(self._model, settings, abort)
        except BaseException:
            self._model.close()
            raise
        self._n_vocab = vocabulary.n_vocab
        self._held: list[int] = []
        self._agreed = 0
        self._forget_what_it_brings()

    def close(self) -> None:
        """Free context and weights."""
        self._context.close()
        self._model.close()

    def renew(self, settings: EngineSettings) -> None:
        """Make the context again, for other settings of the same draft; closes when that fails.

        Raises:
            UserError: The context could not be made.
        """
        self._context.close()
        self._held.clear()
        self._agreed = 0
        self._forget_what_it_brings()
        try:
            self._context = Context(self._model, settings, self._context.abort)
        except BaseException:
            self._model.close()
            raise

    def _forget_what_it_brings(self) -> None:
        self.costs, self.lost_s = Costs(forgets=False), 0.0
        self.chance, self.doubtful = Chance(3.6, 4), Chance(2, 4)

    def set_threads(self, settings: EngineSettings) -> None:
        """Take over the thread counts, with which everything takes another time."""
        self._context.set_threads(settings)
        self._forget_what_it_brings()

    def memory(self) -> tuple[DeviceMemory, ...]:
        """What it holds, a row per device."""
        return self._context.info().memory

    def begin(self, text: Sequence[int]) -> None:
        """Another text follows; what is held of its beginning is kept."""
        self._agreed = self._agreement(text, 0)

    def missing(self, text: Sequence[int]) -> int:
        """Tokens that would have to be read before the next guess."""
        return len(text) - self._agreed

    def read(self, text: Sequence[int]) -> None:
        """Read a long text ahead of guessing.

        Raises:
            Cancelled: It was asked for; what was read is kept.
        """
        rest = self._rest(text)
        for start in range(0, len(rest), self._context.n_batch):
            self._context.abort.check()
            self._decode(rest[start : start + self._context.n_batch], outputs=0)

    def guess(self, text: Sequence[int], most: int, *, boldly: bool = False) -> list[Guess]:
        """How the text goes on: at most so many tokens.

        Args:
            text: What is written so far.
            most: How many.
            boldly: Go on behind a token that the draft is not sure of; else that one is the last.

        Raises:
            UserError: A decode failed; the next guess starts anew.
        """
        pending, found = self._rest(text), list[Guess]()
        while len(found) < most and (boldly or not found or found[-1].is_sure):
            for start in range(0, len(pending), self._context.n_batch):
                self._decode(pending[start : start + self._context.n_batch], outputs=1)
            token, chance = self._likeliest()
            if token >= self._n_vocab:
                break
            found.append(Guess(token, chance >= _SURE))
            pending = [token]
        self._agreed = len(text)
        return found

    def _rest(self, text: Sequence[int]) -> list[int]:
        """Keep what is held of a text, and give what has to be read: its last token at least."""
        held = self._held
        agreed = min(self._agreement(text, self._agreed), len(text) - 1)
        if len(held) > agreed and not self._context.cut(agreed):
            self._context.clear()
            agreed = 0
        del held[agreed:]
        self._agreed = agreed
        return list(text[agreed:])

    def _agreement(self, text: Sequence[int], known: int) -> int:
        """How far what is held and a text are alike; so far they are known to be."""
        held, end = self._held, min(len(self._held), len(text))
        agreed = min(known, end)
        while agreed < end and held[agreed] == text[agreed]:
            agreed += 1
        return agreed

    def _decode(self, tokens: Sequence[int], outputs: int) -> None:
        try:
            self._context.decode(tokens, len(self._held), outputs=outputs)
        except Cancelled:
            # Some of it may have been read: no more is held than is known of.
            if not self._context.cut(len(self._held)):
                self._drop()
            raise
        except UserError:
            self._drop()
            raise
        self._held.extend(tokens)

    def _drop(self) -> None:
        self._context.clear()
        self._held.clear()
        self._agreed = 0

    def _likeliest(self) -> tuple[int, float]:
        logits = self._context.logits()
        token = int(np.argmax(logits))
        return token, float(1.0 / np.exp(logits - logits[token]).sum())


def opened_draft(loaded: Loaded, devices: Devices, progress: LoadProgress) -> DraftModel | None:
    """The draft model that a loaded model's settings name; None when they name none.

    Raises:
        UserError: It cannot guess for this model, or cannot be loaded.
        Cancelled: `progress` returned False.
    """
    if not loaded.settings.draft_model:
        return None
    if loaded.memory_class not in TAKES_BACK:
        raise UserError("engine.draft_no_use", path=str(loaded.model.path))
    own = _own_settings(loaded)
    return DraftModel(
        own,
        devices.chosen(own.devices),
        loaded.vocabulary,
        loaded.context.abort,
        _as_draft(progress),
    )


def renewed_draft(loaded: Loaded) -> tuple[Problem, ...]:
    """Give the draft a context like the model's new one; says so where there is no room for it."""
    if loaded.draft is None:
        return ()
    try:
        loaded.draft.renew(_own_settings(loaded))
    except UserError as error:
        loaded.draft = None
        return (error.problem,)
    return ()


def _own_settings(loaded: Loaded) -> EngineSettings:
    return draft_settings(loaded.settings, loaded.model.devices)


def _as_draft(progress: LoadProgress) -> LoadProgress:
    return lambda _phase, fraction, total_bytes: progress("draft", fraction, total_bytes)

"""Plans a reading: where to cut so that every request fits, and what it will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.documents.parts.cost import Rates, predicted
from engine.documents.parts.cutting import cut
from engine.documents.parts.kept import KeptNotes
from engine.documents.parts.merging import FRAME_TOKENS, most_merges
from engine.documents.parts.prompts import Note, Wording, notes_block
from engine.documents.parts.results import Plan, StoppedError
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.documents.parts.cutting import Part, Source
    from engine.documents.parts.engine import Engine
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured, Prompt

_LONGEST_NOTE = 512
_NOTE_SHARE = 8
"""Notes on a part take an eighth of the window at most, so that several can be merged in one."""
_LEAST_ROOM = 128
_SLACK = 8
_MOST_CUTS = 4
_PROBE_TOKENS = 8
_PROBE_S = 1.5
_LONGEST_PROBE = 2048


class Answering(NamedTuple):
    """The request that answers in the end, without notes, and what notes may take in it."""

    measured: Measured
    room_tokens: int


def note_tokens(n_ctx: int, generation: GenerationSettings) -> int:
    """The longest that notes on a part may be."""
    return min(_LONGEST_NOTE, n_ctx // _NOTE_SHARE, generation.max_tokens or _LONGEST_NOTE)


def for_notes(generation: GenerationSettings, limit_tokens: int) -> GenerationSettings:
    """How notes are sampled: as replies are, but short, as free text and without reasoning.

    Nothing is taken out of a part to make room: it was cut so that it fits.
    """
    return msgspec.structs.replace(
        generation,
        max_tokens=limit_tokens,
        thinking="off",
        stop=(),
        grammar="",
        json_schema="",
        overflow="stop",
    )


class Planner:
    """Plans readings. Calls take as long as the engine does.

    Args:
        engine: Counts, and writes a few tokens where its speed is not known yet.
        kept: What was read before.
        model_id: Names the model.
        generation: How replies are sampled.
        cancelled: Whether the user wants it to stop.
    """

    def __init__(
        self,
        engine: Engine,
        kept: KeptNotes,
        *,
        model_id: str,
        generation: GenerationSettings,
        cancelled: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._kept = kept
        self._model_id = model_id
        self._generation = generation
        self._cancelled = cancelled

    def plan(
        self,
        question: str,
        sources: Sequence[Source],
        answering: Answering,
        rates: Rates | None = None,
    ) -> Plan:
        """Cut the documents and predict the cost.

        Args:
            question: What is asked.
            sources: The documents.
            answering: The request that the notes will go with.
            rates: Speeds that are known; what is not is measured.

        Raises:
            UserError: ``parts.no_room`` when the window is too small for the question.
            StoppedError: It was cancelled.
        """
        wording = Wording.about(question, sources)
        n_ctx = answering.measured.n_ctx
        limit = note_tokens(n_ctx, self._generation)
        notes = for_notes(self._generation, limit)
        shared = self._tokens(wording.to_read(None), notes)
        merge_room = n_ctx - self._tokens(wording.to_merge(()), notes) - limit - _SLACK
        answer_room = answering.room_tokens - self._engine.count((notes_block((Note("", ""),)),))[0]
        room = n_ctx - shared - limit - _SLACK
        short = min(room - _LEAST_ROOM, merge_room - 2 * limit, answer_room - limit - FRAME_TOKENS)
        if short < 0:
            raise UserError("parts.no_room", n_ctx=n_ctx, tokens=shared)
        parts, requests = self._cut(wording, sources, room, n_ctx - limit - 1, notes)
        keys = [self._key(wording.to_read(part), limit) for part in parts]
        found = {part.number: self._kept.get(key) for part, key in zip(parts, keys, strict=True)}
        kept = {number: written for number, written in found.items() if written is not None}
        left = [one for one in zip(parts, requests, strict=True) if one[0].number not in kept]
        cost = predicted(
            parts=len(parts),
            parts_read=len(kept),
            part_tokens=sum(tokens - shared for _, tokens in left) + (shared if left else 0),
            merges=most_merges(len(parts), limit, merge_room, answer_room),
            answer=self._answer(answering.measured, min(answer_room, len(parts) * limit)),
            note_tokens=limit,
            rates=self._rates(wording, [part for part, _ in left], rates or Rates()),
        )
        return Plan(wording, parts, requests, shared, keys, kept, merge_room, answer_room, cost)

    def _answer(self, measured: Measured, notes: int) -> tuple[int, int]:
        """The most tokens that the answer reads and writes."""
        left = measured.n_ctx - measured.prompt_tokens
        written = min(self._generation.max_tokens or measured.n_ctx, left)
        return measured.prompt_tokens + notes, written

    def _cut(
        self,
        wording: Wording,
        sources: Sequence[Source],
        room: int,
        most: int,
        notes: GenerationSettings,
    ) -> tuple[Sequence[Part], list[int]]:
        """Parts whose requests have `most` tokens at most, by the engine's own count."""
        for _ in range(_MOST_CUTS):
            parts = cut(sources, room, self._count)
            requests = [self._tokens(wording.to_read(part), notes) for part in parts]
            over = max(requests, default=0) - most
            if over <= 0:
                return parts, requests
            # Texts that are joined may take a token more than each by itself.
            room -= over
        raise UserError("parts.no_room", n_ctx=most, tokens=most - room)

    def _rates(self, wording: Wording, left: Sequence[Part], rates: Rates) -> Rates:
        """The speeds, measured on what has to be read anyway where they are not known."""
        if not left or (rates.read_per_second and rates.write_per_second):
            return rates
        rates = self._probe(wording.to_read(None), rates)
        read = round((rates.read_per_second or 0) * _PROBE_S)
        part = left[0]
        share = min(read, _LONGEST_PROBE) / max(1, part.tokens)
        if share < 1:
            text = part.text[: round(len(part.text) * share)]
            part = msgspec.structs.replace(part, text=text)
        return self._probe(wording.to_read(part), rates) if read else rates

    def _probe(self, prompt: Prompt, rates: Rates) -> Rates:
        if self._cancelled():
            raise StoppedError
        notes = for_notes(self._generation, _PROBE_TOKENS)
        finished = self._engine.generate(prompt, notes, lambda _event: None)
        if finished.stop_reason == "cancelled":
            raise StoppedError
        usage = finished.usage
        return Rates(
            usage.prefill_tokens_per_second or rates.read_per_second,
            usage.decode_tokens_per_second or rates.write_per_second,
        )

    def _tokens(self, prompt: Prompt, generation: GenerationSettings) -> int:
        return self._engine.measure(prompt, generation).prompt_tokens

    def _count(self, texts: Sequence[str]) -> Sequence[int]:
        if self._cancelled():
            raise StoppedError
        return self._engine.count(tuple(texts))

    def _key(self, prompt: Prompt, limit: int) -> str:
        return KeptNotes.key(self._model_id, self._generation.system_prompt, prompt, limit)

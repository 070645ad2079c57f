"""Reads documents part by part, keeps the notes, and merges them until they fit.

Every part is read in full. One that cannot be read is tried again and then named; nothing else is
ever missing from the result.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.documents.parts.cost import Pace, Rates
from engine.documents.parts.kept import KeptNotes, Written
from engine.documents.parts.merging import grouped
from engine.documents.parts.planning import for_notes
from engine.documents.parts.prompts import Note, notes_block
from engine.documents.parts.results import PartNotes, PartsRead, Progress, StoppedError
from engine.errors import Problem, UserError
from engine.worker.protocol import Delta, PrefillProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.documents.parts.cutting import Part
    from engine.documents.parts.engine import Engine
    from engine.documents.parts.results import Plan
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Event, Prompt

_ATTEMPTS = 2
_CUT = ("max_tokens", "context_full")


class PartsReading:
    """One run through a plan. Calls take as long as the engine does.

    Args:
        engine: Reads and writes; is brought back when it dies.
        kept: Where notes are kept from one run to the next.
        plan: What to do.
        model_id: As it was planned with.
        generation: How replies are sampled.
        cancelled: Whether the user wants it to stop.
        on_progress: Told how far it is.
    """

    def __init__(
        self,
        engine: Engine,
        kept: KeptNotes,
        plan: Plan,
        *,
        model_id: str,
        generation: GenerationSettings,
        cancelled: Callable[[], bool],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._engine = engine
        self._kept = kept
        self._plan = plan
        self._model_id = model_id
        self._system_prompt = generation.system_prompt
        self._limit = plan.cost.note_tokens
        self._generation = for_notes(generation, self._limit)
        self._cancelled = cancelled
        self._on_progress = on_progress
        rates = Rates(plan.cost.read_per_second, plan.cost.write_per_second)
        self._pace = Pace(rates, self._limit)
        self._results: list[PartNotes] = []
        self._keys: list[str] = []
        self._done_tokens = 0
        left = self._left()
        self._total_tokens = sum(tokens - plan.shared_tokens for _, tokens in left)
        self._merges = 0

    def run(self) -> PartsRead:
        """Read everything that is not kept.

        Raises:
            StoppedError: It was cancelled. What was read is kept.
            UserError: The engine could not be brought back, or notes could not be merged.
        """
        began = time.monotonic()
        for part in self._plan.parts:
            self._results.append(self._read(part))
        notes = self._merged([one.note for one in self._results if one.has_something])
        return PartsRead(
            parts=tuple(self._results),
            block=notes_block(notes),
            merges=self._merges,
            seconds=time.monotonic() - began,
        )

    def forget_kept(self) -> None:
        """The question is answered. Where a part failed, the others are kept for another try."""
        if all(one.problem is None for one in self._results):
            self._kept.forget((*self._plan.keys, *self._keys))

    # ---- one part

    def _read(self, part: Part) -> PartNotes:
        kept = self._plan.kept.get(part.number)
        if kept is not None:
            # It may have been read for somebody else.
            self._kept.put(self._plan.keys[part.number - 1], kept)
            return _result(part, kept, was_kept=True)
        for attempt in range(1, _ATTEMPTS + 1):
            self._check_cancelled()
            try:
                written = self._write(self._plan.wording.to_read(part), part)
            except UserError as error:
                problem = error.problem
                self._engine.revive()
            else:
                self._kept.put(self._plan.keys[part.number - 1], written)
                self._pace.note(written.usage)
                self._done_tokens += self._own_tokens(part)
                return _result(part, written, attempts=attempt)
        self._done_tokens += self._own_tokens(part)
        return _failed(part, problem)

    def _own_tokens(self, part: Part) -> int:
        return self._plan.requests[part.number - 1] - self._plan.shared_tokens

    def _write(self, prompt: Prompt, part: Part | None) -> Written:
        """Do one request, whose text is notes."""
        texts: list[str] = []
        began = time.monotonic()

        def heard(event: Event) -> None:
            if isinstance(event, Delta) and not event.thinking:
                texts.append(event.text)
            self._tell(part, event)

        self._tell(part, None)
        finished = self._engine.generate(prompt, self._generation, heard)
        if finished.stop_reason == "cancelled":
            raise self._stopped()
        if finished.stop_reason == "failed":
            raise UserError.of(next(iter(finished.notices), Problem(code="parts.not_read")))
        text, is_cut = "".join(texts).strip(), finished.stop_reason in _CUT
        if is_cut and not text:
            # A model that thinks all the way did not say that nothing is there.
            raise UserError("parts.only_thoughts", tokens=self._limit)
        return Written(
            text=text,
            usage=finished.usage,
            seconds=time.monotonic() - began,
            is_cut=is_cut,
        )

    # ---- notes

    def _merged(self, notes: list[Note]) -> list[Note]:
        """Notes that fit beside the question, in as many rounds as that takes."""
        while len(notes) > 1:
            sizes = self._engine.count([notes_block([note]) for note in notes])
            if self._engine.count((notes_block(notes),))[0] <= self._plan.answer_room:
                break
            notes = [
                self._merge([notes[index] for index in group])
                if len(group) > 1
                else notes[group[0]]
                for group in grouped(sizes, self._plan.merge_room)
            ]
        return notes

    def _merge(self, notes: Sequence[Note]) -> Note:
        self._check_cancelled()
        prompt = self._plan.wording.to_merge(notes)
        key = KeptNotes.key(self._model_id, self._system_prompt, prompt, self._limit)
        written = self._kept.get(key)
        if written is None:
            written = self._merge_now(prompt)
        self._kept.put(key, written)
        self._keys.append(key)
        self._merges += 1
        return Note("; ".join(note.place for note in notes), written.text)

    def _merge_now(self, prompt: Prompt) -> Written:
        try:
            return self._write(prompt, None)
        except UserError:
            self._engine.revive()
            return self._write(prompt, None)

    # ---- progress

    def _left(self) -> list[tuple[Part, int]]:
        both = zip(self._plan.parts, self._plan.requests, strict=True)
        return [one for one in both if one[0].number not in self._plan.kept]

    def _check_cancelled(self) -> None:
        if self._cancelled():
            raise self._stopped()

    def _stopped(self) -> StoppedError:
        return StoppedError(len(self._results), len(self._plan.parts))

    def _tell(self, part: Part | None, event: Event | None) -> None:
        done, written = self._done_tokens, 0
        if isinstance(event, PrefillProgress):
            done += max(0, event.done - self._plan.shared_tokens)
        elif isinstance(event, Delta):
            written = event.completion_tokens
            done += self._own_tokens(part) if part is not None else 0
        done = min(done, self._total_tokens)
        left = sum(1 for other, _ in self._left() if part and other.number >= part.number)
        self._on_progress(
            Progress(
                phase="merging" if part is None else "writing" if written else "reading",
                part=part,
                parts=len(self._plan.parts),
                done_tokens=done,
                total_tokens=self._total_tokens,
                written_tokens=written,
                # How much there is to merge shows only from the notes.
                seconds_left=None
                if part is None
                else self._pace.seconds_left(self._total_tokens - done, left),
            )
        )


def _result(
    part: Part, written: Written, *, was_kept: bool = False, attempts: int = 1
) -> PartNotes:
    return PartNotes(
        number=part.number,
        document_id=part.document_id,
        document=part.file_name,
        name=part.name,
        pages=part.pages,
        place=part.place,
        tokens=part.tokens,
        notes=written.text,
        seconds=written.seconds,
        cached_tokens=written.usage.cached_tokens,
        written_tokens=written.usage.completion_tokens,
        is_cut=written.is_cut,
        was_kept=was_kept,
        attempts=attempts,
    )


def _failed(part: Part, problem: Problem) -> PartNotes:
    return PartNotes(
        number=part.number,
        document_id=part.document_id,
        document=part.file_name,
        name=part.name,
        pages=part.pages,
        place=part.place,
        tokens=part.tokens,
        attempts=_ATTEMPTS,
        problem=problem,
    )

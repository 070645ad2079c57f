"""What reading in parts costs, before it starts and while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from engine.documents.parts.merging import Merges
    from engine.worker.protocol import Usage

_SHORT_NOTE_TOKENS = 8
"""What "Nothing here." takes: the least that is written about a part."""


class Rates(NamedTuple):
    """This machine's measured speeds with this model; None while unknown."""

    read_per_second: float | None = None
    write_per_second: float | None = None

    def seconds(self, read_tokens: int, write_tokens: int) -> float | None:
        """How long so much reading and writing takes; None while a speed is unknown."""
        if not self.read_per_second or not self.write_per_second:
            return None
        return read_tokens / self.read_per_second + write_tokens / self.write_per_second


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What is ahead.

    Attributes:
        parts: How many there are.
        parts_read: Those of them whose notes are kept from before.
        read_tokens: To be read for the other parts, the shared beginning once.
        write_tokens: The most that may be written, notes merged and the answer included.
        requests: The most requests: parts, merges and the answer.
        seconds_least: When the parts hold nothing; None while the speeds are unknown.
        seconds_most: When all notes are as long as they may be.
        note_tokens: The longest a note may be.
    """

    parts: int
    parts_read: int
    read_tokens: int
    write_tokens: int
    requests: int
    note_tokens: int
    read_per_second: float | None = None
    write_per_second: float | None = None
    seconds_least: float | None = None
    seconds_most: float | None = None


def predicted(
    *,
    parts: int,
    parts_read: int,
    part_tokens: int,
    merges: Merges,
    answer: tuple[int, int],
    note_tokens: int,
    rates: Rates,
) -> Cost:
    """The cost of a plan.

    Args:
        parts: How many there are.
        parts_read: Those of them that are kept.
        part_tokens: What is read for the others.
        merges: What merging takes at most.
        answer: What the answer reads and writes at most.
        note_tokens: The longest a note may be.
        rates: This machine's speeds.
    """
    left = parts - parts_read
    read = part_tokens + merges.read_tokens + answer[0]
    write = left * note_tokens + merges.write_tokens + answer[1]
    least = left * _SHORT_NOTE_TOKENS
    return Cost(
        parts=parts,
        parts_read=parts_read,
        read_tokens=read,
        write_tokens=write,
        requests=left + merges.requests + 1,
        note_tokens=note_tokens,
        read_per_second=rates.read_per_second,
        write_per_second=rates.write_per_second,
        seconds_least=rates.seconds(part_tokens, least),
        seconds_most=rates.seconds(read, write),
    )


class Pace:
    """Learns the speeds while parts are read, and how long notes turn out to be."""

    def __init__(self, rates: Rates, note_tokens: int) -> None:
        self._before = rates
        self._note_tokens = note_tokens
        self._read = self._written = self._parts = 0
        self._read_s = self._write_s = 0.0

    def note(self, usage: Usage) -> None:
        """A part was read."""
        self._parts += 1
        self._read += usage.prompt_tokens - usage.cached_tokens
        self._read_s += usage.prefill_s
        self._written += usage.completion_tokens
        self._write_s += usage.decode_s

    @property
    def rates(self) -> Rates:
        """The speeds: of the parts so far, else those from before."""
        read = self._read / self._read_s if self._read_s > 0 else self._before.read_per_second
        write = (
            self._written / self._write_s if self._write_s > 0 else self._before.write_per_second
        )
        return Rates(read, write)

    def seconds_left(self, read_tokens: int, parts: int) -> float | None:
        """For parts that are still to be read, with notes as long as they were so far."""
        each = self._written / self._parts if self._parts else self._note_tokens
        return self.rates.seconds(read_tokens, round(parts * each))

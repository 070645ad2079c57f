"""How many notes go into one request, and how often that has to be done until all fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME_TOKENS = 24
"""What names a note in a list of notes, and the line ends around it."""


class Merges(NamedTuple):
    """What merging may take at most."""

    requests: int
    read_tokens: int
    write_tokens: int


def grouped(sizes: Sequence[int], room_tokens: int) -> list[list[int]]:
    """Indexes of notes in order, in groups that fit a request; the groups are about equally full.

    Every group but the only one has two notes at least, or merging would change nothing: what two
    notes may take has been checked against the room before.
    """
    needed = sum(size + FRAME_TOKENS for size in sizes)
    wanted = -(-needed // max(1, room_tokens))
    share = min(room_tokens, needed // max(1, wanted) + max(sizes, default=0) + FRAME_TOKENS)
    groups: list[list[int]] = [[]]
    used = 0
    for index, size in enumerate(sizes):
        taken = size + FRAME_TOKENS
        if len(groups[-1]) > 1 and used + taken > share:
            groups.append([])
            used = 0
        groups[-1].append(index)
        used += taken
    return groups


def most_merges(count: int, limit_tokens: int, room_tokens: int, answer_tokens: int) -> Merges:
    """What merging takes when each of `count` notes is as long as it may be.

    Args:
        count: How many notes.
        limit_tokens: The longest a note may be, merged ones included.
        room_tokens: What notes may take in a request that merges.
        answer_tokens: What they may take beside the question in the end.
    """
    requests = read = written = 0
    while count > 1 and count * (limit_tokens + FRAME_TOKENS) > answer_tokens:
        groups = [group for group in grouped([limit_tokens] * count, room_tokens) if len(group) > 1]
        merged = sum(map(len, groups))
        requests += len(groups)
        read += merged * (limit_tokens + FRAME_TOKENS)
        written += len(groups) * limit_tokens
        count += len(groups) - merged
    return Merges(requests, read, written)

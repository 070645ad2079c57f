"""A selection in a flow of leaves, and what copying it gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QMimeData

from widgets.chat.leaves import Leaf, markdown_of, plain_of
from widgets.chat.plaintext import unit_offset, units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from widgets.chat.flow import Flow

_WORD = re.compile(r"\w+|[^\w\s]|\s+")


class Place(NamedTuple):
    """A position: box, leaf in the box, UTF-16 unit in the leaf."""

    box: int
    leaf: int
    at: int


@dataclass
class Selection:
    """From where it was begun to where it has been drawn."""

    anchor: Place
    cursor: Place

    @property
    def bounds(self) -> tuple[Place, Place]:
        """Both ends in the order of the text."""
        return (min(self.anchor, self.cursor), max(self.anchor, self.cursor))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is selected."""
        return self.anchor == self.cursor

    def span(self, box: int, leaf: int, size: int) -> tuple[int, int]:
        """The selected stretch of one leaf of `size` units; empty when start is not below end."""
        low, high = self.bounds
        here = (box, leaf)
        if here < low[:2] or here > high[:2]:
            return (0, 0)
        start = low.at if here == low[:2] else 0
        end = high.at if here == high[:2] else size
        return (start, end)


def whole(flow: Flow) -> Selection | None:
    """Everything, or `None` when there is nothing."""
    for index in range(len(flow.boxes) - 1, -1, -1):
        leaves = flow.leaves(index)
        if leaves:
            last = Place(index, len(leaves) - 1, units(leaves[-1].text))
            return Selection(Place(0, 0, 0), last)
    return None


def word_at(leaf: Leaf, place: Place) -> Selection:
    """The word at a position."""
    for match in _WORD.finditer(leaf.text):
        start, end = unit_offset(leaf.text, match.start()), unit_offset(leaf.text, match.end())
        if start <= place.at < end:
            return Selection(place._replace(at=start), place._replace(at=end))
    return Selection(place, place)


def _parts(flow: Flow, selection: Selection) -> Iterator[tuple[Leaf, int, int]]:
    low, high = selection.bounds
    for box in range(low.box, min(high.box, len(flow.boxes) - 1) + 1):
        for index, leaf in enumerate(flow.leaves(box)):
            start, end = selection.span(box, index, units(leaf.text))
            if start < end or (not leaf.text and low[:2] < (box, index) < high[:2]):
                yield leaf, start, end


def _joined(pieces: list[tuple[Leaf, str]]) -> str:
    out = ""
    for index, (leaf, text) in enumerate(pieces):
        if index:
            in_list = leaf.place.gap == "tight" and pieces[index - 1][0].place.depth > 0
            out += "\n" if in_list or leaf.place.gap == "none" else "\n\n"
        out += text
    return out


def plain_text(flow: Flow, selection: Selection) -> str:
    """The selection as it reads."""
    return _joined([(leaf, plain_of(leaf, a, b)) for leaf, a, b in _parts(flow, selection)])


def markdown_text(flow: Flow, selection: Selection) -> str:
    """The selection as Markdown."""
    return _joined([(leaf, markdown_of(leaf, a, b)) for leaf, a, b in _parts(flow, selection)])


def mime_of(flow: Flow, selection: Selection) -> QMimeData:
    """The selection for the clipboard: plain text, with Markdown beside it."""
    data = QMimeData()
    data.setText(plain_text(flow, selection))
    data.setData("text/markdown", markdown_text(flow, selection).encode())
    return data

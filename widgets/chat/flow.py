"""The chunks of one message stacked in a column, of which only those near the window are laid out.

Not a widget: `Body` shows it. Heights of chunks that were never near are estimates.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from widgets import theme
from widgets.chat.blockviews import (
    BODY_LINE_PX,
    MathView,
    RuleView,
    TableView,
    TextView,
    Tone,
    indent_of,
)
from widgets.chat.chunks import Chunk, Chunker
from widgets.chat.codeview import HEADER_PX, LINE_PX, CodeView, SideScroll
from widgets.chat.leaves import CodeLeaf, Leaf, MathLeaf, TableLeaf, TextLeaf
from widgets.chat.markdown import leaves_of
from widgets.chat.plaintext import neutralised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from widgets.chat.leafview import LeafView
    from widgets.chat.typeset import Typesetter
    from widgets.chat.viewdata import CitationView

_CHAR_PX: Final = 7.1
_GAP_PX: Final = {"block": 12.0, "tight": 4.0, "none": 0.0}
_HEADING_GAP_PX: Final = 20.0
_LIST_GAP_PX: Final = 8.0


@dataclass
class Placed:
    """A laid-out leaf and where it stands in its box."""

    view: LeafView
    x: float
    y: float
    index: int


@dataclass
class Box:
    """A chunk with what is known of it so far.

    Attributes:
        chunk: The source.
        height: Measured, or an estimate while `placed` was never made.
        leaves: Parsed chunk, kept once it was needed.
        placed: Laid-out leaves while the box is near the window.
    """

    chunk: Chunk
    height: float
    leaves: tuple[Leaf, ...] | None = None
    placed: list[Placed] = field(default_factory=list)

    @property
    def is_laid_out(self) -> bool:
        """Whether it can be painted and `height` is exact."""
        return bool(self.placed)


class Flow:
    """Owns chunker and boxes of one text."""

    def __init__(self, typesetter: Typesetter, *, verbatim: bool, tone: Tone) -> None:
        self.boxes: list[Box] = []
        self.width = 0.0
        self.ratio = 1.0
        self._typesetter = typesetter
        self._verbatim = verbatim
        self._tone: Tone = tone
        self._chunker = Chunker(verbatim=verbatim)
        self._closed = 0
        self._citations: tuple[CitationView, ...] = ()
        self._tops: list[float] = [0.0]
        self._live: set[int] = set()
        self._columns: dict[int, list[float]] = {}
        self._scrolls: dict[int, SideScroll] = {}

    def set_text(
        self, text: str, citations: Sequence[CitationView] = (), *, is_open: bool = False
    ) -> None:
        """Replace everything."""
        self._chunker = Chunker(verbatim=self._verbatim)
        self._citations = tuple(citations)
        self._columns, self._scrolls = {}, {}
        self.boxes, self._closed, self._tops = [], 0, [0.0]
        self._live.clear()
        self._chunker.feed(neutralised(text))
        if not is_open:
            self._chunker.finish()
        self._take_closed()

    def append(self, text: str) -> None:
        """Add to an open text. Chunks that were closed before stay untouched."""
        self._chunker.feed(neutralised(text))
        self._take_closed()

    def finish(self) -> None:
        """No more text will come."""
        self._chunker.finish()
        self._take_closed()

    def _take_closed(self) -> None:
        tail = self.boxes.pop() if len(self.boxes) > self._closed else None
        start = self._closed
        chunks = list(self._chunker.closed[self._closed :])
        self._closed += len(chunks)
        open_chunk = self._chunker.tail()
        for chunk in [*chunks, open_chunk] if open_chunk is not None else chunks:
            self.boxes.append(self._box(chunk, tail))
            tail = None
        self._measure_from(start)

    def _box(self, chunk: Chunk, before: Box | None) -> Box:
        """A box for `chunk`; what it was shown as before is kept where it can be."""
        if before is None:
            return Box(chunk, self._estimate(chunk))
        if before.chunk == chunk and before.chunk.kind == "code":
            return before
        box = Box(chunk, before.height)
        if before.is_laid_out:
            self._extend_code(box, before)
            if not box.is_laid_out:
                self.lay_out(box, len(self.boxes))
        return box

    def _extend_code(self, box: Box, before: Box) -> None:
        view = before.placed[0].view
        if box.chunk.kind != "code" or not isinstance(view, CodeView):
            return
        (leaf,) = leaves_of(box.chunk)
        if isinstance(leaf, CodeLeaf) and leaf.group == view.code.group and view.extend(leaf):
            box.leaves, box.placed = (leaf,), before.placed
            self._live.add(len(self.boxes))
            box.height = before.placed[0].y + view.height

    def _estimate(self, chunk: Chunk) -> float:
        if chunk.kind == "code":
            lines = chunk.source.count("\n") + 1
            return lines * theme.px(LINE_PX) + (theme.px(HEADER_PX) + 12 if chunk.first else 0) + 12
        wide = max(12.0, self.width / theme.px(_CHAR_PX))
        rows = sum(int(len(line) / wide) + 1 for line in chunk.source.split("\n"))
        return rows * theme.px(BODY_LINE_PX) + 12

    @property
    def height(self) -> float:
        """Height of all, partly estimated."""
        return self._tops[-1]

    def top(self, index: int) -> float:
        """Where a box begins."""
        return self._tops[index]

    def index_at(self, y: float) -> int:
        """The box at a height."""
        return min(max(0, bisect_right(self._tops, y) - 1), max(0, len(self.boxes) - 1))

    def _measure_from(self, index: int) -> None:
        del self._tops[index + 1 :]
        y = self._tops[-1]
        for box in self.boxes[index:]:
            y += box.height
            self._tops.append(y)

    def set_width(self, width: float) -> bool:
        """Take a width; `False` when it is the old one."""
        if width == self.width:
            return False
        self.width = width
        self._columns.clear()
        for box in self.boxes:
            box.placed = []
            box.height = self._estimate(box.chunk)
        self._measure_from(0)
        return True

    def forget_views(self) -> None:
        """Lay everything out anew, e.g. in other colours; heights stay until then."""
        self._columns.clear()
        for scroll in self._scrolls.values():
            scroll.content = 0.0
        for box in self.boxes:
            box.placed = []

    def realise(self, top: float, bottom: float) -> bool:
        """Lay out what lies between two heights; whether any height changed."""
        changed = False
        index = self.index_at(top)
        while index < len(self.boxes) and self._tops[index] < bottom:
            box = self.boxes[index]
            if not box.is_laid_out:
                before = box.height
                self.lay_out(box, index)
                if box.height != before:
                    self._measure_from(index)
                    changed = True
            index += 1
        return changed

    def release(self, top: float, bottom: float) -> None:
        """Drop the layouts of what lies outside; heights stay."""
        low, high = self.index_at(top), self.index_at(bottom)
        for index in [index for index in self._live if not low <= index <= high]:
            self._live.discard(index)
            if index < len(self.boxes):
                self.boxes[index].placed = []

    def refresh(self, index: int) -> bool:
        """Lay a box out again; whether its height changed."""
        box = self.boxes[index]
        before = box.height
        self.lay_out(box, index)
        if box.height == before:
            return False
        self._measure_from(index)
        return True

    def leaves(self, index: int) -> tuple[Leaf, ...]:
        """The leaves of a box, parsed when needed."""
        box = self.boxes[index]
        if box.leaves is None:
            is_open = index >= self._closed
            box.leaves = leaves_of(
                box.chunk, self._citations, verbatim=self._verbatim, is_open=is_open
            )
        return box.leaves

    def lay_out(self, box: Box, index: int) -> None:
        """Make the views of a box and measure it."""
        if box.leaves is None:
            box.leaves = leaves_of(
                box.chunk,
                self._citations,
                verbatim=self._verbatim,
                is_open=index >= self._closed,
            )
        previous = self._leaf_before(index)
        box.placed = []
        self._live.add(index)
        y = 0.0
        for number, leaf in enumerate(box.leaves):
            y += _gap(previous, leaf)
            x = indent_of(leaf)
            view = self._view(leaf)
            box.placed.append(Placed(view, x, y, number))
            y += view.layout(max(40.0, self.width - x))
            previous = leaf
        box.height = y

    def _leaf_before(self, index: int) -> Leaf | None:
        if index == 0:
            return None
        leaves = self.leaves(index - 1)
        return leaves[-1] if leaves else self._leaf_before(index - 1)

    def _view(self, leaf: Leaf) -> LeafView:
        if isinstance(leaf, TextLeaf):
            return TextView(leaf, self._typesetter, self.ratio, self._tone)
        if isinstance(leaf, CodeLeaf):
            scroll = self._scrolls.setdefault(leaf.group, SideScroll()) if leaf.group else None
            return CodeView(leaf, self._typesetter, scroll or SideScroll())
        if isinstance(leaf, TableLeaf):
            columns = self._columns.setdefault(leaf.group, []) if leaf.group else []
            return TableView(leaf, self._typesetter, self.ratio, columns)
        if isinstance(leaf, MathLeaf):
            return MathView(leaf, self._typesetter, self.ratio)
        return RuleView(leaf)

    def code_of(self, leaf: CodeLeaf) -> str:
        """The whole block that a stretch of code belongs to."""
        if not leaf.group:
            return leaf.text
        parts = [
            box.chunk.source
            for box in self.boxes
            if box.chunk.kind == "code" and box.chunk.group == leaf.group
        ]
        return "\n".join(parts)


def _gap(previous: Leaf | None, leaf: Leaf) -> float:
    if previous is None:
        return 0.0
    if leaf.place.gap == "none":
        return 0.0
    if isinstance(leaf, TextLeaf) and leaf.level:
        return _HEADING_GAP_PX
    if leaf.place.gap == "tight" and not previous.place.depth:
        return _LIST_GAP_PX
    if isinstance(previous, TextLeaf) and previous.level:
        return _LIST_GAP_PX
    return _GAP_PX[leaf.place.gap]

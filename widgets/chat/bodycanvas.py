"""The text of one message as it is painted: its flow, colours that come later, search hits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRectF, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from widgets import theme
from widgets.chat.blockviews import QUOTE_PX, Tone
from widgets.chat.codeview import CodeView
from widgets.chat.copybutton import CodeCopyButton
from widgets.chat.flow import Flow, Placed
from widgets.chat.plaintext import unit_offset, units
from widgets.chat.textblock import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from widgets.chat.selection import Selection
    from widgets.chat.typeset import Typesetter
    from widgets.chat.viewdata import CitationView

_RECOLOR_MS: Final = 400
_MAX_OPEN_COLORED: Final = 8_000


class BodyCanvas(QWidget):
    """Lays out, colours and paints; knows no input.

    Signals:
        height_changed: Something became taller or shorter without being asked to.
    """

    height_changed = Signal()

    def __init__(
        self,
        typesetter: Typesetter,
        parent: QWidget | None = None,
        *,
        verbatim: bool = False,
        tone: Tone = "text",
    ) -> None:
        super().__init__(parent)
        self.flow = Flow(typesetter, verbatim=verbatim, tone=tone)
        self._selection: Selection | None = None
        self._find = ""
        self._find_current: tuple[int, int] | None = None
        self._link: tuple[int, int, int, int, str] | None = None
        self._copy_buttons: dict[tuple[int, int], CodeCopyButton] = {}
        self._is_open = False
        self._recolor = QTimer(self, singleShot=True)
        self._recolor.timeout.connect(self._color_tail)
        self._color_cost_s = 0.0
        self._color_asked = 0.0
        self.setObjectName("messageBody")
        typesetter.code_ready.connect(self._on_code_ready)
        typesetter.formula_ready.connect(self._on_formula_ready)

    def set_text(
        self, text: str, citations: Sequence[CitationView] = (), *, is_open: bool = False
    ) -> None:
        """Replace the text; `is_open` when more will be appended."""
        self._selection, self._link = None, None
        self._is_open = is_open
        self._drop_buttons()
        self.flow.set_text(text, citations, is_open=is_open)
        self.update()

    def append(self, text: str) -> None:
        """Add to an open text."""
        self.flow.append(text)
        if not self._recolor.isActive():
            self._recolor.start(max(_RECOLOR_MS, round(self._color_cost_s * 10_000)))

    def finish(self) -> None:
        """The text is complete."""
        self._is_open = False
        self.flow.finish()
        self.update()

    def realise(self, top: float, bottom: float) -> bool:
        """Lay out what lies between two heights; whether the height of the body changed."""
        self.flow.ratio = self.devicePixelRatioF()
        changed = self.flow.realise(top, bottom)
        self.flow.release(top - 3000, bottom + 3000)
        for _box, placed, _y in self._shown(top, bottom):
            if isinstance(placed.view, CodeView) and not self._is_tail(placed):
                placed.view.color()
        self._place_buttons(top, bottom)
        return changed

    def restyle(self) -> None:
        """Take the colours in force."""
        self.flow.forget_views()
        self.update()

    def _is_tail(self, placed: Placed) -> bool:
        return self._is_open and placed in self.flow.boxes[-1].placed

    def _shown(self, top: float, bottom: float) -> Iterator[tuple[int, Placed, float]]:
        """Laid-out leaves between two heights: box, leaf, its top."""
        index = self.flow.index_at(top)
        while index < len(self.flow.boxes) and self.flow.top(index) < bottom:
            for placed in self.flow.boxes[index].placed:
                yield index, placed, self.flow.top(index) + placed.y
            index += 1

    def _color_tail(self) -> None:
        if not self.flow.boxes or not self.flow.boxes[-1].placed:
            return
        view = self.flow.boxes[-1].placed[-1].view
        if isinstance(view, CodeView) and len(view.code.text) < _MAX_OPEN_COLORED:
            self._color_asked = time.monotonic()
            view.color()

    def _on_code_ready(self, language: str, code: str) -> None:
        for box in self.flow.boxes:
            for placed in box.placed:
                view = placed.view
                if not isinstance(view, CodeView) or view.code.language != language:
                    continue
                if view.code.text == code:
                    view.color()
                    self.update()
                elif self._is_tail(placed) and view.code.text.startswith(code):
                    self._color_cost_s = time.monotonic() - self._color_asked
                    view.color_prefix(code)
                    self.update()

    def _on_formula_ready(self, tex: str) -> None:
        changed = False
        for index, box in enumerate(self.flow.boxes):
            if any(tex in placed.view.pending for placed in box.placed):
                changed = self.flow.refresh(index) or changed
                self.update()
        if changed:
            self.height_changed.emit()

    def _drop_buttons(self) -> None:
        for button in self._copy_buttons.values():
            button.hide()
            button.deleteLater()
        self._copy_buttons = {}

    def _place_buttons(self, top: float, bottom: float) -> None:
        """Give each code block in sight its button, and take the buttons of the others away."""
        wanted: set[tuple[int, int]] = set()
        for index, placed, y in self._shown(top, bottom):
            if isinstance(placed.view, CodeView) and placed.view.code.first:
                key = (index, placed.index)
                wanted.add(key)
                self._place_button(key, placed, y)
        for key in self._copy_buttons.keys() - wanted:
            button = self._copy_buttons.pop(key)
            button.hide()
            button.deleteLater()

    def _place_button(self, key: tuple[int, int], placed: Placed, y: float) -> None:
        button = self._copy_buttons.get(key)
        if button is None:
            button = CodeCopyButton(self)
            button.clicked.connect(lambda: self._copy_code(key))
            self._copy_buttons[key] = button
            button.show()
        width = button.fontMetrics().horizontalAdvance(button.text()) + 18
        right = placed.x + placed.view.width
        button.setGeometry(round(right - width - 6), round(y + 2), width, theme.px(26))

    def _copy_code(self, key: tuple[int, int]) -> None:
        placed = self.flow.boxes[key[0]].placed[key[1]]
        if isinstance(placed.view, CodeView):
            QGuiApplication.clipboard().setText(self.flow.code_of(placed.view.code))
            self._copy_buttons[key].say_copied()

    def set_find(self, needle: str, current: tuple[int, int] | None = None) -> None:
        """Mark every occurrence; `current` is (box, number of the hit in it)."""
        if (needle, current) != (self._find, self._find_current):
            self._find, self._find_current = needle, current
            self.update()

    def hits_in(self, index: int, needle: str) -> list[tuple[int, int, int]]:
        """Occurrences in a box: leaf, start, end."""
        found: list[tuple[int, int, int]] = []
        for number, leaf in enumerate(self.flow.leaves(index)):
            folded = leaf.text.lower()
            at = folded.find(needle) if len(folded) == len(leaf.text) else -1
            while at >= 0:
                start = unit_offset(leaf.text, at)
                found.append((number, start, start + units(leaf.text[at : at + len(needle)])))
                at = folded.find(needle, at + len(needle))
        return found

    def top_of(self, box: int, leaf: int, position: int) -> float:
        """Height at which a position stands; its box is laid out for that."""
        if not self.flow.boxes[box].is_laid_out:
            self.flow.refresh(box)
        for placed in self.flow.boxes[box].placed:
            if placed.index == leaf:
                return self.flow.top(box) + placed.y + placed.view.top_of(position)
        return self.flow.top(box)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the leaves that are in the exposed part."""
        painter = QPainter(self)
        exposed = QRectF(event.rect())
        painter.setClipRect(exposed)
        for index, placed, y in self._shown(exposed.top(), exposed.bottom()):
            if y > exposed.bottom() or y + placed.view.height < exposed.top():
                continue
            self._paint_quote(painter, placed, y)
            placed.view.draw(painter, placed.x, y, self._marks(index, placed))
        if self._link is not None and self.hasFocus():
            self._paint_link_focus(painter)

    def _paint_quote(self, painter: QPainter, placed: Placed, y: float) -> None:
        color = QColor(theme.current().line)
        for level in range(placed.view.leaf.place.quote):
            x = placed.x - (placed.view.leaf.place.quote - level) * QUOTE_PX
            painter.fillRect(QRectF(x, y - 2, 3, placed.view.height + 4), color)

    def _marks(self, index: int, placed: Placed) -> list[Mark]:
        marks: list[Mark] = []
        if self._find:
            for number, (leaf, start, end) in enumerate(self.hits_in(index, self._find)):
                if leaf == placed.index:
                    is_current = self._find_current == (index, number)
                    marks.append(Mark(start, end, _tint("warn"), is_current))
        if self._selection is not None:
            size = units(placed.view.leaf.text)
            start, end = self._selection.span(index, placed.index, size)
            if start < end:
                marks.append(Mark(start, end, _tint("accent")))
        return marks

    def _paint_link_focus(self, painter: QPainter) -> None:
        if self._link is None:
            return
        box, leaf, start, _end, _href = self._link
        y = self.top_of(box, leaf, start)
        painter.setPen(QPen(QColor(theme.current().accent), 2))
        painter.drawLine(QPointF(1, y + 2), QPointF(1, y + 19))


def _tint(token: str) -> str:
    return theme.color(token, 0.28).name(QColor.NameFormat.HexArgb)

"""A document's table of contents as a list that follows the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt

from widgets import theme
from widgets.section_list import ListRow, RowDelegate, SectionList

if TYPE_CHECKING:
    from PySide6.QtGui import QPainter

    from widgets.documents.viewdata import OutlineItemView

_INDENT_PX = 14
_DEEPEST = 4


class _OutlineDelegate(RowDelegate):
    """A title, set in by its level, and its page at the right."""

    item_height_px = 28

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one entry."""
        entry: OutlineItemView = row.view  # type: ignore[assignment]
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("faint"))
        number = str(entry.page_number)
        room = painter.fontMetrics().horizontalAdvance(number) + theme.SPACE.s
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, number)
        painter.setFont(theme.font("meta"))
        painter.setPen(theme.color("text" if entry.level == 0 or selected else "dim"))
        words = area.adjusted(min(entry.level, _DEEPEST) * _INDENT_PX, 0, -room, 0)
        title = painter.fontMetrics().elidedText(
            entry.title, Qt.TextElideMode.ElideRight, words.width()
        )
        painter.drawText(words, middle, title)


class OutlineList(SectionList):
    """Signals are those of `SectionList`; an id is the entry's place in the outline."""

    def __init__(self) -> None:
        super().__init__("documentOutline", "", _OutlineDelegate())
        self.setAccessibleName(self.tr("Contents"))
        self._entries: tuple[OutlineItemView, ...] = ()

    def set_entries(self, entries: tuple[OutlineItemView, ...]) -> None:
        """Show another table of contents."""
        self._entries = entries
        self.set_rows(
            [
                ListRow(
                    id=str(index),
                    text=entry.title,
                    view=entry,
                    detail=self.tr("page {number}").format(number=entry.page_number),
                )
                for index, entry in enumerate(entries)
            ]
        )

    def page_of(self, ident: str) -> int:
        """Where an entry leads."""
        return self._entries[int(ident)].page_number

    def follow(self, page_number: int) -> None:
        """Mark the entry that a page belongs to, and keep it in sight."""
        current = self.current_id()
        if current and self.page_of(current) == page_number:
            return
        before = [
            index for index, entry in enumerate(self._entries) if entry.page_number <= page_number
        ]
        self.choose(str(before[-1]) if before else "")
        if before:
            self.scrollTo(self.currentIndex(), self.ScrollHint.PositionAtCenter)

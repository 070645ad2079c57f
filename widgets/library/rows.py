"""How a document looks in the library: its first page, what it is, and its figures in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from widgets import theme
from widgets.figures import UNKNOWN, file_size, thousands, whole
from widgets.section_list import ListRow, RowDelegate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PySide6.QtWidgets import QStyleOptionViewItem

    from widgets.library.viewdata import LibraryItemView
    from widgets.section_list import Index

ROW_PX: Final = 80
_COLUMN_PX: Final = 76
_NAME_PX: Final = 170
"""What columns leave of a row, at the normal size of text; in a narrow page some are left out."""
_LEFT: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT: Final = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


def _tr(text: str) -> str:
    return QCoreApplication.translate("LibraryRows", text)


def rows_for(items: Iterable[LibraryItemView]) -> list[ListRow]:
    """List rows under one heading, which carries the titles of the columns."""
    rows = [ListRow(item.id, item.name, item, _spoken(item), not item.is_reading) for item in items]
    return [ListRow("", _tr("Document")), *rows] if rows else []


def about(item: LibraryItemView) -> str:
    """Format, size and date in a line."""
    parts = [item.format]
    if item.size_bytes is not None:
        parts.append(_small_size(item.size_bytes))
    if item.added_at is not None:
        added = item.added_at
        parts.append(_tr("added {date}").format(date=f"{added.day} {added:%b %Y}"))
    if item.is_older:
        parts.append(_tr("older version"))
    return " · ".join(part for part in parts if part)


def used(item: LibraryItemView) -> str:
    """Which chats have it."""
    if not item.chats:
        return _tr("in no chat")
    if len(item.chats) == 1:
        return _tr("in {chat}").format(chat=item.chats[0])
    return _tr("in {chat} and {n} more").format(chat=item.chats[0], n=len(item.chats) - 1)


def _small_size(size_bytes: int) -> str:
    return f"{max(1, round(size_bytes / 1000))} kB" if size_bytes < 1e6 else file_size(size_bytes)


def _spoken(item: LibraryItemView) -> str:
    figures = _tr("{pages} pages, {words} words, {tokens} tokens").format(
        pages=whole(item.pages), words=whole(item.words), tokens=whole(item.tokens)
    )
    chats = _tr("In chats: {chats}").format(chats=", ".join(item.chats)) if item.chats else ""
    lines = (figures, about(item), chats, item.detail)
    return "\n".join(line for line in lines if line)


class LibraryDelegate(RowDelegate):
    """Paints a document in three lines beside its first page."""

    item_height_px = ROW_PX

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row; the heading carries the titles of the columns."""
        super().paint(painter, option, index)
        if index.row() == 0:
            area: QRect = option.rect
            painter.setFont(theme.font("label"))
            painter.setPen(theme.color("faint"))
            bottom = Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight
            titles = (_tr("Tokens"), _tr("Words"), _tr("Pages"))
            for at, title in enumerate(titles[: _column_count(area)]):
                painter.drawText(_column(area.adjusted(8, 0, -8, -6), at), bottom, title)

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one document."""
        item: LibraryItemView = row.view  # type: ignore[assignment]
        sheet = QRect(area.left(), area.top() + (area.height() - 60) // 2, 46, 60)
        _paint_sheet(painter, sheet, item)
        self._paint_figures(painter, area, item)
        left = sheet.right() + 15
        width = area.right() - _column_count(area) * theme.px(_COLUMN_PX) - theme.SPACE.m - left
        top, line = area.top() + theme.px(10), theme.px(20)
        painter.setFont(theme.font("body", strong=True))
        painter.setPen(theme.color("text"))
        name = painter.fontMetrics().elidedText(item.name, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(QRect(left, top, width, line), _LEFT, name)
        painter.setFont(theme.font("meta"))
        if item.is_reading:
            painter.setPen(theme.color("accent"))
            share = "" if item.fraction is None else f" {item.fraction:.0%}"
            painter.drawText(QRect(left, top + line, width, line), _LEFT, _tr("reading …") + share)
            return
        _paint_words(painter, QRect(left, top + line, width, line), ((about(item), "dim"),))
        third = [(used(item), "dim")]
        if item.is_in_chat:
            third.insert(0, (_tr("● in this chat"), "accent"))
            third[1:] = [(used(item), "dim")] if len(item.chats) > 1 else []
        if item.unread:
            third.insert(0, (item.unread, "warn"))
        _paint_words(painter, QRect(left, top + 2 * line, width, line), tuple(third))

    def _paint_figures(self, painter: QPainter, area: QRect, item: LibraryItemView) -> None:
        if item.is_reading:
            return
        figures = (thousands(item.tokens), thousands(item.words), whole(item.pages))
        upper = QRect(area.left(), area.top() + theme.px(10), area.width(), theme.px(20))
        painter.setFont(theme.font("body"))
        count = _column_count(area)
        for at, figure in enumerate(figures[:count]):
            painter.setPen(theme.color("text" if figure != UNKNOWN else "faint"))
            painter.drawText(_column(upper, at), _RIGHT, figure)
        if item.tokens_per_page is not None and count:
            painter.setFont(theme.font("label"))
            painter.setPen(theme.color("dim"))
            each = _tr("{n} / page").format(n=thousands(item.tokens_per_page))
            painter.drawText(_column(upper.translated(0, theme.px(19)), 0), _RIGHT, each)


def _column_count(area: QRect) -> int:
    """How many columns a row has room for; the last ones go first."""
    room = area.width() - theme.px(_NAME_PX)
    return max(0, min(3, room // theme.px(_COLUMN_PX)))


def _column(area: QRect, at: int) -> QRect:
    """The cell of a column, counted from the right."""
    return QRect(
        area.right() - (at + 1) * theme.px(_COLUMN_PX),
        area.top(),
        theme.px(_COLUMN_PX),
        area.height(),
    )


def _paint_words(painter: QPainter, area: QRect, words: tuple[tuple[str, str], ...]) -> None:
    """Pieces of a line in their tones, with dots between; what does not fit is elided."""
    x = area.left()
    for at, (text, tone) in enumerate(words):
        if at:
            painter.setPen(theme.color("dim"))
            painter.drawText(QRect(x, area.top(), 16, area.height()), _LEFT, " · ")
            x += painter.fontMetrics().horizontalAdvance(" · ")
        room = area.right() - x
        if room < 24:
            return
        painter.setPen(theme.color(tone))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(x, area.top(), room, area.height()), _LEFT, shown)
        x += painter.fontMetrics().horizontalAdvance(shown)


def _paint_sheet(painter: QPainter, area: QRect, item: LibraryItemView) -> None:
    """The first page, or a blank sheet with the format's name."""
    painter.setPen(QPen(theme.color("line"), 1))
    painter.setBrush(theme.color("card"))
    if item.thumbnail is not None and not item.thumbnail.isNull():
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        fitted = item.thumbnail.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRect(area.topLeft(), fitted)
        place.moveCenter(area.center())
        painter.drawImage(place, item.thumbnail)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5))
        return
    painter.drawRoundedRect(QRectF(area).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    for at, share in enumerate((0.62, 0.8, 0.7)):
        y = area.top() + 11 + at * 6
        painter.fillRect(QRectF(area.left() + 8, y, share * 30, 2), theme.color("line"))
    painter.setFont(theme.font("label", strong=True))
    painter.setPen(theme.color("dim"))
    painter.drawText(area.adjusted(0, 24, 0, 0), Qt.AlignmentFlag.AlignCenter, item.badge)

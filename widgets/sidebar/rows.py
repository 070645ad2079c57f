"""Turns chats, search hits and documents into list rows, and paints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter

from widgets import icons, theme
from widgets.figures import thousands, whole
from widgets.section_list import ListRow, RowDelegate
from widgets.sidebar.viewdata import (
    ChatItemView,
    DocumentItemView,
    SearchHitView,
    Section,
    section_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_GAP_PX: Final = 8


def _tr(text: str) -> str:
    return QCoreApplication.translate("Sidebar", text)


def chat_rows(chats: Sequence[ChatItemView], now: datetime) -> list[ListRow]:
    """Pinned chats first, then folders by name, then the rest by day, newest first."""
    words = {
        Section.PINNED: _tr("Pinned"),
        Section.TODAY: _tr("Today"),
        Section.YESTERDAY: _tr("Yesterday"),
        Section.EARLIER: _tr("Earlier"),
    }
    groups: dict[str, list[ChatItemView]] = {words[Section.PINNED]: []}
    for folder in sorted({c.folder for c in chats if c.folder and not c.is_pinned}, key=str.lower):
        groups[folder] = []
    for section in (Section.TODAY, Section.YESTERDAY, Section.EARLIER):
        groups.setdefault(words[section], [])
    for chat in sorted(chats, key=lambda chat: chat.updated_at, reverse=True):
        in_folder = bool(chat.folder) and not chat.is_pinned
        groups[chat.folder if in_folder else words[section_of(chat, now)]].append(chat)
    rows: list[ListRow] = []
    for heading, members in groups.items():
        if members:
            rows.append(ListRow("", heading))
            rows += [ListRow(chat.id, chat.title, chat, _chat_detail(chat)) for chat in members]
    return rows


def _chat_detail(chat: ChatItemView) -> str:
    parts = [chat.title]
    if chat.tokens is not None:
        parts.append(_tr("{n} tokens").format(n=whole(chat.tokens)))
    activity = {
        "reading": _tr("reading"),
        "writing": _tr("writing"),
        "unread": _tr("has a new reply"),
        "failed": _tr("stopped by an error"),
    }.get(chat.activity)
    return ", ".join([*parts, activity] if activity else parts)


def hit_rows(hits: Sequence[SearchHitView]) -> list[ListRow]:
    """One row per hit; the id joins chat and message."""
    heading = ListRow("", _tr("{n} found").format(n=len(hits)))
    found = [
        ListRow(f"{hit.chat_id}\n{hit.message_id}", hit.title, hit, hit.snippet) for hit in hits
    ]
    return [heading, *found] if found else []


def document_rows(documents: Sequence[DocumentItemView]) -> list[ListRow]:
    """One row per document."""
    return [ListRow(doc.id, doc.name, doc, _document_detail(doc)) for doc in documents]


def _document_detail(doc: DocumentItemView) -> str:
    parts = [doc.name]
    if doc.pages is not None:
        parts.append(_tr("{n} pages").format(n=whole(doc.pages)))
    if doc.tokens is not None:
        parts.append(_tr("{n} tokens").format(n=whole(doc.tokens)))
    return ", ".join([*parts, doc.problem or document_state(doc)[0]])


def document_state(doc: DocumentItemView) -> tuple[str, str]:
    """The word at the right of a document and its tone."""
    if doc.state == "reading":
        if doc.fraction is not None:
            return f"{doc.fraction * 100:.0f} %", "dim"
        return _tr("reading"), "dim"
    if doc.state == "counting":
        return _tr("counting"), "dim"
    if doc.state == "ready":
        return _tr("ready"), "ok"
    if doc.state == "failed":
        return _tr("not read"), "bad"
    return (f"{whole(doc.pages)} p" if doc.pages is not None else _tr("on disk")), "faint"


def _paint_right(painter: QPainter, area: QRect, words: str, tone: str) -> int:
    """A small word at the right; returns the width it took."""
    painter.setFont(theme.font("label"))
    painter.setPen(theme.color(tone))
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
    return painter.fontMetrics().horizontalAdvance(words) + _GAP_PX if words else 0


def _paint_text(painter: QPainter, area: QRect, text: str) -> None:
    painter.setFont(theme.font("body"))
    painter.setPen(theme.color("text"))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


class ChatDelegate(RowDelegate):
    """A chat's title, and its tokens or what goes on in it."""

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one chat."""
        chat: ChatItemView = row.view  # type: ignore[assignment]
        words, tone = thousands(chat.tokens) if chat.tokens is not None else "", "faint"
        if chat.activity in ("reading", "writing"):
            words, tone = _tr(chat.activity), "accent"
        elif chat.activity == "failed":
            words, tone = _tr("stopped"), "bad"
        taken = _paint_right(painter, area, words, tone)
        if chat.activity == "unread":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent"))
            painter.drawEllipse(QRectF(area.right() - taken - 8, area.center().y() - 3, 7, 7))
            taken += 14
        _paint_text(painter, area.adjusted(0, 0, -taken, 0), chat.title)


class DocumentDelegate(RowDelegate):
    """A document's name and its state; a line under it while it is read."""

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one document."""
        doc: DocumentItemView = row.view  # type: ignore[assignment]
        words, tone = document_state(doc)
        taken = _paint_right(painter, area, words, tone)
        _paint_text(painter, area.adjusted(0, 0, -taken, 0), doc.name)
        if doc.state == "reading" and doc.fraction is not None:
            line = QRectF(area.left(), area.bottom() - 3, area.width() * doc.fraction, 2)
            painter.fillRect(line, theme.color("accent"))


class HitDelegate(RowDelegate):
    """Title and two lines of the text around the words, which are set off."""

    item_height_px = 66

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one hit."""
        hit: SearchHitView = row.view  # type: ignore[assignment]
        upper = QRect(area.left(), area.top() + 5, area.width(), theme.px(20))
        painter.drawPixmap(
            QPoint(upper.left(), upper.center().y() - 6),
            icons.pixmap("chat", "dim", 13, painter.device().devicePixelRatioF()),
        )
        _paint_text(painter, upper.adjusted(19, 0, 0, 0), hit.title)
        self._paint_snippet(painter, area.adjusted(0, theme.px(26), 0, -4), hit)

    @staticmethod
    def _paint_snippet(painter: QPainter, area: QRect, hit: SearchHitView) -> None:
        # Classes that the start can do without: PySide makes each when it is first named.
        from PySide6.QtGui import QTextCharFormat, QTextLayout, QTextOption

        font = theme.font("label")
        layout = QTextLayout(hit.snippet, font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        marked = QTextCharFormat()
        marked.setForeground(theme.color("accent"))
        marked.setFontWeight(600)
        ranges = []
        for start, length in hit.marks:
            each = QTextLayout.FormatRange()
            each.start, each.length, each.format = start, length, marked
            ranges.append(each)
        layout.setFormats(ranges)
        height = QFontMetrics(font).lineSpacing()
        layout.beginLayout()
        for at in range(2):
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(area.width())
            line.setPosition(QPoint(0, at * height).toPointF())
        layout.endLayout()
        painter.setPen(theme.color("dim"))
        layout.draw(painter, area.topLeft().toPointF())

"""A scrolling column of messages, of which only those near the window have widgets.

Every message has a place and a height, measured or estimated; what is seen keeps still while
heights above it become known, because positions are taken from an anchor and not from the top.
What the messages are, and what is streamed into them, is the transcript's business.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets import parts, theme
from widgets.chat.jumppill import JumpPill
from widgets.chat.record import Card

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent, QResizeEvent

    from widgets.chat.message import MessageWidget
    from widgets.chat.typeset import Typesetter
    from widgets.chat.viewdata import CardView, MessageView, ProgressView

_EDGE_PX: Final = 24
_TOP_PX: Final = 20
_BOTTOM_PX: Final = 24
_GAP_PX: Final = 4
_MARGIN_PX: Final = 500
_KEEP_PX: Final = 2500
_STICKY_PX: Final = 6
_PASSES: Final = 4
_SAMPLE_CHARS: Final = 400


class Item:
    """A message in its place.

    `pieces` is what came since `view.text`; the two are joined only when the text is asked for,
    so that a token costs the same in a long reply as in a short one.
    """

    def __init__(self, view: MessageView, height: float) -> None:
        self.view = view
        self.height = height
        self.widget: MessageWidget | None = None
        self.pieces: list[str] = []
        self.thoughts: list[str] = []
        self.progress: ProgressView | None = None

    def joined(self) -> MessageView:
        """The message with all of its text."""
        if self.pieces or self.thoughts:
            self.view = msgspec.structs.replace(
                self.view,
                text=self.view.text + "".join(self.pieces),
                thinking=self.view.thinking + "".join(self.thoughts),
            )
            self.pieces, self.thoughts = [], []
            if self.widget is not None:
                self.widget.forget_text(self.view.text)
        return self.view


class _Anchor(NamedTuple):
    item: int
    box: int
    offset: float


class MessageColumn(QAbstractScrollArea):
    """Owns items, their widgets, the cards after them and the scroll position.

    Signals:
        message_action: id and ``regenerate``, ``branch``, ``delete`` or ``continue``.
        resend_requested: id and the edited text.
        version_requested: id and index.
        record_action_requested: id of the message and of the record.
        card_action_requested: Kind of the card and id of the action.
        record_edited: id of the record and its new text.
        link_clicked: Target of a link or citation.
    """

    message_action = Signal(str, str)
    resend_requested = Signal(str, str)
    version_requested = Signal(str, int)
    record_action_requested = Signal(str, str)
    card_action_requested = Signal(str, str)
    record_edited = Signal(str, str)
    link_clicked = Signal(str)

    def __init__(self, typesetter: Typesetter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Made here: for the one that Qt makes, PySide goes through every widget class, 8 ms.
        self.setViewport(QWidget())
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._typesetter = typesetter
        self._items: list[Item] = []
        self._tops: list[float] = [float(_TOP_PX)]
        self._cards: list[Card] = []
        self._card_views: list[CardView] = []
        self._sticks = True
        self._arranging = False
        self._find = ""
        self._find_at: tuple[int, int, int] | None = None
        self._focused: MessageWidget | None = None
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.arrange)
        self.pill = JumpPill(self)
        self.pill.clicked.connect(self.jump_to_latest)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.verticalScrollBar().setSingleStep(24)
        theme.signals().changed.connect(self.restyle)

    def _estimate(self, view: MessageView) -> float:
        width = max(200, self.column_width())
        wide = width / theme.px(7.1) if view.role != "user" else width * 0.8 / theme.px(7.1)
        size = len(view.text)
        sample = view.text[:_SAMPLE_CHARS]
        breaks = sample.count("\n") * size / max(1, len(sample))
        rows = size / wide + breaks * 0.8 + 1
        extra = 30 * len(view.records) + (30 if view.thinking else 0)
        return rows * theme.px(21) + extra + (70 if view.role == "user" else 44)

    def _make(self, index: int) -> MessageWidget:
        # All that draws a message: an empty chat opens without it.
        from widgets.chat.message import MessageWidget

        item = self._items[index]
        widget = MessageWidget(item.joined(), self._typesetter, self.viewport())
        id_ = item.view.id
        widget.action_requested.connect(lambda action: self.message_action.emit(id_, action))
        widget.resend_requested.connect(lambda text: self.resend_requested.emit(id_, text))
        widget.version_requested.connect(lambda at: self.version_requested.emit(id_, at))
        widget.record_action_requested.connect(
            lambda record: self.record_action_requested.emit(id_, record)
        )
        widget.record_edited.connect(self.record_edited)
        widget.link_clicked.connect(self.link_clicked)
        widget.body.dragged_to.connect(self._on_dragged)
        widget.height_changed.connect(self._arrange_later)
        widget.forget_text(item.view.text)
        if item.progress is not None and item.view.state == "streaming":
            widget.set_progress(item.progress)
        widget.set_last(index == len(self._items) - 1)
        self._mark_find(index, widget)
        widget.show()
        item.widget = widget
        return widget

    def _mark_find(self, index: int, widget: MessageWidget) -> None:
        at = self._find_at
        widget.body.set_find(self._find, at[1:] if at is not None and at[0] == index else None)

    def _drop(self, item: Item) -> None:
        if item.widget is not None:
            item.joined()
            if self._focused is item.widget:
                self._focused = None
            item.widget.hide()
            item.widget.deleteLater()
            item.widget = None

    def column_width(self) -> int:
        """Width of the reading column."""
        return max(120, min(theme.px(theme.READING_WIDTH_PX), self.width() - 2 * _EDGE_PX))

    def _column_left(self) -> int:
        # In the middle of the whole, so that the column stays put when the scroll bar comes.
        return max(8, (self.width() - self.column_width()) // 2)

    def _measure_from(self, index: int) -> None:
        del self._tops[index + 1 :]
        y = self._tops[-1]
        for item in self._items[index:]:
            y += item.height + _GAP_PX
            self._tops.append(y)

    def _item_at(self, y: float) -> int:
        return min(max(0, bisect_right(self._tops, y) - 1), max(0, len(self._items) - 1))

    def _anchor(self) -> _Anchor | None:
        if not self._items:
            return None
        y = float(self.verticalScrollBar().value())
        index = self._item_at(y)
        inside = y - self._tops[index]
        widget = self._items[index].widget
        if widget is None or inside <= widget.body.y() or not widget.body.flow.boxes:
            return _Anchor(index, -1, inside)
        flow = widget.body.flow
        box = flow.index_at(inside - widget.body.y())
        return _Anchor(index, box, inside - widget.body.y() - flow.top(box))

    def _anchored(self, anchor: _Anchor) -> float:
        y = self._tops[anchor.item] + anchor.offset
        widget = self._items[anchor.item].widget
        if anchor.box < 0 or widget is None or anchor.box >= len(widget.body.flow.boxes):
            return y
        return y + widget.body.y() + widget.body.flow.top(anchor.box)

    def _arrange_later(self) -> None:
        if not self._later.isActive():
            self._later.start()

    def arrange(self) -> None:
        """Make, measure and place what is near the window, keeping what is seen where it is."""
        if self._arranging or self.viewport().width() < 50:
            return
        self._arranging = True
        anchor = None if self._sticks else self._anchor()
        height = self.viewport().height()
        cards = self._measure_cards()
        scroll = 0.0
        for _ in range(_PASSES):
            most = max(0.0, self._tops[-1] + cards + _BOTTOM_PX - height)
            scroll = most if anchor is None else min(most, self._anchored(anchor))
            if not self._realise(scroll, scroll + height):
                break
        most = max(0.0, self._tops[-1] + cards + _BOTTOM_PX - height)
        scroll = most if anchor is None else min(most, self._anchored(anchor))
        bar = self.verticalScrollBar()
        bar.setPageStep(height)
        bar.setRange(0, round(most))
        bar.setValue(round(scroll))
        self._place(bar.value())
        self._arranging = False

    def _realise(self, top: float, bottom: float) -> bool:
        """Lay out the messages between two heights; whether any height changed."""
        changed = False
        width = self.column_width()
        index = self._item_at(top - _MARGIN_PX)
        while index < len(self._items) and self._tops[index] < bottom + _MARGIN_PX:
            item = self._items[index]
            widget = item.widget or self._make(index)
            at = self._tops[index]
            height = widget.place(width, top - _MARGIN_PX / 2 - at, bottom + _MARGIN_PX / 2 - at)
            if height != item.height:
                item.height = height
                self._measure_from(index)
                changed = True
            index += 1
        return changed

    def _place(self, scroll: int) -> None:
        left, width = self._column_left(), self.column_width()
        bottom = scroll + self.viewport().height()
        for index, item in enumerate(self._items):
            if item.widget is None:
                continue
            top = self._tops[index]
            far = top > bottom + _KEEP_PX or top + item.height < scroll - _KEEP_PX
            if far and not item.widget.is_held:
                self._drop(item)
            else:
                item.widget.setGeometry(left, round(top) - scroll, width, round(item.height))
        self._place_cards(scroll)
        away = self.verticalScrollBar().maximum() - scroll
        self.pill.set_shown(not self._sticks and away > 40)

    def _make_cards(self) -> None:
        for card in self._cards:
            card.hide()
            card.deleteLater()
        self._cards = []
        for view in self._card_views:
            card = Card(view, self.viewport())
            card.action_requested.connect(self.card_action_requested)
            card.height_changed.connect(self._arrange_later)
            card.show()
            self._cards.append(card)
        self._tab_to_cards()

    def _tab_to_cards(self) -> None:
        """Tab goes from the conversation to its cards, and not to them after the whole window."""
        last: QWidget = self
        for card in self._cards:
            for part in card.findChildren(QWidget):
                if part.focusPolicy() & Qt.FocusPolicy.TabFocus:
                    self.setTabOrder(last, part)
                    last = part

    def _measure_cards(self) -> float:
        total = 0.0
        for card in self._cards:
            total += card.heightForWidth(self._card_width(card)) + 16
        return total

    def _card_width(self, card: Card) -> int:
        return min(theme.px(460), self.column_width()) if card.is_centred else self.column_width()

    def _place_cards(self, scroll: int) -> None:
        y = self._tops[-1] + 8 - scroll
        for card in self._cards:
            width = self._card_width(card)
            height = card.heightForWidth(width)
            if card.is_centred and not self._items:
                y = max(24.0, (self.viewport().height() - height) / 2 - 24)
            left = (self.width() - width) // 2
            card.setGeometry(left, round(y), width, height)
            y += height + 16

    def _on_scrolled(self, value: int) -> None:
        if self._arranging:
            return
        away = self.verticalScrollBar().maximum() - value
        self._sticks = away <= _STICKY_PX
        self.arrange()

    def _on_dragged(self, at: QPoint) -> None:
        """A selection drawn beyond the edge brings more into sight."""
        y = self.viewport().mapFromGlobal(at).y()
        bar = self.verticalScrollBar()
        over = min(0, y) + max(0, y - self.viewport().height())
        if over:
            bar.setValue(bar.value() + over // 2)

    def jump_to_latest(self) -> None:
        """Go to the end and stay there."""
        self._sticks = True
        self.arrange()

    @property
    def live_widgets(self) -> int:
        """How many messages have a widget now."""
        return sum(item.widget is not None for item in self._items)

    def scroll_to(self, index: int, inside: float) -> None:
        """Bring a height inside a message into sight, a third from the top."""
        self._sticks = False
        bar = self.verticalScrollBar()
        wanted = self._tops[index] + inside - self.viewport().height() / 3
        bar.setValue(round(min(max(0.0, wanted), float(bar.maximum()))))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Turning up lets go of the end even where there is no room yet."""
        super().wheelEvent(event)
        if event.angleDelta().y() > 0 and self.verticalScrollBar().maximum() > 0:
            self._sticks = False
            self._place(self.verticalScrollBar().value())

    def restyle(self) -> None:
        """Take the colours and sizes in force."""
        for item in self._items:
            if item.widget is not None:
                item.widget.restyle()
            else:
                item.height = self._estimate(item.view)
        self._measure_from(0)
        self._make_cards()
        self.arrange()
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out for the new width, keeping the place."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            for item in self._items:
                if item.widget is None:
                    item.height = self._estimate(item.view)
            self._measure_from(0)
        self.pill.follow(self.viewport().size())
        self.arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ground."""
        parts.paint_ground(QPainter(self.viewport()), event.rect(), "bg")

    def minimumSizeHint(self) -> QSize:
        """Narrow windows are fine."""
        return QSize(280, 120)

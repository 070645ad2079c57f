"""The conversation: which messages there are, what is streamed into them, keyboard and finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from widgets.chat.messagecolumn import Item, MessageColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QKeyEvent

    from widgets.chat.message import MessageWidget
    from widgets.chat.typeset import Typesetter
    from widgets.chat.viewdata import CardView, MessageView, ProgressView

TICK_MS: Final = 33


class Transcript(MessageColumn):
    """Owned by `ChatView`; lives on the GUI thread. Signals are those of the column."""

    def __init__(self, typesetter: Typesetter, parent: QWidget | None = None) -> None:
        super().__init__(typesetter, parent)
        self.setObjectName("transcript")
        self.setAccessibleName(self.tr("Conversation"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._index: dict[str, int] = {}
        self._pending: dict[int, tuple[list[str], list[str]]] = {}
        self._tick = QTimer(self, singleShot=True, interval=TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    def set_messages(self, views: Sequence[MessageView]) -> None:
        """Show another conversation, from its end."""
        for item in self._items:
            self._drop(item)
        self._pending.clear()
        self._items = [Item(view, self._estimate(view)) for view in views]
        self._index = {view.id: index for index, view in enumerate(views)}
        self._find_at = None
        self._measure_from(0)
        self._sticks = True
        self.arrange()

    def append_message(self, view: MessageView) -> None:
        """Add a message at the end."""
        self._index[view.id] = len(self._items)
        self._items.append(Item(view, self._estimate(view)))
        self._measure_from(len(self._items) - 1)
        if view.role == "user":
            self._sticks = True
        self._mark_last()
        self.arrange()

    def update_message(self, view: MessageView) -> None:
        """Replace a message; unknown ids are added at the end."""
        index = self._index.get(view.id)
        if index is None:
            self.append_message(view)
            return
        self._flush(index)
        item = self._items[index]
        item.joined()
        item.view = view
        if item.widget is not None:
            item.widget.show_view(view)
        else:
            item.height = self._estimate(view)
        self.arrange()

    @property
    def has_messages(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._items)

    def messages(self) -> list[MessageView]:
        """What is shown, with all that was streamed."""
        self._flush_all()
        return [item.joined() for item in self._items]

    def message(self, id_: str) -> MessageView | None:
        """One message with all that was streamed."""
        index = self._index.get(id_)
        if index is None:
            return None
        self._flush(index)
        return self._items[index].joined()

    def stream_delta(self, id_: str, text: str, thinking: str = "") -> None:
        """Append to a message at the next tick."""
        index = self._index.get(id_)
        if index is None:
            return
        waiting = self._pending.setdefault(index, ([], []))
        if text:
            waiting[0].append(text)
        if thinking:
            waiting[1].append(thinking)
        if not self._tick.isActive() and self.isVisible():
            self._tick.start()

    def set_progress(self, id_: str, progress: ProgressView | None) -> None:
        """Show what is being done for a streaming message."""
        index = self._index.get(id_)
        if index is None:
            return
        item = self._items[index]
        item.progress = progress
        if item.widget is not None:
            item.widget.set_progress(progress)
            self._arrange_later()

    def show_cards(self, cards: Sequence[CardView]) -> None:
        """Replace the cards after the last message; the same ones stay, with the keyboard."""
        if list(cards) == self._card_views:
            return
        self._card_views = list(cards)
        self._make_cards()
        self.arrange()

    def _on_tick(self) -> None:
        self._flush_all()
        self.arrange()

    def _flush_all(self) -> None:
        for index in list(self._pending):
            self._flush(index)

    def _flush(self, index: int) -> None:
        texts, thoughts = self._pending.pop(index, ([], []))
        if not texts and not thoughts:
            return
        item = self._items[index]
        text, thinking = "".join(texts), "".join(thoughts)
        if text:
            item.pieces.append(text)
        if thinking:
            item.thoughts.append(thinking)
        if item.widget is not None:
            item.widget.append(text, thinking)
        else:
            item.height += len(text) * 0.25
            self._measure_from(index)

    def _mark_last(self) -> None:
        for index in range(max(0, len(self._items) - 3), len(self._items)):
            widget = self._items[index].widget
            if widget is not None:
                widget.set_last(index == len(self._items) - 1)

    def widget_of(self, id_: str) -> MessageWidget | None:
        """The widget of a message, while it has one."""
        index = self._index.get(id_)
        return self._items[index].widget if index is not None else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Page keys, Home and End scroll."""
        bar = self.verticalScrollBar()
        page = round(bar.pageStep() * 0.9)
        steps = {
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Up: -bar.singleStep() * 2,
            Qt.Key.Key_Down: bar.singleStep() * 2,
            Qt.Key.Key_Home: -bar.value(),
        }
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_End:
            self.jump_to_latest()
        elif key in steps:
            bar.setValue(bar.value() + steps[key])
        else:
            event.ignore()

    def _on_focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        alive = [item.widget for item in self._items if item.widget is not None]
        found: MessageWidget | None = None
        widget = now
        while widget is not None and widget is not self:
            found = next((message for message in alive if message is widget), found)
            widget = widget.parentWidget()
        if found is self._focused:
            return
        if self._focused is not None:
            self._focused.set_focus_within(False)
        self._focused = found if widget is self else None
        if self._focused is not None:
            self._focused.set_focus_within(True)
            self._bring_into_sight(self._focused)

    def _bring_into_sight(self, widget: MessageWidget) -> None:
        bar = self.verticalScrollBar()
        if widget.y() < 0 and widget.geometry().bottom() < self.viewport().height() / 2:
            bar.setValue(bar.value() + widget.y() - 12)
        elif widget.y() > self.viewport().height() - 60:
            bar.setValue(bar.value() + widget.y() - self.viewport().height() // 2)

    def set_find(self, needle: str, at: tuple[int, int, int] | None) -> None:
        """Mark what is searched; `at` is the current hit: message, box, number in the box."""
        self._find, self._find_at = needle, at
        for index, item in enumerate(self._items):
            if item.widget is not None:
                self._mark_find(index, item.widget)

    def show_hit(self, index: int, box: int, number: int) -> bool:
        """Scroll to a hit; `False` when the words stand in markup that is not shown."""
        item = self._items[index]
        if item.widget is None:
            item.widget = self._make(index)
            item.widget.place(self.column_width(), 0, 0)
        body = item.widget.body
        if box >= len(body.flow.boxes):
            return False
        hits = body.hits_in(box, self._find)
        if number >= len(hits):
            return False
        leaf, start, _end = hits[number]
        inside = body.y() + body.top_of(box, leaf, start)
        self.set_find(self._find, (index, box, number))
        self.scroll_to(index, inside)
        self.arrange()
        return True

    def event(self, event: QEvent) -> bool:
        """Show at once what came while hidden."""
        if event.type() == QEvent.Type.Show and self._pending:
            self._tick.start()
        return super().event(event)

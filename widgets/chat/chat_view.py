"""The centre of the window: header, find bar, transcript, ledger and composer put together."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets import parts, theme
from widgets.chat.composer import Composer
from widgets.chat.focusreturn import FocusReturn
from widgets.chat.header import Header
from widgets.chat.ledger import Ledger
from widgets.chat.transcript import Transcript
from widgets.chat.typeset import Typesetter
from widgets.chat.viewdata import ActionView, CardView, ComposerState
from widgets.drop_overlay import DropOverlay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import (
        QDragEnterEvent,
        QDragLeaveEvent,
        QDropEvent,
        QPaintEvent,
        QResizeEvent,
        QShowEvent,
    )

    from widgets.chat.findbar import FindBar, Hit
    from widgets.chat.viewdata import ChipView, LedgerView, MessageView, ProgressView

_COMPOSER_PX: Final = 768
_FIND_DELAY_MS: Final = 120


class ChatView(QWidget):
    """See the package docstring for the contract. Lives on the GUI thread, owns all its parts.

    Signals: those of the package docstring; the view changes nothing by itself.
    """

    send_requested = Signal(str)
    queue_requested = Signal(str)
    queue_removed = Signal(int)
    stop_requested = Signal()
    regenerate_requested = Signal(str)
    branch_requested = Signal(str)
    delete_requested = Signal(str)
    continue_requested = Signal(str)
    edit_resend_requested = Signal(str, str)
    version_requested = Signal(str, int)
    link_clicked = Signal(str)
    record_action_requested = Signal(str, str)
    record_edited = Signal(str, str)
    card_action_requested = Signal(str, str)
    files_dropped = Signal(list)
    long_paste = Signal(str)
    attach_requested = Signal()
    chip_remove_requested = Signal(str)
    chip_action_requested = Signal(str, str)
    chip_open_requested = Signal(str)
    title_edited = Signal(str)
    export_requested = Signal(str)
    menu_requested = Signal(QPoint)
    ledger_choice_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chatView")
        self.setAcceptDrops(True)
        self._state = ComposerState()
        self._cards: tuple[CardView, ...] = ()
        self._hits: list[Hit] = []
        self._hit = -1
        self.typesetter = Typesetter(self)
        self.header = Header()
        self.transcript = Transcript(self.typesetter)
        self.ledger = Ledger()
        self.composer = Composer()
        self._foot = QWidget()
        self._overlay = DropOverlay(
            self,
            self.tr("Drop to add it to this chat"),
            self.tr("Drop to add {count} documents to this chat"),
        )
        self._find_timer = QTimer(self, singleShot=True, interval=_FIND_DELAY_MS)
        self._find_timer.timeout.connect(self._search)
        self._assemble()
        self._connect()
        FocusReturn(self.transcript, self.composer.input)
        theme.signals().changed.connect(self.update)

    def _assemble(self) -> None:
        column = parts.column(0)
        column.addWidget(self.header)
        column.addWidget(self.transcript, 1)
        foot = parts.column(theme.SPACE.s, (0, 6, 0, 13))
        foot.addWidget(self.ledger)
        foot.addWidget(self.composer)
        self._foot.setLayout(foot)
        theme.size(self._foot, "MaximumWidth", _COMPOSER_PX)
        line = parts.row(0, (theme.SPACE.l, 0, theme.SPACE.l, 0))
        line.addStretch(1)
        line.addWidget(self._foot, 1000)
        line.addStretch(1)
        column.addLayout(line)
        self.setLayout(column)
        QWidget.setTabOrder(self.header, self.transcript)
        self.setMinimumWidth(360)

    def _connect(self) -> None:
        for signal in (
            "send_requested",
            "queue_requested",
            "queue_removed",
            "stop_requested",
            "attach_requested",
            "long_paste",
            "chip_remove_requested",
            "chip_action_requested",
            "chip_open_requested",
        ):
            getattr(self.composer, signal).connect(getattr(self, signal))
        self.composer.files_pasted.connect(self.files_dropped)
        self.transcript.message_action.connect(self._on_message_action)
        self.transcript.resend_requested.connect(self.edit_resend_requested)
        self.transcript.version_requested.connect(self.version_requested)
        self.transcript.record_action_requested.connect(self.record_action_requested)
        self.transcript.record_edited.connect(self.record_edited)
        self.transcript.card_action_requested.connect(self._on_card_action)
        self.transcript.link_clicked.connect(self.link_clicked)
        self.header.title_edited.connect(self.title_edited)
        self.header.export_requested.connect(self.export_requested)
        self.header.menu_requested.connect(self.menu_requested)
        self.ledger.choice_requested.connect(self.ledger_choice_requested)
        self.header.find_requested.connect(self.open_find)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.open_find)

    # Messages

    def set_messages(self, views: Sequence[MessageView]) -> None:
        """Show another chat, from its end."""
        self.set_find_visible(False)
        self.transcript.set_messages(views)
        self._show_cards()

    def append_message(self, view: MessageView) -> None:
        """Add a message."""
        self.transcript.append_message(view)
        self._show_cards()

    def update_message(self, view: MessageView) -> None:
        """Replace a message by its id."""
        self.transcript.update_message(view)

    def stream_delta(self, id_: str, text: str, thinking: str = "") -> None:
        """Append to a streaming message; shown at the next tick."""
        self.transcript.stream_delta(id_, text, thinking)

    def set_progress(self, id_: str, progress: ProgressView | None) -> None:
        """Reading or loading progress of a streaming message."""
        self.transcript.set_progress(id_, progress)

    def finish_message(self, view: MessageView) -> None:
        """The final state of what was streamed."""
        self.transcript.set_progress(view.id, None)
        self.transcript.update_message(view)

    def message_markdown(self, id_: str) -> str:
        """Source of a message, empty when there is none."""
        view = self.transcript.message(id_)
        return view.text if view else ""

    def last_reply_text(self) -> str:
        """Source of the last reply."""
        for view in reversed(self.transcript.messages()):
            if view.role == "assistant":
                return view.text
        return ""

    def _on_message_action(self, id_: str, action: str) -> None:
        signal = {
            "regenerate": self.regenerate_requested,
            "branch": self.branch_requested,
            "delete": self.delete_requested,
            "continue": self.continue_requested,
        }[action]
        signal.emit(id_)

    # Cards, ledger, composer

    def show_cards(self, cards: Sequence[CardView]) -> None:
        """Replace the cards shown."""
        self._cards = tuple(cards)
        self._show_cards()

    def _show_cards(self) -> None:
        if self._cards or self.transcript.has_messages:
            self.transcript.show_cards(self._cards)
        else:
            self.transcript.show_cards((self._empty_card(),))

    def _empty_card(self) -> CardView:
        return CardView(
            kind="empty",
            title=self.tr("Ask, or drop a document"),
            text=self.tr(
                "Files dropped anywhere here are read on this computer and stay on it. "
                "A long text that you paste becomes a document."
            ),
            actions=(ActionView("attach", self.tr("Add document")),),
        )

    def _on_card_action(self, kind: str, action: str) -> None:
        if (kind, action) == ("empty", "attach"):
            self.attach_requested.emit()
        else:
            self.card_action_requested.emit(kind, action)

    def set_ledger(self, view: LedgerView) -> None:
        """Show what fills the context window."""
        self.ledger.set_view(view)

    def set_chips(self, chips: Sequence[ChipView]) -> None:
        """Show the documents of the chat."""
        self.composer.set_chips(chips)

    def set_state(self, state: ComposerState) -> None:
        """Take what the composer allows and shows, and the chat's title."""
        self._state = state
        self.composer.set_state(state)
        self.header.set_title(state.title)

    def focus_composer(self) -> None:
        """Put the cursor into the input."""
        self.composer.input.setFocus()

    def restore_draft(self, text: str) -> None:
        """Put a refused prompt, or the draft of another chat, into the input."""
        self.composer.set_draft(text)

    def draft(self) -> str:
        """The text being typed."""
        return self.composer.draft()

    def set_long_paste(self, characters: int) -> None:
        """From how many characters on a paste becomes a document."""
        self.composer.input.long_paste_characters = characters

    def set_last_prompt(self, text: str) -> None:
        """What Up recalls in an empty input."""
        self.composer.set_last_prompt(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What no part had a use for: Esc closes the find bar, else stops; words are a question."""
        if event.key() != Qt.Key.Key_Escape:
            self._type(event)
        elif self._is_finding:
            self.set_find_visible(False)
        elif self._state.generating:
            self.stop_requested.emit()

    def _type(self, event: QKeyEvent) -> None:
        """Put what is typed beside the input into it, as after a click on a card or the text."""
        held = Qt.KeyboardModifier
        is_command = event.modifiers() & (
            held.ControlModifier | held.AltModifier | held.MetaModifier
        )
        word = event.text()
        # The space key presses buttons and scrolls.
        if is_command or not word.isprintable() or not word.strip():
            event.ignore()
            return
        self.composer.input.setFocus()
        self.composer.input.insertPlainText(word)

    # Finding

    @cached_property
    def find_bar(self) -> FindBar:
        """Where words are looked for; made when that is first asked for, and hidden then."""
        from widgets.chat.findbar import FindBar

        bar = FindBar()
        bar.hide()
        layout = self.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(1, bar)
        for one, next_one in pairwise((self.header.more, *bar.stops)):
            QWidget.setTabOrder(one, next_one)
        bar.changed.connect(lambda _words: self._find_timer.start())
        bar.next_requested.connect(lambda: self._go(1))
        bar.previous_requested.connect(lambda: self._go(-1))
        bar.closed.connect(lambda: self.set_find_visible(False))
        return bar

    @property
    def _is_finding(self) -> bool:
        return "find_bar" in vars(self) and not self.find_bar.isHidden()

    def open_find(self) -> None:
        """Show the find bar with its words selected."""
        self.set_find_visible(True)
        self.find_bar.input.setFocus()
        self.find_bar.input.selectAll()

    def set_find_visible(self, visible: bool) -> None:
        """Show or hide the find bar; hiding takes the marks away."""
        if visible != self._is_finding:
            self.find_bar.setVisible(visible)
            if visible:
                self._search()
            else:
                self.transcript.set_find("", None)
                self.focus_composer()

    def _search(self) -> None:
        from widgets.chat.findbar import hits

        words = self.find_bar.input.text().lower()
        self._hits = hits(self.transcript.messages(), words)
        self._hit = len(self._hits)
        self.transcript.set_find(words, None)
        if self._hits:
            self._go(-1)
        else:
            self.find_bar.say(0, 0)

    def _go(self, step: int) -> None:
        """Go to the next hit that can be shown; some stand in markup and cannot."""
        for _ in range(len(self._hits)):
            self._hit = (self._hit + step) % len(self._hits)
            hit = self._hits[self._hit]
            if self.transcript.show_hit(hit.message, hit.box, hit.number):
                self.find_bar.say(self._hit + 1, len(self._hits))
                return
            del self._hits[self._hit]
            self._hit -= step > 0
        self.find_bar.say(0, 0)

    # Dropping

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files can be dropped anywhere."""
        files = [url for url in event.mimeData().urls() if url.isLocalFile()]
        if files and self._state.can_attach:
            event.acceptProposedAction()
            self._overlay.show_count(len(files))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """The files went elsewhere."""
        self._overlay.hide()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Report the paths."""
        self._overlay.hide()
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files_dropped.emit(paths)

    def showEvent(self, event: QShowEvent) -> None:
        """Invite, unless it was told meanwhile what to show instead."""
        self._show_cards()
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The overlay covers all."""
        super().resizeEvent(event)
        self._overlay.setGeometry(self.rect())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the ground."""
        parts.paint_ground(QPainter(self), self.rect(), "bg")

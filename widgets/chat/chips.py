"""Chips of the composer: documents with their state, prompts that wait, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QWidget

from widgets import parts, theme
from widgets.chat.ledger import compact
from widgets.chat.plaintext import neutralised
from widgets.icons import pixmap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QLayout

    from widgets.chat.viewdata import ChipView
    from widgets.parts import Tone

CHIP_PX: Final = 30
_NAME_PX: Final = 190
_QUEUED_CHARS: Final = 70
_MARKED: Final = ("failed", "too_large", "changed", "gone")


def _tr(text: str) -> str:
    return QCoreApplication.translate("DocumentChip", text)


def state_words(chip: ChipView) -> tuple[str, Tone]:
    """The state of a document as a word and its tone."""
    words: dict[str, tuple[str, Tone]] = {
        "reading": (_tr("reading …"), "accent"),
        "counting": (_tr("counting …"), "accent"),
        "ready": (_tr("ready"), "ok"),
        "failed": (_tr("not read"), "bad"),
        "too_large": (_tr("does not fit"), "warn"),
        "changed": (_tr("changed on disk"), "warn"),
        "gone": (_tr("file is gone"), "warn"),
    }
    return words[chip.state]


class _Chip(QWidget):
    """A rounded frame."""

    def __init__(self) -> None:
        super().__init__()
        theme.size(self, "FixedHeight", CHIP_PX)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(theme.color("card"))
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, theme.RADIUS.control, theme.RADIUS.control)


class DocumentChip(_Chip):
    """A document: name, pages, tokens, how it is sent, state.

    Signals:
        remove_requested: Its cross was pressed.
        open_requested: Its name was pressed.
    """

    remove_requested = Signal(str)
    open_requested = Signal(str)

    def __init__(self, chip: ChipView) -> None:
        super().__init__()
        self.chip = chip
        parts.named(self, f"chip_{chip.id}", self._spoken())
        line = parts.row(6, (9, 3, 3, 3))
        if chip.state in _MARKED:
            mark = parts.label()
            tone = "bad" if chip.state == "failed" else "warn"
            mark.setPixmap(pixmap("error" if tone == "bad" else "warning", tone, 14, 2))
            line.addWidget(mark)
        line.addWidget(self._made_name())
        if self._facts():
            line.addWidget(parts.label(self._facts(), "meta", "dim"))
        word, tone_word = state_words(chip)
        line.addWidget(parts.label(word, "meta", tone_word))
        remove = parts.icon_button(
            "close", "chipRemove", self.tr("Remove {name}").format(name=chip.name)
        )
        remove.setIconSize(QSize(12, 12))
        remove.clicked.connect(lambda: self.remove_requested.emit(chip.id))
        line.addWidget(remove)
        self.setLayout(line)
        self.setToolTip(chip.message or neutralised(chip.name))

    def _made_name(self) -> QWidget:
        chip = self.chip
        name = parts.button("", "chipOpen", "name")
        name.setFont(theme.font("meta", strong=True))
        shown = name.fontMetrics().elidedText(
            neutralised(chip.name), Qt.TextElideMode.ElideMiddle, theme.px(_NAME_PX)
        )
        name.setText(shown.replace("&", "&&"))
        name.setAccessibleName(self.tr("Open {name}").format(name=chip.name))
        name.setEnabled(chip.state not in ("reading", "failed"))
        name.clicked.connect(lambda: self.open_requested.emit(chip.id))
        return name

    def _facts(self) -> str:
        chip = self.chip
        facts: list[str] = []
        if chip.pages is not None:
            facts.append(
                self.tr("1 page") if chip.pages == 1 else self.tr("{n} pages").format(n=chip.pages)
            )
        if chip.tokens is not None:
            facts.append(compact(chip.tokens))
        automatic = self.tr("auto: ") if chip.is_automatic else ""
        if chip.mode == "passages":
            facts.append(automatic + self.tr("passages"))
        elif chip.mode == "parts":
            facts.append(self.tr("in parts"))
        elif chip.tokens is not None:
            facts.append(automatic + self.tr("whole"))
        return " · ".join(facts) + (" ·" if facts else "")

    def _spoken(self) -> str:
        return f"{self.chip.name}, {self._facts()} {state_words(self.chip)[0]} {self.chip.message}"


class ChipNotice(QWidget):
    """What is wrong with a document, and the choices.

    Signals:
        action_requested: Id of the document and of the choice.
    """

    action_requested = Signal(str, str)

    def __init__(self, chip: ChipView) -> None:
        super().__init__()
        self.setObjectName(f"chipNotice_{chip.id}")
        column = parts.column(4, (2, 0, 2, 2))
        column.addWidget(parts.label(chip.message, "meta", "dim", wrap=True))
        if chip.actions:
            line = parts.row(theme.SPACE.m)
            for action in chip.actions:
                link = parts.button(action.label, f"chipAction_{action.id}", "link")
                link.clicked.connect(
                    lambda _=False, a=action.id: self.action_requested.emit(chip.id, a)
                )
                line.addWidget(link)
            line.addStretch(1)
            column.addLayout(line)
        self.setLayout(column)


class QueuedChip(_Chip):
    """A prompt that waits for the reply before it.

    Signals:
        edit_requested: Take it back into the input.
        cancel_requested: Forget it.
    """

    edit_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, text: str) -> None:
        super().__init__()
        parts.named(self, "queuedPrompt", self.tr("Waiting: {text}").format(text=text))
        line = parts.row(6, (9, 3, 3, 3))
        mark = parts.label()
        mark.setPixmap(pixmap("clock", "dim", 14, 2))
        line.addWidget(mark)
        line.addWidget(parts.label(self.tr("Next"), "meta", strong=True))
        flat = " ".join(neutralised(text).split())
        shown = flat if len(flat) <= _QUEUED_CHARS else flat[: _QUEUED_CHARS - 2] + " …"
        line.addWidget(parts.ElidedLabel(shown, "meta", "dim"), 1)
        edit = parts.icon_button("edit", "queuedEdit", self.tr("Edit the waiting message"))
        edit.clicked.connect(self.edit_requested)
        cancel = parts.icon_button("close", "queuedCancel", self.tr("Do not send it"))
        cancel.clicked.connect(self.cancel_requested)
        for button in (edit, cancel):
            button.setIconSize(QSize(12, 12))
            line.addWidget(button)
        self.setLayout(line)
        self.setToolTip(text[:2000])


def emptied(layout: QLayout, keep: Sequence[QWidget] = ()) -> None:
    """Delete the widgets of a layout but those to keep, which only leave it."""
    while layout.count():
        item = layout.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None and widget not in keep:
            widget.hide()
            widget.deleteLater()

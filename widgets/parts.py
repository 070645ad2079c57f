"""The small pieces every pane is made of: labels, buttons, headings, a switch, a card.

They fix the type roles, object names and accessible names in one place, so that the panes only
say what they show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeVar

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from widgets import icons, theme
from widgets.wrapping import FlowLayout, PairLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPaintEvent, QResizeEvent

    from widgets.theme import FontRole

Tone = Literal["", "plain", "dim", "faint", "accent", "warn", "bad", "ok"]
Kind = Literal["", "primary", "quiet", "link", "name", "danger", "segment"]
Margins = tuple[int, int, int, int]
L = TypeVar("L", bound=QBoxLayout)
HEAD_PX: Final = 47
_HEAD_EDGE_PX: Final = 6


def named(widget: QWidget, name: str, accessible: str = "") -> None:
    """Give a widget its object name and accessible name."""
    widget.setObjectName(name)
    if accessible:
        widget.setAccessibleName(accessible)


def restyle(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, and make it look again."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        own = widget.font()
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        # Otherwise it has the font again that it was made with, also where that was for another
        # size of text.
        widget.setFont(own)
        widget.update()


def label(
    text: str = "",
    role: FontRole = "body",
    tone: Tone = "",
    *,
    strong: bool = False,
    wrap: bool = False,
) -> QLabel:
    """A text that is only read."""
    made = QLabel(text)
    made.setFont(theme.font(role, strong=strong))
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("tone", tone)
    if wrap:
        made.setWordWrap(True)
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return made


def button(text: str, name: str, kind: Kind = "", *, accessible: str = "") -> QPushButton:
    """A push button; its text is its accessible name unless another is given."""
    made = QPushButton(text)
    made.setProperty("kind", kind)
    made.setFont(theme.font("meta" if kind == "link" else "body", strong=kind == "primary"))
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setAutoDefault(False)
    named(made, name, accessible or text)
    return made


def icon_button(icon: str, name: str, tip: str, role: str = "dim") -> QToolButton:
    """A button with an icon alone; the tip is its accessible name."""
    made = QToolButton()
    made.setProperty("kind", "icon")
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setToolTip(tip)
    icons.bind(made, icon, role)
    named(made, name, tip)
    return made


def column(
    spacing_px: int = 0, margins_px: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> QVBoxLayout:
    """A vertical layout without Qt's default margins."""
    return _bare(QVBoxLayout(), spacing_px, margins_px)


def row(spacing_px: int = 0, margins_px: Margins = (0, 0, 0, 0)) -> QHBoxLayout:
    """A horizontal layout without Qt's default margins."""
    return _bare(QHBoxLayout(), spacing_px, margins_px)


def _bare(layout: L, spacing_px: int, margins: Margins) -> L:
    layout.setSpacing(spacing_px)
    layout.setContentsMargins(*margins)
    return layout


def frame(surface: str, name: str = "") -> QFrame:
    """A surface: ``bg``, ``panel``, ``card`` or ``notice``."""
    made = QFrame()
    made.setProperty("surface", surface)
    if name:
        made.setObjectName(name)
    return made


def paint_ground(painter: QPainter, area: QRect, tone: str) -> None:
    """Fill an area with one colour.

    `fillRect` does the same, but PySide makes the class of gradients for it, in 1.5 ms of a start.
    """
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.color(tone))
    painter.drawRect(area)


def hairline() -> QFrame:
    """A horizontal line one pixel high."""
    made = frame("line")
    made.setFixedHeight(1)
    return made


class ScrollColumn(QScrollArea):
    """A column that scrolls when it must, without shifting its content when the bar appears."""

    def __init__(self, content: QVBoxLayout, name: str) -> None:
        super().__init__()
        self._content = content
        inner = QWidget()
        inner.setLayout(content)
        self.setObjectName(name)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inner)
        self.verticalScrollBar().rangeChanged.connect(self._keep_width)
        self._keep_width(0, 0)

    def _keep_width(self, _low: int, high: int) -> None:
        margins = self._content.contentsMargins()
        margins.setRight(0 if high else theme.SPACE.s)
        self._content.setContentsMargins(margins)


class ElidedLabel(QLabel):
    """A single line that gives way with an ellipsis and tells the whole text in its tooltip.

    Args:
        text: What it shows.
        role: Its font.
        tone: Its colour.
        gives_way: Where: at the end, or in the middle of names whose end tells them apart.
    """

    def __init__(
        self,
        text: str = "",
        role: FontRole = "body",
        tone: Tone = "",
        gives_way: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__()
        self._gives_way = gives_way
        self._whole = ""
        self._detail = ""
        self.setFont(theme.font(role))
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("tone", tone)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_whole(text)

    def set_whole(self, text: str, detail: str = "") -> None:
        """Show a text; `detail` is added to the tooltip."""
        self._whole, self._detail = text, detail
        self.setAccessibleName(text)
        self._elide()
        # What it would like changes also where what is left of it does not.
        self.updateGeometry()

    def whole(self) -> str:
        """The text as it was given."""
        return self._whole

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the new size."""
        super().resizeEvent(event)
        self._elide()

    def changeEvent(self, event: QEvent) -> None:
        """Fit in another size of text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._elide()

    def minimumSizeHint(self) -> QSize:
        """The least it can do with."""
        return QSize(0, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """The size it would like."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._whole) + 2, metrics.height())

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._gives_way, self.width())
        self.setText(shown)
        whole = self._whole if shown != self._whole else ""
        self.setToolTip("\n".join(part for part in (whole, self._detail) if part))


class SectionHeading(QWidget):
    """A small heading in capitals, with a figure or a link at its right."""

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        font = theme.font("label", strong=True)
        font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 0.2)
        self._title = label(title.upper(), "label", "faint")
        self._title.setFont(font)
        self.value = ElidedLabel("", "label", "faint")
        self.value.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.value.setFont(theme.font("label", strong=True))
        self.value.setObjectName(f"{name}_value")
        right = QWidget()
        self._right = FlowLayout(theme.SPACE.s)
        self._right.addWidget(self.value)
        right.setLayout(self._right)
        whole = PairLayout(theme.SPACE.s)
        whole.addWidget(self._title)
        whole.addWidget(right)
        self.setLayout(whole)

    def set_value(self, text: str, tone: Tone = "faint", detail: str = "") -> None:
        """Show a figure at the right."""
        self.value.set_whole(text, detail)
        self.value.setVisible(bool(text))
        restyle(self.value, "tone", "faint" if tone in ("", "plain") else tone)

    def add(self, widget: QWidget) -> None:
        """Put a widget at the right end."""
        self._right.addWidget(widget)


def page_head(
    left: Sequence[QWidget], right: Sequence[QWidget], left_px: int = theme.SPACE.xl
) -> QFrame:
    """The top of a page: its title and what belongs to it, and at the other end what can be done.

    Where the page is narrow the latter stands below.

    Args:
        left: From the left edge on; the last one takes the room there is, and gives way.
        right: Buttons.
        left_px: The left margin.
    """
    title, acts = QWidget(), QWidget()
    words, buttons = row(theme.SPACE.m), FlowLayout(theme.SPACE.s)
    for widget in left:
        words.addWidget(widget, int(widget is left[-1]))
    for widget in right:
        buttons.addWidget(widget)
    title.setLayout(words)
    acts.setLayout(buttons)
    whole = PairLayout(theme.SPACE.s)
    whole.setContentsMargins(left_px, _HEAD_EDGE_PX, theme.SPACE.l, _HEAD_EDGE_PX)
    whole.addWidget(title)
    whole.addWidget(acts)
    made = frame("bg")
    made.setLayout(whole)
    theme.size(made, "MinimumHeight", HEAD_PX)
    return made


class Dot(QWidget):
    """A round mark in the colour of a tone, optionally hollow."""

    def __init__(self, tone: str = "faint", size_px: int = 8) -> None:
        super().__init__()
        self._tone, self._hollow = tone, False
        self.setFixedSize(size_px, size_px)

    def set_tone(self, tone: str, *, hollow: bool = False) -> None:
        """Change the colour; a hollow mark is a state that is not reached."""
        self._tone, self._hollow = tone, hollow
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = theme.color(self._tone)
        if self._hollow:
            painter.setPen(QPen(ink, 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink)
        painter.drawEllipse(QRectF(self.rect()).adjusted(0.8, 0.8, -0.8, -0.8))


class Switch(QAbstractButton):
    """An on/off switch. Space toggles it; the knob's side says the state, not colour alone."""

    def __init__(self, name: str, accessible: str) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(34, 20)
        named(self, name, accessible)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it with the colours in force."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(self.rect()).adjusted(1.5, 2.5, -1.5, -2.5)
        on = self.isChecked()
        fill = theme.color("accent" if on else "free")
        if not self.isEnabled():
            fill = theme.color("line")
        edge = QColor(theme.current().text if self.hasFocus() else theme.current().faint)
        painter.setPen(Qt.PenStyle.NoPen if on and not self.hasFocus() else QPen(edge, 1.2))
        painter.setBrush(fill)
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("on_accent" if on else "dim"))
        radius = track.height() / 2 - 3
        x = track.right() - radius - 3 if on else track.left() + radius + 3
        painter.drawEllipse(QPointF(x, track.center().y()), radius, radius)

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of state."""
        super().changeEvent(event)
        self.update()

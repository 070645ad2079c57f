"""The row under a message: its figures, its versions and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QAbstractButton, QMenu, QPushButton, QToolButton, QWidget

from widgets import figures, icons, parts, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from widgets.chat.viewdata import MessageView, ReplyStatsView

ROW_PX: Final = 28
_GAP_PX: Final = 14.0
# Beside the word of a button, as the style sheet says.
_EDGE_PX: Final = 9
# Between "Copied" and the next word.
_LEAST_GAP_PX: Final = 6
Piece = tuple[str, bool]


def _tr(text: str) -> str:
    return QCoreApplication.translate("ReplyStats", text)


def stats_groups(stats: ReplyStatsView) -> list[list[Piece]]:
    """The figures as groups of (text, is a figure)."""
    groups: list[list[Piece]] = []
    if stats.tokens is not None:
        groups.append([(f"{stats.tokens:,}", True), (_tr(" tokens"), False)])
    if stats.tokens_per_second is not None:
        figure, unit = figures.rate(stats.tokens_per_second).split(" ")
        groups.append([(figure, True), (f" {unit}", False)])
    if stats.first_token_s is not None:
        figure = figures.seconds(stats.first_token_s)
        groups.append([(_tr("first after "), False), (figure, True)])
    reuse: list[Piece] = []
    if stats.cached_tokens is not None:
        reuse += [(f"{stats.cached_tokens:,}", True), (_tr(" cached"), False)]
    if stats.read_tokens is not None:
        comma = ", " if reuse else ""
        reuse += [(comma, False), (f"{stats.read_tokens:,}", True), (_tr(" read"), False)]
    if reuse:
        groups.append(reuse)
    if stats.guessed_tokens:
        share = f"{100 * stats.guessed_right / stats.guessed_tokens:.0f} %"
        groups.append([(share, True), (_tr(" guessed right"), False)])
    if stats.stop_reason and stats.stop_is_notable:
        groups.append([(stats.stop_reason, False)])
    return groups


def stats_tooltip(stats: ReplyStatsView) -> str:
    """The same, exact and in the terms of the field."""
    lines: list[str] = []
    if stats.read_tokens_per_second is not None:
        rate = figures.rate(stats.read_tokens_per_second)
        lines.append(_tr("Prompt read (prefill) at {rate}").format(rate=rate))
    if stats.tokens_per_second is not None:
        rate = figures.rate(stats.tokens_per_second)
        lines.append(_tr("Written (decode) at {rate}").format(rate=rate))
    if stats.cached_tokens is not None:
        tokens = figures.whole(stats.cached_tokens)
        lines.append(_tr("{tokens} prompt tokens taken from the KV cache").format(tokens=tokens))
    if stats.guessed_tokens:
        words = _tr("Guessed ahead: {n} tokens, {right} of them right")
        right = figures.whole(stats.guessed_right)
        lines.append(words.format(n=figures.whole(stats.guessed_tokens), right=right))
    if stats.read_reason:
        lines.append(stats.read_reason)
    if stats.stop_reason:
        lines.append(_tr("Ended: {reason}").format(reason=stats.stop_reason))
    return "\n".join(lines)


class StatsLine(QWidget):
    """Paints groups of figures; figures are stronger than their words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("replyStats")
        self._groups: list[list[Piece]] = []
        self._width_px = 0.0

    def show_groups(self, groups: list[list[Piece]], tooltip: str = "") -> None:
        """Replace what is shown."""
        if groups != self._groups:
            self._groups = groups
            self._width_px = self._measure()
            self.setAccessibleName(
                ", ".join("".join(text for text, _ in group) for group in groups)
            )
            self.updateGeometry()
            self.update()
        self.setToolTip(tooltip)

    def restyle(self) -> None:
        """Take the size of text in force."""
        self._width_px = self._measure()
        self.update()

    def natural_width(self) -> float:
        """Width of everything on one line."""
        return self._width_px

    def _measure(self) -> float:
        plain = QFontMetricsF(theme.font("meta"))
        strong = QFontMetricsF(theme.font("meta", strong=True))
        total = 0.0
        for group in self._groups:
            total += sum((strong if on else plain).horizontalAdvance(text) for text, on in group)
        return total + _GAP_PX * len(self._groups)

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(round(self.natural_width()), theme.px(ROW_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint as many groups as there is room for; the rest is in the tooltip's terms."""
        painter = QPainter(self)
        colors = theme.current()
        fonts = {on: theme.font("meta", strong=on) for on in (False, True)}
        x = 0.0
        for group in self._groups:
            width = sum(QFontMetricsF(fonts[on]).horizontalAdvance(text) for text, on in group)
            if x + width > self.width() + 1:
                break
            for text, is_figure in group:
                painter.setFont(fonts[is_figure])
                painter.setPen(QColor(colors.dim if is_figure else colors.faint))
                box = QRectF(x, 0, theme.px(600), self.height())
                painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)
                x += QFontMetricsF(fonts[is_figure]).horizontalAdvance(text)
            x += _GAP_PX


class Footer(QWidget):
    """Owned by a message view. Its height is fixed, so that nothing jumps when it fills.

    Signals:
        action_requested: ``copy``, ``edit``, ``regenerate``, ``branch``, ``delete``,
            ``copy_plain``.
        version_requested: Index of the version to show.
    """

    action_requested = Signal(str)
    version_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, is_reply: bool) -> None:
        super().__init__(parent)
        self.setObjectName("messageFooter")
        self._is_reply = is_reply
        self._view: MessageView | None = None
        self._buttons: list[QAbstractButton] = []
        self._wanted = False
        self._busy = False
        self.stats = StatsLine(self)
        self._versions: list[QWidget] = []

    def show_view(self, view: MessageView, *, is_busy: bool) -> None:
        """Take the figures and versions of a message; `is_busy` hides what cannot be done now."""
        versions_before = self._version_key(self._view)
        self._view, self._busy = view, is_busy
        if view.stats is not None:
            self.stats.show_groups(stats_groups(view.stats), stats_tooltip(view.stats))
        elif not is_busy:
            self.stats.show_groups([])
        if self._version_key(view) != versions_before:
            self._make_versions(view)
        self._apply()

    @staticmethod
    def _version_key(view: MessageView | None) -> tuple[int, int]:
        return (view.version_index, view.version_count) if view else (0, 1)

    def set_actions_shown(self, shown: bool) -> None:
        """Show the actions: the pointer or the focus is on the message, or it is the last."""
        if shown != self._wanted:
            self._wanted = shown
            self._apply()

    def _apply(self) -> None:
        visible = self._wanted and not self._busy
        if visible and not self._buttons:
            self._make_buttons()
        for button in self._buttons:
            button.setVisible(visible)
        self.arrange()

    def _make_buttons(self) -> None:
        actions = [("copy", self.tr("Copy"))]
        if self._is_reply:
            actions += [("regenerate", self.tr("Regenerate")), ("branch", self.tr("Branch"))]
        else:
            actions += [("edit", self.tr("Edit")), ("branch", self.tr("Branch"))]
        for action, label in actions:
            button = self._set_up(QPushButton(label, self), f"message_{action}", label)
            # Flush with the text above: there is no room for a ground or a ring around it.
            button.setProperty("kind", "word")
            button.clicked.connect(lambda _=False, a=action: self._report(a))
            self._buttons.append(button)
        more = self._icon_button("message_more", self.tr("More"))
        icons.bind(more, "more", "dim", 16)
        more.clicked.connect(lambda: self._open_menu(more))
        self._buttons.append(more)

    def _icon_button(self, name: str, accessible: str) -> QAbstractButton:
        button = self._set_up(QToolButton(self), name, accessible)
        button.setProperty("kind", "icon")
        return button

    def _set_up(self, button: QAbstractButton, name: str, accessible: str) -> QAbstractButton:
        button.setFont(theme.font("meta"))
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        parts.named(button, name, accessible)
        return button

    def menu(self) -> QMenu:
        """What ⋯ opens."""
        menu = QMenu(self)
        menu.setObjectName("messageMenu")
        menu.addAction(self.tr("Copy as plain text"), lambda: self._report("copy_plain"))
        if not self._is_reply:
            menu.addAction(self.tr("Regenerate reply"), lambda: self._report("regenerate"))
        menu.addSeparator()
        menu.addAction(self.tr("Delete"), lambda: self._report("delete"))
        return menu

    def _open_menu(self, button: QWidget) -> None:
        menu = self.menu()
        menu.exec(button.mapToGlobal(button.rect().bottomLeft()))
        menu.deleteLater()

    def _report(self, action: str) -> None:
        self.action_requested.emit(action)

    def say_copied(self) -> None:
        """Confirm on the Copy button until the row is left."""
        if self._buttons:
            self._buttons[0].setText(self.tr("Copied"))

    def forget_copied(self) -> None:
        """The row was left."""
        if self._buttons:
            self._buttons[0].setText(self.tr("Copy"))

    def _make_versions(self, view: MessageView) -> None:
        for widget in self._versions:
            widget.hide()
            widget.deleteLater()
        self._versions = []
        if view.version_count < 2:
            return
        at = view.version_index
        before = self._icon_button("versionBefore", self.tr("Version before"))
        icons.bind(before, "chevron-left", "dim", 14)
        before.setEnabled(at > 0)
        before.clicked.connect(lambda: self.version_requested.emit(at - 1))
        after = self._icon_button("versionAfter", self.tr("Next version"))
        icons.bind(after, "chevron-right", "dim", 14)
        after.setEnabled(at + 1 < view.version_count)
        after.clicked.connect(lambda: self.version_requested.emit(at + 1))
        count = parts.label(f"{at + 1} / {view.version_count}", "meta", "dim")
        count.setParent(self)
        parts.named(
            count,
            "versionCount",
            self.tr("Version {index} of {count}").format(index=at + 1, count=view.version_count),
        )
        self._versions = [before, count, after]
        for widget in self._versions:
            widget.show()

    def height_for(self, width: int) -> int:
        """One row, or two when figures and actions do not fit side by side."""
        return 2 * theme.px(ROW_PX) if self._wraps(width) else theme.px(ROW_PX)

    def _wraps(self, width: int) -> bool:
        if not self._is_reply or self._view is None or self._view.stats is None:
            return False
        return self.stats.natural_width() + theme.px(250) > width

    def arrange(self) -> None:
        """Put figures, versions and actions in their places."""
        wraps = self._wraps(self.width())
        x, y = 0, 0
        if self._is_reply:
            stats_width = min(round(self.stats.natural_width()) + 2, self.width())
            self.stats.setGeometry(0, 0, stats_width, theme.px(ROW_PX))
            start = 0 if self._versions else -9
            x, y = (start, theme.px(ROW_PX)) if wraps else (max(start, stats_width - 10), 0)
        shown = [button for button in self._buttons if self._wanted and not self._busy]
        row: list[QWidget] = [*self._versions, *shown]
        if not self._is_reply:
            x = self.width() - sum(map(self._width_of, row)) + 8
        for widget in row:
            # Copy reaches below its neighbour, so that it need not grow to say that it is done.
            width = max(self._width_of(widget), self._width_when_copied(widget))
            widget.setGeometry(x, y + (theme.px(ROW_PX) - theme.px(26)) // 2, width, theme.px(26))
            x += self._width_of(widget)

    def _width_of(self, widget: QWidget) -> int:
        """The style's own width for a button with text is far too roomy for a quiet row."""
        if not isinstance(widget, QAbstractButton):
            return widget.sizeHint().width()
        if not widget.text():
            return 26
        # Nothing moves when Copy says that it is done: it has one width, before and after. The gap
        # behind every word is one that the longer word can reach into.
        metrics, copy, copied = widget.fontMetrics(), self.tr("Copy"), self.tr("Copied")
        longer = metrics.horizontalAdvance(copied) - metrics.horizontalAdvance(copy)
        text = copy if widget in self._buttons[:1] else widget.text()
        return metrics.horizontalAdvance(text) + max(2 * _EDGE_PX, longer + _LEAST_GAP_PX)

    def _width_when_copied(self, widget: QWidget) -> int:
        if widget not in self._buttons[:1]:
            return 0
        return widget.fontMetrics().horizontalAdvance(self.tr("Copied")) + 2 * _EDGE_PX

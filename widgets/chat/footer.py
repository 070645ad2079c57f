"""The row under a message: its figures, its versions and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QMenu, QPushButton, QToolButton, QWidget

from widgets import icons, parts, theme
from widgets.chat.reply_stats import ROW_PX, StatsLine, stats_groups, stats_height, stats_tooltip

if TYPE_CHECKING:
    from widgets.chat.viewdata import MessageView

# What the figures of most replies take, for the row under one that is being written.
_USUAL_PX: Final = 405
_ACTIONS_PX: Final = 250
# Beside the word of a button, as the style sheet says.
_EDGE_PX: Final = 9
# Between "Copied" and the next word.
_LEAST_GAP_PX: Final = 6


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
        """One row, or more when figures and actions do not fit side by side."""
        if not self._wraps(width):
            return theme.px(ROW_PX)
        return self._figures_height(width) + theme.px(ROW_PX)

    def _wraps(self, width: int) -> bool:
        figures_px = self._figures_width()
        return figures_px > 0 and figures_px + theme.px(_ACTIONS_PX) > width

    def _figures_width(self) -> float:
        """While a reply is written, what it usually comes to: nothing jumps at its end."""
        if not self._is_reply or self._view is None:
            return 0.0
        if self._view.stats is not None:
            return self.stats.natural_width()
        return theme.px(_USUAL_PX) if self._busy else 0.0

    def _figures_height(self, width: int) -> int:
        if self._view is not None and self._view.stats is not None:
            return self.stats.height_for(width)
        return stats_height(1 + theme.px(_USUAL_PX) // max(1, width))

    def arrange(self) -> None:
        """Put figures, versions and actions in their places."""
        wraps = self._wraps(self.width())
        x, y = 0, 0
        if self._is_reply:
            stats_width = min(round(self.stats.natural_width()) + 2, self.width())
            tall = self._figures_height(self.width()) if wraps else theme.px(ROW_PX)
            self.stats.setGeometry(0, 0, stats_width, tall)
            start = 0 if self._versions else -9
            x, y = (start, tall) if wraps else (max(start, stats_width - 10), 0)
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

"""What the plan has to say: the ladder of ways to fit, and rules with their one-click fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QWidget

from widgets import icons, theme
from widgets.figures import gib
from widgets.parts import ElidedLabel, SectionHeading, button, column, frame, label, named, row

if TYPE_CHECKING:
    from PySide6.QtWidgets import QLayout

    from widgets.engine_pane.viewdata import FixView, RuleView


def emptied(layout: QLayout) -> None:
    """Take all widgets out of a layout and let them go."""
    while (taken := layout.takeAt(0)) is not None:
        held = taken.widget()
        if held is not None:
            held.hide()
            held.deleteLater()


class FixRow(QPushButton):
    """One way to make it fit: the whole row is the button."""

    def __init__(self, fix: FixView) -> None:
        super().__init__()
        saved = gib(fix.saved_bytes) if fix.saved_bytes is not None else ""
        named(self, f"fix_{fix.id}", f"{fix.title}, {saved}".rstrip(", "))
        self.setAccessibleDescription(fix.detail)
        self.setEnabled(fix.is_possible)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAutoDefault(False)
        words = column(1)
        title = ElidedLabel(fix.title)
        words.addWidget(title)
        if fix.detail:
            words.addWidget(ElidedLabel(fix.detail, "label", "dim"))
        line = row(theme.SPACE.s, (theme.SPACE.m, theme.SPACE.s, theme.SPACE.m, theme.SPACE.s))
        line.addLayout(words, 1)
        figure = label(saved, "body", "accent", strong=True)
        line.addWidget(figure)
        for part in (title, figure):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setLayout(line)
        theme.size(self, "MinimumHeight", 54 if fix.detail else 40)


class Ladder(QWidget):
    """Ways to fit, best first. Hidden while there is nothing to fix.

    Signals:
        fix_requested: The id of the fix that was chosen.
    """

    fix_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("ladder")
        self._shown: tuple[FixView, ...] = ()
        heading = SectionHeading(self.tr("Ways to fit"), "ladder_heading")
        heading.set_value(self.tr("saves per device"))
        self._rows = column(theme.SPACE.s)
        whole = column(theme.SPACE.s)
        whole.addWidget(heading)
        whole.addLayout(self._rows)
        self.setLayout(whole)
        self.hide()

    def set_fixes(self, fixes: tuple[FixView, ...]) -> None:
        """Show fixes; none hides the ladder."""
        if fixes != self._shown:
            self._shown = fixes
            emptied(self._rows)
            for fix in fixes:
                made = FixRow(fix)
                made.clicked.connect(lambda _checked=False, at=fix.id: self.fix_requested.emit(at))
                self._rows.addWidget(made)
        self.setVisible(bool(fixes))


class RuleNotice(QWidget):
    """A sentence about the settings with a button that changes them."""

    def __init__(self, rule: RuleView) -> None:
        super().__init__()
        self.setObjectName(f"rule_{rule.code}")
        self.setAccessibleName(rule.sentence)
        surface = frame("notice" if rule.tone in ("plain", "ok") else "card")
        mark = label("")
        name, role = {
            "bad": ("error", "bad"),
            "warn": ("warning", "warn"),
        }.get(rule.tone, ("info", "accent"))
        mark.setPixmap(icons.pixmap(name, role, 16, self.devicePixelRatioF()))
        words = column(theme.SPACE.xs)
        words.addWidget(label(rule.sentence, "meta", wrap=True))
        self.fix = button(rule.fix, f"rule_fix_{rule.code}", "link")
        self.fix.setVisible(bool(rule.fix))
        words.addWidget(self.fix, 0, Qt.AlignmentFlag.AlignLeft)
        line = row(theme.SPACE.s, (10, theme.SPACE.s, 10, theme.SPACE.s))
        line.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(words, 1)
        surface.setLayout(line)
        whole = column()
        whole.addWidget(surface)
        self.setLayout(whole)


class RuleNotices(QWidget):
    """All rules that speak now, worst first.

    Signals:
        fix_requested: The code of the rule whose fix was chosen.
    """

    fix_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("rules")
        self._shown: tuple[RuleView, ...] = ()
        self._rows = column(theme.SPACE.s)
        self.setLayout(self._rows)
        self.hide()
        theme.signals().changed.connect(self._redraw)

    def set_rules(self, rules: tuple[RuleView, ...]) -> None:
        """Show rules; none hides the list."""
        if rules != self._shown:
            self._shown = rules
            self._redraw()
        self.setVisible(bool(rules))

    def _redraw(self) -> None:
        emptied(self._rows)
        worst_first = ("bad", "warn", "ok", "plain")
        for rule in sorted(self._shown, key=lambda rule: worst_first.index(rule.tone)):
            made = RuleNotice(rule)
            made.fix.clicked.connect(
                lambda _checked=False, code=rule.code: self.fix_requested.emit(code)
            )
            self._rows.addWidget(made)

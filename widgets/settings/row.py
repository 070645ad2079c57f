"""One row of a form: title with its mark, the editor, reset, and what is wrong below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from engine.settings import Cost, Form
from engine.settings.options import shown
from widgets import theme
from widgets.parts import Dot, column, icon_button, label, row
from widgets.settings.text_editors import editor_for

if TYPE_CHECKING:
    from PySide6.QtWidgets import QBoxLayout

    from engine.settings import SettingInfo
    from widgets.settings.hints import ValueHint

_TITLE_MIN_PX = 126
_EDITOR_MIN_PX = 132


def cost_words(cost: Cost) -> str:
    """What applying a change takes, in words."""
    return {
        Cost.NOTHING: "at once",
        Cost.CONTEXT: "new context",
        Cost.RELOAD: "reload",
    }[cost]


def tip_for(info: SettingInfo) -> str:
    """The help of a setting with its default, its option and its cost."""
    unit = f" {info.unit}" if info.unit and not info.special else ""
    lines = [info.help, "", f"Default: {shown(info, info.default)}{unit}"]
    if info.minimum is not None and info.maximum is not None:
        lines.append(f"Range: {info.minimum:,.10g} to {info.maximum:,.10g}")
    lines.append(f"Applying: {cost_words(info.cost)}")
    lines.append(f"Option: {info.option}")
    text = "\n".join(lines)
    # Rich text wraps in a tooltip, plain text does not.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
    return f"<qt>{escaped}</qt>"


class SettingRow(QWidget):
    """Shows and edits one declared setting.

    Signals:
        edited: (name, value) when the user changed it.
    """

    edited = Signal(str, object)

    def __init__(self, info: SettingInfo) -> None:
        super().__init__()
        self.info = info
        self.setObjectName(f"row_{info.name}")
        self._mark = Dot("accent", 6)
        self._mark.setToolTip(self.tr("Changed from the default"))
        self._title = label(info.title)
        self._title.setToolTip(tip_for(info))
        self._reset = icon_button(
            "undo",
            f"reset_{info.name}",
            self.tr("Back to {value}").format(value=shown(info, info.default)),
        )
        self._reset.setIconSize(self._reset.iconSize() * 0.8)
        self._reset.clicked.connect(lambda: self.edited.emit(info.name, info.default))
        self._keep_room(self._mark)
        self._keep_room(self._reset)
        self._problem = label("", "label", "bad", wrap=True)
        self._problem.hide()
        self.editor = editor_for(info)
        self.editor.setToolTip(tip_for(info))
        self.editor.edited.connect(lambda value: self.edited.emit(info.name, value))
        self.setLayout(self._arranged())
        self.set_value(info.default)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a value and whether it differs from the default."""
        self.editor.set_value(value)
        differs = value != self.info.default
        self._mark.setVisible(differs)
        self._reset.setVisible(differs)

    def set_hint(self, hint: ValueHint) -> None:
        """Pass on what is known about the setting."""
        self.editor.set_hint(hint)

    def set_problem(self, sentence: str) -> None:
        """Show a sentence under the row; empty takes it away."""
        self._problem.setText(sentence)
        self._problem.setVisible(bool(sentence))

    def matches(self, words: list[str]) -> bool:
        """Whether all words of a search occur in its title, name, help or group."""
        info = self.info
        text = f"{info.title} {info.name} {info.help} {info.group} {' '.join(info.choices)}".lower()
        return all(word in text for word in words)

    def _arranged(self) -> QBoxLayout:
        heading = row(5)
        heading.addWidget(self._mark)
        heading.addWidget(self._title)
        heading.addStretch(1)
        whole = column(2)
        if self.info.form in (Form.LONG_TEXT, Form.FILE, Form.MODEL, Form.FOLDERS):
            heading.addWidget(self._reset)
            whole.addLayout(heading)
            whole.addWidget(self.editor)
        else:
            left = QWidget()
            left.setLayout(heading)
            theme.size(left, "MinimumWidth", _TITLE_MIN_PX)
            theme.size(self.editor, "MinimumWidth", _EDITOR_MIN_PX)
            line = row(theme.SPACE.xs)
            line.addWidget(left, 1)
            line.addWidget(self.editor, 1)
            line.addWidget(self._reset)
            line.setAlignment(self._reset, Qt.AlignmentFlag.AlignVCenter)
            whole.addLayout(line)
        whole.addWidget(self._problem)
        return whole

    @staticmethod
    def _keep_room(widget: QWidget) -> None:
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)

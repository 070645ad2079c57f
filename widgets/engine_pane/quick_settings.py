"""The handful of settings that are changed most, as rows made from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from engine.errors import UserError
from engine.settings import EngineSettings, info_for, validated
from widgets import theme
from widgets.parts import Dot, column, label, row
from widgets.settings.hints import ValueHint
from widgets.settings.row import tip_for
from widgets.settings.text_editors import editor_for
from widgets.wrapping import FlowLayout, PairLayout

if TYPE_CHECKING:
    from widgets.settings.editors import FieldEditor

# Settings in one tuple share a row; everything shown about them comes from their declarations.
ROWS: Final[tuple[tuple[str, ...], ...]] = (
    ("n_ctx",),
    ("split_mode",),
    ("tensor_split",),
    ("type_k", "type_v"),
    ("flash_attn",),
    ("n_gpu_layers",),
)
# Read with this module: a thread does that while the window is painted.
_INFOS: Final = {name: info_for(EngineSettings, name) for names in ROWS for name in names}
_TITLE_WIDTH_PX: Final = 110


class QuickSettings(QWidget):
    """Rows for `ROWS`. Holds the engine settings being edited; main thread.

    Signals:
        edited: The whole `EngineSettings` after a change by the user.
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("quick_settings")
        self._values = EngineSettings()
        self._editors: dict[str, FieldEditor] = {}
        self._marks: list[tuple[tuple[str, ...], Dot]] = []
        self._lines: dict[str, QWidget] = {}
        whole = column(theme.SPACE.s - 2)
        for names in ROWS:
            line = self._line(names)
            self._lines[names[0]] = line
            whole.addWidget(line)
        self.setLayout(whole)
        self.set_values(self._values)

    def set_values(self, values: EngineSettings) -> None:
        """Show settings without reporting them."""
        self._values = values
        for name, editor in self._editors.items():
            editor.set_value(getattr(values, name))
        defaults = EngineSettings()
        for names, mark in self._marks:
            mark.setVisible(any(getattr(values, n) != getattr(defaults, n) for n in names))

    def set_hints(self, hints: dict[str, ValueHint]) -> None:
        """Give editors what is known about their settings."""
        for name, editor in self._editors.items():
            editor.set_hint(hints.get(name, ValueHint()))

    def show_devices(self, gpu_count: int) -> None:
        """Leave out the rows that mean nothing without a GPU, or with a single one."""
        for name in ("split_mode", "tensor_split"):
            self._lines[name].setVisible(gpu_count > 1)
        self._lines["n_gpu_layers"].setVisible(gpu_count > 0)

    def editor(self, name: str) -> FieldEditor:
        """The editor of a setting."""
        return self._editors[name]

    def _line(self, names: tuple[str, ...]) -> QWidget:
        infos = [_INFOS[name] for name in names]
        pair = len(infos) > 1 and infos[0].choices == infos[1].choices
        title = label(str(infos[0].group) if pair else infos[0].title)
        title.setToolTip(tip_for(infos[0]))
        mark = Dot("accent", 6)
        mark.setToolTip(self.tr("Changed from the default"))
        self._marks.append((names, mark))
        heading = row(5)
        heading.addWidget(title)
        heading.addWidget(mark)
        heading.addStretch(1)
        left = QWidget()
        left.setLayout(heading)
        theme.size(left, "FixedWidth", _TITLE_WIDTH_PX)
        line = PairLayout(theme.SPACE.xs)
        line.addWidget(left)
        # Of two the second goes below where both have no room; one takes the room there is.
        editors, right = FlowLayout(theme.SPACE.xs, is_filled=True), QWidget()
        for info in infos:
            editor = editor_for(info, prefix=info.title.split()[0] if pair else "")
            editor.setToolTip(tip_for(info))
            editor.edited.connect(lambda value, name=info.name: self._on_edited(name, value))
            self._editors[info.name] = editor
            editors.addWidget(editor)
        right.setLayout(editors)
        line.addWidget(right)
        whole = QWidget()
        whole.setObjectName(f"quick_{names[0]}")
        whole.setLayout(line)
        theme.size(whole, "MinimumHeight", 32)
        return whole

    def _on_edited(self, name: str, value: object) -> None:
        try:
            values = validated(self._values, **{name: value})
        except UserError:
            # The spin boxes hold the declared bounds, so that only a pasted text comes here.
            self._editors[name].set_value(getattr(self._values, name))
            return
        self.set_values(values)
        self.edited.emit(values)

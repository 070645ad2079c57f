"""One editor per kind of setting, made from its `SettingInfo` alone.

Every editor reports a value only when the user made it, and takes values silently. Editors that
need more room are in `widgets.settings.text_editors`; `editor_for` chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QWidget

from engine.settings import Kind
from widgets import theme
from widgets.figures import whole
from widgets.parts import Switch, label, row
from widgets.settings.controls import NumberSpin, QuietCombo
from widgets.settings.hints import ValueHint
from widgets.settings.log_slider import LogSlider
from widgets.settings.share_slider import ShareSlider

if TYPE_CHECKING:
    from engine.settings import SettingInfo


# Beside a slider: how wide its figure is, and how far its text ends from the edge. That is the
# padding, the border and Qt's own margin of a spin box, so that all figures end in one column.
_FIGURE_PX: Final = 76
_FIGURE_INSET_PX: Final = 9


class FieldEditor(QWidget):
    """Edits one value. Subclasses own their control; main thread.

    Signals:
        edited: The new value, when the user changed it.
    """

    edited = Signal(object)

    def __init__(self, info: SettingInfo) -> None:
        super().__init__()
        self.info = info
        self.setObjectName(f"editor_{info.name}")
        self.setAccessibleName(info.title)

    def set_value(self, value: Any) -> None:  # noqa: ANN401 - a setting's value is of its own kind
        """Show a value without reporting it."""
        raise NotImplementedError

    def set_hint(self, hint: ValueHint) -> None:
        """Take what is known about the setting; most editors have no use for it."""


class FlagEditor(FieldEditor):
    """A switch."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._switch = Switch(f"setting_{info.name}", info.title)
        self._switch.clicked.connect(self._on_clicked)
        line = row()
        line.addStretch(1)
        line.addWidget(self._switch)
        self.setLayout(line)
        self.setFocusProxy(self._switch)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show on or off."""
        self._switch.setChecked(bool(value))

    def _on_clicked(self, checked: bool) -> None:
        self.edited.emit(checked)


class ChoiceEditor(FieldEditor):
    """A list of choices. What cannot be used stays visible, with its reason as tooltip."""

    def __init__(self, info: SettingInfo, prefix: str = "") -> None:
        super().__init__(info)
        self._combo = QuietCombo()
        self._combo.setObjectName(f"setting_{info.name}")
        self._combo.setAccessibleName(info.title)
        self._combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        theme.size(self._combo, "MinimumWidth", 78)
        self._items = QStandardItemModel(self._combo)
        for choice in info.choices:
            item = QStandardItem(f"{prefix} {choice}".strip())
            item.setData(choice, Qt.ItemDataRole.UserRole)
            self._items.appendRow(item)
        self._combo.setModel(self._items)
        self._combo.activated.connect(self._on_activated)
        line = row()
        line.addWidget(self._combo)
        self.setLayout(line)
        self.setFocusProxy(self._combo)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a choice."""
        self._combo.setCurrentIndex(self.info.choices.index(value))

    def set_hint(self, hint: ValueHint) -> None:
        """Grey out what cannot be used now and say why."""
        reasons = dict(hint.refused)
        for at, choice in enumerate(self.info.choices):
            item = self._items.item(at)
            item.setEnabled(choice not in reasons)
            item.setToolTip(reasons.get(choice, ""))

    def _on_activated(self, at: int) -> None:
        self.edited.emit(self.info.choices[at])


class NumberEditor(FieldEditor):
    """A spin box with the unit beside it."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._spin = NumberSpin(info)
        self._spin.setObjectName(f"setting_{info.name}")
        self._spin.setAccessibleName(f"{info.title}, {info.unit}".rstrip(", "))
        self._spin.valueChanged.connect(self._on_value_changed)
        line = row(theme.SPACE.xs)
        line.addWidget(self._spin, 1)
        self._unit = label(info.unit, "label", "dim")
        self._unit.setVisible(bool(info.unit))
        line.addWidget(self._unit)
        self.setLayout(line)
        self.setFocusProxy(self._spin)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a number; where it has a word of its own, the unit would be wrong beside it."""
        self._spin.blockSignals(True)
        self._spin.setValue(float(value))
        self._spin.blockSignals(False)
        is_word = bool(self.info.special) and value == self.info.minimum
        self._unit.setVisible(bool(self.info.unit) and not is_word)

    def set_hint(self, hint: ValueHint) -> None:
        """Say of how many it is a part."""
        words = self.info.unit
        if hint.top is not None:
            words = self.tr("of {n} {unit}").format(n=whole(hint.top), unit=words)
        self._unit.setText(words.strip())

    def _on_value_changed(self, value: float) -> None:
        self.edited.emit(round(value) if self.info.kind is Kind.INTEGER else value)


class SliderEditor(FieldEditor):
    """A logarithmic slider for the feel and a spin box for the exact value."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._slider = LogSlider(f"setting_{info.name}_slider", info.title)
        self._spin = NumberSpin(info)
        self._spin.setObjectName(f"setting_{info.name}")
        self._spin.setAccessibleName(self.tr("{title}, exact").format(title=info.title))
        self._spin.setProperty("bare", True)
        theme.size(self._spin, "FixedWidth", _FIGURE_PX)
        self._slider.moved.connect(self._on_moved)
        self._spin.valueChanged.connect(self._on_value_changed)
        line = row(theme.SPACE.xs)
        line.addWidget(self._slider, 1)
        line.addWidget(self._spin)
        self.setLayout(line)
        self.setFocusProxy(self._slider)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show a value on both controls."""
        self._slider.set_value(int(value))
        self._spin.blockSignals(True)
        self._spin.setValue(float(value))
        self._spin.blockSignals(False)

    def set_hint(self, hint: ValueHint) -> None:
        """Put the tick at what fits and the end at what the model was trained for."""
        words = ""
        if hint.limit is not None:
            words = self.tr("{n} is the most that fits").format(n=whole(hint.limit))
        if hint.top is not None:
            self._slider.set_range(512, max(hint.top, hint.limit or 0))
        self._slider.set_tick(hint.limit, words)

    def _on_moved(self, value: int) -> None:
        self._spin.blockSignals(True)
        self._spin.setValue(value)
        self._spin.blockSignals(False)
        self.edited.emit(value)

    def _on_value_changed(self, value: float) -> None:
        self._slider.set_value(round(value))
        self.edited.emit(round(value))


class SharesEditor(FieldEditor):
    """Whole-number shares of devices: a slider with a handle per border."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__(info)
        self._value: tuple[int, ...] = ()
        self._hint = ValueHint()
        self._slider = ShareSlider(f"setting_{info.name}")
        self._slider.setAccessibleName(info.title)
        self._words = label("", "body")
        theme.size(self._words, "MinimumWidth", _FIGURE_PX)
        self._words.setContentsMargins(0, 0, _FIGURE_INSET_PX, 0)
        self._words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._slider.moved.connect(self._on_moved)
        line = row(theme.SPACE.xs)
        line.addWidget(self._slider, 1)
        line.addWidget(self._words)
        self.setLayout(line)
        self.setFocusProxy(self._slider)

    def set_value(self, value: Any) -> None:  # noqa: ANN401
        """Show shares; empty shows the split that will result."""
        self._value = tuple(value)
        self._show()

    def set_hint(self, hint: ValueHint) -> None:
        """Take the number of devices and the split that will really result."""
        self._hint = hint
        self._show()

    def _show(self) -> None:
        parts = self._hint.parts
        shares = self._value if len(self._value) == parts else self._hint.shares
        if len(shares) != parts:
            shares = (1,) * parts
        self._slider.setEnabled(parts > 1)
        if parts > 1:
            self._slider.set_shares(shares, self._hint.steps)
        auto = not self._value
        words = " : ".join(str(share) for share in shares)
        self._words.setText(self.tr("auto") if auto and parts < 2 else words)
        self._words.setToolTip(self.tr("Divided by the engine") if auto else "")

    def _on_moved(self, shares: tuple[int, ...]) -> None:
        self._value = shares
        self._words.setText(" : ".join(str(share) for share in shares))
        self.edited.emit(shares)

"""A combo box and a spin box that leave the wheel to the page unless they have the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox

from engine.settings import Kind
from widgets import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QWheelEvent

    from engine.settings import SettingInfo


class QuietCombo(QComboBox):
    """A combo box that leaves the wheel to the page unless it has the focus."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page unless focused."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class NumberSpin(QDoubleSpinBox):
    """A number with its unit and its special word; integers are numbers without decimals."""

    def __init__(self, info: SettingInfo) -> None:
        super().__init__()
        self._info = info
        whole_number = info.kind is Kind.INTEGER
        self.setDecimals(0 if whole_number else 4)
        self.setRange(
            info.minimum if info.minimum is not None else -1e15,
            info.maximum if info.maximum is not None else 1e15,
        )
        self.setSingleStep(info.step or (1.0 if whole_number else 0.1))
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        self.setSpecialValueText(info.special)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(theme.font("body"))
        theme.size(self, "MinimumWidth", 64)
        self.lineEdit().setAccessibleName(info.title)
        self.lineEdit().setTextMargins(0, 0, 5, 0)

    def textFromValue(self, value: float) -> str:
        """How a value is written."""
        if self._info.kind is Kind.INTEGER:
            return f"{value:,.0f}"
        return f"{value:,.10g}"

    def valueFromText(self, text: str) -> float:
        """Read a value back."""
        try:
            return float(self._bare(text))
        except ValueError:
            return self.value()

    def validate(self, text: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Whether a text can become a value."""
        bare = self._bare(text)
        if bare in {"", "-", "."} or text == self.specialValueText():
            return (
                QValidator.State.Acceptable
                if bare == text != ""
                else (QValidator.State.Intermediate),
                text,
                pos,
            )
        try:
            value = float(bare)
        except ValueError:
            return QValidator.State.Invalid, text, pos
        inside = self.minimum() <= value <= self.maximum()
        state = QValidator.State.Acceptable if inside else QValidator.State.Intermediate
        return state, text, pos

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page unless focused."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _bare(self, text: str) -> str:
        return text.removesuffix(self.suffix()).replace(",", "").replace(" ", "")

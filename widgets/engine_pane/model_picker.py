"""The list that drops down from the model card: search, pick, browse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QVBoxLayout

from widgets import theme
from widgets.models.model_list import ModelList
from widgets.parts import button, column, label, row
from widgets.search_line import SearchLine

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from widgets.engine_pane.viewdata import ModelFileView


class ModelPicker(QFrame):
    """A popup. Typing searches, arrows choose, Enter picks, Esc closes.

    Signals:
        picked: The path of the chosen model.
        browse_requested: The user wants to find a file.
        all_requested: The user wants the Models page.
    """

    picked = Signal(str)
    browse_requested = Signal()
    all_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("model_picker")
        self.setAccessibleName(self.tr("Choose a model"))
        self.setProperty("surface", "popup")
        self.search = SearchLine("model_search", self.tr("Search models"))
        self.search.textChanged.connect(self._on_search)
        self.search.installEventFilter(self)
        self.models = ModelList("model_picker_list", self.tr("Models"))
        self.models.opened.connect(self._on_opened)
        self._nothing = label("", "meta", "dim", wrap=True)
        self._nothing.hide()
        self._all = button(self.tr("All models"), "model_picker_all", "quiet")
        self._browse = button(self.tr("Browse …"), "model_picker_browse")
        self._all.clicked.connect(self._then(self.all_requested.emit))
        self._browse.clicked.connect(self._then(self.browse_requested.emit))
        self.setLayout(self._arranged())

    def set_models(self, models: tuple[ModelFileView, ...]) -> None:
        """Show other models."""
        self.models.set_models(models)
        self._on_search(self.search.text())

    def open_below(self, anchor: QWidget) -> None:
        """Drop down from a widget, as wide as it and as tall as there is room."""
        self.search.clear()
        width = max(anchor.width(), 300)
        height = min(460, max(260, anchor.window().height() - 140))
        self.resize(width, height)
        right = anchor.mapToGlobal(QPoint(anchor.width() - width, anchor.height() + 4))
        self.move(right)
        self.show()
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Watch events of the watched widget."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            keys = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
            if event.key() in keys:
                QApplication.sendEvent(self.models, event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if self.models.current_id():
                    self._on_opened(self.models.current_id())
                return True
        return super().eventFilter(watched, event)

    def _arranged(self) -> QVBoxLayout:
        whole = column(theme.SPACE.s, (10, 10, 10, 10))
        whole.addWidget(self.search)
        whole.addWidget(self._nothing)
        whole.addWidget(self.models, 1)
        foot = row(theme.SPACE.s)
        foot.addWidget(self._all)
        foot.addStretch(1)
        foot.addWidget(self._browse)
        whole.addLayout(foot)
        return whole

    def _on_search(self, text: str) -> None:
        found = self.models.search(text)
        self._nothing.setVisible(not found)
        self._nothing.setText(
            self.tr("No model has these words.")
            if text
            else self.tr("No model was found. Browse for a GGUF file.")
        )

    def _on_opened(self, path: str) -> None:
        self.close()
        self.picked.emit(path)

    def _then(self, act: object) -> object:
        def run() -> None:
            self.close()
            act()  # type: ignore[operator]

        return run

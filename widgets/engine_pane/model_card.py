"""The card at the top of the engine pane: which model, what it does, load progress, eject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QProgressBar

from widgets import theme
from widgets.engine_pane.viewdata import LoadProgressView, ModelCardView
from widgets.figures import file_size, seconds
from widgets.parts import Dot, ElidedLabel, button, column, icon_button, label, row

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent


class ModelCard(QFrame):
    """Shows the model and its state in words. Main thread.

    Signals:
        picker_requested: The user wants to choose a model.
        eject_requested: The user wants the model out of memory.
        cancel_requested: The user wants the load or the measurement stopped.
        load_requested: The user wants the chosen model loaded.
    """

    picker_requested = Signal()
    eject_requested = Signal()
    cancel_requested = Signal()
    load_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("model_card")
        self.setProperty("surface", "card")
        self._view = ModelCardView()
        # The quantization is at the end of the name.
        self._name = ElidedLabel("", "title", gives_way=Qt.TextElideMode.ElideMiddle)
        self.choose = icon_button(
            "chevron-down", "model_choose", self.tr("Choose a model (Ctrl+L)")
        )
        self.choose.clicked.connect(self.picker_requested)
        self.act = button("", "model_act", "quiet")
        self.act.clicked.connect(self._on_act)
        self._dot = Dot()
        self._words = ElidedLabel("", "label", "dim")
        self._build = label("", "label", "faint")
        self._bar = QProgressBar()
        self._bar.setObjectName("load_progress")
        self._bar.setAccessibleName(self.tr("Load progress"))
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._progress_words = label("", "label", "dim")
        self._arrange()
        self.set_view(self._view)

    def set_view(self, view: ModelCardView) -> None:
        """Show a model and its state."""
        self._view = view
        self._name.set_whole(view.name or self.tr("No model"), view.detail)
        self._words.set_whole(view.words or self.tr("Choose a model to begin"))
        self._dot.set_tone(
            {"plain": "faint", "ok": "ok", "warn": "warn", "bad": "bad"}[view.tone],
            hollow=view.state in ("none", "unloaded"),
        )
        self._build.setText(view.build)
        self._build.setToolTip(view.build_help)
        self._build.setVisible(bool(view.build))
        self.act.setText(self._act_words())
        self.act.setAccessibleName(self._act_words())
        self.act.setVisible(bool(self._act_words()))
        self.act.setToolTip(self._act_tip())
        self._show_progress(view.progress)
        self.setAccessibleName(self.tr("Model"))
        self.setAccessibleDescription(f"{view.name}, {view.words}")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.picker_requested.emit()

    def _arrange(self) -> None:
        top = row(2)
        top.addWidget(self._name, 1)
        top.addWidget(self.choose)
        top.addWidget(self.act)
        state = row(6)
        state.addWidget(self._dot)
        state.addWidget(self._words, 1)
        state.addWidget(self._build)
        whole = column(2, (theme.SPACE.m, theme.SPACE.s, theme.SPACE.s, 10))
        whole.addLayout(top)
        whole.addLayout(state)
        whole.addSpacing(2)
        whole.addWidget(self._bar)
        whole.addWidget(self._progress_words)
        self.setLayout(whole)

    def _act_words(self) -> str:
        match self._view.state:
            case "loading" | "measuring":
                return self.tr("Cancel")
            case "ready" | "reading" | "writing":
                return self.tr("Eject")
            case "unloaded" | "died":
                return self.tr("Load") if self._view.name else ""
            case _:
                return ""

    def _act_tip(self) -> str:
        match self._view.state:
            case "ready" | "reading" | "writing":
                return self.tr("Take the model out of memory")
            case "measuring":
                return self.tr("Stop measuring; nothing is changed")
            case _:
                return ""

    def _on_act(self) -> None:
        match self._view.state:
            case "loading" | "measuring":
                self.cancel_requested.emit()
            case "ready" | "reading" | "writing":
                self.eject_requested.emit()
            case "unloaded" | "died":
                self.load_requested.emit()
            case _:
                pass

    def _show_progress(self, progress: LoadProgressView | None) -> None:
        self._bar.setVisible(progress is not None)
        self._progress_words.setVisible(progress is not None)
        if progress is None:
            return
        if progress.fraction is None:
            self._bar.setRange(0, 0)
        else:
            self._bar.setRange(0, 1000)
            self._bar.setValue(round(progress.fraction * 1000))
        parts = [progress.words]
        if progress.total_bytes is not None:
            done = progress.done_bytes
            if done is None and progress.fraction is not None:
                done = round(progress.fraction * progress.total_bytes)
            parts.append(
                self.tr("{done} of {total}").format(
                    done=file_size(done), total=file_size(progress.total_bytes)
                )
            )
        if progress.elapsed_s is not None:
            parts.append(seconds(progress.elapsed_s))
        if progress.seconds_left is not None:
            parts.append(self.tr("{time} left").format(time=seconds(progress.seconds_left)))
        self._progress_words.setText(" · ".join(part for part in parts if part))

"""Model files as a searchable list, grouped by where they were found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt

from widgets import icons, theme
from widgets.figures import context_length, file_size
from widgets.section_list import ListRow, RowDelegate, SectionList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPainter

    from widgets.engine_pane.viewdata import ModelFileView


def facts(model: ModelFileView) -> str:
    """Quantization, size and context in one line; what is unknown is left out."""
    parts = [model.quantization]
    if model.size_bytes is not None:
        parts.append(file_size(model.size_bytes))
    if model.n_ctx_train is not None:
        parts.append(f"{context_length(model.n_ctx_train)} context")
    parts.append(model.architecture)
    return " · ".join(part for part in parts if part)


def matching(models: Sequence[ModelFileView], text: str) -> list[ModelFileView]:
    """Models whose name, facts or path hold all words."""
    words = text.lower().split()
    return [
        model
        for model in models
        if all(word in f"{model.name} {facts(model)} {model.path}".lower() for word in words)
    ]


def rows_for(models: Sequence[ModelFileView]) -> list[ListRow]:
    """List rows, a heading before each source."""
    rows: list[ListRow] = []
    source = None
    for model in models:
        if model.source != source:
            source = model.source
            rows.append(ListRow("", source))
        detail = model.problem or f"{facts(model)}\n{model.path}"
        rows.append(ListRow(model.path, model.name, model, detail, not model.problem))
    return rows


class ModelDelegate(RowDelegate):
    """Two lines: the name, then its facts or its problem."""

    item_height_px = 48

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw name, facts and the mark of the loaded model."""
        model: ModelFileView = row.view  # type: ignore[assignment]
        right = area.right()
        if model.is_loaded:
            mark = icons.pixmap("check", "accent", 16, painter.device().devicePixelRatioF())
            painter.drawPixmap(right - 16, area.center().y() - 8, mark)
            right -= 24
        width = right - area.left()
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text" if row.is_enabled else "faint"))
        name = painter.fontMetrics().elidedText(model.name, Qt.TextElideMode.ElideMiddle, width)
        upper = QRect(area.left(), area.top() + theme.px(6), width, theme.px(19))
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("bad" if model.problem else "dim"))
        words = painter.fontMetrics().elidedText(
            model.problem or facts(model), Qt.TextElideMode.ElideRight, width
        )
        lower = QRect(area.left(), area.top() + theme.px(25), width, theme.px(16))
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, words)


class ModelList(SectionList):
    """A section list of model files. Signals are those of `SectionList`; ids are paths."""

    def __init__(self, name: str, accessible: str, delegate: RowDelegate | None = None) -> None:
        super().__init__(name, accessible, delegate or ModelDelegate())
        self._models: tuple[ModelFileView, ...] = ()
        self._text = ""

    def set_models(self, models: tuple[ModelFileView, ...]) -> None:
        """Show other models under the same search."""
        self._models = models
        self.set_rows(rows_for(matching(models, self._text)))

    def search(self, text: str) -> int:
        """Show what matches; returns how many do."""
        self._text = text
        found = matching(self._models, text)
        self.set_rows(rows_for(found))
        if found and not self.current_id():
            self.choose(found[0].path)
        return len(found)

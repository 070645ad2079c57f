"""The Models page: all model files that were found, with what matters for choosing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QGuiApplication, QMouseEvent, QPainter
from PySide6.QtWidgets import QFrame, QMenu, QStyleOptionViewItem

from widgets import theme
from widgets.figures import UNKNOWN, context_length, file_size
from widgets.models.model_list import ModelList
from widgets.parts import ElidedLabel, button, column, hairline, label, page_head
from widgets.search_line import SearchLine
from widgets.section_list import ROW_ROLE, ListRow, RowDelegate

if TYPE_CHECKING:
    from PySide6.QtCore import QAbstractItemModel
    from PySide6.QtWidgets import QVBoxLayout

    from widgets.engine_pane.viewdata import ModelFileView
    from widgets.section_list import Index

_PILL_PX: Final = 72
# Right edges of the columns, counted from the right end of a row, with their width.
_COLUMNS: Final = ((96, 74), (170, 74), (254, 84))
_NAME_PX: Final = 150
"""What columns leave of a row, at the normal size of text; in a narrow page some are left out."""


def _columns(width_px: int) -> tuple[tuple[int, int], ...]:
    sized = ((theme.px(offset), theme.px(width)) for offset, width in _COLUMNS)
    room = width_px - theme.px(_NAME_PX)
    return tuple((offset, width) for offset, width in sized if offset + width <= room)


class PageDelegate(RowDelegate):
    """One line of facts in columns and a Load pill at the right."""

    item_height_px = 54

    load_requested = Signal(str)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row; the first heading carries the titles of the columns."""
        super().paint(painter, option, index)
        if index.row() == 0:
            area = option.rect.adjusted(8, 0, -8, -6)
            titles = (self.tr("Context"), self.tr("Size"), self.tr("Quantization"))
            painter.setFont(theme.font("label"))
            painter.setPen(theme.color("faint"))
            for (offset, width), title in zip(_columns(area.width()), titles, strict=False):
                cell = QRect(area.right() - offset - width, area.top(), width, area.height())
                painter.drawText(
                    cell, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, title
                )

    def paint_item(self, painter: QPainter, area: QRect, row: ListRow, *, selected: bool) -> None:
        """Draw one model."""
        model: ModelFileView = row.view  # type: ignore[assignment]
        self._paint_pill(painter, self.pill(area), model)
        columns = _columns(area.width())
        left_end = area.right() - (sum(columns[-1]) if columns else theme.px(_COLUMNS[0][0]))
        facts = (
            context_length(model.n_ctx_train),
            file_size(model.size_bytes),
            model.quantization or UNKNOWN,
        )
        painter.setFont(theme.font("body"))
        for (offset, width), fact in zip(columns, facts, strict=False):
            cell = QRect(area.right() - offset - width, area.top(), width, area.height())
            painter.setPen(theme.color("text" if fact != UNKNOWN else "faint"))
            painter.drawText(
                cell, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, fact
            )
        width = left_end - area.left()
        upper = QRect(area.left(), area.top() + theme.px(8), width, theme.px(20))
        painter.setPen(theme.color("text" if row.is_enabled else "faint"))
        name = painter.fontMetrics().elidedText(model.name, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("bad" if model.problem else "dim"))
        words = model.problem or " · ".join(p for p in (model.architecture, model.path) if p)
        words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(
            QRect(area.left(), area.top() + theme.px(28), width, theme.px(16)),
            Qt.AlignmentFlag.AlignVCenter,
            words,
        )

    @staticmethod
    def pill(area: QRect) -> QRect:
        """Where the Load pill of a row is."""
        width, height = theme.px(_PILL_PX), theme.px(27)
        return QRect(area.right() - width, area.center().y() - height // 2, width, height)

    def _paint_pill(self, painter: QPainter, pill: QRect, model: ModelFileView) -> None:
        painter.setFont(theme.font("meta"))
        if model.is_loaded:
            painter.setPen(theme.color("ok"))
            painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, self.tr("● loaded"))
        elif not model.problem:
            painter.setPen(theme.color("line"))
            painter.setBrush(theme.color("card"))
            painter.drawRoundedRect(pill, 8, 8)
            painter.setPen(theme.color("accent"))
            painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, self.tr("Load"))

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """Load when the pill is clicked."""
        each: ListRow = index.data(ROW_ROLE)
        if (
            isinstance(event, QMouseEvent)
            and event.type() == QEvent.Type.MouseButtonRelease
            and not each.is_heading
            and each.is_enabled
            and self.pill(option.rect.adjusted(8, 0, -8, 0)).contains(event.position().toPoint())
        ):
            self.load_requested.emit(each.id)
            return True
        return super().editorEvent(event, model, option, index)


class ModelsPage(QFrame):
    """Search, list, browse. Enter, a double click or the pill loads. Main thread.

    Signals:
        load_requested: The path of a model.
        browse_requested: A file is to be chosen.
        folder_add_requested: A folder is to be searched from now on.
        rescan_requested: The folders are to be looked through again.
        economics_requested: The page that shows what context costs is wanted.
    """

    load_requested = Signal(str)
    browse_requested = Signal()
    folder_add_requested = Signal()
    rescan_requested = Signal()
    economics_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("models_page")
        self.setAccessibleName(self.tr("Models"))
        self.setProperty("surface", "bg")
        self._models: tuple[ModelFileView, ...] = ()
        self.search = SearchLine(
            "models_search",
            self.tr("Search models"),
            self.tr("Search by name, quantization, architecture"),
        )
        self.search.textChanged.connect(self._show)
        delegate = PageDelegate()
        delegate.load_requested.connect(self.load_requested)
        self.list = ModelList("models_list", self.tr("Models"), delegate)
        self.list.confirmed.connect(self.load_requested)
        self.list.menu_wanted.connect(self._on_menu)
        self._summary = ElidedLabel("", "meta", "dim")
        self._nothing = label("", "body", "dim", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.setLayout(self._arranged())
        self.set_models(())

    def set_models(self, models: tuple[ModelFileView, ...]) -> None:
        """Show other models under the same search."""
        self._models = models
        self.list.set_models(models)
        size = sum(model.size_bytes or 0 for model in models)
        self._summary.set_whole(self._count(len(models), file_size(size)))
        self._show(self.search.text())

    def _count(self, count: int, size: str) -> str:
        if not count:
            return ""
        words = self.tr("1 model") if count == 1 else self.tr("{n} models").format(n=count)
        return f"{words} · {size}"

    def _show(self, text: str) -> None:
        found = self.list.search(text)
        self.list.setVisible(bool(found))
        self._nothing.setVisible(not found)
        if self._models:
            self._nothing.setText(self.tr("No model matches “{text}”.").format(text=text))
        else:
            self._nothing.setText(
                self.tr(
                    "No models yet. Choose a GGUF file, or add a folder that holds some.\n"
                    "Folders of LM Studio, Ollama and the Hugging Face cache are found by "
                    "themselves."
                )
            )

    def _on_menu(self, path: str, where: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Load"), lambda: self.load_requested.emit(path))
        menu.addAction(self.tr("Copy the path"), lambda: QGuiApplication.clipboard().setText(path))
        menu.popup(where)

    def _arranged(self) -> QVBoxLayout:
        self.economics = button(self.tr("What context costs"), "models_economics", "quiet")
        self.economics.clicked.connect(self.economics_requested)
        self.economics.hide()
        acts = [self.economics]
        for words, name, signal in (
            (self.tr("Look again"), "models_rescan", self.rescan_requested),
            (self.tr("Add folder …"), "models_add_folder", self.folder_add_requested),
        ):
            made = button(words, name, "quiet")
            made.clicked.connect(signal)
            acts.append(made)
        browse = button(self.tr("Choose a file …"), "models_browse")
        browse.clicked.connect(self.browse_requested)
        acts.append(browse)
        top = page_head((label(self.tr("Models"), "title"), self._summary), acts)
        body = column(theme.SPACE.m, (theme.SPACE.xl, theme.SPACE.l, theme.SPACE.xl, 0))
        body.addWidget(self.search)
        body.addWidget(self._nothing)
        body.addWidget(self.list, 1)
        body.addStretch(0)
        whole = column()
        whole.addWidget(top)
        whole.addWidget(hairline())
        whole.addLayout(body, 1)
        return whole

"""The page that shows what context costs: chart, the cursor in words, table, what-if cards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QMenu

from widgets import icons, theme
from widgets.economics.table import CurveTable
from widgets.economics.viewdata import EconomicsView, bytes_at
from widgets.figures import gib, whole
from widgets.parts import (
    ElidedLabel,
    ScrollColumn,
    button,
    column,
    frame,
    hairline,
    label,
    page_head,
    row,
)

if TYPE_CHECKING:
    from PySide6.QtWidgets import QVBoxLayout

    from widgets.plots import ContextChart

# With more than these, only the first KV type of each is put into words.
_FEW_MODELS = 4


class EconomicsPage(QFrame):
    """Compares models and KV types. Main thread.

    Signals:
        model_add_requested: Another model is to be compared.
        remove_requested: The id of a curve.
        cards_chosen: The id of the devices to look at.
        export_requested: ``png`` or ``csv``.
        context_chosen: Tokens the user clicked in the chart.
        back_requested: The page before is wanted.
    """

    model_add_requested = Signal()
    remove_requested = Signal(str)
    cards_chosen = Signal(str)
    export_requested = Signal(str)
    context_chosen = Signal(int)
    back_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("economics_page")
        self.setAccessibleName(self.tr("What context costs"))
        self.setProperty("surface", "bg")
        self._view = EconomicsView()
        self._chart: ContextChart | None = None
        self._chart_place = column()
        self.table = CurveTable()
        self.table.remove_requested.connect(self.remove_requested)
        self._unit = label("", "label", "dim")
        self._sentence = label("", "body", "dim", wrap=True)
        theme.size(self._sentence, "MinimumHeight", 40)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty = label(
            self.tr("Choose a model to see what its context takes."), "body", "dim", wrap=True
        )
        self._cards = button("", "economics_cards", "quiet")
        self._cards.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        icons.bind(self._cards, "chevron-down", "dim", 12)
        self._cards.clicked.connect(self._on_cards)
        self.setLayout(self._arranged())
        self.set_view(self._view)

    def set_view(self, view: EconomicsView) -> None:
        """Show other curves; the cursor starts at the context in use and then stays."""
        is_first = not self._view.curves
        self._view = view
        self.table.set_curves(view.curves, view.longest_words)
        unit = self.tr("{unit} · against context").format(unit=view.unit_words or "GiB")
        self._unit.setText(unit + (self.tr(" · computing …") if view.is_pending else ""))
        chosen = next((c for c in view.cards if c.id == view.chosen_cards), None)
        what = self.tr("What-if cards: {cards}") if chosen and chosen.is_what_if else "{cards}"
        self._cards.setText(what.format(cards=chosen.label) if chosen else self.tr("Cards"))
        self._cards.setEnabled(bool(view.cards))
        has_curves = bool(view.curves)
        self._empty.setVisible(not has_curves)
        for part in (self.table, self._sentence, self._unit):
            part.setVisible(has_curves)
        if not has_curves and self._chart is None:
            return
        self.chart.setVisible(has_curves)
        self.chart.set_curves(view.curves, view.limits)
        if has_curves and is_first:
            self.chart.set_cursor(view.n_ctx or 65_536)
        else:
            self._on_moved(self.chart.tokens())

    @property
    def chart(self) -> ContextChart:
        """The chart; it is made when there is something to draw, as its library loads slowly."""
        if self._chart is None:
            from widgets.plots import ContextChart

            self._chart = ContextChart()
            theme.size(self._chart, "FixedHeight", 330)
            self._chart.moved.connect(self._on_moved)
            self._chart.chosen.connect(self.context_chosen)
            self._chart_place.addWidget(self._chart)
        return self._chart

    def sentence(self) -> str:
        """What stands under the chart."""
        return self._sentence.text()

    def _on_moved(self, tokens: int) -> None:
        by_model: dict[str, list[str]] = {}
        compares_many = len({curve.model_id for curve in self._view.curves}) > _FEW_MODELS
        for curve in self._view.curves:
            if compares_many and curve.model.split(" · ")[0] in by_model:
                continue
            size = bytes_at(curve, tokens)
            if size is not None:
                name = curve.model.split(" · ")[0]
                by_model.setdefault(name, []).append(f"{gib(size)} ({curve.kv_type})")
        parts = [f"{name} {', '.join(sizes)}" for name, sizes in by_model.items()]
        words = self.tr("At {n} tokens: ").format(n=whole(tokens)) + "; ".join(parts) + "."
        self._sentence.setText(f"{words} {self._view.source_words}".strip() if parts else "")

    def _on_cards(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for cards in self._view.cards:
            words = self.tr("What if: {cards}") if cards.is_what_if else "{cards}"
            act = menu.addAction(
                words.format(cards=cards.label), partial(self.cards_chosen.emit, cards.id)
            )
            act.setCheckable(True)
            act.setChecked(cards.id == self._view.chosen_cards)
        menu.popup(self._cards.mapToGlobal(QPoint(0, self._cards.height())))

    def _on_export(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Picture (PNG)"), partial(self.export_requested.emit, "png"))
        menu.addAction(self.tr("Figures (CSV)"), partial(self.export_requested.emit, "csv"))
        menu.popup(self._export.mapToGlobal(QPoint(0, self._export.height())))

    def _arranged(self) -> QVBoxLayout:
        back = button(self.tr("Models"), "economics_back", "quiet")
        icons.bind(back, "chevron-left")
        back.clicked.connect(self.back_requested)
        add = button(self.tr("Add model"), "economics_add", "quiet")
        icons.bind(add, "plus")
        add.clicked.connect(self.model_add_requested)
        self._export = button(self.tr("Export"), "economics_export", "quiet")
        self._export.clicked.connect(self._on_export)
        title = ElidedLabel(self.tr("What context costs"), "title")
        top = page_head((back, title), (add, self._cards, self._export), left_px=theme.SPACE.s)
        inner = column(theme.SPACE.s)
        inner.addWidget(self._empty)
        inner.addWidget(self._unit)
        inner.addLayout(self._chart_place)
        inner.addWidget(self._sentence)
        inner.addSpacing(theme.SPACE.s)
        inner.addWidget(self.table)
        inner.addStretch(1)
        middle = frame("bg")
        middle.setLayout(inner)
        theme.size(middle, "MaximumWidth", theme.READING_WIDTH_PX + 2 * theme.SPACE.xl)
        centred = row(0, (theme.SPACE.xl, theme.SPACE.l, theme.SPACE.xl, theme.SPACE.xl))
        centred.addStretch(1)
        centred.addWidget(middle, 1000)
        centred.addStretch(1)
        body = column()
        body.addLayout(centred, 1)
        whole_page = column()
        whole_page.addWidget(top)
        whole_page.addWidget(hairline())
        whole_page.addWidget(ScrollColumn(body, "economics_scroll"), 1)
        return whole_page

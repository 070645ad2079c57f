"""What context costs: figures between points, looks, cursor, table, what-if cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolButton

from tests.widgets import frame_states as states
from widgets import theme
from widgets.economics.page import EconomicsPage
from widgets.economics.table import per_token
from widgets.economics.viewdata import CurveView, EconomicsView, bytes_at, looks

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

CURVE = CurveView("c", "m", "Model · GQA", "f16", ((0, 1000), (1024, 3000), (4096, 3000)))


@pytest.fixture
def page(qtbot: QtBot, qapp: QApplication) -> EconomicsPage:
    theme.apply(qapp, "light")
    made = EconomicsPage()
    qtbot.addWidget(made)
    made.resize(840, 900)
    made.set_view(states.ECONOMICS)
    made.show()
    return made


@pytest.mark.parametrize(
    ("tokens", "size"), [(0, 1000), (512, 2000), (1024, 3000), (4096, 3000), (4097, None)]
)
def test_between_points_and_never_beyond_them(tokens: int, size: float | None) -> None:
    assert bytes_at(CURVE, tokens) == size


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=9, unique=True), st.integers(0, 10**6))
def test_a_growing_curve_never_shrinks(tokens: list[int], at: int) -> None:
    ordered = sorted(tokens)
    curve = msgspec.structs.replace(CURVE, points=tuple((t, 7 * t) for t in ordered))
    size = bytes_at(curve, at)
    inside = ordered[0] <= at <= ordered[-1]
    assert (size is None) == (not inside)
    assert size is None or size == pytest.approx(7 * at)


def test_a_model_keeps_its_colour_and_later_kv_types_are_dashed() -> None:
    style = looks(states.ECONOMICS.curves)
    assert style["q-f16"] == ("weights", False)
    assert style["q-q8"] == ("weights", True)
    assert len({style[key][0] for key in ("q-f16", "d", "g", "n")}) == 4


def test_the_cursor_starts_at_the_context_in_use_and_speaks(page: EconomicsPage) -> None:
    assert page.chart.tokens() == 65_536
    assert page.sentence().startswith("At 65,536 tokens: Qwen3-8B 14.0 GiB (f16), 10.2 GiB (q8_0)")
    page.chart.setFocus()
    QTest.keyClick(page.chart, Qt.Key.Key_Right)
    assert page.chart.tokens() == 65_536 + 2048
    assert page.sentence().startswith("At 67,584 tokens")
    page.set_view(msgspec.structs.replace(states.ECONOMICS, n_ctx=1024))
    assert page.chart.tokens() == 67_584


def test_the_pointer_at_a_curve_asks_for_its_reason(page: EconomicsPage) -> None:
    chart, curve = page.chart, states.ECONOMICS.curves[0]
    QApplication.processEvents()
    size = bytes_at(curve, 65_536)
    assert size is not None
    view = chart.getPlotItem().getViewBox()
    at = view.mapViewToScene(QPointF(65_536, size / 1024**3))
    chart.scene().sigMouseMoved.emit(at)
    assert chart.toolTip() == f"{curve.model} · {curve.kv_type}\n{curve.reason}"
    chart.scene().sigMouseMoved.emit(view.mapViewToScene(QPointF(65_536, 0.1)))
    assert chart.toolTip() == ""


def test_many_models_are_put_into_words_by_their_first_type(page: EconomicsPage) -> None:
    more = tuple(
        msgspec.structs.replace(
            CURVE, id=f"{n} {kv}", model_id=str(n), model=f"M{n} · GQA", kv_type=kv
        )
        for n in range(8)
        for kv in ("f16", "q8_0")
    )
    page.set_view(EconomicsView(curves=more))
    page.chart.set_cursor(1024)
    assert page.sentence().count("(f16)") == 8
    assert "q8_0" not in page.sentence()
    assert len({colour for colour, _dashed in looks(more).values()}) == 8


def test_enter_chooses_the_context_under_the_cursor(page: EconomicsPage, qtbot: QtBot) -> None:
    with qtbot.waitSignal(page.context_chosen) as chosen:
        QTest.keyClick(page.chart, Qt.Key.Key_Return)
    assert chosen.args == [65_536]


def test_the_table_tells_every_reason_and_removes(page: EconomicsPage, qtbot: QtBot) -> None:
    texts = [label.text() for label in page.table.findChildren(QLabel)]
    for curve in states.ECONOMICS.curves:
        assert curve.reason in texts
    assert "… KV q8_0" in texts
    assert "Longest on 24 GiB" in texts
    remove = page.table.findChild(QToolButton, "curve_remove_g")
    assert remove is not None
    assert "Gemma" in remove.accessibleName()
    with qtbot.waitSignal(page.remove_requested) as removed:
        remove.click()
    assert removed.args == ["g"]


def test_what_if_cards_are_marked(page: EconomicsPage) -> None:
    assert page._cards.text().startswith("What-if cards: ")
    page.set_view(msgspec.structs.replace(states.ECONOMICS, chosen_cards="here"))
    assert page._cards.text() == "These cards"


def test_an_empty_page_explains_itself(page: EconomicsPage) -> None:
    page.set_view(EconomicsView())
    assert page._empty.isVisible()
    assert not page.chart.isVisible()
    assert page.sentence() == ""


def test_the_chart_draws_again_in_the_other_theme(page: EconomicsPage, qapp: QApplication) -> None:
    theme.apply(qapp, "dark")
    pens = {item.opts["pen"].color().name() for item in page.chart.getPlotItem().listDataItems()}
    assert theme.current().weights in pens
    theme.apply(qapp, "light")


@pytest.mark.parametrize(
    ("size", "words"),
    [(None, "–"), (0.0, "0 B"), (512, "512 B"), (1496, "1.5 KiB"), (131_072, "128 KiB")],  # noqa: RUF001
)
def test_bytes_per_token(size: float | None, words: str) -> None:
    assert per_token(size) == words

"""Pages as pictures: drawn in their own process, with the place of a passage on them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from engine.documents.drawing.drawer import PageDrawer
from engine.documents.drawing.letters import Letters
from engine.documents.extract import read_document
from engine.documents.messages import Drawing, DrawRequest, NotDrawn
from tests.engine.document_files import write_pdf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.documents.messages import Box


@pytest.fixture
def drawer() -> Iterator[PageDrawer]:
    made = PageDrawer()
    yield made
    made.close()


def is_inked(drawing: Drawing, box: Box) -> bool:
    """Whether anything but white is inside a box."""
    rows = range(int(box.top * drawing.height_px), int((box.top + box.height) * drawing.height_px))
    first = 4 * int(box.left * drawing.width_px)
    last = 4 * int((box.left + box.width) * drawing.width_px)
    ink = (
        drawing.pixels[row * drawing.stride + first : row * drawing.stride + last] for row in rows
    )
    return any(value < 128 for line in ink for value in line[0::4])


def test_a_passage_is_found_where_its_ink_is(drawer: PageDrawer, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "lease.pdf", ["First line.\nNotice is six\nweeks, in writing."])
    text = read_document(path).pages[0].text
    at = text.index("six")
    drawing = drawer.draw(
        DrawRequest(
            path=str(path),
            index=0,
            width_px=800,
            text=text,
            spans=((at, at + len("six\nweeks")), (0, 5), (5, 6)),
        )
    )
    assert isinstance(drawing, Drawing)
    assert (drawing.width_px, len(drawing.pixels)) == (800, drawing.stride * drawing.height_px)
    (upper, lower), (first,), nothing = drawing.boxes
    assert nothing == ()
    assert all(is_inked(drawing, box) for box in (upper, lower, first))
    # 60 points from the left, 14 points a line, on a page of 612 x 792.
    assert lower.left == pytest.approx(60 / 612, abs=0.01)
    assert upper.left > lower.left
    assert lower.top - upper.top == pytest.approx(14 / 792, abs=0.004)
    assert first.top < upper.top
    assert first.width < 0.1


def test_what_cannot_be_drawn_has_its_reason_and_the_next_page_comes(
    drawer: PageDrawer, tmp_path: Path
) -> None:
    secret = write_pdf(tmp_path / "secret.pdf", ["The treasure"], password="tide")
    plain = write_pdf(tmp_path / "plain.pdf", ["A page"])
    cut = tmp_path / "cut.pdf"
    cut.write_bytes(plain.read_bytes()[:40])

    def draw(path: Path, index: int = 0, password: str | None = None) -> Drawing | NotDrawn:
        return drawer.draw(
            DrawRequest(path=str(path), index=index, width_px=100, password=password)
        )

    assert draw(secret) == draw(secret, password="ebb") == NotDrawn(reason="encrypted")
    assert isinstance(draw(secret, password="tide"), Drawing)
    damaged = NotDrawn(reason="damaged")
    assert draw(cut) == draw(plain, index=7) == draw(tmp_path / "gone.pdf") == damaged
    assert isinstance(draw(plain), Drawing)


def test_a_drawing_process_that_dies_is_replaced(drawer: PageDrawer, tmp_path: Path) -> None:
    request = DrawRequest(
        path=str(write_pdf(tmp_path / "a.pdf", ["A page"])), index=0, width_px=100
    )
    assert isinstance(drawer.draw(request), Drawing)
    assert drawer._process is not None
    drawer._process.kill()
    drawer._process.wait()
    assert isinstance(drawer.draw(request), Drawing)
    drawer.close()
    assert drawer.draw(request) == NotDrawn(reason="damaged")


def test_a_process_that_cannot_start_is_a_page_without_a_picture(
    drawer: PageDrawer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = DrawRequest(
        path=str(write_pdf(tmp_path / "a.pdf", ["A page"])), index=0, width_px=100
    )
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(tmp_path / "none"))
        assert drawer.draw(request) == NotDrawn(reason="damaged")
    assert isinstance(drawer.draw(request), Drawing)


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    request = DrawRequest(
        path=str(write_pdf(tmp_path / "a.pdf", ["A page"])), index=0, width_px=100
    )
    drawer = PageDrawer(timeout_s=0.01)
    try:
        assert drawer.draw(request) == NotDrawn(reason="damaged")
    finally:
        drawer.close()


@pytest.mark.parametrize(
    ("read", "passage", "drawn", "place"),
    [
        ("A nota-\nble end", "nota-\nble", "A nota\ufffe\r\nble end", "nota\ufffe\r\nble"),
        ("efficient rent", "rent", "e\ufb03cient rent", "rent"),
        ("one two one", "one", "ONE x TWO one", "ONE"),
        ("rent rent", "missing", "nothing here", None),
    ],
)
def test_letters_lead_to_the_same_passage(
    read: str, passage: str, drawn: str, place: str | None
) -> None:
    at = read.find(passage)
    span = (at, at + len(passage)) if at >= 0 else (0, len(read))
    found = Letters(read).counterpart(span, Letters(drawn))
    assert (drawn[found[0] : found[1]] if found else None) == place

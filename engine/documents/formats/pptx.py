"""Presentations: a page per slide with its title, text, tables, chart data and speaker notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pptx
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.shapes.picture import Picture
from pptx.text.text import TextFrame

from engine.documents.archive import open_archive, parse_xml
from engine.documents.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pptx.chart.chart import Chart
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"


def read_pptx(source: Source, draft: Draft) -> None:
    """Read a presentation.

    Raises:
        UserError: Damaged or too big.
    """
    with open_archive(source, draft):
        pass
    with source.open() as stream:
        slides = list(pptx.Presentation(stream).slides)
    for done, slide in enumerate(slides):
        draft.step(done, len(slides))
        shapes = list(_flat(slide.shapes))
        images = sum(isinstance(shape, Picture) for shape in shapes)
        title_shape = slide.shapes.title
        title = " ".join(title_shape.text_frame.text.split()) if title_shape is not None else ""
        blocks = [f"# {title}"] if title else []
        blocks += [_shape_text(shape) for shape in shapes if not _is_same(shape, title_shape)]
        blocks += [_diagram_text(slide), _notes_text(slide)]
        text = "\n\n".join(filter(None, blocks))
        draft.add_page(text, heading=title, mark="slide", images=images)
        draft.add_outline(title, len(draft.pages), 0)


def _flat(shapes: Iterable[BaseShape]) -> Iterator[BaseShape]:
    """All shapes in order, those within groups included."""
    pending = list(reversed(list(shapes)))
    while pending:
        shape = pending.pop()
        if isinstance(shape, GroupShape):
            pending.extend(reversed(list(shape.shapes)))
        else:
            yield shape


def _is_same(shape: BaseShape, other: BaseShape | None) -> bool:
    return other is not None and shape.shape_id == other.shape_id


def _shape_text(shape: BaseShape) -> str:
    if isinstance(shape, GraphicFrame):
        if shape.has_table:
            return markdown_table([[cell.text for cell in row.cells] for row in shape.table.rows])
        return _chart_text(shape.chart) if shape.has_chart else ""
    frame = getattr(shape, "text_frame", None)
    if not isinstance(frame, TextFrame):
        return ""
    lines = [
        f"{'  ' * paragraph.level}- {paragraph.text}" if paragraph.level else paragraph.text
        for paragraph in frame.paragraphs
        if paragraph.text.strip()
    ]
    return "\n".join(lines).replace("\v", "\n")


def _chart_text(chart: Chart) -> str:
    """A chart's figures as a table: what is drawn is nothing else."""
    tables: list[str] = []
    for plot in chart.plots:
        series = list(plot.series)
        rows = [["", *(one.name for one in series)]]
        for index, category in enumerate(plot.categories):
            values = [one.values[index] if index < len(one.values) else None for one in series]
            rows.append([str(category), *("" if v is None else str(v) for v in values)])
        tables.append(markdown_table(rows))
    return "\n\n".join(filter(None, tables))


def _diagram_text(slide: Slide) -> str:
    """The text of diagrams (SmartArt), which lies in parts of its own."""
    lines: list[str] = []
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith("/diagramData"):
            for paragraph in parse_xml(relation.target_part.blob).iter(_PARAGRAPH):
                lines.append("".join(node.text or "" for node in paragraph.iter(_TEXT)))
    return "\n".join(f"- {line}" for line in lines if line.strip())


def _notes_text(slide: Slide) -> str:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    text = frame.text.strip() if frame is not None else ""
    return f"Notes: {text}" if text else ""

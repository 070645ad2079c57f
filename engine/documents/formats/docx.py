"""Word documents: paragraphs, headings, lists, tables, notes, headers and footers.

The text is taken from the XML itself, because what python-docx calls a paragraph's text leaves out
insertions under review, text boxes and content controls.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import docx
from docx.oxml.ns import qn
from lxml import etree

from engine.documents.archive import open_archive, parse_xml
from engine.documents.sections import SectionWriter
from engine.documents.tables import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docx.document import Document as WordDocument

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BLIP = "{http://schemas.openxmlformats.org/drawingml/2006/main}blip"
# Deleted text stays in the file; a fallback repeats what stands beside it.
_SKIPPED = frozenset({f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}pPr", _FALLBACK})
_CHARS = {
    f"{_W}tab": "\t",
    f"{_W}br": "\n",
    f"{_W}cr": "\n",
    f"{_W}p": "\n",
    f"{_W}noBreakHyphen": "-",
}
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_TITLES = {"title": 1, "subtitle": 2}
_STEP_BLOCKS = 256
_MAX_STYLE_DEPTH = 12


def read_docx(source: Source, draft: Draft) -> None:
    """Read a Word document into sections.

    Raises:
        UserError: Damaged or too big.
    """
    with open_archive(source, draft):
        pass
    with source.open() as stream:
        document = docx.Document(stream)
    styles = _Styles(document)
    sections = SectionWriter(draft)
    blocks = list(_blocks(document.element.body))
    for done, block in enumerate(blocks):
        if done % _STEP_BLOCKS == 0:
            draft.step(done, len(blocks))
        if block.tag == f"{_W}tbl":
            sections.block(markdown_table(_rows(block)))
        else:
            _add_paragraph(block, styles, sections)
        sections.images(sum(1 for _ in block.iter(_BLIP)))
    _add_notes(document, sections)
    _add_margins(document, sections)
    sections.end_page()


class _Styles:
    """What a paragraph's style says about its place in the document."""

    def __init__(self, document: WordDocument) -> None:
        self._styles = {style.style_id: style for style in document.styles}

    def level(self, style_id: str | None) -> int | None:
        """Heading level from 1, None for body text; inherited from what a style is based on."""
        for name in self._names(style_id):
            if found := _HEADING.fullmatch(name):
                return int(found[1])
            if name.lower() in _TITLES:
                return _TITLES[name.lower()]
        return None

    def is_list(self, style_id: str | None) -> bool:
        """Whether the style is one of Word's list styles."""
        return any(name.lower().startswith("list ") for name in self._names(style_id))

    def _names(self, style_id: str | None) -> Iterator[str]:
        style = self._styles.get(style_id)
        for _ in range(_MAX_STYLE_DEPTH):
            if style is None:
                return
            yield style.name or ""
            style = getattr(style, "base_style", None)


def _blocks(parent: etree._Element) -> Iterator[etree._Element]:
    """Paragraphs and tables in order, those within content controls and insertions included."""
    pending = list(reversed(parent))
    while pending:
        child = pending.pop()
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag not in _SKIPPED and isinstance(child.tag, str):
            pending.extend(reversed(child))


def _add_paragraph(paragraph: etree._Element, styles: _Styles, sections: SectionWriter) -> None:
    text = _text(paragraph)
    if not text:
        return
    style = paragraph.find(f"{_W}pPr/{_W}pStyle")
    style_id = style.get(qn("w:val")) if style is not None else None
    level = styles.level(style_id)
    if level is not None:
        sections.heading(level, text)
        return
    numbering = paragraph.find(f"{_W}pPr/{_W}numPr")
    if numbering is None and not styles.is_list(style_id):
        sections.block(text)
        return
    depth = numbering.find(f"{_W}ilvl") if numbering is not None else None
    written = depth.get(qn("w:val"), "0") if depth is not None else "0"
    indent = "  " * min(int(written), 12) if written.isdecimal() else ""
    sections.list_item(f"{indent}- {text}")


def _text(element: etree._Element) -> str:
    """All text under an element, as it reads once every change under review is accepted."""
    parts: list[str] = []
    walker = etree.iterwalk(element, events=("start",))
    for _, node in walker:
        tag = node.tag
        if tag in _SKIPPED:
            walker.skip_subtree()
        elif tag == f"{_W}t":
            parts.append(node.text or "")
        elif tag in (f"{_W}footnoteReference", f"{_W}endnoteReference"):
            parts.append(f"[^{node.get(qn('w:id'))}]")
        elif tag in _CHARS and node is not element:
            parts.append(_CHARS[tag])
    return "".join(parts).strip()


def _rows(table: etree._Element) -> Iterator[list[str]]:
    for row in table.iterchildren(f"{_W}tr"):
        cells: list[str] = []
        for cell in row.iter(f"{_W}tc"):
            if _table_of(cell) is not table:
                continue
            cells.append(_text(cell))
            span = cell.find(f"{_W}tcPr/{_W}gridSpan")
            written = span.get(qn("w:val"), "1") if span is not None else "1"
            cells += [""] * (min(int(written), 64) - 1 if written.isdecimal() else 0)
        yield cells


def _table_of(cell: etree._Element) -> etree._Element | None:
    return next(cell.iterancestors(f"{_W}tbl"), None)


def _add_notes(document: WordDocument, sections: SectionWriter) -> None:
    """Footnotes, endnotes and comments, which lie in parts of their own."""
    for kind, tag in (("Footnotes", "footnote"), ("Endnotes", "endnote"), ("Comments", "comment")):
        lines: list[str] = []
        for relation in document.part.rels.values():
            if relation.is_external or not relation.reltype.endswith(f"/{kind.lower()}"):
                continue
            for note in parse_xml(relation.target_part.blob).iter(f"{_W}{tag}"):
                text = " ".join(_text(note).split())
                if text:
                    lines.append(f"[^{note.get(qn('w:id'))}]: {text}")
        if lines:
            sections.heading(2, kind)
            sections.block("\n".join(lines))


def _add_margins(document: WordDocument, sections: SectionWriter) -> None:
    """What stands in headers and footers, each text once."""
    texts: dict[str, None] = {}
    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(("/header", "/footer")):
            texts[_text(parse_xml(relation.target_part.blob))] = None
    lines = [text for text in texts if text]
    if lines:
        sections.heading(2, "Headers and footers")
        sections.block("\n".join(lines))

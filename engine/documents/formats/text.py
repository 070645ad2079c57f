"""Plain text, source code and Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.documents.encoding import decode_text
from engine.documents.sections import SectionWriter, split_lines
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.documents.draft import Draft
    from engine.documents.source import Source

_ATX = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_STEP_PAGES = 64


def read_text(source: Source, draft: Draft) -> None:
    """Plain text: its own pages where form feeds divide it, else runs of lines."""
    text = load_text(source, draft)
    pages = text.split("\f")
    if len(pages) > 1 and "\n" in text:
        for page in pages:
            draft.add_page(page)
        return
    add_line_pages(text, draft)


def read_code(source: Source, draft: Draft) -> None:
    """Source code: runs of lines, so that an answer can say where."""
    add_line_pages(load_text(source, draft), draft)


def read_markdown(source: Source, draft: Draft) -> None:
    """Markdown: sections by heading, the source text as it is."""
    add_markdown(load_text(source, draft), SectionWriter(draft))


def load_text(source: Source, draft: Draft) -> str:
    """Read and decode a text file, its line ends made one.

    Raises:
        UserError: Too big, or nothing but white space.
    """
    text = decode_text(source.read_bytes(draft.limits.text_file_bytes), draft)
    if not text.strip():
        raise UserError("documents.empty", name=source.name)
    draft.step(0, len(text))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def add_line_pages(text: str, draft: Draft, *, prefix: str = "", mark: str = "lines") -> None:
    """Add runs of lines as pages, labelled ``41-80`` (after `prefix`)."""
    done = 0
    part, before = 1, (0, 0)
    for first, last, piece in split_lines(text.split("\n")):
        done += len(piece)
        part, before = (part + 1 if (first, last) == before else 1), (first, last)
        label = f"{first}-{last}" if part == 1 else f"{first}-{last} part {part}"
        if piece.strip():
            draft.add_page(piece, label=prefix + label, mark=mark)
        if len(draft.pages) % _STEP_PAGES == 0:
            draft.step(done, len(text))


def add_markdown(text: str, sections: SectionWriter) -> None:
    """Cut Markdown at its headings; a `#` inside a fenced block is none."""
    paragraph: list[str] = []
    fence = ""

    def flush() -> None:
        sections.block("\n".join(paragraph))
        paragraph.clear()

    for line in text.split("\n"):
        opening = _FENCE.match(line)
        if fence:
            paragraph.append(line)
            if opening and opening[1].startswith(fence):
                fence = ""
        elif opening:
            fence = opening[1]
            paragraph.append(line)
        elif heading := _ATX.match(line):
            flush()
            sections.heading(len(heading[1]), heading[2] or "")
        elif len(paragraph) == 1 and paragraph[0].strip() and (under := _SETEXT.match(line)):
            title = paragraph.pop()
            sections.heading(1 if under[1][0] == "=" else 2, title)
        elif not line.strip():
            flush()
        else:
            paragraph.append(line)
    flush()
    sections.end_page()

"""HTML to Markdown: headings, lists, tables and code kept; scripts, styles and links' targets not.

lxml parses it without network, without external entities, and this module walks the tree without
recursion, so that depth hurts nobody. EPUB chapters and HTML mail come through here as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

from engine.documents.encoding import decode_text
from engine.documents.sections import SectionWriter
from engine.documents.tables import markdown_table

if TYPE_CHECKING:
    from engine.documents.draft import Draft
    from engine.documents.source import Source

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\A\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)")
# In XHTML any element may close itself; to HTML such a title would run to the end of the page.
_SELF_CLOSED = re.compile(
    r"<(title|script|style|a|p|div|span|i|b|em|td|th|li)(\s[^<>]{0,500})?/>", re.IGNORECASE
)
_XML_ENCODING = re.compile(r"\A(\s*<\?xml[^>]*?)\s+encoding\s*=\s*[\"'][^\"']*[\"']")
_SKIPPED = frozenset(
    {"head", "script", "style", "template", "noscript", "svg", "math", "object", "embed"}
    | {"iframe", "canvas", "audio", "video"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"html", "body", "p", "div", "section", "article", "main", "header", "footer", "nav", "aside"}
    | {"ul", "ol", "dl", "dt", "dd", "blockquote", "figure", "figcaption", "caption", "form"}
    | {"fieldset", "address", "hr", "details", "summary", "center"}
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(source: Source, draft: Draft) -> None:
    """Read a page of HTML into sections.

    Raises:
        UserError: Too big.
    """
    text = decode_html(source.read_bytes(draft.limits.text_file_bytes), draft)
    draft.step(0, 0)
    sections = SectionWriter(draft)
    add_html(text, sections)
    sections.end_page()


def decode_html(data: bytes, draft: Draft) -> str:
    """HTML as text, by the encoding that it declares where it is not UTF-8."""
    declared = _META_CHARSET.search(data[:4096]) or _XML_CHARSET.search(data[:200])
    return decode_text(data, draft, declared=declared[1].decode("ascii") if declared else "")


def add_html(text: str, sections: SectionWriter) -> None:
    """Add the visible text of HTML to `sections`."""
    parser = etree.HTMLParser(
        no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", _XML_ENCODING.sub(r"\1", text))
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        return
    _Walker(sections).walk(root)


class _Walker:
    """Turns one tree into headings and blocks."""

    def __init__(self, sections: SectionWriter) -> None:
        self._sections = sections
        self._inline: list[str] = []
        self._prefix = ""
        self._lists: list[int | None] = []
        self._list_lines: list[str] = []

    def walk(self, root: etree._Element) -> None:
        """Visit the tree in document order."""
        skipping: etree._Element | None = None
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if skipping is not None:
                if event == "end" and element is skipping:
                    skipping = None
                    self._add(element.tail)
                continue
            if event == "start":
                if self._taken_whole(element):
                    skipping = element
                    continue
                self._start(element)
            else:
                self._end(element)
                self._add(element.tail)
        self._flush_list()
        self._flush()

    def _taken_whole(self, element: etree._Element) -> bool:
        """Handle what is not walked into: the invisible, tables, code, images."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _SKIPPED or _is_hidden(element):
            return True
        if tag == "table" and not _is_layout(element):
            self._flush()
            self._sections_block(_table(element))
            self._sections.images(len(element.findall(".//img")))
            return True
        if tag == "pre":
            self._flush()
            code = "".join(element.itertext()).strip("\n")
            self._sections_block(f"```\n{code}\n```" if code.strip() else "")
            return True
        if tag in _HEADINGS:
            self._flush_list()
            self._flush()
            self._sections.heading(_HEADINGS[tag], "".join(element.itertext()))
            return True
        if tag == "img":
            self._sections.images(1)
            self._add(f" [image: {element.get('alt')}] " if element.get("alt") else " ")
            return True
        return False

    def _start(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == "br":
            self._inline.append("\n")
        elif tag == "li":
            self._flush()
            self._prefix = self._bullet()
        elif tag in _BLOCKS or tag in ("table", "tr", "td", "th"):
            self._flush()
            if tag in ("ul", "ol"):
                self._lists.append(0 if tag == "ol" else None)
        self._add(element.text)

    def _end(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == "li" or tag in _BLOCKS or tag in ("table", "tr", "td", "th"):
            self._flush()
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()
                if not self._lists:
                    self._flush_list()
        elif tag == "title":
            self._inline.clear()

    def _bullet(self) -> str:
        indent = "  " * max(0, min(len(self._lists), 12) - 1)
        if self._lists and (count := self._lists[-1]) is not None:
            self._lists[-1] = count + 1
            return f"{indent}{count + 1}. "
        return f"{indent}- "

    def _add(self, text: str | None) -> None:
        if text:
            self._inline.append(_SPACE.sub(" ", text))

    def _flush(self) -> None:
        """End the paragraph or list item in progress."""
        lines = [" ".join(line.split()) for line in "".join(self._inline).split("\n")]
        text = "\n".join(line for line in lines if line)
        self._inline.clear()
        if not text:
            return
        if self._lists:
            self._list_lines.append(self._prefix + text)
            self._prefix = " " * len(self._prefix)
        else:
            self._sections.block(self._prefix + text)
            self._prefix = ""

    def _flush_list(self) -> None:
        if self._list_lines:
            self._sections.block("\n".join(self._list_lines))
            self._list_lines = []

    def _sections_block(self, text: str) -> None:
        self._flush_list()
        self._sections.block(text)


def _is_hidden(element: etree._Element) -> bool:
    return element.get("hidden") is not None or bool(
        _HIDDEN_STYLE.search(element.get("style") or "")
    )


def _is_layout(table: etree._Element) -> bool:
    """Whether a table only places things: one within another, or a single cell."""
    return table.find(".//table") is not None or len(table.findall(".//td")) <= 1


def _table(table: etree._Element) -> str:
    rows: list[list[str]] = []
    for row in table.iter("tr"):
        rows.append([])
        for cell in row.iter("td", "th"):
            rows[-1].append(" ".join("".join(cell.itertext()).split()))
            rows[-1] += [""] * (_span(cell) - 1)
    return markdown_table(rows)


def _span(cell: etree._Element) -> int:
    """How many columns a cell covers; an absurd figure counts as one."""
    written = cell.get("colspan") or ""
    return int(written) if written.isdecimal() and 1 <= int(written[:4]) <= 64 else 1

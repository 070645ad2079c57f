"""What a document is once it has been read: pages of text, an outline, and what was left out.

The same structs cross the pipe from the reading process, sit in the stores and feed the prompt.
"""

from __future__ import annotations

import msgspec

from engine.errors import Problem


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One addressable piece of a document: a page, a section, a slide, a run of lines or rows.

    Attributes:
        number: Position in the document, from 1. Blank pages count.
        label: What the file itself calls the page ("iv", "12"). Unique within the document: where a
            file's own labels are not, they are replaced by the numbers.
        text: The page's text, cleaned (see clean.py); empty for a blank page.
        heading: The heading in force where the page begins, empty when there is none.
        mark: The word between a document's name and a label in a citation: "p.", "§", "slide",
            "sheet", "lines", "rows", "file".
        images: How many images it shows, which were not read.
    """

    number: int
    label: str
    text: str
    heading: str = ""
    mark: str = "p."
    images: int = 0

    @property
    def anchor(self) -> str:
        """How the page is cited, without the document's name: ``p. 12``, ``slide 3``."""
        return f"{self.mark} {self.label}"


class OutlineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table of contents: level 0 is the outermost, `page_number` counts from 1."""

    title: str
    page_number: int
    level: int = 0


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read whole. Never changes; a changed file is another document.

    Attributes:
        id: SHA-256 of the content, in hex: the same content is the same document, wherever it lies.
            For a folder, of the paths and contents that were read.
        name: File name, for people.
        path: Absolute path it was read from; empty for pasted text.
        kind: Format: "pdf", "text", "markdown", "code", "csv", "html", "docx", …
        size_bytes: Size on disk when it was read.
        mtime_ns: Time of last change on disk when it was read; 0 for pasted text.
        pages: All pages in order.
        notes: What the user should know: images that were not read, a guessed encoding, pages
            without text. Sentences by code, as in `UserError`.
        outline: Table of contents, possibly empty.
    """

    id: str
    name: str
    path: str
    kind: str
    size_bytes: int
    mtime_ns: int
    pages: tuple[Page, ...]
    notes: tuple[Problem, ...] = ()
    outline: tuple[OutlineEntry, ...] = ()

    @property
    def char_count(self) -> int:
        """Characters of text on all pages."""
        return sum(len(page.text) for page in self.pages)

    @property
    def word_count(self) -> int:
        """Words of text on all pages, as blanks divide them."""
        return sum(len(page.text.split()) for page in self.pages)

    @property
    def text(self) -> str:
        """All pages' text, blank pages left out, with an empty line between pages."""
        return "\n\n".join(page.text for page in self.pages if page.text)

    def page_with_label(self, label: str) -> Page | None:
        """The page that a citation names, or None."""
        return next((page for page in self.pages if page.label == label), None)

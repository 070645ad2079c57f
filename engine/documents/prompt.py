"""How documents are laid out in the prompt.

The block of a document depends on nothing but its citation name and its pages, so the same document
gives the same bytes in every request and the KV cache of a prefix that holds it stays valid.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.documents.model import Page

CITING_INSTRUCTION = (
    "Answer from the given documents. After each statement that comes from a document, cite the "
    "page it is on with that page's own marker, copied exactly, for example {example}."
)

_NAME_CHARS = 40
_UNSAFE = re.compile(r"[\[\]<>\"\s]+")


def citation_names(file_names: Sequence[str]) -> tuple[str, ...]:
    """Short names for documents that share a prompt: the file names' stems, made distinct.

    A name never depends on the documents that come after it, so adding one at the end leaves the
    blocks before it unchanged.
    """
    taken: set[str] = set()
    names: list[str] = []
    for file_name in file_names:
        stem = file_name.rsplit(".", 1)[0] or file_name
        stem = _UNSAFE.sub(" ", stem).strip()[:_NAME_CHARS].strip() or "document"
        name, count = stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)


def page_marker(name: str, page: Page) -> str:
    """What stands before a page's text and what an answer cites: ``[lease p. 12]``."""
    return f"[{name} {page.anchor}]"


def document_block(name: str, pages: Iterable[Page]) -> str:
    """One document, or the chosen pages of it, as text for the prompt.

    Args:
        name: Citation name, from `citation_names`.
        pages: The pages to send, in order. Blank ones are left out: they hold nothing to read.

    Returns:
        The block, ending in a newline. Equal arguments give equal bytes.
    """
    parts = [f'<document name="{name}">']
    parts += [f"{page_marker(name, page)}\n{page.text}\n" for page in pages if page.text]
    parts.append("</document>\n")
    return "\n".join(parts)


def citing_instruction(documents: Iterable[tuple[str, Iterable[Page]]]) -> str:
    """How to cite, with the first page's marker as the example; empty without documents.

    It stays the same, byte for byte, when a document is added behind the others.
    """
    example = ""
    for name, pages in documents:
        first = next((page for page in pages if page.text), None)
        if first is not None:
            return CITING_INSTRUCTION.format(example=page_marker(name, first))
        example = "[name p. 1]"
    return CITING_INSTRUCTION.format(example=example) if example else ""

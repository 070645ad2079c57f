"""Which pages of a document fit into what is left of the context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.documents.pages import as_selection, chosen_pages

if TYPE_CHECKING:
    from engine.documents.model import Document


def pages_that_fit(document: Document, selection: str, tokens: int, room: int) -> str:
    """The first pages whose text takes about `room` tokens, as a selection.

    The tokens of a page are estimated from its share of the characters; the engine counts again
    before anything is sent.

    Args:
        document: The document.
        selection: Pages that are chosen now; empty for all.
        tokens: What these take, by the engine's count.
        room: What they may take.

    Returns:
        Empty when not even one page fits, or when all do.
    """
    pages = chosen_pages(document, selection)
    characters = sum(len(page.text) for page in pages)
    if not characters or room <= 0 or room >= tokens:
        return ""
    allowed = characters * room / tokens
    fitting: list[int] = []
    for page in pages:
        allowed -= len(page.text)
        if allowed < 0:
            break
        fitting.append(page.number)
    return as_selection(fitting)

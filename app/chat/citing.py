"""What replies cite: checked against the documents, kept with the reply, shown as chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.documents.prompt import citation_names
from widgets.chat.viewdata import CitationView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.chat.prompting import PromptPart
    from app.store.rows import Json, Message
    from engine.documents.citations import Citation

SCHEME = "cite"
_KEY = "citations"


class KeptCitation(msgspec.Struct, frozen=True, kw_only=True):
    """A checked citation as it is stored with a reply. Fields are only ever added.

    Attributes:
        text: How it stands in the reply, with its brackets.
        document_id: The document it names.
        page_number: The page it leads to; None when the document has no such page.
        quote: What was looked for there.
        verified: Whether that was found.
        span: From where to where it stands in the page's text.
        found_on: Other pages on which a quotation stands that is not on this one.
    """

    text: str
    document_id: str
    page_number: int | None = None
    quote: str = ""
    verified: bool = False
    span: tuple[int, int] | None = None
    found_on: tuple[int, ...] = ()

    @property
    def leads_to(self) -> int:
        """The page to show for it."""
        return self.page_number or (self.found_on[0] if self.found_on else 1)


def check(answer: str, parts: Sequence[PromptPart]) -> tuple[KeptCitation, ...]:
    """All citations of an answer. Takes its time with long documents: not for the main thread."""
    from engine.documents.citations import CitationChecker

    names = citation_names([part.document.name for part in parts])
    documents = dict(zip(names, (part.document for part in parts), strict=True))
    checker = CitationChecker({name: one.pages for name, one in documents.items()})
    return tuple(_kept(answer, each, documents[each.document].id) for each in checker.check(answer))


def with_citations(stats: Json | None, citations: Sequence[KeptCitation]) -> Json:
    """The figures of a reply with what it cites."""
    return {**(stats or {}), _KEY: msgspec.to_builtins(citations)}


def kept_with(message: Message) -> tuple[KeptCitation, ...]:
    """What was checked of a reply."""
    found: Any = (message.stats or {}).get(_KEY, ())
    try:
        return msgspec.convert(found, tuple[KeptCitation, ...])
    except msgspec.ValidationError:
        return ()


def citation_views(message: Message) -> tuple[CitationView, ...]:
    """Chips for a reply's text.

    All places with the same text share one chip: it is solid only if each of them was found, and
    leads to the first that was not.
    """
    by_text: dict[str, list[tuple[int, KeptCitation]]] = {}
    for index, citation in enumerate(kept_with(message)):
        by_text.setdefault(citation.text, []).append((index, citation))
    views = []
    for text, places in by_text.items():
        missing = [index for index, citation in places if not citation.verified]
        views.append(
            CitationView(
                text=text,
                label=text[1:-1],
                target=f"{SCHEME}:{message.id}:{missing[0] if missing else places[0][0]}",
                state="missing" if missing else "found",
            )
        )
    return tuple(views)


def citation_at(message: Message, index: int) -> KeptCitation | None:
    """The citation that a chip's target names."""
    kept = kept_with(message)
    return kept[index] if 0 <= index < len(kept) else None


def _kept(answer: str, citation: Citation, document_id: str) -> KeptCitation:
    return KeptCitation(
        text=answer[citation.start : citation.end],
        document_id=document_id,
        page_number=citation.page_number,
        quote=citation.quote,
        verified=citation.verified,
        span=citation.span,
        found_on=citation.found_on,
    )

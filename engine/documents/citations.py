"""Checks what an answer cites: is what it says on the page that it names?

A citation is a page's marker, ``[lease p. 12]``. Before it stands what it vouches for. A quotation
in there must be found on that page word for word; without a quotation, the sentence's figures and
telling words must stand together on the page. What cannot be found is never called false, only not
found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from engine.documents.prompt import page_marker
from engine.documents.wording import Wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.documents.model import Page

_BRACKETS = re.compile(r"\[([^\[\]\n]{3,200})\]")
# Several places in one pair of brackets: [lease p. 3, p. 5], [lease p. 3; annex p. 1].
_BETWEEN = re.compile(r"\s*[;,]\s*|\s+and\s+")
_RANGE = re.compile(r"(.*?)(\d+)\s*[-\u2013]\s*(\d+)$")
_OPENING, _CLOSING = '"\u201c\u201e\u00ab', '"\u201d\u201c\u00bb'
_QUOTATION = re.compile(f"[{_OPENING}]([^{_OPENING}{_CLOSING}]{{4,}})[{_CLOSING}]")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"\u201d\u2019)]?\s+|\n+")
_MAX_RANGE_PAGES = 40


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """One citation of an answer, checked.

    Attributes:
        start: Where its brackets begin in the answer.
        end: Where they end.
        document: Citation name of the document.
        page_number: The page it leads to, from 1; None when there is no such page.
        quote: What was looked for: the quotation, else the sentence.
        verified: Whether that was found on the page.
        span: From where to where it stands in the page's text; None when it was not found.
        found_on: Other pages of the document on which a quotation that is not on this page stands.
    """

    start: int
    end: int
    document: str
    page_number: int | None
    quote: str
    verified: bool
    span: tuple[int, int] | None = None
    found_on: tuple[int, ...] = ()


class CitationChecker:
    """Checks answers against the documents of one chat. Keeps what it has prepared of each page."""

    def __init__(self, documents: Mapping[str, Sequence[Page]]) -> None:
        """Take the documents that an answer may cite: pages by citation name."""
        self._documents = documents
        self._by_marker: dict[str, tuple[str, Page]] = {}
        self._by_number: dict[str, tuple[str, Page]] = {}
        self._wordings: dict[tuple[str, int], Wording] = {}
        for name, pages in documents.items():
            for page in pages:
                self._by_marker[_key(page_marker(name, page)[1:-1])] = name, page
                # For an answer that counts pages where the file prints other labels.
                self._by_number[_key(f"{name} {page.mark} {page.number}")] = name, page

    def check(self, answer: str) -> list[Citation]:
        """All citations of an answer, in order. Brackets that name no document are none."""
        citations: list[Citation] = []
        claim_start = 0
        for brackets in _BRACKETS.finditer(answer):
            places = list(self._places(brackets[1]))
            if not places:
                continue
            claim = _claim(answer[claim_start : brackets.start()])
            if not claim and citations:
                # [lease p. 3] [lease p. 5]: both vouch for the same.
                claim = citations[-1].quote
            for name, page in places:
                citations.append(self._checked(brackets, name, page, claim))
            claim_start = brackets.end()
        return citations

    def _places(self, text: str) -> Iterator[tuple[str, Page | None]]:
        """The pages that the text between brackets names."""
        # A list names its document, and at times the kind of place, only once.
        named: tuple[str, ...] = ()
        for part in _BETWEEN.split(text):
            for place in _range(part):
                tried = (place, *(f"{beginning} {place}" for beginning in named))
                found = next(filter(None, map(self._place, tried)), None)
                if found is None and (name := self._named(place)):
                    found = name, None
                if found is not None:
                    name, page = found
                    named = (name, f"{name} {page.mark}") if page is not None else (name,)
                    yield found

    def _place(self, text: str) -> tuple[str, Page | None] | None:
        key = _key(text)
        if key in self._by_marker:
            return self._by_marker[key]
        if key in self._by_number:
            return self._by_number[key]
        # With one document, its name goes without saying.
        if len(self._documents) == 1:
            key = _key(f"{next(iter(self._documents))} {text}")
            return self._by_marker.get(key) or self._by_number.get(key)
        return None

    def _named(self, text: str) -> str:
        """The document that a place without a page names, empty when it names none."""
        key = _key(text)
        marked = re.compile(r" (p|slide|sheet|lines|rows|file|§)( |$)")
        for name in self._documents:
            rest = key.removeprefix(_key(name))
            if rest != key and marked.match(rest):
                return name
        return ""

    def _checked(
        self, brackets: re.Match[str], name: str, page: Page | None, claim: str
    ) -> Citation:
        quotations = [found[1].strip() for found in _QUOTATION.finditer(claim)]
        quote = quotations[-1] if quotations else claim
        span: tuple[int, int] | None = None
        found_on: tuple[int, ...] = ()
        if page is not None:
            wording = self._wording(name, page)
            span = wording.find(quote) if quotations else wording.find_claim(claim)
        if span is None and quotations:
            found_on = tuple(
                other.number
                for other in self._documents[name]
                if self._wording(name, other).find(quote) is not None
            )
        return Citation(
            start=brackets.start(),
            end=brackets.end(),
            document=name,
            page_number=page.number if page is not None else None,
            quote=quote,
            verified=span is not None,
            span=span,
            found_on=found_on,
        )

    def _wording(self, name: str, page: Page) -> Wording:
        key = name, page.number
        if key not in self._wordings:
            self._wordings[key] = Wording(page.text)
        return self._wordings[key]


def _key(text: str) -> str:
    """A marker without what models get wrong in copying: case, spaces, the dot after p."""
    text = re.sub(r"\b(?:pages?|pp?)\b\.?\s*(?=[\w(])", "p ", text.casefold())
    return " ".join(text.replace("§", " § ").split())


def _range(part: str) -> list[str]:
    """``lease p. 3-5`` as its pages; a label that has a dash of its own stays whole too."""
    found = _RANGE.match(part)
    if found is None:
        return [part]
    first, last = int(found[2]), int(found[3])
    if not first < last <= first + _MAX_RANGE_PAGES or not re.search(r"p\.?\s*$", found[1]):
        return [part]
    return [f"{found[1]}{number}" for number in range(first, last + 1)]


def _claim(text: str) -> str:
    """The sentence that ends where the brackets begin."""
    text = text.strip().lstrip(".,;:!?)").strip()
    body = text.rstrip(" .!?")
    ends = [found.end() for found in _SENTENCE_END.finditer(body)]
    claim = text[ends[-1] :] if ends else text
    # A quotation may hold several sentences: it is taken whole.
    quoted = [found for found in _QUOTATION.finditer(text) if found.end() >= len(text) - 3]
    if quoted and quoted[-1].start() < len(text) - len(claim):
        claim = text[quoted[-1].start() :]
    return claim.strip()

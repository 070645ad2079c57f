"""A document in the making: what a format's reader writes into, page by page.

Here the limits on pages and text act, here cancelling acts, here labels become unique.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from engine.documents.clean import clean
from engine.documents.limits import Limits
from engine.documents.model import OutlineEntry, Page
from engine.documents.pages import shown_selection
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.errors import Params


def _never() -> bool:
    return False


def _silent(_done: int, _total: int) -> None:
    return None


class Draft:
    """Pages, outline and notes of one document while it is being read.

    Attributes:
        name: The file's name, for sentences.
        limits: Bounds on pages and text.
        password: What the user gave for an encrypted file, or None.
        pages: Pages so far.
        outline: Table of contents so far.
    """

    def __init__(
        self,
        name: str,
        *,
        limits: Limits | None = None,
        password: str | None = None,
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.password = password
        self.pages: list[Page] = []
        self.outline: list[OutlineEntry] = []
        self._cancelled = cancelled or _never
        self._progress = progress or _silent
        self._chars = 0
        self._hidden = 0
        self._loose_images = 0
        self._notes: dict[tuple[str, str], Problem] = {}

    def step(self, done: int, total: int) -> None:
        """Report progress and stop here if the user cancelled.

        Raises:
            UserError: ``documents.cancelled``.
        """
        if self._cancelled():
            raise UserError("documents.cancelled", name=self.name)
        self._progress(done, total)

    def note(self, code: str, **params: str | int | float) -> None:
        """Tell the user about something, once per code and parameters."""
        key = (code, repr(sorted(params.items())))
        self._notes[key] = Problem(code=code, params=_named(self.name, params))

    def note_images(self, count: int) -> None:
        """Count images that were not read and belong to no page; the others come with theirs."""
        self._loose_images += count

    def add_page(
        self, text: str, *, label: str = "", heading: str = "", mark: str = "p.", images: int = 0
    ) -> None:
        """Append a page. Without a label it is called by its number.

        Raises:
            UserError: ``documents.too_many_pages`` or ``documents.too_much_text``.
        """
        number = len(self.pages) + 1
        if number > self.limits.pages:
            raise UserError("documents.too_many_pages", name=self.name, limit=self.limits.pages)
        text, hidden = clean(text)
        self._hidden += hidden
        self.count(len(text))
        self.pages.append(
            Page(
                number=number,
                label=_as_label(label) or str(number),
                text=text,
                heading=clean(heading)[0].strip(),
                mark=mark,
                images=images,
            )
        )

    def count(self, chars: int) -> None:
        """Count text against the limit, also while it is still being gathered into a page.

        Raises:
            UserError: ``documents.too_much_text``.
        """
        self._chars += chars
        if self._chars > self.limits.chars:
            raise UserError("documents.too_much_text", name=self.name, limit=self.limits.chars)

    def add_outline(self, title: str, page_number: int, level: int) -> None:
        """Append a line of the table of contents; one without a title says nothing."""
        title = " ".join(clean(title)[0].split())
        if title:
            self.outline.append(OutlineEntry(title=title, page_number=page_number, level=level))

    def finished_pages(self) -> tuple[Page, ...]:
        """All pages, their labels made unique."""
        counts = Counter((page.mark, page.label) for page in self.pages)
        if all(count == 1 for count in counts.values()):
            return tuple(self.pages)
        # A label that two pages share cannot be cited. Position is what a reader falls back on.
        return tuple(msgspec.structs.replace(page, label=str(page.number)) for page in self.pages)

    def finished_notes(self) -> tuple[Problem, ...]:
        """All notes."""
        if self._hidden:
            self.note("documents.note_hidden", count=self._hidden)
        self._note_all_images()
        return tuple(self._notes.values())

    def _note_all_images(self) -> None:
        pages = [page for page in self.pages if page.images]
        count = sum(page.images for page in pages) + self._loose_images
        if pages:
            where = shown_selection(page.number for page in pages)
            self.note("documents.note_images_on", count=count, pages=where)
        elif count:
            self.note("documents.note_images", count=count)


def _named(name: str, params: Params) -> Params:
    return {"name": name, **params}


def _as_label(label: str) -> str:
    """A label that can stand in an anchor: one line, no brackets, not long."""
    return " ".join(clean(label)[0].replace("[", "(").replace("]", ")").split())[:120]

"""What the library shows, as plain frozen data, and how it is searched and sorted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


Order = Literal["added", "name", "pages", "tokens", "size"]
ORDERS: Final[tuple[Order, ...]] = ("added", "name", "pages", "tokens", "size")


class LibraryItemView(msgspec.Struct, frozen=True):
    """A document.

    Attributes:
        id: Opaque; a path while it is being read.
        format: Its format, for people.
        badge: The same in a few letters.
        words: None where they are not counted yet.
        tokens: Tokens in all for the loaded model; None without one, or while they are counted.
        chats: Titles of the chats that it serves.
        unread: What was not read of it, in a few words; empty for nothing.
        detail: Everything else there is to say, line by line.
        is_older: The same file was read again later.
        is_in_chat: Whether the open chat has it.
        is_reading: It is being read for the first time.
        fraction: 0 to 1 while being read; None while that is unknown.
        thumbnail: Its first page; None where there is none.
    """

    id: str
    name: str
    format: str = ""
    badge: str = ""
    pages: int | None = None
    words: int | None = None
    tokens: int | None = None
    size_bytes: int | None = None
    added_at: datetime | None = None
    chats: tuple[str, ...] = ()
    unread: str = ""
    detail: str = ""
    is_older: bool = False
    is_in_chat: bool = False
    is_reading: bool = False
    fraction: float | None = None
    thumbnail: QImage | None = None

    @property
    def tokens_per_page(self) -> int | None:
        """On the average; None where either is unknown."""
        return round(self.tokens / self.pages) if self.tokens is not None and self.pages else None


def matching(items: Iterable[LibraryItemView], text: str) -> list[LibraryItemView]:
    """Documents whose name, format, chats or place hold all words."""
    words = text.casefold().split()
    return [
        item
        for item in items
        if all(
            word in f"{item.name} {item.format} {' '.join(item.chats)} {item.detail}".casefold()
            for word in words
        )
    ]


def in_order(items: Iterable[LibraryItemView], order: Order) -> list[LibraryItemView]:
    """Names from a to z, everything else from the newest or largest down; what is read first."""
    by_name = sorted(items, key=lambda item: item.name.casefold())
    keys: dict[Order, Callable[[LibraryItemView], float]] = {
        "added": lambda item: item.added_at.timestamp() if item.added_at else 0.0,
        "name": lambda item: 0.0,
        "pages": lambda item: item.pages or 0,
        "tokens": lambda item: item.tokens or item.words or 0,
        "size": lambda item: item.size_bytes or 0,
    }
    key = keys[order]
    return sorted(by_name, key=lambda item: (not item.is_reading, -key(item)))

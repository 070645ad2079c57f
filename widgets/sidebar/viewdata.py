"""What the sidebar shows, as plain frozen data. Ids are opaque strings of the application."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import msgspec

ChatActivity = Literal["idle", "reading", "writing", "unread", "failed"]
DocumentState = Literal["reading", "counting", "ready", "on_disk", "failed"]


class Section(StrEnum):
    """Where a chat stands in the list, in this order."""

    PINNED = "pinned"
    TODAY = "today"
    YESTERDAY = "yesterday"
    EARLIER = "earlier"


class ChatItemView(msgspec.Struct, frozen=True):
    """One chat.

    Attributes:
        updated_at: Local time with or without a zone; decides its section.
        tokens: Tokens it holds, shown as ``18k``; None leaves it out.
        folder: Empty for none. Chats of a folder are listed under its name.
        activity: What is going on in it, also while another chat is open.
    """

    id: str
    title: str
    updated_at: datetime
    tokens: int | None = None
    is_pinned: bool = False
    folder: str = ""
    activity: ChatActivity = "idle"


class SearchHitView(msgspec.Struct, frozen=True):
    """A message, or a title, that matches the search.

    Attributes:
        message_id: Empty when the title matched.
        marks: Where the words stand in `snippet`: (start, length) pairs.
    """

    chat_id: str
    title: str
    snippet: str
    message_id: str = ""
    marks: tuple[tuple[int, int], ...] = ()


class DocumentItemView(msgspec.Struct, frozen=True):
    """A document the app knows.

    Attributes:
        fraction: 0 to 1 while being read.
        problem: A sentence when it could not be read.
    """

    id: str
    name: str
    state: DocumentState = "on_disk"
    pages: int | None = None
    tokens: int | None = None
    fraction: float | None = None
    problem: str = ""


def section_of(chat: ChatItemView, now: datetime) -> Section:
    """The section a chat is listed in."""
    if chat.is_pinned:
        return Section.PINNED
    day, today = chat.updated_at.date(), now.date()
    if day >= today:
        return Section.TODAY
    if day == today - timedelta(days=1):
        return Section.YESTERDAY
    return Section.EARLIER

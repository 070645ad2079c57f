"""What the application keeps: chats and documents in SQLite, settings in a JSON file.

No Qt in here. Writes go through one thread; what the caller gets are frozen structs and futures.
"""

from app.store.chat_store import ChatStore
from app.store.chats import title_from
from app.store.rows import (
    Chat,
    ChatContents,
    ChatDocument,
    Deletion,
    DocumentInfo,
    Message,
    MessageState,
    Record,
    Role,
    Saving,
    SearchHit,
    TokenCounts,
)
from app.store.streaming import ReplyStream

__all__ = [
    "Chat",
    "ChatContents",
    "ChatDocument",
    "ChatStore",
    "Deletion",
    "DocumentInfo",
    "Message",
    "MessageState",
    "Record",
    "ReplyStream",
    "Role",
    "Saving",
    "SearchHit",
    "TokenCounts",
    "title_from",
]

"""Search in titles and messages: the user's words as a safe query, hits with marked snippets."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from app.store.rows import SearchHit

if TYPE_CHECKING:
    import sqlite3

    from app.store.database import Readers

_OPEN, _CLOSE = "\x02", "\x03"
_SNIPPET_WORDS = 16
_SCAN_CHARACTERS = 40
# Scripts written without spaces: the index takes a whole run of them for one word.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "HANGUL")

_TITLES = """
SELECT chats.id, NULL, chats.title, highlight(title_index, 0, ?2, ?3)
FROM title_index JOIN chats ON chats.id = title_index.rowid
WHERE title_index MATCH ?1 AND chats.deleted_us IS NULL
ORDER BY rank LIMIT ?4
"""
_TEXTS = f"""
SELECT chats.id, messages.id, chats.title, snippet(text_index, 0, ?2, ?3, '…', {_SNIPPET_WORDS})
FROM text_index JOIN messages ON messages.id = text_index.rowid
JOIN chats ON chats.id = messages.chat_id
WHERE text_index MATCH ?1 AND messages.deleted_us IS NULL AND chats.deleted_us IS NULL
ORDER BY rank LIMIT ?4
"""
_SCAN_TITLES = """
SELECT id, NULL, title, title FROM chats
WHERE instr(title, ?1) AND deleted_us IS NULL ORDER BY updated_us DESC LIMIT ?2
"""
_SCAN_TEXTS = """
SELECT chats.id, messages.id, chats.title, messages.text
FROM messages JOIN chats ON chats.id = messages.chat_id
WHERE instr(messages.text, ?1) AND messages.deleted_us IS NULL AND chats.deleted_us IS NULL
ORDER BY messages.id DESC LIMIT ?2
"""


def match_query(typed: str) -> str:
    """The words of a search box as an FTS5 query: all must occur, each may go on.

    Nothing the user types is syntax: every word is quoted. Empty when there is no word.
    """
    words = [word for word in typed.replace("\0", " ").split() if any(map(str.isalnum, word))]
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)


class Search:
    """Finds chats by their titles and messages. Runs on the calling thread."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def find(self, typed: str, limit: int = 50) -> tuple[SearchHit, ...]:
        """Hits in titles, then in messages, the best first."""
        query = match_query(typed)
        if not query:
            return ()
        with self._readers.lend() as connection:
            if _is_unspaced(typed):
                return _scan(connection, typed.strip(), limit)
            hits: list[SearchHit] = []
            for statement in (_TITLES, _TEXTS):
                values = (query, _OPEN, _CLOSE, limit - len(hits))
                hits.extend(
                    _hit(chat_id, message_id, title, *_unmarked(marked))
                    for chat_id, message_id, title, marked in connection.execute(statement, values)
                )
            return tuple(hits)


def _scan(connection: sqlite3.Connection, typed: str, limit: int) -> tuple[SearchHit, ...]:
    hits: list[SearchHit] = []
    for statement in (_SCAN_TITLES, _SCAN_TEXTS):
        for chat_id, message_id, title, text in connection.execute(
            statement, (typed, limit - len(hits))
        ):
            snippet, start = _around(text, typed)
            hits.append(_hit(chat_id, message_id, title, snippet, ((start, len(typed)),)))
    return tuple(hits)


def _hit(
    chat_id: int,
    message_id: int | None,
    title: str,
    snippet: str,
    marks: tuple[tuple[int, int], ...],
) -> SearchHit:
    return SearchHit(
        chat_id=chat_id, message_id=message_id, title=title, snippet=snippet, marks=marks
    )


def _is_unspaced(typed: str) -> bool:
    return any(unicodedata.name(character, "").startswith(_UNSPACED) for character in typed)


def _around(text: str, found: str) -> tuple[str, int]:
    at = text.index(found)
    begin = max(0, at - _SCAN_CHARACTERS)
    end = at + len(found) + _SCAN_CHARACTERS
    lead = "…" if begin else ""
    tail = "…" if end < len(text) else ""
    return lead + text[begin:end] + tail, len(lead) + at - begin


def _unmarked(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text without its marks, and where they were. A stray mark in the text is dropped."""
    plain: list[str] = []
    marks: list[tuple[int, int]] = []
    length, start = 0, -1
    for part in _parts(marked):
        if part == _OPEN:
            start = length
        elif part == _CLOSE:
            if start >= 0 and length > start:
                marks.append((start, length - start))
            start = -1
        else:
            plain.append(part)
            length += len(part)
    return "".join(plain), tuple(marks)


def _parts(marked: str) -> list[str]:
    spaced = marked.replace(_OPEN, f"\0{_OPEN}\0").replace(_CLOSE, f"\0{_CLOSE}\0")
    return spaced.split("\0")

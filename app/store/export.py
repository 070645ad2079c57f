"""Chats as files: Markdown for people, JSON to be read back. Records and document names stay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from app.store.rows import Chat, ChatContents, ChatDocument, Message, Record
from engine.documents.parts.results import PartNotes
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = "leadline-chat"
VERSION = 1
# A chat of a million tokens takes some ten megabytes: what is larger is no chat.
_MOST_BYTES = 512 * 1024**2

_SPEAKERS = {"user": "You", "assistant": "Reply", "system": "System"}
_STATES = {
    "streaming": "This reply was still being written.",
    "stopped": "This reply was stopped.",
    "interrupted": "This reply was interrupted.",
}


class ChatFile(msgspec.Struct, frozen=True, kw_only=True):
    """A chat in a JSON file, with all versions of its messages."""

    format: str = FORMAT
    version: int = VERSION
    chat: Chat
    messages: tuple[Message, ...] = ()
    documents: tuple[ChatDocument, ...] = ()


def to_markdown(contents: ChatContents) -> str:
    """The shown branch as Markdown."""
    chat = contents.chat
    parts = [f"# {_line(chat.title) or 'Untitled chat'}", f"*{_day(chat.created_at)}*"]
    if contents.documents:
        parts.append("\n".join(f"- {_document(one)}" for one in contents.documents))
    for message in contents.messages:
        parts.append(_heading(message))
        parts.extend(map(_record, message.records))
        if message.thinking:
            parts.append(_folded("Thinking", message.thinking))
        if message.text:
            parts.append(message.text.strip("\n"))
        state = message.problem.message if message.problem else _STATES.get(message.state)
        if state:
            parts.append(f"> {_line(state)}")
    return "\n\n".join(parts) + "\n"


def to_json(chat: Chat, tree: Sequence[Message], documents: Sequence[ChatDocument]) -> bytes:
    """A chat with all versions as a JSON file."""
    file = ChatFile(chat=chat, messages=tuple(tree), documents=tuple(documents))
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def read_chat_file(path: Path) -> ChatFile:
    """Read a chat back from a file that may be anything.

    Raises:
        UserError: ``stores.not_a_chat``, ``stores.chat_too_new``, ``stores.chat_file_unreadable``.
    """
    try:
        # A folder, a device and a model file are told apart before they are read.
        if path.exists() and not path.is_file():
            raise UserError("stores.not_a_chat", name=path.name, detail="no plain file")
        if path.stat().st_size > _MOST_BYTES:
            raise UserError("stores.not_a_chat", name=path.name, detail="too large")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError("stores.chat_file_unreadable", name=path.name, reason=reason) from error
    return from_json(data, path.name)


def from_json(data: bytes, name: str) -> ChatFile:
    """Read a chat back, checked so far that it can be stored.

    Args:
        data: What the file holds.
        name: What the file is called, for sentences about it.

    Raises:
        UserError: ``stores.not_a_chat`` or ``stores.chat_too_new``.
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format != FORMAT:
            raise UserError("stores.not_a_chat", name=name, detail=f"format {head.format!r}")
        if head.version > VERSION:
            raise UserError("stores.chat_too_new", name=name, version=head.version)
        file = msgspec.json.decode(data, type=ChatFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("stores.not_a_chat", name=name, detail=str(error)) from error
    if fault := _fault_of(file):
        raise UserError("stores.not_a_chat", name=name, detail=fault)
    return file


class _Head(msgspec.Struct):
    format: str
    version: int


def _fault_of(file: ChatFile) -> str:
    """Why it cannot be stored; empty when it can."""
    seen: set[int] = set()
    for message in file.messages:
        if message.id in seen:
            return f"message {message.id} is there twice"
        if message.parent_id is not None and message.parent_id not in seen:
            return f"message {message.id} stands before its parent"
        seen.add(message.id)
    for at_s in (file.chat.created_at, *(message.created_at for message in file.messages)):
        # Later than the year 9999 no calendar of ours can show it.
        if not 0 <= at_s < 253_402_300_800:
            return f"{at_s} is no time"
    return ""


def _heading(message: Message) -> str:
    model = (message.stats or {}).get("model")
    named = f" · {_line(model)}" if isinstance(model, str) and model else ""
    version = ""
    if len(message.versions) > 1:
        version = f" · version {message.version_index + 1} of {len(message.versions)}"
    return f"## {_SPEAKERS[message.role]}{named}{version}"


def _notes_on_parts(record: Record) -> str:
    """What was noted of the parts that were read for a question; empty for other records."""
    read = record.data.get("read_in_parts")
    try:
        parts = msgspec.convert(read["parts"], tuple[PartNotes, ...]) if read else ()
    except (msgspec.ValidationError, KeyError, TypeError):
        # The record of a newer version, in a chat that was imported.
        return ""
    return "\n\n".join(
        f"**{part.number}. {_line(part.document)}, {_line(part.place)}**\n\n"
        + (part.problem.message if part.problem is not None else part.notes.strip())
        for part in parts
    )


def _record(record: Record) -> str:
    lines = [f"> {_line(record.sentence)}"]
    summary = record.data.get("summary")
    if isinstance(summary, str):
        # It stands for messages in all that follows: part of what the model was told.
        lines += [">", *(f"> {line}".rstrip() for line in summary.splitlines())]
    if notes := _notes_on_parts(record):
        lines += ["", _folded("What each part said", notes)]
    return "\n".join(lines)


def _document(one: ChatDocument) -> str:
    info = one.document
    pages = f", {info.page_count:,} pages" if info.page_count > 1 else ""
    chosen = f", {one.selection}" if one.selection else ""
    return f"{_line(info.name)}{pages} ({one.mode}{chosen})"


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text.strip()}\n\n</details>"


def _line(text: str) -> str:
    return " ".join(text.split())


def _day(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))

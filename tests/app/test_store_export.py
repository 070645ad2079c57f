"""Export to Markdown and JSON, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from app.store import ChatStore, Record
from engine.documents.model import Document, Page
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.store.rows import Chat

_RECORD = Record(kind="stores.document_not_here", data={"name": "old.pdf", "tokens": 412})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    opened = ChatStore(tmp_path / "chats.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[ChatStore]:
    opened = ChatStore(tmp_path / "elsewhere" / "chats.sqlite3")
    yield opened
    opened.close()


def document() -> Document:
    pages = tuple(Page(number=number, label=str(number), text="Text") for number in (1, 2))
    return Document(
        id="hash", name="lease.pdf", path="", kind="pdf", size_bytes=9, mtime_ns=0, pages=pages
    )


def talked_about(store: ChatStore) -> int:
    """A chat with two versions of a reply, the first one shown, a document and a record."""
    chat_id = store.chats.create(title="Lease\n2026", settings={"seed": 7}).wait().id
    store.documents.put(document())
    store.documents.attach(chat_id, "hash", mode="passages", selection="1-2")
    question = store.messages.add(chat_id, None, "user", "What about notice?").wait()
    store.documents.mark_sent(chat_id, question.id)
    shown = store.messages.add(
        chat_id, question.id, "assistant", state="streaming", records=(_RECORD,)
    ).wait()
    stream = store.messages.stream(shown)
    stream.append("Thirty **days**.", thinking="clause 7")
    stream.finish("stopped", stats={"model": "SmolLM2", "tokens": 5})
    store.messages.add(chat_id, question.id, "assistant", "Sixty days.").wait()
    store.messages.select(shown.id).result(5)
    return chat_id


def test_markdown_shows_the_branch_with_its_records(store: ChatStore) -> None:
    text = store.export_markdown(talked_about(store))
    title, day, *rest = text.split("\n\n")
    assert title == "# Lease 2026"
    assert day.startswith("*20")
    assert rest == [
        "- lease.pdf, 2 pages (passages, 1-2)",
        "## You",
        "What about notice?",
        "## Reply · SmolLM2 · version 1 of 2",
        "> The document old.pdf belongs to this chat but is not stored here.",
        "<details><summary>Thinking</summary>",
        "clause 7",
        "</details>",
        "Thirty **days**.",
        "> This reply was stopped.\n",
    ]


def test_json_comes_back_with_all_versions(store: ChatStore, tmp_path: Path) -> None:
    chat_id = talked_about(store)
    exported = store.export_json(chat_id)
    copy = _imported(store, exported, tmp_path)
    assert copy.id != chat_id
    before, after = store.messages.contents(chat_id), store.messages.contents(copy.id)
    assert before is not None
    assert after is not None
    assert essence(store, copy.id) == essence(store, chat_id)
    assert [one.text for one in after.messages] == [one.text for one in before.messages]
    assert after.messages[-1].records == (_RECORD,)
    assert after.documents[0].document == before.documents[0].document
    assert after.documents[0].message_id == after.messages[0].id
    assert after.chat.settings == {"seed": 7}
    assert store.search.find("sixty")


def test_a_document_that_is_not_here_is_named_in_a_record(
    store: ChatStore, elsewhere: ChatStore, tmp_path: Path
) -> None:
    copy = _imported(elsewhere, store.export_json(talked_about(store)), tmp_path)
    contents = elsewhere.messages.contents(copy.id)
    assert contents is not None
    assert contents.documents == ()
    assert contents.messages[-1].records[-1].data == {"name": "lease.pdf"}


def test_an_empty_chat_goes_there_and_back(store: ChatStore, tmp_path: Path) -> None:
    chat_id = store.chats.create().wait().id
    assert store.export_markdown(chat_id).startswith("# Untitled chat\n")
    copy = _imported(store, store.export_json(chat_id), tmp_path)
    assert copy.leaf_id is None


def test_there_is_no_export_of_a_chat_that_is_gone(store: ChatStore) -> None:
    with pytest.raises(LookupError):
        store.export_markdown(1)
    with pytest.raises(LookupError):
        store.export_json(1)


def _imported(store: ChatStore, exported: bytes, folder: Path) -> Chat:
    path = folder / "chat.json"
    path.write_bytes(exported)
    return store.import_json(path).result(5)


def _with(exported: bytes, **changes: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(exported), **changes})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"format": "another", "version": 1}',
        b'{"format": "leadline-chat", "version": 1}',
        b"[" * 100_000,
    ],
)
def test_another_file_is_no_chat(store: ChatStore, data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _imported(store, data, tmp_path)
    assert caught.value.code == "stores.not_a_chat"
    assert store.chats.all() == ()


def test_what_cannot_be_read_is_no_chat(store: ChatStore, tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    with large.open("wb") as file:
        file.truncate(1024**3)
    for path, code in (
        (tmp_path, "stores.not_a_chat"),
        (large, "stores.not_a_chat"),
        (tmp_path / "gone.json", "stores.chat_file_unreadable"),
    ):
        with pytest.raises(UserError) as caught:
            store.import_json(path)
        assert caught.value.code == code
        assert path.name in caught.value.message


def test_a_chat_that_cannot_be_stored_is_refused_whole(store: ChatStore, tmp_path: Path) -> None:
    exported = store.export_json(talked_about(store))
    chats = store.chats.all()
    messages = msgspec.json.decode(exported)["messages"]
    chat = msgspec.json.decode(exported)["chat"]
    for changes in (
        {"messages": messages[::-1]},
        {"messages": messages + messages[:1]},
        {"messages": [{**messages[0], "role": "oracle"}]},
        {"messages": [{**messages[0], "parent_id": messages[0]["id"]}]},
        {"messages": [{**messages[0], "created_at": 1e300}]},
        {"chat": {**chat, "created_at": -5}},
    ):
        with pytest.raises(UserError) as caught:
            _imported(store, _with(exported, **changes), tmp_path)
        assert caught.value.code == "stores.not_a_chat"
    with pytest.raises(UserError) as caught:
        _imported(store, _with(exported, version=2), tmp_path)
    assert caught.value.code == "stores.chat_too_new"
    assert store.chats.all() == chats


def essence(store: ChatStore, chat_id: int) -> list[tuple[object, ...]]:
    """A chat's tree without its ids."""
    tree = store.messages.tree(chat_id)
    place = {message.id: number for number, message in enumerate(tree)}
    return [
        (
            place.get(message.parent_id or -1),
            message.role,
            message.text,
            message.thinking,
            message.state,
            message.stats,
            message.records,
            [place[version] for version in message.versions],
            message.created_at,
        )
        for message in tree
    ]

"""Documents in the store: text kept whole, token counts, order and use in chats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.store import ChatStore, TokenCounts
from engine.documents.model import Document, OutlineEntry, Page
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    opened = ChatStore(tmp_path / "chats.sqlite3")
    yield opened
    opened.close()


def document(name: str = "lease.pdf", pages: int = 3) -> Document:
    return Document(
        id=f"hash-of-{name}",
        name=name,
        path=f"/home/me/{name}",
        kind="pdf",
        size_bytes=1234,
        mtime_ns=1_700_000_000_123_456_789,
        pages=tuple(
            Page(number=number, label=f"p{number}", text=f"Page {number} \0 ünïcode ")
            for number in range(1, pages + 1)
        ),
        notes=(Problem(code="stores.disk_full", params={"path": "/"}),),
        outline=(OutlineEntry(title="One", page_number=1),),
    )


def names(store: ChatStore, chat_id: int) -> list[str]:
    return [one.document.name for one in store.documents.of_chat(chat_id)]


def test_a_document_comes_back_whole(store: ChatStore) -> None:
    stored = store.documents.put(document()).wait()
    assert store.documents.get(stored.id) == document()
    assert store.documents.info(stored.id) == stored
    assert (stored.page_count, stored.char_count) == (3, document().char_count)
    assert store.documents.get("nothing") is None
    assert store.documents.info("nothing") is None


def test_the_same_content_is_stored_once_under_its_last_name(store: ChatStore) -> None:
    first = document()
    store.documents.put(first).wait()
    moved = Document(
        id=first.id,
        name="lease-final.pdf",
        path="/elsewhere/lease-final.pdf",
        kind=first.kind,
        size_bytes=first.size_bytes,
        mtime_ns=5,
        pages=first.pages,
    )
    store.documents.put(moved).wait()
    assert [info.name for info in store.documents.all()] == ["lease-final.pdf"]
    assert store.documents.get(first.id) == moved


def test_text_is_compressed(store: ChatStore, tmp_path: Path) -> None:
    page = Page(number=1, label="1", text="the same words again and again " * 100_000)
    store.documents.put(
        Document(
            id="x", name="x.txt", path="", kind="text", size_bytes=1, mtime_ns=0, pages=(page,)
        )
    ).wait()
    held_bytes = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert held_bytes < len(page.text) / 10


def test_chats_share_documents_each_in_its_own_way(store: ChatStore) -> None:
    one, other = (store.chats.create().wait().id for _ in range(2))
    ids = [store.documents.put(document(name)).wait().id for name in ("a", "b", "c")]
    for document_id in ids:
        store.documents.attach(one, document_id)
    store.documents.attach(other, ids[1], mode="passages", selection="3-9").result(5)
    assert names(store, one) == ["a", "b", "c"]
    store.documents.attach(one, ids[0], mode="passages").result(5)
    assert names(store, one) == ["a", "b", "c"]
    assert [used.mode for used in store.documents.of_chat(one)] == ["passages", "whole", "whole"]
    assert store.documents.of_chat(other)[0].selection == "3-9"
    assert {use.chat_id for use in store.documents.uses()[ids[1]]} == {one, other}
    store.documents.detach(one, ids[1]).result(5)
    assert names(store, one) == ["a", "c"]
    assert store.documents.get(ids[1]) is not None


def test_documents_waiting_in_the_composer_are_sent_with_a_message(store: ChatStore) -> None:
    chat_id = store.chats.create().wait().id
    first, second = (store.documents.put(document(name)).wait().id for name in ("a", "b"))
    store.documents.attach(chat_id, first).result(5)
    message = store.messages.add(chat_id, None, "user", "what is this?").wait()
    store.documents.mark_sent(chat_id, message.id)
    store.documents.attach(chat_id, second).result(5)
    assert [used.message_id for used in store.documents.of_chat(chat_id)] == [message.id, None]
    branch = store.copies.branch(message.id).result(5)
    assert names(store, branch.id) == ["a"]
    assert store.documents.of_chat(branch.id)[0].message_id == branch.leaf_id


def test_token_counts_are_kept_for_each_vocabulary(store: ChatStore) -> None:
    stored = store.documents.put(document()).wait()
    assert store.documents.token_counts(stored.id, "gemma") is None
    counts = TokenCounts(total=60, by_page=(10, 20, 30))
    store.documents.set_token_counts(stored.id, "gemma", counts).result(5)
    store.documents.set_token_counts(stored.id, "smollm", TokenCounts(total=77)).result(5)
    assert store.documents.token_counts(stored.id, "gemma") == counts
    assert store.documents.token_counts(stored.id, "smollm") == TokenCounts(total=77)


def test_a_deleted_document_leaves_chats_and_counts(store: ChatStore) -> None:
    chat_id = store.chats.create().wait().id
    stored = store.documents.put(document()).wait()
    store.documents.attach(chat_id, stored.id)
    store.documents.set_token_counts(stored.id, "gemma", TokenCounts(total=1))
    store.documents.remove(stored.id).result(5)
    assert names(store, chat_id) == []
    assert store.documents.token_counts(stored.id, "gemma") is None
    assert store.documents.all() == ()


def test_a_name_given_by_the_user_stays_when_the_file_is_read_again(store: ChatStore) -> None:
    stored = store.documents.put(document()).wait()
    store.documents.rename(stored.id, "The lease").result(5)
    assert store.documents.put(document()).wait().name == "The lease"
    info = store.documents.info(stored.id)
    read = store.documents.get(stored.id)
    assert info is not None
    assert read is not None
    assert (info.name, read.name) == ("The lease", "The lease")
    store.documents.rename(stored.id, "").result(5)
    assert [one.name for one in store.documents.all()] == ["lease.pdf"]


def test_a_list_knows_the_words_and_what_was_not_read(store: ChatStore) -> None:
    store.documents.put(document()).wait()
    (info,) = store.documents.all()
    assert info.word_count == document().word_count == 12
    assert info.notes == document().notes


def test_a_removed_document_goes_back_into_its_chats(store: ChatStore) -> None:
    kept, other = (store.documents.put(document(name)).wait() for name in ("a.pdf", "b.pdf"))
    chat, lost = (store.chats.create(title=title).wait() for title in ("One", "Two"))
    message = store.messages.add(chat.id, None, "user", "What is the rent?").wait()
    for document_id in (kept.id, other.id):
        store.documents.attach(chat.id, document_id, mode="passages", selection="2-3")
    store.documents.attach(lost.id, kept.id)
    store.documents.mark_sent(chat.id, message.id)
    store.documents.set_token_counts(kept.id, "v", TokenCounts(total=6, by_page=(1, 2, 3)))
    store.flush()
    before = store.documents.of_chat(chat.id)
    assert {use.title for use in store.documents.uses()[kept.id]} == {"One", "Two"}

    removed = store.documents.remove(kept.id).result(5)
    assert (removed.name, set(removed.chat_ids)) == ("a.pdf", {chat.id, lost.id})
    assert names(store, chat.id) == ["b.pdf"]
    assert store.documents.get(kept.id) is None
    store.chats.delete(lost.id).wait()
    store.documents.put_back(removed).result(5)
    assert store.documents.of_chat(chat.id) == before
    assert store.documents.get(kept.id) == document("a.pdf")
    assert store.documents.token_totals("v") == {kept.id: 6}
    assert {use.title for use in store.documents.uses()[kept.id]} == {"One"}


def test_another_document_takes_the_place_of_one_in_a_chat(store: ChatStore) -> None:
    ids = [store.documents.put(document(name)).wait().id for name in ("a.pdf", "b.pdf", "c.pdf")]
    chat = store.chats.create().wait()
    for document_id in ids[:2]:
        store.documents.attach(chat.id, document_id, mode="passages")
    store.documents.keep(chat.id, ids[0], "12:34").result(5)
    assert store.documents.of_chat(chat.id)[0].kept == "12:34"
    store.documents.replace(chat.id, ids[0], ids[2]).result(5)
    (first, second) = store.documents.of_chat(chat.id)
    assert (first.document.id, first.mode, first.kept) == (ids[2], "passages", "")
    assert second.document.id == ids[1]

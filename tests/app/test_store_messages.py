"""Chats and their message trees: versions, branches, delete and undo."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from app.store import ChatStore, Message, Record, title_from
from app.store.streaming import ReplyStream
from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.store import Role
    from app.store.writer import Gathered


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    opened = ChatStore(tmp_path / "chats.sqlite3")
    yield opened
    opened.close()


def shown(store: ChatStore, chat_id: int) -> list[str]:
    contents = store.messages.contents(chat_id)
    assert contents is not None
    return [message.text for message in contents.messages]


def talk(store: ChatStore, chat_id: int, *texts: str, under: int | None = None) -> list[Message]:
    said: list[Message] = []
    for number, text in enumerate(texts):
        role: Role = "user" if number % 2 == 0 else "assistant"
        parent_id = said[-1].id if said else under
        said.append(store.messages.add(chat_id, parent_id, role, text).wait())
    return said


class TestChats:
    """The list."""

    def test_pinned_first_then_by_last_change(self, store: ChatStore) -> None:
        old, new, pinned = (store.chats.create(title=title).wait().id for title in "abc")
        store.chats.pin(pinned, pinned=True).result(60)
        talk(store, new, "x")
        talk(store, old, "x")
        assert [chat.id for chat in store.chats.all()] == [pinned, old, new]

    def test_what_is_set_comes_back(self, store: ChatStore) -> None:
        chat = store.chats.create(title="Lease", settings={"temperature": 0.5}).wait()
        assert store.chats.get(chat.id) == chat
        store.chats.rename(chat.id, "Lease 2026")
        store.chats.move(chat.id, "Contracts")
        store.chats.set_draft(chat.id, "What about\nclause 7?")
        store.chats.set_settings(chat.id, {"seed": 7, "stop": ["\n"]})
        store.chats.set_token_count(chat.id, 18_200).result(60)
        found = store.chats.get(chat.id)
        assert found is not None
        assert (found.title, found.folder) == ("Lease 2026", "Contracts")
        assert found.draft == "What about\nclause 7?"
        assert found.settings == {"seed": 7, "stop": ["\n"]}
        assert found.token_count == 18_200
        assert store.chats.folders() == ("Contracts",)

    def test_a_deleted_chat_comes_back_whole_until_it_is_purged(self, store: ChatStore) -> None:
        chat = store.chats.create(title="Lease").wait()
        talk(store, chat.id, "question", "answer")
        deletion = store.chats.delete(chat.id).wait()
        assert store.chats.all() == ()
        assert store.messages.contents(chat.id) is None
        assert store.search.find("question") == ()
        store.chats.undo(deletion).result(60)
        assert shown(store, chat.id) == ["question", "answer"]
        deletion = store.chats.delete(chat.id).wait()
        store.purge().result(60)
        store.chats.undo(deletion).result(60)
        assert store.chats.get(chat.id) is None

    def test_a_long_chat_can_be_purged(self, store: ChatStore) -> None:
        chat = store.chats.create().wait()
        parent_id = None
        for number in range(1500):
            added = store.messages.add(chat.id, parent_id, "user", str(number))
            parent_id = added.value.id
        store.chats.delete(chat.id)
        store.purge().result(30)
        assert store.messages.tree(chat.id) == ()

    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("", ""),
            ("\n  What is a leadline?\nTell me.", "What is a leadline?"),
            ("word " * 30, "word " * 11 + "word…"),
            ("x" * 100, "x" * 60 + "…"),
        ],
    )
    def test_a_title_is_the_first_line_cut_at_a_word(self, text: str, title: str) -> None:
        assert title_from(text) == title


class TestTree:
    """Versions and branches."""

    def test_an_edited_question_is_a_version_with_its_own_answers(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        question, _, _, _ = talk(store, chat_id, "q1", "a1", "q2", "a2")
        edited = talk(store, chat_id, "q1 edited", "a1 edited")[0]
        assert shown(store, chat_id) == ["q1 edited", "a1 edited"]
        contents = store.messages.contents(chat_id)
        assert contents is not None
        assert contents.messages[0].versions == (question.id, edited.id)
        assert contents.messages[0].version_index == 1
        store.messages.select(question.id).result(60)
        assert shown(store, chat_id) == ["q1", "a1", "q2", "a2"]

    def test_a_regenerated_reply_is_a_version(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        question, first = talk(store, chat_id, "q", "a")
        second = store.messages.add(chat_id, question.id, "assistant", "b").wait()
        talk(store, chat_id, "after b", under=second.id)
        assert shown(store, chat_id) == ["q", "b", "after b"]
        assert store.messages.select(first.id).result(60) == first.id
        assert shown(store, chat_id) == ["q", "a"]
        store.messages.select(second.id).result(60)
        assert shown(store, chat_id) == ["q", "b", "after b"]

    def test_a_deleted_version_gives_way_to_the_one_before(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        question, first = talk(store, chat_id, "q", "a")
        second = store.messages.add(chat_id, question.id, "assistant", "b").wait()
        third = talk(store, chat_id, "c", "below c", under=question.id)[0]
        deletion = store.messages.delete(third.id).result(60)
        assert shown(store, chat_id) == ["q", "b"]
        store.messages.undo(deletion).result(60)
        assert shown(store, chat_id) == ["q", "c", "below c"]
        for gone in (third, first, second):
            store.messages.delete(gone.id).result(60)
        assert shown(store, chat_id) == ["q"]
        store.messages.delete(question.id).result(60)
        assert shown(store, chat_id) == []

    def test_undo_in_another_order_never_leaves_a_message_without_its_parent(
        self, store: ChatStore
    ) -> None:
        chat_id = store.chats.create().wait().id
        question, answer = talk(store, chat_id, "q", "a")
        child = store.messages.delete(answer.id).result(60)
        parent = store.messages.delete(question.id).result(60)
        store.messages.undo(child).result(60)
        assert store.messages.tree(chat_id) == ()
        store.messages.undo(parent).result(60)
        store.messages.undo(child).result(60)
        assert shown(store, chat_id) == ["q", "a"]

    def test_purged_messages_are_gone_and_the_rest_stays(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        messages = talk(store, chat_id, "q", "a", "q2", "a2")
        deletion = store.messages.delete(messages[2].id).result(60)
        store.purge().result(60)
        store.messages.undo(deletion).result(60)
        assert shown(store, chat_id) == ["q", "a"]
        assert len(store.messages.tree(chat_id)) == 2

    def test_a_branch_becomes_a_chat_of_its_own(self, store: ChatStore) -> None:
        chat = store.chats.create(title="Lease", folder="Contracts").wait()
        messages = talk(store, chat.id, "q", "a", "q2", "a2")
        record = Record(kind="stores.document_not_here", data={"name": "lease.pdf"})
        store.messages.add_records(messages[1].id, [record])
        branch = store.copies.branch(messages[1].id).result(60)
        assert (branch.title, branch.folder) == ("Lease (2)", "Contracts")
        again = store.copies.branch(branch.leaf_id or 0).result(60)
        assert again.title == "Lease (3)"
        talk(store, branch.id, "another way", under=branch.leaf_id)
        assert shown(store, branch.id) == ["q", "a", "another way"]
        assert shown(store, chat.id) == ["q", "a", "q2", "a2"]
        copied = store.messages.contents(branch.id)
        assert copied is not None
        assert copied.messages[1].records == (record,)

    def test_a_message_cannot_follow_one_of_another_chat(self, store: ChatStore) -> None:
        one, other = (store.chats.create().wait().id for _ in range(2))
        foreign = talk(store, other, "q")[0]
        with pytest.raises(ValueError, match="another chat"):
            store.messages.add(one, foreign.id, "user", "x").wait()
        assert shown(store, one) == []


def seconds_until_saved(store: ChatStore, chat_id: int, stream: ReplyStream, piece: str) -> float:
    """Append to a reply that is written; how long it takes to reach the disk."""
    stream.append(piece)
    began_s = time.monotonic()
    while not shown(store, chat_id)[-1].endswith(piece):
        assert time.monotonic() - began_s < 60.0
        time.sleep(0.01)
    return time.monotonic() - began_s


class TestStreams:
    """Replies that grow."""

    def test_a_reply_is_saved_while_it_is_written(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        question = talk(store, chat_id, "q")[0]
        reply = store.messages.add(chat_id, question.id, "assistant", state="streaming").wait()
        stream = store.messages.stream(reply)
        stream.append(thinking="hm")
        # A busy machine is late now and then, but not each time.
        took_s = [
            seconds_until_saved(store, chat_id, stream, piece)
            for piece in ("The capital ", "is Paris.")
        ]
        assert min(took_s) < 1.0
        stream.append(" Indeed.")
        stream.finish("stopped", stats={"tokens": 7, "tokens_per_second": None}).result(60)
        contents = store.messages.contents(chat_id)
        assert contents is not None
        saved = contents.messages[-1]
        assert (saved.text, saved.thinking) == ("The capital is Paris. Indeed.", "hm")
        assert saved.state == "stopped"
        assert saved.stats == {"tokens": 7, "tokens_per_second": None}

    def test_a_stopped_reply_can_be_continued(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        reply = talk(store, chat_id, "q", "The capital")[1]
        stream = store.messages.stream(reply)
        stream.append(" is Paris.")
        problem = Problem(code="stores.disk_full", params={"path": "/"})
        stream.finish("failed", problem=problem).result(60)
        contents = store.messages.contents(chat_id)
        assert contents is not None
        assert contents.messages[-1].text == "The capital is Paris."
        assert contents.messages[-1].problem == problem

    def test_a_finished_reply_takes_no_more(self, store: ChatStore) -> None:
        chat_id = store.chats.create().wait().id
        stream = store.messages.stream(talk(store, chat_id, "q")[0])
        stream.finish().result(60)
        with pytest.raises(ValueError, match="finished"):
            stream.append("x")
        with pytest.raises(ValueError, match="finished"):
            stream.finish()

    def test_a_reply_whose_message_is_gone_does_not_stop_the_writer(
        self, store: ChatStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        chat_id = store.chats.create().wait().id
        stream = store.messages.stream(talk(store, chat_id, "q")[0])
        store.chats.delete(chat_id)
        store.purge().result(60)
        with pytest.raises(LookupError):
            stream.finish().result(60)
        assert store.chats.create().wait()
        assert "could not be saved" in caplog.text


def test_an_end_that_is_saved_twice_is_told_once(store: ChatStore) -> None:
    """It is finished after its save was begun, and before that looked at it."""
    chat_id = store.chats.create().wait().id
    (reply,) = talk(store, chat_id, "q")
    saved: list[Gathered] = []
    stream = ReplyStream(reply.id, saved.append)
    done = stream.finish("complete")
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE messages (id, text, thinking, state, stats, problem)")
    connection.execute("INSERT INTO messages (id) VALUES (?)", (reply.id,))
    for _ in range(2):
        stream.save(connection)
        stream.saved()
    assert done.done()
    connection.close()


def test_replies_left_streaming_are_interrupted_when_the_store_opens(tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    store = ChatStore(path)
    chat_id = store.chats.create().wait().id
    reply = store.messages.add(chat_id, None, "assistant", state="streaming").wait()
    store.messages.stream(reply).append("half a sente")
    store.close()
    store = ChatStore(path)
    try:
        contents = store.messages.contents(chat_id)
        assert contents is not None
        assert contents.messages[0].state == "interrupted"
        assert contents.messages[0].text == "half a sente"
        assert [hit.message_id for hit in store.search.find("sente")] == [reply.id]
    finally:
        store.close()


def test_two_thousand_messages_open_at_once(store: ChatStore) -> None:
    chat_id = store.chats.create().wait().id
    parent_id = None
    for number in range(2000):
        role: Role = "assistant" if number % 2 else "user"
        added = store.messages.add(chat_id, parent_id, role, f"{number} " + "some words " * 60)
        parent_id = added.value.id
    store.flush(60)
    store.messages.contents(chat_id)
    # Time of this thread alone, so that a busy machine does not decide.
    took_s = []
    for _ in range(5):
        began_s = time.thread_time()
        contents = store.messages.contents(chat_id)
        took_s.append(time.thread_time() - began_s)
    assert contents is not None
    assert len(contents.messages) == 2000
    assert contents.messages[-1].text.startswith("1999 ")
    assert min(took_s) < 0.05

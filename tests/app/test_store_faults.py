"""What goes wrong with a file: damage, a newer version, a full disk, two processes."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from app.store import ChatStore
from app.store.early_check import EarlyCheck
from app.store.schema import MIGRATIONS, migrate
from engine.errors import Problem, UserError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.sqlite3"


def filled(path: Path, messages: int = 200, words: int = 50) -> int:
    store = ChatStore(path)
    chat_id = store.chats.create(title="Lease").wait().id
    parent_id = None
    for number in range(messages):
        parent_id = store.messages.add(chat_id, parent_id, "user", f"{number} " * words).value.id
    store.close()
    return chat_id


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_file_is_kept_and_a_new_one_begun(path: Path, seed: int) -> None:
    filled(path)
    damaged = bytearray(path.read_bytes())
    dice = random.Random(seed)
    if seed == 0:
        damaged = bytearray(b"this is no database" * 400)
    elif seed == 1:
        damaged = damaged[: len(damaged) // 2]
    else:
        for _ in range(40):
            page = dice.randrange(1, len(damaged) // 4096) * 4096
            damaged[page : page + 512] = dice.randbytes(512)
    path.write_bytes(damaged)
    store = ChatStore(path)
    try:
        assert store.chats.all() == ()
        assert [problem.code for problem in store.problems] == ["stores.damaged"]
        kept = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
        assert [file.read_bytes() for file in kept] == [bytes(damaged)]
        assert str(kept[0]) in store.problems[0].fix
        assert store.chats.create().wait()
    finally:
        store.close()


def test_a_look_ahead_finds_a_sound_file_sound(path: Path) -> None:
    filled(path, words=3000)
    assert path.stat().st_size > 1024**2
    early = EarlyCheck(path)
    assert early.is_sound()
    store = ChatStore(path, early=early)
    assert store.problems == ()
    assert len(store.chats.all()) == 1
    store.close()


@pytest.mark.parametrize("is_database", [True, False])
def test_what_a_look_ahead_finds_damaged_is_told_as_ever(path: Path, is_database: bool) -> None:
    filled(path, words=3000)
    damaged = bytearray(path.read_bytes()) if is_database else bytearray(b"no database " * 100_000)
    for page in range(4096 * 4, len(damaged) - 4096, 4096 * 3):
        damaged[page : page + 512] = b"\xff" * 512
    path.write_bytes(damaged)
    early = EarlyCheck(path)
    store = ChatStore(path, early=early)
    assert not early.is_sound()
    assert [problem.code for problem in store.problems] == ["stores.damaged"]
    kept = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert [file.read_bytes() for file in kept] == [bytes(damaged)]
    store.close()


def test_a_look_ahead_at_no_file_makes_none(path: Path) -> None:
    assert not EarlyCheck(path).is_sound()
    assert not path.exists()


def test_two_damaged_files_are_both_kept(path: Path) -> None:
    for number in range(2):
        path.write_bytes(b"no database " * 1000 + bytes([number]))
        ChatStore(path).close()
    assert sum(".damaged-" in file.name for file in path.parent.iterdir()) == 2


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    store = ChatStore(path)
    assert store.problems == ()
    store.close()


def test_damage_met_while_reading_is_a_sentence_and_found_at_the_next_opening(path: Path) -> None:
    chat_id = filled(path, messages=2000)
    told: list[Problem] = []
    store = ChatStore(path, on_problem=told.append)
    with path.open("r+b") as file:
        size_bytes = path.stat().st_size
        for at in range(4096 * 4, size_bytes - 4096, 4096):
            file.seek(at)
            file.write(b"\xff" * 4096)
    with pytest.raises(UserError) as caught:
        store.messages.contents(chat_id)
    assert caught.value.code == "stores.damage_found"
    store.close()
    store = ChatStore(path)
    assert [problem.code for problem in store.problems] == ["stores.damaged"]
    store.close()


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        ChatStore(path)
    assert caught.value.code == "stores.newer"
    assert "newer Leadline" in caught.value.message
    assert path.read_bytes() == before


def test_a_migration_is_whole_or_not_at_all() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    broken = (*MIGRATIONS, "ALTER TABLE chats ADD COLUMN mood TEXT; SELECT nonsense(1)")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(chats)")}
    assert "mood" not in columns
    migrate(connection, (*MIGRATIONS, "ALTER TABLE chats ADD COLUMN mood TEXT"))
    columns = {row[1] for row in connection.execute("PRAGMA table_info(chats)")}
    assert "mood" in columns
    connection.close()


def test_a_second_process_is_told_that_the_chats_are_in_use(path: Path) -> None:
    store = ChatStore(path)
    try:
        second = subprocess.run(
            [sys.executable, "-c", _OPEN_AND_SAY, str(path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert second.stdout.strip() == "stores.in_use"
        assert store.chats.create().wait()
    finally:
        store.close()
    ChatStore(path).close()


_OPEN_AND_SAY = """
import sys
from pathlib import Path
from app.store import ChatStore
from engine.errors import UserError
try:
    ChatStore(Path(sys.argv[1]))
except UserError as error:
    print(error.code)
"""


class TestFullDisk:
    """SQLite's own limit of pages stands for the end of the disk."""

    def test_a_failed_write_is_told_and_what_was_there_stays(self, path: Path) -> None:
        told: list[Problem] = []
        store = ChatStore(path, on_problem=told.append)
        chat_id = store.chats.create(title="before").wait().id
        fill_up(store)
        for _ in range(3):
            with pytest.raises(UserError) as caught:
                store.messages.add(chat_id, None, "user", "x" * 100_000).wait()
            assert caught.value.code == "stores.disk_full"
        assert [problem.code for problem in told] == ["stores.disk_full"]
        assert [chat.title for chat in store.chats.all()] == ["before"]
        make_room(store)
        store.messages.add(chat_id, None, "user", "x" * 100_000).wait()
        store.close()

    def test_a_reply_waits_in_memory_until_there_is_room(self, path: Path) -> None:
        told: list[Problem] = []
        store = ChatStore(path, on_problem=told.append)
        chat_id = store.chats.create().wait().id
        reply = store.messages.add(chat_id, None, "assistant", state="streaming").wait()
        stream = store.messages.stream(reply)
        fill_up(store)
        stream.append("word " * 50_000)
        finished = stream.finish()
        with pytest.raises(TimeoutError):
            finished.result(1.5)
        assert [problem.code for problem in told] == ["stores.disk_full"]
        make_room(store)
        finished.result(60)
        contents = store.messages.contents(chat_id)
        assert contents is not None
        assert contents.messages[0].text == "word " * 50_000
        store.close()

    def test_words_that_found_no_room_are_saved_once_there_is_some(self, path: Path) -> None:
        store = ChatStore(path)
        fill_up(store)
        chat = store.chats.create(title="new").value
        question = store.messages.add(chat.id, None, "user", "x" * 100_000)
        reply = store.messages.add(chat.id, question.value.id, "assistant", state="streaming").value
        stream = store.messages.stream(reply)
        stream.append("word " * 50_000)
        finished = stream.finish()
        with pytest.raises(UserError):
            question.wait()
        with pytest.raises(TimeoutError):
            finished.result(1.5)
        make_room(store)
        finished.result(60)
        store.messages.add(chat.id, reply.id, "user", "And then?").wait()
        contents = store.messages.contents(chat.id)
        assert contents is not None
        texts = [message.text for message in contents.messages]
        assert texts == ["x" * 100_000, "word " * 50_000, "And then?"]
        store.close()

    def test_closing_without_room_for_a_question_says_so(self, path: Path) -> None:
        store = ChatStore(path)
        chat_id = store.chats.create().wait().id
        fill_up(store)
        store.messages.add(chat_id, None, "user", "x" * 100_000)
        with pytest.raises(UserError) as caught:
            store.close()
        assert caught.value.code == "stores.not_saved"

    def test_closing_without_room_says_that_a_reply_is_not_saved(self, path: Path) -> None:
        store = ChatStore(path)
        chat_id = store.chats.create().wait().id
        reply = store.messages.add(chat_id, None, "assistant", state="streaming").wait()
        fill_up(store)
        store.messages.stream(reply).append("word " * 50_000)
        with pytest.raises(UserError) as caught:
            store.close()
        assert caught.value.code == "stores.not_saved"
        ChatStore(path).close()


def test_a_file_that_may_not_be_written_is_a_sentence(path: Path) -> None:
    told: list[Problem] = []
    store = ChatStore(path, on_problem=told.append)
    store._writer.submit(lambda at: at.execute("PRAGMA query_only = ON")).result(60)
    with pytest.raises(UserError) as caught:
        store.chats.create().wait()
    assert caught.value.code == "stores.read_only"
    assert "LEADLINE_HOME" in told[0].fix
    store.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as caught:
        ChatStore(tmp_path / "file" / "chats.sqlite3")
    assert caught.value.code.startswith("stores.")


def fill_up(store: ChatStore) -> None:
    """Allow no page more than the file has."""
    limit_pages(store, 1)


def make_room(store: ChatStore) -> None:
    limit_pages(store, 1_000_000)


def limit_pages(store: ChatStore, pages: int) -> None:
    statement = f"PRAGMA max_page_count = {pages}"
    store._writer.submit(lambda at: at.execute(statement).fetchone()).result(60)

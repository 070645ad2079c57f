"""The search by meaning in the real window, with a real embedding model beside the engine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from app.documents.given_passages import given_by
from app.documents.passages import PassageFinder
from engine.paths import cache_dir
from tests.engine.bert_model import random_bert, write_bert
from tests.engine.document_files import write_pdf
from tests.support.desk import PATIENCE_S, Desk, faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

    from app.documents.given_passages import GivenPassages
    from engine.documents.model import Document

PAGES = [
    "1. Rent\nNine hundred euro a month, by the third working day.",
    "2. Keys\nThe landlord keeps a spare key in the cellar behind the boiler.",
    "3. Notice\nThe tenant may end this lease with six weeks' notice in writing.",
]
WHERE = "Where is the spare key kept?"


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert") / "tiny-bert.gguf", random_bert())


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(qapp, command=faulty()) as made:
        made.load()
        made.drop(write_pdf(tmp_path / "lease.pdf", PAGES))
        made.until(lambda: made.view.composer._chips, "a chip")
        made.until(lambda: made.view.composer._chips[0].tokens, "its tokens")
        key = made.view.composer._chips[0].id
        made.view.chip_action_requested.emit(key, "passages")
        yield made


def choose_model(desk: Desk, path: Path | str) -> None:
    """As the preferences do."""
    settings = msgspec.structs.replace(desk.desktop.settings.app, embedding_model=str(path))
    desk.desktop.window.app_settings_edited.emit(settings)


def chip_message(desk: Desk) -> str:
    return desk.view.composer._chips[0].message


def given(desk: Desk, place: int) -> GivenPassages:
    """What went with a question."""
    (only,) = given_by(desk.stored()[place].records)
    return only


@pytest.mark.model
def test_a_document_is_embedded_and_found_both_ways(desk: Desk, bert: Path) -> None:
    choose_model(desk, bert)
    desk.until(lambda: "by words and by meaning" in chip_message(desk), "the embedding")
    desk.ask(WHERE)
    found = given(desk, 0)
    assert found.embedding_model == "tiny-bert"
    assert found.by_words_alone is None
    assert found.count == found.out_of == 3
    first = next(one for one in found.candidates if one.page_number == 2)
    assert first.rank_by_words == 1
    assert first.score_by_words is not None
    assert {one.rank_by_meaning for one in found.candidates} == {1, 2, 3}
    assert all(-1.001 <= (one.score_by_meaning or 0) <= 1.001 for one in found.candidates)

    # Its process dies, and so does each that follows: that is said, and the answer comes.
    client = desk.desktop.search.finder.embedder
    assert client is not None
    assert client.pid is not None
    client._command = [sys.executable, "-c", "import os; os.abort()"]
    os.kill(client.pid, signal.SIGKILL)
    desk.ask("How many weeks is the notice?")
    alone = given(desk, 2)
    assert alone.by_words_alone is not None
    assert alone.by_words_alone.code == "embedding.crashed"
    assert [one.page_number for one in alone.candidates] == [3]

    choose_model(desk, "")
    desk.until(lambda: "meaning" not in chip_message(desk))
    desk.ask("How many weeks is the notice?")
    assert given(desk, 4).by_words_alone is None


def test_what_is_no_embedding_model_is_said_and_words_are_searched(
    desk: Desk, demo_model: Path
) -> None:
    choose_model(desk, demo_model)
    desk.until(lambda: any("no embedding model" in said for said in desk.notices), "a sentence")
    desk.ask(WHERE)
    found = given(desk, 0)
    assert [one.page_number for one in found.candidates] == [2]
    assert found.by_words_alone is not None
    assert found.by_words_alone.code == "embedding.no_embedding_model"


@pytest.mark.model
def test_embedding_can_be_stopped_and_gone_on_with(
    qapp: QApplication, tmp_path: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_stopped, prepare = threading.Event(), PassageFinder.prepare

    def held_up(
        finder: PassageFinder, document: Document, progress: Callable[[int, int], bool]
    ) -> bool:
        def told(done: int, total: int) -> bool:
            progress(done, total)
            # However fast it is, it is stopped in the middle.
            assert not done or is_stopped.wait(PATIENCE_S)
            return progress(done, total)

        return prepare(finder, document, told)

    monkeypatch.setattr(PassageFinder, "prepare", held_up)
    long = tmp_path / "long.txt"
    long.write_text(
        "\n\n".join(f"{n}. The key of room {n} hangs on hook {n}. " * 9 for n in range(250))
    )
    with open_desk(qapp, command=faulty()) as desk:
        choose_model(desk, bert)
        desk.load()
        desk.drop(long)
        # It does not fit, so it goes in passages by itself.
        desk.until(lambda: desk.view.composer._chips, "a chip")
        desk.until(lambda: desk.view.composer._chips[0].mode == "passages")
        key = desk.view.composer._chips[0].id
        desk.until(lambda: "until all are embedded" in chip_message(desk), "the embedding")
        desk.view.chip_action_requested.emit(key, "stop_embedding")
        is_stopped.set()
        desk.until(lambda: not desk.desktop.ledger.overflow_tokens, "room")
        desk.ask(WHERE)
        waits = given(desk, 0).by_words_alone
        assert waits is not None
        assert waits.code == "embedding.not_yet"
        assert int(waits.params["done"]) < int(waits.params["total"]) == given(desk, 0).out_of
        desk.view.chip_action_requested.emit(key, "go_on_embedding")
        desk.until(lambda: "words and by meaning" in chip_message(desk))
        desk.ask(WHERE)
        assert given(desk, 2).embedding_model == "tiny-bert"


def test_a_damaged_index_is_set_aside_and_made_anew(desk: Desk) -> None:
    desk.ask(WHERE)
    desk.desktop.search.finder.close()
    path = cache_dir() / "passages.sqlite3"
    path.write_bytes(os.urandom(20_000))
    desk.ask(WHERE)
    assert [one.page_number for one in given(desk, 2).candidates] == [2]
    assert any("search index" in said for said in desk.notices)
    (kept,) = cache_dir().glob("passages.damaged-*.sqlite3")
    assert kept.stat().st_size == 20_000


def test_an_index_that_is_no_longer_true_is_made_anew(desk: Desk) -> None:
    """A passage must be what stands on its page, or its citation is wrong."""
    desk.ask(WHERE)
    finder = desk.desktop.search.finder
    finder._index.use(lambda index: index._db.execute("UPDATE chunk SET text = 'key ' || text"))
    desk.ask(WHERE)
    assert given(desk, 2).passages == given(desk, 0).passages
    assert any("search index" in said for said in desk.notices)


def test_a_document_that_others_leave_no_place_is_named(desk: Desk, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(desk.desktop.settings.app, passages_per_question=1)
    desk.desktop.window.app_settings_edited.emit(settings)
    desk.drop(write_pdf(tmp_path / "other.pdf", ["A key is mentioned here.", "And nothing."]))
    desk.until(lambda: len(desk.view.composer._chips) == 2, "two chips")
    desk.until(lambda: desk.view.composer._chips[1].tokens)
    desk.view.chip_action_requested.emit(desk.view.composer._chips[1].id, "passages")
    desk.ask(WHERE)
    lease, other = (record.text for record in desk.messages()[0].records)
    assert lease.startswith("1 of 3 passages from lease.pdf")
    assert other.startswith("No passage of other.pdf is among the best")


def test_a_deleted_document_leaves_the_index(desk: Desk) -> None:
    desk.ask(WHERE)
    finder = desk.desktop.search.finder
    document_id = given(desk, 0).document_id
    assert finder._index.use(lambda index: index.count(document_id)) == 3
    desk.desktop.later.finish()
    desk.desktop.library._remove(document_id)
    desk.until(lambda: finder._index.use(lambda index: index.count(document_id)) == 0)
    (undo,) = desk.undos
    undo()
    desk.until(lambda: desk.view.composer._chips, "the document again")
    desk.until(lambda: desk.view.composer._chips[0].state == "ready")
    desk.ask(WHERE)
    assert given(desk, 2).passages == given(desk, 0).passages


def test_without_a_place_on_disk_the_index_is_kept_in_memory(tmp_path: Path) -> None:
    told: list[str] = []
    finder = PassageFinder(
        tmp_path / "none" / "x.sqlite3", on_problem=lambda p: told.append(p.code)
    )
    assert finder._index.use(lambda index: index.count("d")) == 0
    assert told == ["stores.passages_in_memory"]
    finder.close()

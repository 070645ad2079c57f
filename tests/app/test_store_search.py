"""Search: any text a user can type is a safe query, and hits say where they match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store import ChatStore
from app.store.search import match_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.store import SearchHit


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatStore]:
    opened = ChatStore(tmp_path_factory.mktemp("search") / "chats.sqlite3")
    for title, texts in {
        "Lease of 2026": ["What does clause 7 say about notice?", "Thirty days, in writing."],
        "Crème brûlée": ["How long does it bake?", "About 40 minutes: don't open the oven."],
        "翻訳": ["契約書の第七条を説明してください", "第七条は通知期間を三十日と定めています。"],
        'a "quoted" title': ["see C:\\data\\x_1.txt (AND OR NOT NEAR)", "\x02stray\x03 marks"],
    }.items():
        chat = opened.chats.create(title=title).wait()
        parent_id = None
        for text in texts:
            parent_id = opened.messages.add(chat.id, parent_id, "user", text).wait().id
    yield opened
    opened.close()


def marked(hit: SearchHit) -> list[str]:
    return [hit.snippet[start : start + length] for start, length in hit.marks]


@pytest.mark.parametrize(
    ("typed", "marks"),
    [
        ("clause", ["clause"]),
        ("CLAUSE noti", ["clause", "notice"]),
        ("brulee", ["brûlée"]),
        ("lea", ["Lease"]),
        ("don't", ["don't"]),
        ("NEAR", ["NEAR"]),
        ('"quoted"', ["quoted"]),
        ("第七条", ["第七条"]),
        ("stray", ["stray"]),
        ("x_1.txt", ["x_1.txt"]),
    ],
)
def test_words_are_found_and_marked(store: ChatStore, typed: str, marks: list[str]) -> None:
    hits = store.search.find(typed)
    assert hits
    assert marked(hits[0]) == marks


def test_a_title_comes_before_messages(store: ChatStore) -> None:
    hits = store.search.find("翻訳")
    assert [hit.message_id for hit in hits] == [None]
    assert len(store.search.find("第七条")) == 2


def test_all_words_must_occur(store: ChatStore) -> None:
    assert store.search.find("clause oven") == ()


@pytest.mark.parametrize("typed", ["", "   ", '"', "***", "()", "\0", "- ^"])
def test_no_word_finds_nothing(store: ChatStore, typed: str) -> None:
    assert store.search.find(typed) == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=60))
def test_whatever_is_typed_is_no_syntax(store: ChatStore, typed: str) -> None:
    for hit in store.search.find(typed):
        assert all(start >= 0 and start + length <= len(hit.snippet) for start, length in hit.marks)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.sampled_from(["AND", "NEAR(", "title:", "^a", '"', "*", "a-b", ")"])))
def test_operators_are_words(store: ChatStore, words: list[str]) -> None:
    store.search.find(" ".join(words))


def test_every_word_is_quoted() -> None:
    assert match_query('say "hi" NEAR(x)') == '"say"* """hi"""* "NEAR(x)"*'


def test_an_edited_message_is_found_by_its_new_words_only(store: ChatStore) -> None:
    chat = store.chats.create(title="Edits").wait()
    message = store.messages.add(chat.id, None, "user", "first wording zebra").wait()
    store.messages.set_text(message.id, "second wording giraffe").result(5)
    store.chats.rename(chat.id, "Renamed okapi").result(5)
    assert store.search.find("zebra") == ()
    assert store.search.find("Edits") == ()
    assert [hit.message_id for hit in store.search.find("giraffe")] == [message.id]
    assert [hit.title for hit in store.search.find("okapi")] == ["Renamed okapi"]


def test_the_limit_counts_titles_and_messages_together(store: ChatStore) -> None:
    for number in range(4):
        chat = store.chats.create(title=f"walrus {number}").wait()
        store.messages.add(chat.id, None, "user", "walrus").wait()
    assert len(store.search.find("walrus", limit=6)) == 6
    assert len(store.search.find("walrus", limit=2)) == 2

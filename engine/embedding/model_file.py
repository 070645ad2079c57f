"""What an embedding model's file tells without loading it: whether it is one, and which one.

Some models were trained with a few words in front of a question or of a passage, and find much less
without them. A GGUF file does not carry these words; the table here has those of the families that
are known to want them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from engine.errors import UserError
from engine.models.gguf_file import read_gguf
from engine.models.model_files import parts_of

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["question", "passage"]

# Mean, first token, last token. Without pooling a model gives a vector per token, which is what a
# chat model does; with rank pooling it compares two texts and has no vector for one.
_POOLINGS = (1, 2, 3)
_SAMPLES = 64
_SAMPLE_BYTES = 64 * 1024


class _Prefixes(NamedTuple):
    """Words in front of a text, for models of a kind: all that are given must match."""

    architecture: str
    name: str
    question: str
    passage: str = ""


_SEARCHED = "Represent this sentence for searching relevant passages: "
# From the models' own descriptions; the first match counts.
_KNOWN = (
    _Prefixes("nomic-bert", "", "search_query: ", "search_document: "),
    _Prefixes("gemma-embedding", "", "task: search result | query: ", "title: none | text: "),
    _Prefixes(
        "qwen3",
        "",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\n"
        "Query:",
    ),
    _Prefixes("", r"\be5\b", "query: ", "passage: "),
    _Prefixes("", r"arctic.embed.*v2", "query: "),
    _Prefixes("", r"\bbge\b.*\ben\b|mxbai.embed|arctic.embed", _SEARCHED),
)


class EmbeddingFile(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding model as its file declares it.

    Attributes:
        path: The file; of a split model, its first part.
        name: What people call it.
        identity: The same only for files that give the same vectors: size, samples from the whole
            of the content, and the words put in front of passages.
        question_prefix: Words in front of a question.
        passage_prefix: Words in front of a passage.
    """

    path: str
    name: str
    identity: str
    question_prefix: str = ""
    passage_prefix: str = ""

    def prefixed(self, text: str, role: Role) -> str:
        """A text as the model wants it."""
        return (self.question_prefix if role == "question" else self.passage_prefix) + text


def read_embedding_file(path: Path) -> EmbeddingFile:
    """Look at a file.

    Raises:
        UserError: It is missing, damaged, or no embedding model.
    """
    parts = parts_of(path.expanduser().absolute())
    header = read_gguf(parts[0])
    architecture = header.text("general.architecture")
    if header.number(f"{architecture}.pooling_type") not in _POOLINGS:
        raise UserError("embedding.no_embedding_model", path=str(path), name=path.name)
    name = header.text("general.name") or parts[0].stem
    prefixes = _prefixes(architecture, f"{name} {parts[0].stem}")
    return EmbeddingFile(
        path=str(parts[0]),
        name=name,
        identity=_identity(parts, prefixes.passage),
        question_prefix=prefixes.question,
        passage_prefix=prefixes.passage,
    )


def _prefixes(architecture: str, names: str) -> _Prefixes:
    readable = re.sub(r"[-_.]", " ", names)
    for known in _KNOWN:
        fits = architecture.startswith(known.architecture)
        if fits and re.search(known.name, readable, re.IGNORECASE):
            return known
    return _Prefixes("", "", "")


def _identity(parts: tuple[Path, ...], passage_prefix: str) -> str:
    """A hash of samples: reading gigabytes to the end would take longer than the search."""
    digest = hashlib.sha256(passage_prefix.encode())
    for part in parts:
        try:
            with part.open("rb") as file:
                size = part.stat().st_size
                digest.update(size.to_bytes(8, "little"))
                last = max(0, size - _SAMPLE_BYTES)
                for number in range(_SAMPLES):
                    file.seek(last * number // (_SAMPLES - 1))
                    digest.update(file.read(_SAMPLE_BYTES))
        except OSError as error:
            raise UserError("models.unreadable", path=str(part), detail=str(error)) from error
    return digest.hexdigest()[:32]

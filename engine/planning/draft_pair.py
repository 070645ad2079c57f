"""Whether a draft model can guess for a large one, by the headers of their files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.models.gguf_file import read_texts
from engine.planning.header import VOCABULARY, read_header

if TYPE_CHECKING:
    from engine.planning.facts import ModelFacts
    from engine.settings import EngineSettings

FIRST_WORD = 5
"""Some conversions name the first few tokens differently; they are no words."""

PADDING_TOKENS = 128
"""By how many tokens vocabularies of one family may differ in length."""

# Their memory cannot be cut in the middle, and no header says so.
_COMPRESSED = ("deepseek4",)


def check_draft(settings: EngineSettings) -> None:
    """Refuse a draft model that a load would refuse, before anything is loaded.

    Raises:
        UserError: ``engine.draft_no_use``, ``engine.draft_vocabulary``, or what is wrong with one
            of the files.
    """
    if not settings.draft_model:
        return
    large = Path(settings.model_path).expanduser()
    draft = Path(settings.draft_model).expanduser()
    sizes = []
    for path in (large, draft):
        facts = read_header(path).facts
        if not _takes_back(facts):
            raise UserError("engine.draft_no_use", path=str(path))
        sizes.append(facts.n_vocab)
    if abs(sizes[0] - sizes[1]) > PADDING_TOKENS or not _same_words(
        _words(large, large.stat().st_mtime_ns), _words(draft, draft.stat().st_mtime_ns)
    ):
        raise UserError("engine.draft_vocabulary", path=settings.draft_model)


def _takes_back(facts: ModelFacts) -> bool:
    """Whether wrong guesses can be taken out of such a model's memory."""
    return not facts.is_recurrent and facts.architecture not in _COMPRESSED


def _same_words(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> bool:
    least = min(len(one), len(other))
    return bool(one) == bool(other) and one[FIRST_WORD:least] == other[FIRST_WORD:least]


@lru_cache(maxsize=4)
def _words(path: Path, _changed_ns: int) -> tuple[bytes, ...]:
    # A plan is made at each step of a drag, and reading them takes a while.
    return read_texts(path, VOCABULARY)

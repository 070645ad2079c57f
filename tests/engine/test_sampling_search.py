"""The compiled search and numpy's find the same candidates, and refuse the same logits."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from engine import native
from engine.errors import UserError
from engine.llama import sampling_search
from engine.llama.sampling_search import Search
from engine.llama.sampling_window import Candidates, Logits, Peaks, floor_reached
from engine.system import processor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIZES = (128, 1_000, 32_000, 49_152, 50_257, 262_144)


# Its vectors are 16, 8 and 4 floats wide.
@pytest.fixture(scope="module", params=["native", "x86-64-v3", "x86-64"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled afresh, also for lesser processors than this one."""
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        pytest.skip("no compiler here")
    if request.param != "native" and " avx2 " not in processor():
        pytest.skip("another kind of processor")
    prefix = tmp_path_factory.mktemp("prefix")
    assert native.compile_library(prefix, target=request.param)
    return native.library_path(prefix)


@pytest.fixture
def compiled(library: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sampling_search, "library_path", lambda: library)
    sampling_search.compiled_library.cache_clear()
    yield
    sampling_search.compiled_library.cache_clear()


def _numpy_search(n_vocab: int) -> Search:
    search = Search(n_vocab)
    search._compiled = None
    return search


def _found(search: Search, logits: Logits, rank: int) -> tuple[dict[int, float], float]:
    found = Candidates()
    search.fill(found, Peaks(logits, rank), rank, None)
    return dict(zip(found.ids.tolist(), found.logits.tolist(), strict=True)), found.floor


def _vocabularies() -> Iterator[Logits]:
    random = np.random.default_rng(7)
    for size in _SIZES:
        flat = random.normal(0, 1, size).astype(np.float32)
        yield flat
        peaked = flat.copy()
        # Neighbours, so that one block holds most of what is looked for.
        peaked[size // 2 : size // 2 + 60] += 30
        yield peaked
        # As in vocabularies that begin with the commonest tokens: more than there is room for.
        common = flat.copy()
        common[: size // 4] += 20
        yield common
        yield np.round(flat)
        masked = flat.copy()
        masked[random.integers(0, size, size // 2)] = -np.inf
        yield masked


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("rank", [1, 8, 40, 112, 400])
def test_all_of_the_largest_are_found(rank: int) -> None:
    for logits in _vocabularies():
        for search in (Search(len(logits)), _numpy_search(len(logits))):
            tokens, floor = _found(search, logits, rank)
            reached = np.flatnonzero(logits >= floor)
            assert tokens == {int(token): float(logits[token]) for token in reached}
            assert len(tokens) >= min(rank, len(logits))


@pytest.mark.usefixtures("compiled")
def test_logits_whose_sum_overflows_are_sound() -> None:
    logits = np.linspace(1e38, 3e38, 50_257, dtype=np.float32)
    tokens, _ = _found(Search(len(logits)), logits, 40)
    assert len(logits) - 1 in tokens


@pytest.mark.usefixtures("compiled")
def test_the_likeliest_is_the_first_of_equals() -> None:
    for logits in _vocabularies():
        expected = int(logits.argmax())
        assert Search(len(logits)).likeliest(Candidates(), logits) == expected
        assert _numpy_search(len(logits)).likeliest(Candidates(), logits) == expected


@pytest.mark.usefixtures("compiled")
def test_tokens_wanted_anyway_are_added_once() -> None:
    logits = np.random.default_rng(1).normal(0, 1, 50_257).astype(np.float32)
    top, least = int(logits.argmax()), int(logits.argmin())
    found = Candidates()
    Search(len(logits)).fill(found, Peaks(logits), 40, np.array([least, top]))
    ids = found.ids.tolist()
    assert len(ids) == len(set(ids))
    assert {top, least} <= set(ids)
    assert found.logits[ids.index(least)] == logits[least]


@pytest.mark.parametrize("wanted", [1, 100, 4_000])
def test_a_floor_is_reached_by_enough_and_few_more(wanted: int) -> None:
    for logits in _vocabularies():
        if len(logits) < 4 * wanted:
            continue
        floor = floor_reached(logits, wanted, float(logits.max()))
        reached = np.count_nonzero(logits >= np.float32(floor))
        assert reached >= wanted
        # Where many are equal they come together.
        distinct = len(np.unique(logits)) == len(logits)
        assert reached <= 2 * wanted or not distinct or wanted == 1


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 127, 128, 25_000, 50_256])
def test_broken_logits_are_refused(value: float, place: int) -> None:
    logits = np.random.default_rng(3).normal(0, 1, 50_257).astype(np.float32)
    logits[place] = value
    search = Search(len(logits))
    assert search._compiled is not None
    with pytest.raises(UserError, match=r"(?i)logits|number"):
        search._compiled.fill(Candidates(), logits, 8)


def test_without_a_compiler_numpy_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not native.compile_library(tmp_path)
    monkeypatch.setattr(sampling_search, "library_path", lambda: native.library_path(tmp_path))
    sampling_search.compiled_library.cache_clear()
    try:
        logits = np.arange(1_000, dtype=np.float32)
        assert Search(1_000).likeliest(Candidates(), logits) == 999
    finally:
        sampling_search.compiled_library.cache_clear()

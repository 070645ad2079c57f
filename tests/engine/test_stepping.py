"""The compiled step alone: what it draws and decodes, and when it leaves that to the sampler."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.llama.sampling_search import BROKEN, TOO_MANY, compiled_library, tops_room
from engine.llama.sampling_window import Candidates
from engine.llama.stepping import _Batch, _Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.llama.sampling_window import Logits

pytestmark = pytest.mark.skipif(compiled_library() is None, reason="nothing was compiled here")

N_VOCAB, N_CTX, END = 1024, 100, 7
# As llama.cpp and the step call it.
FAILED, NO_LOGITS = -3, -3
_LOGITS_OF = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
_ENDS = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_int32)
_DECODE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, _Batch)
_APPLY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


@dataclass
class Steps:
    """A step over given logits, in the place of llama.cpp's functions.

    Attributes:
        logits: What the last decode gave; None for nothing.
        adjust: Changes the candidates' logits, given their ids, as penalties do.
        decoded: Tokens that were decoded, with their positions.
    """

    logits: Logits | None
    rank: int = 8
    least: int = 0
    adjust: Callable[[Any, Any], None] | None = None
    decodes: bool = True
    stops: bool = True
    status: int = 0
    decoded: list[tuple[int, int]] = field(default_factory=list)

    def run(self, position: int = 5) -> int:
        """What the step returns."""
        library = compiled_library()
        assert library is not None
        library.leadline_step.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        found, scratch = Candidates(), np.empty(tops_room(N_VOCAB), dtype=np.float32)
        room, array = found.prepared()
        cells = [np.zeros(1, dtype=kind) for kind in (np.int32, np.int32, np.int8)]
        token, place, wanted = (cell.ctypes.data for cell in cells)
        logits = self.logits

        def decode(_context: int, batch: _Batch) -> int:
            assert batch.n_tokens == 1
            assert cells[2][0] == 1
            self.decoded.append((int(cells[0][0]), int(cells[1][0])))
            return self.status

        def apply(_chain: int, _candidates: int) -> None:
            assert self.adjust is not None
            self.adjust(found.ids, found.logits)

        calls = (
            _LOGITS_OF(lambda *_: None if logits is None else logits.ctypes.data),
            _ENDS(lambda _vocab, drawn: drawn == END),
            _DECODE(decode),
            _APPLY(apply),
        )
        logits_of, ends, decoding, applying = (ctypes.cast(c, ctypes.c_void_p) for c in calls)
        state = _Step(
            adjusting=1 if self.adjust else 0,
            logits_of=logits_of,
            ends=ends,
            decode=decoding,
            apply=applying,
            next=_Batch(n_tokens=1, token=token, pos=place, logits=wanted),
            found=array,
            data=found.data_address,
            tops=scratch.ctypes.data,
            n_vocab=N_VOCAB,
            rank=self.rank,
            least=self.least,
            room=room,
            n_ctx=N_CTX,
            decodes=self.decodes,
            stops=self.stops,
        )
        drawn = int(library.leadline_step(ctypes.byref(state), position))
        assert state.decoded == bool(self.decoded)
        assert state.status == (self.status if self.decoded else 0)
        return drawn


@pytest.fixture
def logits() -> Logits:
    """Token 40 is the likeliest, 41 comes next, and so on."""
    falling = np.full(N_VOCAB, -20, dtype=np.float32)
    falling[40:80] = 10 - np.arange(40) / 4
    return falling


def test_likeliest_token_is_decoded_behind_the_others(logits: Logits) -> None:
    steps = Steps(logits)
    assert steps.run(position=12) == 40
    assert steps.decoded == [(40, 12)]


def test_failed_decode_is_told(logits: Logits) -> None:
    steps = Steps(logits, status=FAILED)
    assert steps.run() == 40
    assert steps.decoded


def test_end_of_a_turn_is_not_decoded_unless_it_is_no_end(logits: Logits) -> None:
    logits[END] = 11
    stopping, going_on = Steps(logits), Steps(logits, stops=False)
    assert stopping.run() == going_on.run() == END
    assert (stopping.decoded, going_on.decoded) == ([], [(END, 5)])


@pytest.mark.parametrize(("position", "count"), [(N_CTX - 1, 1), (N_CTX, 0)])
def test_full_context_takes_no_more(logits: Logits, position: int, count: int) -> None:
    steps = Steps(logits)
    assert steps.run(position) == 40
    assert len(steps.decoded) == count


def test_step_that_only_draws_decodes_nothing(logits: Logits) -> None:
    steps = Steps(logits, decodes=False)
    assert (steps.run(), steps.decoded) == (40, [])


@pytest.mark.parametrize(("lowered", "counts"), [(6, [8]), (7, [8, 16]), (15, [8, 16, 32])])
def test_more_candidates_are_taken_until_none_outside_can_win(
    logits: Logits, lowered: int, counts: list[int]
) -> None:
    seen = []

    def lower(ids: Any, values: Any) -> None:
        seen.append(len(ids))
        values[ids < 40 + lowered] -= 15

    # Two have to stay above the least of them.
    steps = Steps(logits, rank=8, least=2, adjust=lower)
    assert steps.run() == 40
    assert seen == counts


def test_draw_that_no_number_of_candidates_settles_is_left_to_the_sampler(logits: Logits) -> None:
    def ban(_ids: Any, values: Any) -> None:
        values[:] = -np.inf

    steps = Steps(logits, least=1, adjust=ban)
    assert (steps.run(), steps.decoded) == (TOO_MANY, [])


def test_broken_logits_are_told(logits: Logits) -> None:
    logits[500] = np.nan
    steps = Steps(logits)
    assert (steps.run(), steps.decoded) == (BROKEN, [])


def test_logits_that_are_missing_are_told() -> None:
    assert Steps(None).run() == NO_LOGITS

"""Draws a token in one compiled call, and decodes it if wanted, while nothing has to be asked.

That holds for most replies: no grammar, no guesses to check, a draw that a rank bounds. A reply
goes the long way for single tokens where the short one cannot tell.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import UserError
from engine.llama.library import address_of, api
from engine.llama.sampling_search import BLOCK, BROKEN, TOO_MANY, compiled_library, tops_room

if TYPE_CHECKING:
    from engine.llama.context import Context
    from engine.llama.sampling import Sampler
    from engine.llama.sampling_plan import StepPlan
    from engine.llama.sampling_window import Candidates

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int32


class _Batch(ctypes.Structure):
    _fields_ = (
        ("n_tokens", _COUNT),
        ("token", _POINTER),
        ("embd", _POINTER),
        ("pos", _POINTER),
        ("n_seq_id", _POINTER),
        ("seq_id", _POINTER),
        ("logits", _POINTER),
    )


class _Step(ctypes.Structure):
    # As sampling.c has it.
    _fields_ = (
        *((name, _POINTER) for name in ("context", "vocab", "adjusting", "choosing")),
        *((name, _POINTER) for name in ("logits_of", "ends", "decode", "apply")),
        ("next", _Batch),
        *((name, _POINTER) for name in ("found", "data", "tops")),
        *((name, _COUNT) for name in ("n_vocab", "rank", "least", "room", "n_ctx")),
        ("decodes", ctypes.c_bool),
        ("stops", ctypes.c_bool),
        ("decoded", ctypes.c_bool),
        ("status", _COUNT),
        ("floor", ctypes.c_float),
    )


class Stepper:
    """Draws from the last decode and decodes what was drawn. Owned by one reply."""

    def __init__(
        self,
        library: ctypes.CDLL,
        context: Context,
        candidates: Candidates,
        plan: StepPlan,
        *,
        decodes: bool,
        stops: bool,
    ) -> None:
        native = api()
        self._step = library.leadline_step
        self._step.argtypes = [_POINTER, _COUNT]
        self._step.restype = _COUNT
        self._context = context
        room, found = candidates.prepared()
        self._candidates = candidates
        self._next = [np.zeros(1, dtype=kind) for kind in (np.int32, np.int32, np.int8)]
        self._tops = np.empty(tops_room(context.n_vocab), dtype=np.float32)
        token, position, wanted = (array.ctypes.data for array in self._next)
        self._state = _Step(
            context=context.handle,
            vocab=native.llama_model_get_vocab(native.llama_get_model(context.handle)),
            adjusting=plan.adjusting,
            choosing=plan.choosing,
            logits_of=address_of(native.llama_get_logits_ith),
            ends=address_of(native.llama_vocab_is_eog),
            decode=address_of(native.llama_decode),
            apply=address_of(native.llama_sampler_apply),
            next=_Batch(n_tokens=1, token=token, pos=position, logits=wanted),
            found=found,
            data=candidates.data_address,
            tops=self._tops.ctypes.data,
            n_vocab=context.n_vocab,
            rank=plan.rank,
            least=plan.least,
            room=room,
            n_ctx=context.n_ctx,
            decodes=decodes,
            stops=stops,
        )
        self._reference = ctypes.byref(self._state)

    @classmethod
    def of(
        cls, context: Context, sampler: Sampler, *, decodes: bool, stops: bool
    ) -> Stepper | None:
        """A stepper, or None where nothing was compiled or the sampler has to be asked.

        Args:
            context: Where to decode.
            sampler: Whose candidates and samplers to use.
            decodes: Whether a step decodes what it draws.
            stops: Whether a token that ends a turn is not decoded.
        """
        library, plan = compiled_library(), sampler.step_plan()
        if library is None or plan is None or context.n_vocab < BLOCK:
            return None
        return cls(library, context, sampler.candidates, plan, decodes=decodes, stops=stops)

    @property
    def decoded(self) -> bool:
        """Whether the last step decoded its token."""
        return bool(self._state.decoded)

    def step(self, position: int) -> int | None:
        """Wait for the logits and draw; decode the token at `position` if wanted and not the end.

        Returns:
            The token; None where only the sampler can tell.

        Raises:
            UserError: The logits are broken, or the decode failed.
            Cancelled: The decode was.
        """
        token: int = self._step(self._reference, position)
        if token < 0:
            if token == TOO_MANY:
                return None
            raise UserError("engine.bad_logits" if token == BROKEN else "engine.no_logits")
        if self._state.decoded:
            self._context.check(self._state.status)
        return token

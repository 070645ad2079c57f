"""What engine calls end with, apart from protocol messages."""

from __future__ import annotations

import msgspec

from engine.errors import Problem
from engine.settings import EngineSettings
from engine.worker.protocol import ContextInfo, ModelInfo


class Cancelled(Exception):  # noqa: N818
    """The caller asked to stop; nothing is wrong."""


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is ready.

    Attributes:
        settings: The settings in force.
        notices: What differs from what was asked for, or was lost on the way.
    """

    settings: EngineSettings
    model: ModelInfo
    context: ContextInfo
    notices: tuple[Problem, ...] = ()

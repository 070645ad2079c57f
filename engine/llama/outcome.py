"""What engine calls end with, apart from protocol messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.errors import Problem
    from engine.settings import EngineSettings
    from engine.worker.protocol import ContextInfo, ModelInfo


class Cancelled(Exception):  # noqa: N818
    """The caller asked to stop; nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """A model that is ready.

    Attributes:
        settings: The settings in force.
        notices: What differs from what was asked for, or was lost on the way.
    """

    settings: EngineSettings
    model: ModelInfo
    context: ContextInfo
    notices: tuple[Problem, ...] = ()

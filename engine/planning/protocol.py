"""The messages between an app and its planner process, in the frames of `engine.framing`.

The planner speaks first (`Ready`). A newer question cancels an older one: its results stop coming.
Results stream: the bars first (`is_final` False), the largest context and the fixes after.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.errors import Problem
from engine.planning.economics_data import Economics
from engine.planning.facts import BuildFacts, DeviceFacts, ModelFacts, Scene
from engine.planning.plan import Plan
from engine.settings import EngineSettings

Goal = Literal["context", "speed", "quality"]


class Question(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all questions."""

    request_id: int


class Open(Question, frozen=True, kw_only=True):
    """Read a file's header and list the devices."""

    settings: EngineSettings


class Ask(Question, frozen=True, kw_only=True):
    """What would these settings take?

    Attributes:
        settings: The candidate; its `model_path` names the file.
        scene: What is asked against besides them.
        brief: Only the bars: no largest context, no fixes.
    """

    settings: EngineSettings
    scene: Scene = Scene()
    brief: bool = False


class Fit(Question, frozen=True, kw_only=True):
    """Which settings would be best for a goal?"""

    settings: EngineSettings
    goal: Goal
    scene: Scene = Scene()


class Compare(Question, frozen=True, kw_only=True):
    """VRAM against context, for KV types and devices."""

    settings: EngineSettings
    kv_types: tuple[str, ...]
    contexts: tuple[int, ...]
    scene: Scene = Scene()


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all answers; `request_id` 0 belongs to none in particular."""

    request_id: int = 0


class Ready(Answer, frozen=True, kw_only=True):
    """The planner runs."""

    pid: int


class Opened(Answer, frozen=True, kw_only=True):
    """What the rules need: they can be checked in the window from here on."""

    model: ModelFacts
    build: BuildFacts
    devices: tuple[DeviceFacts, ...]
    chosen: tuple[DeviceFacts, ...]


class Planned(Answer, frozen=True, kw_only=True):
    """A plan; more may follow until `plan.is_final`."""

    plan: Plan


class Fitted(Answer, frozen=True, kw_only=True):
    """The best settings that were found, with their plan."""

    settings: EngineSettings
    plan: Plan


class Compared(Answer, frozen=True, kw_only=True):
    """The chart's data."""

    economics: Economics


class Failed(Answer, frozen=True, kw_only=True):
    """The question has no answer."""

    problem: Problem


class Aborting(Answer, frozen=True, kw_only=True):
    """The text of an assert, just before the process dies of it."""

    text: str


Questions = Open | Ask | Fit | Compare
Answers = Ready | Opened | Planned | Fitted | Compared | Failed | Aborting
decode_question = msgspec.msgpack.Decoder(Questions).decode
decode_answer = msgspec.msgpack.Decoder(Answers).decode

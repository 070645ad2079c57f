"""What a rule looks at, what it says, and what a rule is.

`no` means that a load would fail or abort, `slow` that it runs with something left behind, `note`
that something is worth knowing. The sentences live in `engine.sentences.planning` by code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from engine.errors import Params, Problem
from engine.settings import EngineSettings, validated

if TYPE_CHECKING:
    from engine.planning.facts import BuildFacts, DeviceFacts, ModelFacts

Severity = Literal["no", "slow", "note"]
Change = Mapping[str, Any]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule says about the settings.

    Attributes:
        code: Key of the sentence.
        change: Settings that would satisfy the rule; empty when nothing in reach would.
        setting: The setting the sentence is shown at.
    """

    code: str
    severity: Severity
    setting: str = ""
    params: Params = {}
    change: dict[str, Any] = {}

    @property
    def problem(self) -> Problem:
        """The sentence and its fix."""
        return Problem(code=self.code, params=self.params)

    def applied(self, settings: EngineSettings) -> EngineSettings:
        """The settings with the suggested change."""
        return validated(settings, **self.change)


@dataclass(frozen=True)
class Case:
    """What a rule looks at."""

    settings: EngineSettings
    model: ModelFacts
    build: BuildFacts
    devices: Sequence[DeviceFacts]

    @property
    def tensor(self) -> bool:
        """Tensor split is asked for."""
        return self.settings.split_mode == "tensor"

    @property
    def divides_layers(self) -> bool:
        """A tensor split that divides attention: the first GPU layer is the output layer."""
        return self.tensor and not 0 <= self.settings.n_gpu_layers <= 1

    @property
    def on_gpu(self) -> bool:
        """Some layer is computed on a device other than the CPU."""
        return bool(self.devices) and self.settings.n_gpu_layers != 0

    @property
    def attends(self) -> bool:
        """The model keeps K and V."""
        return self.model.has_attention

    @property
    def forces_fa_off(self) -> bool:
        """The architecture has no flash attention."""
        return self.model.architecture == "grok"

    def has(self, *backends: str) -> bool:
        """Some device is of one of these backends."""
        return any(device.backend in backends for device in self.devices)


@dataclass(frozen=True)
class Rule:
    """A predicate with its sentence.

    `test` returns None (or False) where the rule is kept, else the sentence's parameters (or True).
    """

    code: str
    severity: Severity
    setting: str
    test: Callable[[Case], Params | bool | None]
    change: Callable[[Case], Change] = lambda _case: {}

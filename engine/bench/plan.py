"""What a benchmark times and who takes part. Pure data; nothing here runs anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from engine.errors import UserError
from engine.settings import GenerationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["pp", "tg"]
Mode = Literal["product", "raw", "llama-class", "server"]
Chains: TypeAlias = "dict[str, GenerationSettings]"

_ROUNDING = 256
# Endless, so that the reply never has to end; a choice of letters is work for the grammar.
_GRAMMAR = "root ::= [a-z]+ ([ ,.] [a-z]+)*"
_DEFAULT = GenerationSettings()
_GREEDY = GenerationSettings(temperature=0.0)
_FULL = GenerationSettings(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, typical_p=0.98)
CHAINS: Chains = {
    "greedy": _GREEDY,
    "full": _FULL,
    "penalties": replace(
        _FULL, repeat_penalty=1.1, presence_penalty=0.2, frequency_penalty=0.2, dry_multiplier=0.8
    ),
    "grammar": replace(_FULL, grammar=_GRAMMAR),
}
"""Sampler settings that are worth a figure of their own."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Read (pp) or write (tg) `n` tokens after `depth` others."""

    kind: Kind
    n: int
    depth: int

    @property
    def name(self) -> str:
        """As llama-bench writes it: ``pp512 @ d4096``."""
        return f"{self.kind}{self.n}" + (f" @ d{self.depth}" if self.depth else "")


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to run a test.

    Attributes:
        chain: Name of its sampler settings; empty for those of the command line, or for none.
        reads: Whether it takes part in reading, which does not depend on the sampler.
    """

    mode: Mode
    chain: str = ""
    generation: GenerationSettings = _DEFAULT
    reads: bool = True

    @property
    def label(self) -> str:
        """What a table calls it."""
        return f"{self.mode} {self.chain}" if self.chain else self.mode

    def takes(self, trial: Trial) -> bool:
        """Whether a test says anything new about it."""
        return trial.kind == "tg" or self.reads


@dataclass(frozen=True, slots=True)
class Plan:
    """All tests, each run by all contenders in turn."""

    trials: tuple[Trial, ...]
    contenders: tuple[Contender, ...]
    repetitions: int

    @property
    def n_ctx(self) -> int:
        """The shortest context that holds every test."""
        longest = max(trial.depth + trial.n for trial in self.trials) + 2
        return -(-longest // _ROUNDING) * _ROUNDING


def trials_of(pp: Sequence[int], tg: Sequence[int], depths: Sequence[int]) -> tuple[Trial, ...]:
    """All combinations, by depth; a length of 0 stands for none.

    Raises:
        UserError: ``bench.nothing``.
    """
    trials = []
    for depth in dict.fromkeys(depths):
        trials += [Trial("pp", n, depth) for n in dict.fromkeys(pp) if n]
        trials += [Trial("tg", n, depth) for n in dict.fromkeys(tg) if n]
    if not trials:
        raise UserError("bench.nothing")
    return tuple(trials)


def contenders_of(
    generation: GenerationSettings, *, chains: Sequence[str], raw: bool, peers: Sequence[Mode]
) -> tuple[Contender, ...]:
    """The product first, with its settings or with each named chain; then the others.

    Raises:
        UserError: ``bench.no_chain``.
    """
    for name in chains:
        if name not in CHAINS:
            raise UserError("bench.no_chain", name=name, known=", ".join(CHAINS))
    product = [
        Contender("product", name, CHAINS[name], reads=index == 0)
        for index, name in enumerate(dict.fromkeys(chains))
    ]
    first = product or [Contender("product", "", generation)]
    bare = [Contender("raw")] if raw else []
    # A peer samples as the product's first contender does.
    others = [Contender(mode, "", first[0].generation) for mode in dict.fromkeys(peers)]
    return (*first, *bare, *others)

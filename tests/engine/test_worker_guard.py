"""No setting takes a worker down: a sample of all combinations through real workers.

Two devices on loopback, every architecture of the zoo, all KV types, splits and flash attention.
What the rules allow loads and answers; what they refuse comes back as their sentence.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.llama.build_facts import build_facts
from engine.planning.facts import DeviceFacts
from engine.planning.header import read_header
from engine.planning.rules import check
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Bench, new_request_id
from engine.worker.session import BlockingWorker
from tests.engine.sweep_rules import FLASH, KV_TYPES, SPLITS, Pair, families

if TYPE_CHECKING:
    from collections.abc import Iterator


_SAMPLE = 40
_SEED = 20_26


def _cases(paths: dict[str, Path], addresses: tuple[str, ...]) -> Iterator[EngineSettings]:
    """A seeded sample in which every architecture comes up."""
    drawn = random.Random(_SEED)
    names = list(paths)
    drawn.shuffle(names)
    for name in itertools.islice(itertools.cycle(names), max(_SAMPLE, len(names))):
        k = drawn.choice(KV_TYPES)
        yield EngineSettings(
            model_path=str(paths[name]),
            devices=addresses,
            split_mode=drawn.choice(SPLITS),  # type: ignore[arg-type]
            flash_attn=drawn.choice(FLASH),  # type: ignore[arg-type]
            type_k=k,  # type: ignore[arg-type]
            type_v=drawn.choice((k, drawn.choice(KV_TYPES))),  # type: ignore[arg-type]
            n_ctx=512,
            n_batch=64,
            n_ubatch=64,
            n_threads=1,
        )


def _refusals(settings: EngineSettings) -> list[str]:
    header = read_header(Path(settings.model_path))
    devices = [
        DeviceFacts(name=f"RPC{n}", id=address, backend="RPC", kind="rpc")
        for n, address in enumerate(settings.devices)
    ]
    verdicts = check(settings, header.facts, build_facts(()), devices)
    return [verdict.code for verdict in verdicts if verdict.severity == "no"]


def _answers(worker: BlockingWorker) -> int:
    command = Bench(
        request_id=new_request_id(),
        n_prompt=8,
        n_generate=4,
        depth=0,
        repetitions=1,
        generation=GenerationSettings(),
        raw=True,
    )
    worker.bench(command)
    return command.n_generate


@pytest.mark.model
def test_no_combination_takes_a_worker_down(tmp_path: Path) -> None:
    paths = families(tmp_path)
    pair = Pair()
    outcomes: Counter[str] = Counter()
    try:
        with BlockingWorker() as worker:
            started = worker.client.pid
            for settings in _cases(paths, pair.addresses()):
                refusals = _refusals(settings)
                if refusals:
                    with pytest.raises(UserError) as refused:
                        worker.load(settings)
                    assert refused.value.code == refusals[0], settings
                    outcomes["refused"] += 1
                else:
                    worker.load(settings)
                    assert _answers(worker) == 4
                    outcomes["ran"] += 1
            assert worker.client.pid == started
    finally:
        pair.close()
    assert sum(outcomes.values()) == _SAMPLE
    assert min(outcomes["ran"], outcomes["refused"]) >= 5

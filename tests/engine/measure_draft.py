"""Times replies with and without a draft model, on a pair made for it (`make_pair`).

    .venv/bin/python tests/engine/measure_draft.py [--noise 0,0.1,0.2] [--layers 120]
        [--target TARGET.gguf --draft DRAFT.gguf] [--turns 3] [--tokens 64]

Both ways take turns in one run, in a worker each; medians over the turns and the questions, the
first turn warms up. Greedy replies are compared: how many are the same, and where the others part.
Prints one line of JSON for each pair. ``--target`` and ``--draft`` measure a real pair instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.models.demo import demo_model_path
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Prompt, Turn
from engine.worker.session import BlockingWorker
from tests.engine.make_pair import LAYERS, write_target

if TYPE_CHECKING:
    from engine.worker.protocol import Usage

QUESTIONS = (
    "Name three rivers in Europe and say where each of them ends.",
    "Write a short story about a sailor who measures the depth of the sea.",
    "Explain how a pump works, step by step.",
    "Write a Python function that counts the words of a text.",
)


def main() -> None:
    """Measure every pair that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise", default="0,0.1,0.2")
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--target", type=Path)
    parser.add_argument("--draft", type=Path, default=demo_model_path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leadline-pair-") as folder:
        for noise in [0.0] if options.target else map(float, options.noise.split(",")):
            target = options.target or write_target(
                Path(folder) / "target.gguf", layers=options.layers, noise=noise
            )
            measured = measure(target, options)
            of = {"target": target.name} if options.target else {"noise": noise}
            sys.stdout.write(json.dumps(of | measured) + "\n")
            sys.stdout.flush()


def measure(target: Path, options: argparse.Namespace) -> dict[str, object]:
    """The figures of one pair."""
    plain = EngineSettings(model_path=str(target), n_ctx=1024, devices=("cpu",))
    guessed = EngineSettings(
        model_path=str(target), n_ctx=1024, devices=("cpu",), draft_model=str(options.draft)
    )
    rates: dict[bool, list[float]] = {False: [], True: []}
    texts: dict[bool, dict[str, str]] = {False: {}, True: {}}
    drafted = accepted = 0
    with BlockingWorker() as alone, BlockingWorker() as helped:
        alone.load(plain)
        helped.load(guessed)
        for turn in range(options.turns + 1):
            for question in QUESTIONS[: options.questions]:
                for is_on, worker in ((False, alone), (True, helped)):
                    text, usage = _ask(worker, question, options.tokens)
                    texts[is_on][question] = text
                    if turn:
                        rates[is_on].append(usage.decode_tokens_per_second or 0.0)
                        drafted += usage.drafted_tokens
                        accepted += usage.accepted_tokens
    slow, fast = (statistics.median(rates[is_on]) for is_on in (False, True))
    pairs = [(text, texts[True][question]) for question, text in texts[False].items()]
    return {
        "plain_tokens_per_second": round(slow, 2),
        "draft_tokens_per_second": round(fast, 2),
        "speed_up": round(fast / slow, 2),
        "guessed_right": round(accepted / drafted, 3) if drafted else None,
        "guessed_per_reply": round(drafted / max(1, len(rates[True])), 1),
        "same_replies": f"{sum(one == other for one, other in pairs)} of {len(pairs)}",
        "part_after_characters": [_common(*pair) for pair in pairs if pair[0] != pair[1]],
    }


def _ask(worker: BlockingWorker, question: str, tokens: int) -> tuple[str, Usage]:
    pieces: list[str] = []

    def on_event(event: object) -> None:
        if isinstance(event, Delta):
            pieces.append(event.text)

    calm = GenerationSettings(temperature=0.0, max_tokens=tokens, repeat_penalty=1.0)
    prompt = Prompt(chat_id=question, turns=(Turn(role="user", text=question),))
    usage = worker.generate(prompt, calm, on_event).usage
    return "".join(pieces), usage


def _common(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


if __name__ == "__main__":
    main()

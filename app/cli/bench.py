"""``leadline bench MODEL``: how fast this machine reads and writes, beside other ways to run it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from app.cli.tuning import as_json, as_text, keep
from engine.bench.plan import CHAINS, Plan, contenders_of, trials_of
from engine.bench.report import heading, report_as_json, table
from engine.bench.runner import Runner
from engine.bench.tune import READ_TOKENS, Tuner
from engine.bench.worker import MeasuringWorker
from engine.errors import UserError
from engine.models.demo import resolve_model
from engine.settings import EngineSettings, GenerationSettings, validated
from engine.settings.options import add_options as add_setting_options
from engine.settings.options import settings_from
from engine.worker.protocol import LoadProgress
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    import argparse

    from engine.bench.tune import TuneProgress
    from engine.errors import Problem
    from engine.worker.protocol import Event

_MOST_TOKENS = 16_777_216


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="A GGUF file, or demo.")
    parser.add_argument(
        "--pp", default="512", metavar="N,N", help="Tokens to read; 0 for none. Default: 512."
    )
    parser.add_argument(
        "--tg", default="128", metavar="N,N", help="Tokens to write; 0 for none. Default: 128."
    )
    parser.add_argument(
        "--depth",
        default="0",
        metavar="N,N",
        help="Tokens in the context before, e.g. 0,4096,16384. Default: 0.",
    )
    parser.add_argument(
        "--repetitions", default="5", metavar="R", help="Times each figure is taken. Default: 5."
    )
    parser.add_argument(
        "--raw", action="store_true", help="Also the bare decode loop, without sampling and text."
    )
    parser.add_argument(
        "--chains",
        default="",
        metavar="A,B",
        help=f"Sample with these instead of the settings: {', '.join(CHAINS)}.",
    )
    parser.add_argument(
        "--vs",
        action="append",
        default=[],
        choices=("llama-class", "server"),
        help="Also llama-cpp-python's Llama class, or xllamacpp's llama-server. Can be repeated.",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="Instead: try micro-batches and thread counts, and say which are best here.",
    )
    parser.add_argument(
        "--save", action="store_true", help="With --tune: keep the best for this model."
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--log", action="store_true", help="Show the engine's log.")
    add_setting_options(parser, EngineSettings, leave_out=frozenset({"model_path"}))
    add_setting_options(parser, GenerationSettings)


def run(options: argparse.Namespace) -> int:
    """Measure; 0 when every figure was taken."""
    if options.tune:
        return _tune(options)
    if options.save:
        raise UserError("bench.nothing_to_save")
    generation = settings_from(options, GenerationSettings())
    plan = Plan(
        trials_of(
            numbers(options.pp, "512,2048"),
            numbers(options.tg, "128"),
            numbers(options.depth, "0,4096"),
        ),
        contenders_of(
            generation,
            chains=[name.strip() for name in options.chains.split(",") if name.strip()],
            raw=options.raw,
            peers=options.vs,
        ),
        max(1, numbers(options.repetitions, "5")[0]),
    )
    engine = validated(
        settings_from(options, EngineSettings(n_ctx=plan.n_ctx)),
        model_path=str(resolve_model(options.model).resolve()),
    )
    progress = _Progress()
    log = (lambda line: print(line, file=sys.stderr)) if options.log else _ignore
    with BlockingWorker(on_log=log) as worker:
        loaded = worker.load(engine, progress.show)
        runner = Runner(worker, loaded, progress=progress.say, on_problem=progress.note)
        outcome = runner.run(plan)
        build = worker.hello.build
    progress.say("")
    if options.json:
        print(json.dumps(report_as_json(outcome, loaded, build), ensure_ascii=False))
    else:
        print(f"{heading(loaded)}\n\n{table(outcome.runs, outcome.missing)}")
    return 1 if outcome.missing else 0


def _tune(options: argparse.Namespace) -> int:
    repetitions = max(1, numbers(options.repetitions, "5")[0])
    path = str(resolve_model(options.model).resolve())
    begun_with = EngineSettings(model_path=path, n_ctx=READ_TOKENS + 256)
    settings = settings_from(options, begun_with)
    progress = _Progress()
    log = (lambda line: print(line, file=sys.stderr)) if options.log else _ignore
    with MeasuringWorker(on_log=log) as worker:
        tuning = Tuner(worker, repetitions=repetitions, progress=progress.time).run(settings)
    progress.say("")
    saved = bool(options.save)
    if saved:
        keep(tuning)
    if options.json:
        print(json.dumps(as_json(tuning, saved=saved), ensure_ascii=False))
    else:
        print(as_text(tuning, saved=saved))
    return 0


def numbers(text: str, example: str) -> list[int]:
    """Token counts from text such as ``0,4096``.

    Raises:
        UserError: ``bench.bad_numbers``.
    """
    try:
        found = [int(part.replace("_", "")) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found or min(found) < 0 or max(found) > _MOST_TOKENS:
        raise UserError("bench.bad_numbers", value=text, example=example)
    return found


def _ignore(_line: str) -> None: ...


class _Progress:
    """Says on standard error what is going on, on one line where that is a terminal."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty()
        self._said = ""

    def say(self, text: str) -> None:
        """Show one state; an empty one clears the line."""
        if self._rewrites:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        else:
            # A line per test is enough in a log.
            test = text.partition(":")[0]
            if test and test != self._said:
                print(test, file=sys.stderr, flush=True)
            self._said = test

    def note(self, problem: Problem) -> None:
        """Say what was left out, on a line that stays."""
        self.say("")
        print(f"{problem.message} {problem.fix}", file=sys.stderr, flush=True)

    def time(self, progress: TuneProgress) -> None:
        """Show which value is timed now."""
        self.say(f"{progress.setting} {progress.value}: {progress.turn} of {progress.turns}")

    def show(self, event: Event) -> None:
        """Show the progress of the load."""
        if isinstance(event, LoadProgress) and self._rewrites:
            self.say(f"loading {event.fraction:4.0%}")

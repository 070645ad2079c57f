"""``leadline ask --mode map``: documents of any length, read part by part, then one answer."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from app.chat.prompting import prompt_documents, prompt_instruction
from app.cli.ask import as_json, citations, documents_json, ledger_json
from app.cli.lasting import LastingWorker
from app.documents.in_parts import answering, sources_of
from app.documents.parts_record import not_read
from app.documents.readings import COMMAND_LINE, kept_notes
from app.reading.request import model_id
from engine.documents.parts.planning import Planner
from engine.documents.parts.reading import PartsReading
from engine.documents.parts.results import StoppedError
from engine.errors import UserError
from engine.worker.protocol import Prompt, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.chat.prompting import PromptPart
    from app.cli.ask import Terminal
    from engine.documents.parts.cost import Cost
    from engine.documents.parts.kept import KeptNotes
    from engine.documents.parts.results import PartNotes, PartsRead, Plan, Progress
    from engine.settings import EngineSettings, GenerationSettings


def ask_in_parts(
    question: str,
    parts: Sequence[PromptPart],
    settings: EngineSettings,
    generation: GenerationSettings,
    terminal: Terminal,
    *,
    log: Callable[[str], None],
    only_cost: bool,
) -> int:
    """Say what it costs, read, answer; 0 unless it failed.

    Raises:
        UserError: ``parts.stopped`` after Ctrl-C, and whatever keeps the engine from working.
    """
    kept = kept_notes(COMMAND_LINE)
    kept.forget_old()
    with _stopping(), LastingWorker(settings, terminal, log) as worker:
        plan = _planned(worker, kept, question, parts, generation)
        terminal.say("")
        print(cost_words(plan.cost), file=sys.stderr)
        if only_cost:
            _print_cost(plan, as_one_object=terminal.is_quiet)
            return 0
        reading = PartsReading(
            worker,
            kept,
            plan,
            model_id=model_id(worker.loaded.model),
            generation=generation,
            cancelled=lambda: False,
            on_progress=_Line(terminal).show,
        )
        read = reading.run()
        prompt = _prompt(question, parts, read.block)
        measured = worker.measure(prompt, generation)
        finished = worker.answer(prompt, generation)
        if finished.stop_reason not in ("cancelled", "failed"):
            reading.forget_kept()
    terminal.add(not_read(read.parts))
    if terminal.is_quiet:
        answer = as_json(terminal, worker, measured, finished)
        answer |= {"citations": citations(terminal.text, parts), "passages": []}
        answer |= {"documents": documents_json(parts, {})}
        answer |= _parts_json(plan.cost, read)
        answer["ledger"] = ledger_json(measured, passages="Notes")
        print(json.dumps(answer, ensure_ascii=False))
    else:
        terminal.close(worker.loaded, finished)
        _print_parts(read)
    return 0


def _planned(
    worker: LastingWorker,
    kept: KeptNotes,
    question: str,
    parts: Sequence[PromptPart],
    generation: GenerationSettings,
) -> Plan:
    without = worker.measure(_prompt(question, parts, ""), generation)
    planner = Planner(
        worker,
        kept,
        model_id=model_id(worker.loaded.model),
        generation=generation,
        cancelled=lambda: False,
    )
    return planner.plan(question, sources_of(parts), answering(without, generation))


@contextmanager
def _stopping() -> Iterator[None]:
    try:
        yield
    except StoppedError as stopped:
        raise UserError("parts.stopped", done=stopped.done, total=stopped.total) from stopped


def _prompt(question: str, parts: Sequence[PromptPart], block: str) -> Prompt:
    return Prompt(
        chat_id="ask",
        turns=(Turn(role="user", text=question),),
        documents=prompt_documents(parts),
        instruction=prompt_instruction(parts),
        passages=block,
    )


# ---- words ---------------------------------------------------------------------------------------


def cost_words(cost: Cost) -> str:
    """What is ahead, in a line."""
    kept = f", {cost.parts_read} of them read before" if cost.parts_read else ""
    words = [
        f"{cost.parts} {'part' if cost.parts == 1 else 'parts'}{kept}",
        f"{cost.read_tokens:,} tokens to read",
        f"up to {cost.write_tokens:,} to write",
    ]
    if cost.seconds_least is not None and cost.seconds_most is not None:
        words.append(f"{_duration(cost.seconds_least)} to {_duration(cost.seconds_most)}")
    else:
        words.append("time unknown")
    return " · ".join(words)


def _duration(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5940 else f"{seconds / 3600:.1f} h"


class _Line:
    """Says how far it is: a line that changes on a terminal, else a line for each part."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._said = ""

    def show(self, progress: Progress) -> None:
        """Say it."""
        part = progress.part
        if part is None:
            begun = "merging the notes"
        else:
            begun = f"part {part.number} of {progress.parts}: {part.name} {part.place}"
        left = progress.seconds_left
        time_left = "" if left is None else f" · {_duration(left)} left"
        if self._terminal.has_line:
            how = f"writing, {progress.written_tokens}" if progress.written_tokens else "reading"
            far = f"{progress.done_tokens:,} of {progress.total_tokens:,} tokens"
            self._terminal.say(f"{begun} · {how} · {far}{time_left}")
        elif begun != self._said:
            self._said = begun
            tokens = f" · {part.tokens:,} tokens" if part is not None else ""
            print(f"{begun}{tokens}{time_left}", file=sys.stderr, flush=True)


def _print_cost(plan: Plan, *, as_one_object: bool) -> None:
    if as_one_object:
        parts = [
            {"document": part.file_name, "pages": part.pages, "tokens": part.tokens}
            for part in plan.parts
        ]
        print(json.dumps({"cost": msgspec.to_builtins(plan.cost), "parts": parts}))


def _print_parts(read: PartsRead) -> None:
    for part in read.parts:
        if part.problem is not None:
            said = part.problem.message
        else:
            said = "something" if part.has_something else "nothing"
        print(f"{part.name} {part.place}: {said} ({part.tokens:,} tokens)", file=sys.stderr)


def _parts_json(cost: Cost, read: PartsRead) -> dict[str, object]:
    failed = [part for part in read.parts if part.problem is not None]
    return {
        "parts": [_part_json(part) for part in read.parts],
        "merges": read.merges,
        "reading_s": read.seconds,
        "cost": msgspec.to_builtins(cost),
        "dropped": [
            {"document": part.document, "kind": "part", "pages": part.pages, "count": 1}
            for part in failed
        ],
    }


def _part_json(part: PartNotes) -> dict[str, object]:
    return {
        "document": part.document,
        "pages": part.pages,
        "place": part.place,
        "tokens": part.tokens,
        "notes": part.notes,
        "has_something": part.has_something,
        "is_cut": part.is_cut,
        "seconds": part.seconds,
        "cached_tokens": part.cached_tokens,
        "written_tokens": part.written_tokens,
        "read_before": part.was_kept,
        "attempts": part.attempts,
        "error": part.problem.as_json() if part.problem is not None else None,
    }

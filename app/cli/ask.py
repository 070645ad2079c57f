"""``leadline ask MODEL "question"``: one answer on the terminal, or one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.chat.overflow import counting, full_record, removed_json, removed_record
from app.chat.prompting import PromptPart, prompt_documents, prompt_instruction
from app.cli.ask_passages import PassageSearch, dropped, passages_json
from app.cli.lasting import LastingWorker
from app.documents.automatic import Choice, automatic_record, choose_modes
from app.documents.given_passages import passages_record
from app.documents.passages import passage_budget, passages_text
from engine.documents.citations import CitationChecker
from engine.documents.prompt import citation_names
from engine.documents.reader import DocumentReader
from engine.models.demo import resolve_model
from engine.settings import AppSettings, EngineSettings, GenerationSettings, validated
from engine.settings.options import add_options as add_setting_options
from engine.settings.options import settings_from
from engine.worker.protocol import (
    Delta,
    Finished,
    Loaded,
    LoadProgress,
    Measured,
    PrefillProgress,
    Prompt,
    Removed,
    Turn,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from app.chat.prompting import Mode
    from app.documents.given_passages import GivenPassages
    from engine.errors import Problem
    from engine.worker.protocol import Event


_MODES: Mapping[str, Mode] = {
    "auto": "whole",
    "full": "whole",
    "retrieve": "passages",
    "map": "parts",
}
_OF_THE_WINDOW = frozenset(AppSettings.__struct_fields__) - {
    "embedding_model",
    "passages_per_question",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="A GGUF file, or demo.")
    parser.add_argument("question", help="What to ask; - reads it from standard input.")
    parser.add_argument(
        "--doc", action="append", default=[], metavar="FILE", help="A document to ask about."
    )
    parser.add_argument(
        "--pages", default="", metavar="3-9,12", help="Give only these pages of the documents."
    )
    parser.add_argument(
        "--mode",
        choices=tuple(_MODES),
        default="auto",
        help="Give each document whole if it fits with room for the reply, else as the passages "
        "that answer to the question (auto, the default); always whole (full); always as passages "
        "(retrieve); or read them part by part, however long they are, and answer from the notes "
        "(map).",
    )
    parser.add_argument(
        "--cost",
        action="store_true",
        help="With --mode map: say what reading the documents would cost, and stop.",
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--log", action="store_true", help="Show the engine's log.")
    add_setting_options(parser, AppSettings, leave_out=_OF_THE_WINDOW)
    add_setting_options(parser, EngineSettings, leave_out=frozenset({"model_path"}))
    add_setting_options(parser, GenerationSettings)


def run(options: argparse.Namespace) -> int:
    """Answer; 0 unless the reply failed."""
    engine = settings_from(options, EngineSettings())
    engine = validated(engine, model_path=str(resolve_model(options.model).resolve()))
    generation = settings_from(options, GenerationSettings())
    question = sys.stdin.read() if options.question == "-" else options.question
    parts = _read(options.doc, options.pages, options.mode)
    terminal = Terminal(quiet=options.json)
    log = (lambda line: print(line, file=sys.stderr)) if options.log else (lambda _line: None)
    if options.mode == "map":
        from app.cli.ask_in_parts import ask_in_parts

        return ask_in_parts(
            question, parts, engine, generation, terminal, log=log, only_cost=options.cost
        )
    search = PassageSearch(
        settings_from(options, AppSettings()),
        on_progress=terminal.show_embedding,
        on_problem=terminal.note,
    )
    with LastingWorker(engine, terminal, log) as worker:
        choices: Mapping[str, Choice] = {}
        if options.mode == "auto":
            choices = _choose(worker, question, parts, generation)
            parts = [part._replace(mode=choices[part.document.id].mode) for part in parts]
        given: tuple[GivenPassages, ...] = ()
        if any(part.mode == "passages" for part in parts):
            without = worker.measure(_prompt(question, parts), generation)
            given = search.find(question, parts, passage_budget(without, generation), worker)
        prompt = _prompt(question, parts, given)
        measured = worker.measure(prompt, generation)
        finished = worker.answer(prompt, generation)
    if options.json:
        answer = as_json(terminal, worker, measured, finished, search.problems)
        answer |= {"citations": citations(terminal.text, parts)}
        answer |= {
            "passages": passages_json(given),
            "documents": documents_json(parts, choices),
            "dropped": [*dropped(given), *removed_json(terminal.removed)],
        }
        print(json.dumps(answer, ensure_ascii=False))
    else:
        terminal.close(worker.loaded, finished)
        for part in parts:
            choice = choices.get(part.document.id, Choice("whole"))
            if choice.over:
                record = automatic_record(part.document.name, choice)
                print(record.sentence, file=sys.stderr)
        for each in given:
            print(passages_record(each).sentence, file=sys.stderr)
    return 0


def _read(paths: Sequence[str], selection: str, mode: str) -> list[PromptPart]:
    reader = DocumentReader()
    return [PromptPart(reader.read(Path(path)), selection, _MODES[mode]) for path in paths]


def _choose(
    worker: LastingWorker,
    question: str,
    parts: Sequence[PromptPart],
    generation: GenerationSettings,
) -> Mapping[str, Choice]:
    ids = {part.document.id for part in parts}
    return choose_modes(
        parts, ids, lambda tried: _prompt(question, tried), counting(generation), worker
    )


def documents_json(
    parts: Sequence[PromptPart], choices: Mapping[str, Choice]
) -> list[dict[str, object]]:
    """How each document was given, and by how much it was too long to be given whole."""
    names = {mode: name for name, mode in _MODES.items() if name != "auto"}
    return [
        {
            "document": part.document.name,
            "mode": names[part.mode],
            "automatic": part.document.id in choices,
            "over": choices[part.document.id].over if part.document.id in choices else 0,
        }
        for part in parts
    ]


def _prompt(
    question: str, parts: Sequence[PromptPart], given: Sequence[GivenPassages] = ()
) -> Prompt:
    return Prompt(
        chat_id="ask",
        turns=(Turn(role="user", text=question),),
        documents=prompt_documents(parts),
        instruction=prompt_instruction(parts),
        passages=passages_text(parts, given),
    )


def citations(answer: str, parts: Sequence[PromptPart]) -> list[dict[str, object]]:
    """What an answer cites, checked."""
    names = citation_names([part.document.name for part in parts])
    documents = dict(zip(names, (part.document for part in parts), strict=True))
    checker = CitationChecker({name: one.pages for name, one in documents.items()})
    return [
        {
            "document": documents[each.document].name,
            "page": each.page_number,
            "quote": each.quote,
            "verified": each.verified,
            "text": answer[each.start : each.end],
            "found_on": list(each.found_on),
        }
        for each in checker.check(answer)
    ]


class Terminal:
    """Streams a reply to standard output and progress to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self.is_quiet = quiet
        self.has_line = not quiet and sys.stderr.isatty()
        self.text = ""
        self.thinking = ""
        self.removed: list[Removed] = []
        self._written_tokens = 0

    def show(self, event: Event) -> None:
        """Print one event."""
        match event:
            case LoadProgress():
                self.say(f"loading {event.fraction:4.0%}")
            case PrefillProgress():
                self.say(f"reading {event.done:,} of {event.total:,} tokens")
            case Removed():
                self.removed.append(event)
            case Delta(thinking=True):
                self._written_tokens = event.completion_tokens
                self.thinking += event.text
            case Delta():
                self._written_tokens = event.completion_tokens
                if not self.text:
                    self.say("")
                self.text += event.text
                if not self.is_quiet:
                    print(event.text, end="", flush=True)

    def show_embedding(self, done: int, total: int) -> bool:
        """Tell how much of a document is embedded; it always goes on."""
        self.say(f"embedding {done:,} of {total:,} passages")
        return True

    def note(self, problem: Problem) -> None:
        """Say what is not as it should be, though there will be an answer."""
        if not self.is_quiet:
            self.say("")
            print(problem.message, problem.fix, file=sys.stderr)

    def say_waiting(self, problem: Problem) -> None:
        """Say why there is nothing to show; also where the answer is one object."""
        self.say("")
        what_to_do = problem.fix if problem.code == "worker.stopping" else "Ctrl+C stops."
        print(problem.message, what_to_do, file=sys.stderr, flush=True)

    def begin_again(self) -> int:
        """Another attempt at the reply begins, behind what the one before wrote.

        Returns:
            How many tokens that were.
        """
        self.removed.clear()
        return self._written_tokens

    def say(self, text: str) -> None:
        """Replace the line of progress, where there is a terminal to show it."""
        if self.has_line:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def add(self, text: str) -> None:
        """Put something behind the reply that the model did not write."""
        if text:
            self.text += f"\n\n{text}"
            if not self.is_quiet:
                print(f"\n\n{text}", end="")

    def close(self, loaded: Loaded, finished: Finished) -> None:
        """End the line and say how fast it was."""
        print()
        usage = finished.usage
        parts = [f"{usage.completion_tokens} tokens"]
        if usage.decode_tokens_per_second:
            parts.append(f"{usage.decode_tokens_per_second:.1f} tok/s")
        if usage.time_to_first_token_s is not None:
            parts.append(f"first after {usage.time_to_first_token_s:.2f} s")
        if usage.drafted_tokens:
            parts.append(f"{usage.accepted_tokens / usage.drafted_tokens:.0%} guessed right")
        parts.append(f"{usage.prompt_tokens:,} of {finished.n_ctx:,} read")
        parts.append(finished.stop_reason)
        print(" · ".join(parts), file=sys.stderr)
        for notice in (*loaded.notices, *finished.notices):
            print(notice.message, file=sys.stderr)
        for event in self.removed:
            print(removed_record(event, (), finished.n_ctx).sentence, file=sys.stderr)
        if finished.stop_reason == "context_full":
            print(full_record(finished.n_ctx).sentence, file=sys.stderr)


def ledger_json(measured: Measured, *, passages: str = "Passages") -> list[dict[str, object]]:
    """What a request held; `passages` says what went right before the question."""
    return [
        {
            "kind": segment.kind,
            "label": passages if segment.label == "Passages" else segment.label,
            "tokens": segment.tokens,
            "cached": segment.cached,
        }
        for segment in measured.segments
    ]


def as_json(
    terminal: Terminal,
    worker: LastingWorker,
    measured: Measured,
    finished: Finished,
    problems: Sequence[Problem] = (),
) -> dict[str, object]:
    """The answer and its figures."""
    usage, loaded = finished.usage, worker.loaded
    notices = (*problems, *loaded.notices, *finished.notices)
    return {
        "text": terminal.text,
        "thinking": terminal.thinking,
        "model": loaded.model.name,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "completion_tokens": usage.completion_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "prefill_tokens_per_second": usage.prefill_tokens_per_second,
        "decode_tokens_per_second": usage.decode_tokens_per_second,
        "time_to_first_token_s": usage.time_to_first_token_s,
        "stop_reason": finished.stop_reason,
        "n_ctx": finished.n_ctx,
        "context_used": finished.context_used,
        "seed": usage.seed,
        "drafted_tokens": usage.drafted_tokens,
        "accepted_tokens": usage.accepted_tokens,
        "load_s": loaded.seconds,
        "attempts": worker.attempts,
        "ledger": ledger_json(measured),
        "notices": [notice.as_json() for notice in notices],
    }

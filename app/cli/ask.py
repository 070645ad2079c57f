"""``leadline ask MODEL "question"``: one answer on the terminal, or one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.chat.prompting import PromptPart, prompt_documents
from engine.documents.reader import DocumentReader
from engine.models.demo import resolve_model
from engine.settings import EngineSettings, GenerationSettings, validated
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
    PromptDocument,
    Turn,
)
from engine.worker.session import BlockingWorker

if TYPE_CHECKING:
    import argparse

    from engine.worker.protocol import Event


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("model", metavar="MODEL", help="A GGUF file, or demo.")
    parser.add_argument("question", help="What to ask; - reads it from standard input.")
    parser.add_argument(
        "--doc", action="append", default=[], metavar="FILE", help="A document, read whole."
    )
    parser.add_argument(
        "--pages", default="", metavar="3-9,12", help="Give only these pages of the documents."
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")
    parser.add_argument("--log", action="store_true", help="Show the engine's log.")
    add_setting_options(parser, EngineSettings, leave_out=frozenset({"model_path"}))
    add_setting_options(parser, GenerationSettings)


def run(options: argparse.Namespace) -> int:
    """Answer; 0 unless the reply failed."""
    engine = settings_from(options, EngineSettings())
    engine = validated(engine, model_path=str(resolve_model(options.model).resolve()))
    generation = settings_from(options, GenerationSettings())
    question = sys.stdin.read() if options.question == "-" else options.question
    prompt = Prompt(
        chat_id="ask",
        turns=(Turn(role="user", text=question),),
        documents=_documents(options.doc, options.pages),
    )
    terminal = _Terminal(quiet=options.json)
    log = (lambda line: print(line, file=sys.stderr)) if options.log else (lambda _line: None)
    with BlockingWorker(on_log=log) as worker:
        loaded = worker.load(engine, terminal.show)
        measured = worker.measure(prompt, generation)
        finished = worker.generate(prompt, generation, terminal.show)
    if options.json:
        print(json.dumps(_as_json(terminal, loaded, measured, finished), ensure_ascii=False))
    else:
        terminal.close(loaded, finished)
    return 0


def _documents(paths: list[str], selection: str) -> tuple[PromptDocument, ...]:
    reader = DocumentReader()
    return prompt_documents([PromptPart(reader.read(Path(path)), selection) for path in paths])


class _Terminal:
    """Streams a reply to standard output and progress to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._progress = not quiet and sys.stderr.isatty()
        self.text = ""
        self.thinking = ""

    def show(self, event: Event) -> None:
        """Print one event."""
        match event:
            case LoadProgress():
                self._say(f"loading {event.fraction:4.0%}")
            case PrefillProgress():
                self._say(f"reading {event.done:,} of {event.total:,} tokens")
            case Delta(thinking=True):
                self.thinking += event.text
            case Delta():
                if not self.text:
                    self._say("")
                self.text += event.text
                if not self._quiet:
                    print(event.text, end="", flush=True)

    def _say(self, text: str) -> None:
        if self._progress:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def close(self, loaded: Loaded, finished: Finished) -> None:
        """End the line and say how fast it was."""
        print()
        usage = finished.usage
        parts = [f"{usage.completion_tokens} tokens"]
        if usage.decode_tokens_per_second:
            parts.append(f"{usage.decode_tokens_per_second:.1f} tok/s")
        if usage.time_to_first_token_s is not None:
            parts.append(f"first after {usage.time_to_first_token_s:.2f} s")
        parts.append(f"{usage.prompt_tokens:,} of {finished.n_ctx:,} read")
        parts.append(finished.stop_reason)
        print(" · ".join(parts), file=sys.stderr)
        for notice in (*loaded.notices, *finished.notices):
            print(notice.message, file=sys.stderr)


def _as_json(
    terminal: _Terminal, loaded: Loaded, measured: Measured, finished: Finished
) -> dict[str, object]:
    usage = finished.usage
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
        "ledger": [
            {"kind": s.kind, "label": s.label, "tokens": s.tokens, "cached": s.cached}
            for s in measured.segments
        ],
        # Nothing is ever cut here: a prompt that does not fit is refused.
        "dropped": [],
        "notices": [notice.as_json() for notice in (*loaded.notices, *finished.notices)],
    }

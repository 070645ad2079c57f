"""``leadline ask --mode map``: a document longer than the window, read by a real worker."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from app.chat.prompting import PromptPart
from app.cli.__main__ import main
from app.cli.ask import Terminal
from app.cli.lasting import LastingWorker
from app.documents.in_parts import answering, sources_of
from engine.documents.parts.kept import KeptNotes
from engine.documents.parts.planning import Planner
from engine.documents.parts.reading import PartsReading
from engine.documents.reader import DocumentReader
from engine.errors import UserError
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Prompt, Turn
from tests.engine.document_files import write_pdf

if TYPE_CHECKING:
    from pathlib import Path

    from engine.documents.parts.results import Progress
    from engine.worker.protocol import Event

QUESTION = "Who keeps the spare key?"
PAGES = [
    f"Chapter {number}. " + "The tide runs in and out again past the grey stones of the quay. " * 9
    for number in range(1, 6)
]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_pdf(tmp_path / "book.pdf", PAGES)


def asked(
    capsys: pytest.CaptureFixture[str], book: Path, *options: str
) -> tuple[dict[str, object], str]:
    few = ["--max-tokens", "8", "--temperature", "0", "--n-threads", "1", "--n-ctx", "512"]
    assert main(["ask", "demo", QUESTION, "--doc", str(book), "--mode", "map", *few, *options]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out), printed.err


@pytest.mark.model
def test_cost_then_parts_then_one_answer(capsys: pytest.CaptureFixture[str], book: Path) -> None:
    cost, told = asked(capsys, book, "--json", "--cost")
    assert " parts · " in told
    answer, told = asked(capsys, book, "--json")
    parts = answer["parts"]
    assert isinstance(parts, list)
    assert len(parts) > 2
    assert f"part 2 of {len(parts)}: book p. " in told
    planned = cost["parts"]
    assert isinstance(planned, list)
    assert [part["pages"] for part in parts] == [part["pages"] for part in planned]
    assert {part["document"] for part in parts} == {"book.pdf"}
    # What all parts begin with is read once: the later ones find it in the memory.
    assert all(part["cached_tokens"] > 80 for part in parts[1:])
    assert all(part["seconds"] > 0 and part["attempts"] == 1 for part in parts)
    assert answer["dropped"] == []
    assert answer["attempts"] == 1
    assert answer["documents"] == [
        {"document": "book.pdf", "mode": "map", "automatic": False, "over": 0}
    ]
    ledger = answer["ledger"]
    assert isinstance(ledger, list)
    assert "Notes" in [segment["label"] for segment in ledger]


@pytest.mark.model
def test_a_worker_that_is_killed_is_started_again(book: Path, tmp_path: Path) -> None:
    settings = EngineSettings(model_path=str(_demo()), n_ctx=512, n_threads=1)
    generation = GenerationSettings(max_tokens=8, temperature=0)
    parts = [PromptPart(DocumentReader().read(book), "", "parts")]
    kept = KeptNotes(tmp_path / "kept", "me")
    killed: list[int] = []
    with LastingWorker(settings, Terminal(quiet=True), lambda _line: None) as worker:
        prompt = Prompt(chat_id="a", turns=(Turn(role="user", text=QUESTION),))
        without = answering(worker.measure(prompt, generation), generation)
        never = lambda: False  # noqa: E731
        planner = Planner(worker, kept, model_id="m", generation=generation, cancelled=never)
        plan = planner.plan(QUESTION, sources_of(parts), without)

        def kill(progress: Progress) -> None:
            pid = worker.pid
            if progress.part is not None and progress.part.number == 3 and not killed and pid:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        read = PartsReading(
            worker,
            kept,
            plan,
            model_id="m",
            generation=generation,
            cancelled=never,
            on_progress=kill,
        ).run()
    assert killed
    assert [part.attempts for part in read.parts][:3] == [1, 1, 2]
    assert all(part.problem is None for part in read.parts)
    assert len(list((tmp_path / "kept").iterdir())) >= len(plan.parts)


class _Killing(Terminal):
    """Kills the engine once four tokens of the reply are there, once or each time.

    Text comes in pieces of as many tokens as the machine was fast, and a reply must be long
    enough that the signal comes before its end.
    """

    def __init__(self, *, each_time: bool) -> None:
        super().__init__(quiet=True)
        self.each_time = each_time
        self.worker: LastingWorker | None = None
        self.kept = ""

    def show(self, event: Event) -> None:
        super().show(event)
        is_due = isinstance(event, Delta) and event.completion_tokens >= 4
        if is_due and self.worker is not None and self.worker.pid and not self.kept:
            self.kept = "" if self.each_time else self.text
            os.kill(self.worker.pid, signal.SIGKILL)


@pytest.mark.model
def test_an_answer_that_a_death_cut_off_goes_on_where_it_was() -> None:
    settings = EngineSettings(model_path=str(_demo()), n_ctx=512, n_threads=1)
    generation = GenerationSettings(max_tokens=150, temperature=0)
    prompt = Prompt(chat_id="a", turns=(Turn(role="user", text="Tell me about the tide."),))
    terminal = _Killing(each_time=False)
    with LastingWorker(settings, terminal, lambda _line: None) as worker:
        terminal.worker = worker
        finished = worker.answer(prompt, generation)
        assert worker.attempts == 2
        assert terminal.kept
        assert terminal.text.startswith(terminal.kept)
        assert len(terminal.text) > len(terminal.kept)
        # What was written before counts.
        assert finished.usage.completion_tokens <= 150 - 4


@pytest.mark.model
def test_an_answer_is_not_begun_for_ever() -> None:
    settings = EngineSettings(model_path=str(_demo()), n_ctx=512, n_threads=1)
    prompt = Prompt(chat_id="a", turns=(Turn(role="user", text="Tell me about the tide."),))
    terminal = _Killing(each_time=True)
    with LastingWorker(settings, terminal, lambda _line: None) as worker:
        terminal.worker = worker
        with pytest.raises(UserError) as caught:
            worker.answer(prompt, GenerationSettings(max_tokens=150, temperature=0))
        assert worker.attempts == 2
    assert caught.value.code == "worker.killed"


def _demo() -> Path:
    from engine.models.demo import demo_model_path

    return demo_model_path()

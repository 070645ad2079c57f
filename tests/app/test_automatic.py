"""Which documents go whole by themselves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat.prompting import PromptPart, prompt_documents
from app.documents.automatic import choose_modes
from engine.documents.model import Document, Page
from engine.settings import GenerationSettings, validated
from engine.worker.protocol import Measured, Prompt
from tests.support.desk import faulty, open_desk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PySide6.QtWidgets import QApplication

N_CTX, RESERVE = 1000, 100


class CountingEngine:
    """Counts a token for each character of the documents' own pages."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        del generation
        tokens = sum(self.sizes[document.id] for document in prompt.documents)
        return Measured(
            request_id=1,
            segments=(),
            prompt_tokens=tokens,
            cached_tokens=0,
            n_ctx=N_CTX,
            reply_reserve=RESERVE,
        )


def _part(key: str) -> PromptPart:
    pages = (Page(number=1, label="1", text="text"),)
    document = Document(
        id=key, name=f"{key}.txt", path="", kind="text", size_bytes=4, mtime_ns=0, pages=pages
    )
    return PromptPart(document)


def _prompt_of(parts: Sequence[PromptPart]) -> Prompt:
    return Prompt(chat_id="c", turns=(), documents=prompt_documents(parts))


@given(st.lists(st.tuples(st.integers(0, 1200), st.booleans()), max_size=6))
def test_each_goes_whole_that_fits_after_those_before_it(held: list[tuple[int, bool]]) -> None:
    sizes = {f"d{index}": size for index, (size, _) in enumerate(held)}
    automatic = {f"d{index}" for index, (_, is_automatic) in enumerate(held) if is_automatic}
    parts = [_part(key) for key in sizes]
    chosen = choose_modes(parts, automatic, _prompt_of, GenerationSettings(), CountingEngine(sizes))
    assert chosen.keys() == automatic
    taken = sum(size for key, size in sizes.items() if key not in automatic)
    for key in (key for key in sizes if key in automatic):
        over = taken + sizes[key] + RESERVE - N_CTX
        assert chosen[key] == (("whole", 0) if over <= 0 else ("passages", over))
        taken += sizes[key] if over <= 0 else 0


def test_asking_for_a_prompt_starts_nothing(qapp: QApplication, tmp_path: Path) -> None:
    path = tmp_path / "lease.txt"
    path.write_text("Clause 7. The notice is thirty days.\n")
    with open_desk(qapp, command=faulty()) as desk:
        desk.load()
        # Who counts what is being written has it decided; here nobody does.
        desk.desktop.ledger._timer.stop()
        desk.drop(path)
        shelf, chat_id = desk.desktop.shelf, desk.chat.ensure_chat()
        desk.until(lambda: shelf.parts(chat_id), "the text")
        counts = list[int]()
        desk.engine.measured.connect(lambda measured: counts.append(measured.request_id))
        for _ in range(3):
            assert desk.chat.prompt("Which notice?").documents
            own = desk.engine.measure(Prompt(chat_id="another", turns=()), GenerationSettings())
            desk.until(partial(counts.__contains__, own), "an answer of the engine")
        assert len(counts) == 3
        assert [held.settled for held in shelf.held(chat_id)] == [None]
        desk.chat.prepare("Which notice?")
        desk.until(lambda: all(held.settled for held in shelf.held(chat_id)), "the decision")


@pytest.mark.model
def test_a_document_that_goes_as_passages_is_not_said_to_fill_the_context(
    qapp: QApplication, demo_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lease.txt"
    path.write_text("Clause 7. The notice is thirty days. The tenant pays 40 crowns.\n" * 100)
    with open_desk(qapp) as desk:
        generation = validated(desk.desktop.settings.generation, max_tokens=1)
        desk.desktop.settings.set_generation(generation)
        desk.load(demo_model, n_ctx=1024, devices=("cpu",))
        desk.ask("Hi")
        ledger, over = desk.desktop.ledger, list[int]()
        ledger.measured.connect(lambda _measured: over.append(ledger.overflow_tokens))
        desk.drop(path)
        shelf, chat_id = desk.desktop.shelf, desk.chat.chat_id
        desk.until(lambda: any(held.settled for held in shelf.held(chat_id)), "the decision")
        assert [held.sent_as for held in shelf.held(chat_id)] == ["passages"]
        known = len(over)
        ledger.mark_dirty()
        desk.until(lambda: len(over) > known, "a count of what is decided")
        assert not any(over)

"""Reading in parts without a model: cutting, cost, merging, failures, stopping and going on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.documents.model import Page
from engine.documents.parts.cutting import Source, cut
from engine.documents.parts.kept import KeptNotes
from engine.documents.parts.merging import FRAME_TOKENS, grouped, most_merges
from engine.documents.parts.planning import Answering, Planner
from engine.documents.parts.prompts import says_nothing
from engine.documents.parts.reading import PartsReading
from engine.documents.parts.results import Plan, Progress, StoppedError
from engine.errors import UserError
from engine.settings import GenerationSettings
from engine.worker.protocol import Prompt, Turn
from tests.engine.scripted_engine import ScriptedEngine, words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUESTION = "Where does the ferryman live?"
GENERATION = GenerationSettings(max_tokens=400)


def source(*texts: str, name: str = "tale") -> Source:
    pages = tuple(
        Page(number=number, label=str(number), text=text) for number, text in enumerate(texts, 1)
    )
    return Source(f"id of {name}", name, f"{name}.txt", pages)


def tale(pages: int, *, told_on: Sequence[int] = ()) -> Source:
    """Pages of a hundred words, some of which speak of the ferryman."""
    return source(
        *(
            f"page {number} "
            + "rain " * 97
            + "."
            + "\nThe ferryman lives here." * (number in told_on)
            for number in range(1, pages + 1)
        )
    )


class Desk:
    """A question, an engine and a folder of kept notes."""

    def __init__(
        self, folder: Path, *sources: Source, n_ctx: int = 1024, owner: str = "me"
    ) -> None:
        self.engine = ScriptedEngine(n_ctx, "ferryman lives")
        self.kept = KeptNotes(folder, owner)
        self.sources = sources
        self.told: list[Progress] = []

    def plan(self, generation: GenerationSettings = GENERATION) -> Plan:
        prompt = Prompt(chat_id="a", turns=(Turn(role="user", text=QUESTION),))
        measured = self.engine.measure(prompt, generation)
        planner = Planner(
            self.engine, self.kept, model_id="m", generation=generation, cancelled=lambda: False
        )
        room = (self.engine.n_ctx - measured.prompt_tokens) // 2
        return planner.plan(QUESTION, self.sources, Answering(measured, room))

    def reading(self, plan: Plan, generation: GenerationSettings = GENERATION) -> PartsReading:
        self.engine.asked.clear()
        return PartsReading(
            self.engine,
            self.kept,
            plan,
            model_id="m",
            generation=generation,
            cancelled=lambda: False,
            on_progress=self.told.append,
        )


# ---- cutting

TEXTS = st.lists(st.text(st.sampled_from("ab .\n"), max_size=400), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(texts=TEXTS, room=st.integers(20, 90))
def test_every_word_is_in_exactly_one_part_and_every_part_fits(texts: list[str], room: int) -> None:
    parts = cut((source(*texts),), room, lambda them: [words(text) for text in them])
    read: list[str] = []
    for part in parts:
        assert words(part.text) <= part.tokens <= room
        lines = [line for line in part.text.splitlines() if not line.startswith(("[", "<"))]
        read += "\n".join(lines).split()
    assert read == [word for text in texts for word in text.split()]
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))


def test_parts_end_with_pages_and_with_documents() -> None:
    sources = (tale(7), source("A short one.", name="note"))
    parts = cut(sources, 350, lambda them: [words(text) for text in them])
    assert [(part.name, part.pages, part.place) for part in parts] == [
        ("tale", "1-3", "p. 1\u20133"),
        ("tale", "4-6", "p. 4\u20136"),
        ("tale", "7", "p. 7"),
        ("note", "1", "p. 1"),
    ]
    assert "[tale p. 4]\npage 4" in parts[1].text


def test_the_pieces_of_a_long_page_are_told_apart() -> None:
    parts = cut((source("rain " * 400),), 150, lambda them: [words(text) for text in them])
    assert len(parts) > 2
    assert {part.pages for part in parts} == {"1"}
    assert parts[0].place.startswith("p. 1 (0\u2013")
    assert parts[-1].place.endswith("\u2013100 %)")


def test_lines_are_told_from_the_first_to_the_last() -> None:
    pages = tuple(
        Page(number=number, label=f"{number}1-{number + 1}0", mark="lines", text="rain " * 50)
        for number in range(1, 6)
    )
    parts = cut(
        (Source("id", "log", "log.txt", pages),), 220, lambda them: [words(text) for text in them]
    )
    assert [part.place for part in parts] == ["lines 11\u201350", "lines 51-60"]


# ---- merging


@given(sizes=st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_groups_hold_all_notes_in_order_and_fit(sizes: list[int]) -> None:
    room = 2 * (100 + FRAME_TOKENS)
    groups = grouped(sizes, room)
    assert [index for group in groups for index in group] == list(range(len(sizes)))
    assert all(sum(sizes[i] + FRAME_TOKENS for i in group) <= room for group in groups)
    assert all(len(group) > 1 for group in groups[:-1])


def test_merging_is_counted_until_all_notes_fit() -> None:
    assert most_merges(3, 100, 600, 1000) == (0, 0, 0)
    ahead = most_merges(40, 100, 600, 300)
    assert ahead.requests >= 10 + 2
    assert ahead.write_tokens == ahead.requests * 100


def test_what_says_nothing() -> None:
    assert says_nothing(" **Nothing here.**\n")
    assert says_nothing("")
    assert not says_nothing("Nothing here about rain, but the ferryman is named [tale p. 3].")


# ---- reading


def test_each_part_is_read_once_and_the_notes_are_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(12, told_on=(2, 11)))
    plan = desk.plan()
    assert len(plan.parts) == 2
    assert plan.cost.parts == 2
    assert plan.cost.read_per_second == pytest.approx(1000)
    assert plan.cost.seconds_most is not None
    reading = desk.reading(plan)
    read = reading.run()
    assert len(desk.engine.asked) == 2
    assert all(prompt.is_passing for prompt in desk.engine.asked)
    # The beginning is the same for all parts, or it could not stay in the memory.
    assert len({prompt.instruction for prompt in desk.engine.asked}) == 1
    assert QUESTION in desk.engine.asked[0].instruction
    assert [part.notes for part in read.parts] == [
        "The ferryman lives here. [tale p. 2]",
        "The ferryman lives here. [tale p. 11]",
    ]
    assert "Notes on tale, p. 1" in read.block
    assert desk.told[-1].done_tokens == desk.told[-1].total_tokens > 0
    done = [told.done_tokens for told in desk.told]
    assert done == sorted(done)
    reading.forget_kept()
    assert list(tmp_path.iterdir()) == []


def test_a_part_with_nothing_is_not_sent_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(12, told_on=(2,)))
    read = desk.reading(desk.plan()).run()
    assert [part.has_something for part in read.parts] == [True, False]
    assert "p. 8" not in read.block
    desk = Desk(tmp_path / "other", tale(12))
    assert "no part holds anything" in desk.reading(desk.plan()).run().block


def test_stopping_keeps_what_was_read_and_going_on_reads_the_rest(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(40, told_on=(1, 39)))
    plan = desk.plan()
    count = len(plan.parts)
    assert count >= 5
    desk.engine.stops_at = 4
    with pytest.raises(StoppedError) as stopped:
        desk.reading(plan).run()
    assert (stopped.value.done, stopped.value.total) == (3, count)
    assert len(list(tmp_path.iterdir())) == 3

    again = Desk(tmp_path, *desk.sources)
    plan = again.plan()
    assert plan.cost.parts_read == 3
    read = again.reading(plan).run()
    assert len(again.engine.asked) == count - 3
    assert [part.was_kept for part in read.parts] == [True] * 3 + [False] * (count - 3)
    # Another question, or another model, has nothing to do with these notes.
    other = Desk(tmp_path, *desk.sources)
    longer = GenerationSettings(max_tokens=400, system_prompt="Be brief.")
    assert other.plan(longer).cost.parts_read == 0


def test_notes_stay_as_long_as_somebody_waits_for_them(tmp_path: Path) -> None:
    mine = Desk(tmp_path, tale(12))
    plan = mine.plan()
    mine.reading(plan).run()
    others = Desk(tmp_path, *mine.sources, owner="they")
    again = others.reading(others.plan())
    assert all(part.was_kept for part in again.run().parts)
    again.forget_kept()
    assert mine.plan().cost.parts_read == len(plan.parts)
    others.reading(others.plan()).run()
    mine.kept.forget_gone({"they"})
    assert mine.plan().cost.parts_read == len(plan.parts)
    mine.kept.forget_gone({"me"})
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_cut_off_is_read_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(12))
    desk.reading(desk.plan()).run()
    first, second = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:20])
    os.utime(second, (time.time() - 40 * 86_400,) * 2)
    assert desk.plan().cost.parts_read == 1
    desk.kept.forget_old()
    assert list(tmp_path.iterdir()) == [first]


def test_a_part_that_kills_the_engine_is_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(40, told_on=(1, 39)))
    plan = desk.plan()
    reading = desk.reading(plan)
    desk.engine.dies_at = {3}
    read = reading.run()
    assert desk.engine.revived == 1
    assert [part.attempts for part in read.parts][:4] == [1, 1, 2, 1]
    assert all(part.problem is None for part in read.parts)


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(40, told_on=(1, 39)))
    plan = desk.plan()
    reading = desk.reading(plan)
    desk.engine.dies_at = {3, 4}
    read = reading.run()
    assert desk.engine.revived == 2
    (failed,) = [part for part in read.parts if part.problem is not None]
    assert (failed.number, failed.attempts) == (3, 2)
    assert failed.problem is not None
    assert failed.problem.code == "worker.killed"
    reading.forget_kept()
    assert desk.plan().cost.parts_read == len(plan.parts) - 1


def test_thoughts_are_no_notes(tmp_path: Path) -> None:
    """A model that thinks until its limit did not say that nothing is there."""
    desk = Desk(tmp_path, tale(12, told_on=(2,)))
    reading = desk.reading(desk.plan())
    desk.engine.thinks_at = 2
    read = reading.run()
    assert [part.attempts for part in read.parts] == [1, 2]
    assert all(part.problem is None for part in read.parts)


def test_notes_are_merged_until_they_fit(tmp_path: Path) -> None:
    everywhere = tale(60, told_on=range(1, 61))
    desk = Desk(tmp_path, everywhere, n_ctx=640)
    plan = desk.plan()
    read = desk.reading(plan).run()
    assert read.merges > 1
    assert words(read.block) <= plan.answer_room + 40
    assert 0 < read.merges <= plan.cost.requests


def test_a_window_too_small_for_the_question_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tale(3), n_ctx=200)
    with pytest.raises(UserError) as refused:
        desk.plan()
    assert refused.value.code == "parts.no_room"

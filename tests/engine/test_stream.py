"""Text from token pieces: characters, stop strings and thinking, however the pieces are cut."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.llama.stream import ReplyStream, Run, ThinkTags
from engine.llama.think_tags import known_tags

THINK = (ThinkTags("<think>", "</think>"),)


def streamed(text: str, cuts: list[int], stream: ReplyStream) -> tuple[str, str]:
    """Thinking and answer after feeding the text's bytes in pieces."""
    data = text.encode()
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    runs: list[Run] = []
    for start, end in pairwise(bounds):
        runs += stream.feed(data[start:end])
    runs += stream.finish()
    thought = "".join(run.text for run in runs if run.thinking)
    return thought, "".join(run.text for run in runs if not run.thinking)


CUTS = st.lists(st.integers(0, 200), max_size=30)


@given(st.text(max_size=80), CUTS)
def test_plain_text_comes_through_unchanged(text: str, cuts: list[int]) -> None:
    assert streamed(text, cuts, ReplyStream(())) == ("", text)


@given(
    st.text("abST \n", max_size=40),
    st.lists(st.text("STab", min_size=1, max_size=4), max_size=3),
    CUTS,
)
@example("STS", ["T", "STS"], [2])
@example("STS", ["T", "STS"], [])
def test_answer_ends_before_the_first_stop_string(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    stream = ReplyStream(stop)
    _, answer = streamed(text, cuts, stream)
    ends = [(text.find(needle) + len(needle), -len(needle)) for needle in stop if needle in text]
    assert stream.stopped == bool(ends)
    assert answer == (text[: sum(min(ends))] if ends else text)


@given(CUTS)
def test_thinking_is_told_from_the_answer(cuts: list[int]) -> None:
    text = "\n<think>\nWhy? 🙂 <b>STOP\n</think>\n\nBecause <think> ü STOP never"
    stream = ReplyStream(("STOP",), THINK)
    assert streamed(text, cuts, stream) == ("Why? 🙂 <b>STOP\n", "Because <think> ü ")
    assert stream.stopped


@given(CUTS)
def test_channels_are_told_apart(cuts: list[int]) -> None:
    tags = known_tags()
    text = "<|channel|>analysis<|message|>Hm.assistant<|channel|>final<|message|>Yes."
    assert streamed(text, cuts, ReplyStream((), tags)) == ("Hm.", "Yes.")
    assert streamed("<|channel|>final<|message|>Yes.", cuts, ReplyStream((), tags)) == ("", "Yes.")


@pytest.mark.parametrize("tag", known_tags(), ids=lambda tag: tag.opening.strip())
def test_block_that_the_prompt_opened_is_thinking(tag: ThinkTags) -> None:
    if tag.closing:
        stream = ReplyStream((), (tag,), thinking=True)
        assert streamed(f"Hm{tag.closing}\nYes", [], stream) == ("Hm", "Yes")


def test_what_only_looks_like_a_tag_is_text() -> None:
    assert streamed("<thin air", [3], ReplyStream((), THINK)) == ("", "<thin air")
    assert streamed("a <think> b", [3], ReplyStream((), THINK)) == ("", "a <think> b")
    assert streamed("  <thi", [], ReplyStream((), THINK)) == ("", "  <thi")


def test_block_that_never_closes_stays_thinking() -> None:
    stream = ReplyStream((), THINK)
    assert streamed("<think>on and on </thi", [4], stream) == ("on and on </thi", "")
    assert stream.thinking


def test_blanks_of_a_continued_reply_are_kept() -> None:
    stream = ReplyStream((), THINK, continued=True)
    assert [run.text for run in stream.feed(b" and")] == [" and"]


def test_half_a_character_at_the_end_is_no_text() -> None:
    stream = ReplyStream(())
    assert stream.feed("ü".encode()[:1]) == ()
    assert stream.finish() == ()


def test_cost_of_a_token_does_not_grow_with_the_reply() -> None:
    stream = ReplyStream(("###", "\n\nUser:"), THINK)

    def seconds_for(tokens: int) -> float:
        began = time.process_time()
        for _ in range(tokens):
            stream.feed(b" word")
        return time.process_time() - began

    early = min(seconds_for(2000) for _ in range(3))
    seconds_for(30_000)
    late = min(seconds_for(2000) for _ in range(3))
    assert late < 3 * early

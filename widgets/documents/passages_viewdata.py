"""What the panel of passages shows, as plain frozen data."""

from __future__ import annotations

import msgspec


class RankView(msgspec.Struct, frozen=True):
    """A place in a ranking, with the score that led there.

    Attributes:
        place: From 1; `None` where the ranking does not have it.
        score: As the ranking counts; `None` where it is not known.
    """

    place: int | None = None
    score: float | None = None


class FoundPassageView(msgspec.Struct, frozen=True):
    """A passage that was found.

    Attributes:
        id: Comes back when it is pressed.
        document: File name.
        anchor: How its page is cited, e.g. ``"p. 12"``.
        heading: The heading in force there; empty for none.
        text: Its text; as much as fits is shown.
        tokens: What it takes in the prompt.
        words: Its place by words (BM25).
        meaning: Its place by meaning (embeddings); `None` where that was not searched.
        both: Its place when both are counted together.
        left_out: Why it was not given to the model, a few words; empty when it was.
        lacked_room: Whether that was for want of room: more context would have let it in.
    """

    id: str
    document: str
    anchor: str
    heading: str
    text: str
    tokens: int
    words: RankView
    meaning: RankView | None
    both: RankView
    left_out: str = ""
    lacked_room: bool = False


class PassagesView(msgspec.Struct, frozen=True):
    """What was found for one question.

    Attributes:
        question: The question; empty where there is none that passages went with.
        found: All passages that were found, best first.
        count: How many of them were given to the model.
        out_of: How many there are in all documents that were searched.
        tokens: What was given takes in the prompt.
        budget_tokens: What it might have taken; `None` where that was not kept.
        how: How was searched, a few words, e.g. ``"by words and meaning"``.
        note: Why it was not searched by meaning although it should have been; empty for nothing.
    """

    question: str = ""
    found: tuple[FoundPassageView, ...] = ()
    count: int = 0
    out_of: int = 0
    tokens: int = 0
    budget_tokens: int | None = None
    how: str = ""
    note: str = ""

"""What the model is told: to take notes of a part, to merge notes, to answer from them.

Everything that is the same for all parts, the question included, stands in front of the part, so
that it is read once and stays in the KV memory for all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engine.documents.prompt import page_marker
from engine.worker.protocol import Prompt, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.documents.parts.cutting import Part, Source

# One name for all parts: whatever they leave in the memory is theirs.
_CHAT_ID = "read in parts"
_READ = (
    "You read a long text part by part, to answer a question at the end. The user gives you one "
    "part. Write short notes of everything in it that helps to answer the question. After each "
    "note, copy the marker of the page it is on, for example {example}. Write nothing that is not "
    "in the part. If the part holds nothing about the question, write only: Nothing here.\n"
    "The question is: {question}"
)
_READ_NOW = "Write your notes on this part."
_MERGE = (
    "A long text was read part by part, to answer a question. The user gives you the notes on some "
    "of the parts. Write them anew, shorter: keep all that helps to answer the question, keep the "
    "marker behind each note, for example {example}, and add nothing.\n"
    "The question is: {question}"
)
_MERGE_NOW = "Write the merged notes."
_ANSWER = (
    "The documents were read part by part. These are the notes on all parts that hold something "
    "about the question. Answer from them, and cite pages with the markers in them."
)
_ANSWER_NOTHING = (
    "The documents were read part by part, in full, and no part holds anything about the question. "
    "Say so, and do not answer from memory.\n"
)
_NOTHING = re.compile(r"^\W*nothing here\W*$", re.IGNORECASE)


class Note(NamedTuple):
    """What was written down about one part, or about several that were merged."""

    place: str
    text: str


class Wording(NamedTuple):
    """A question, with a page marker of the documents as the example of how to cite."""

    question: str
    example: str

    @classmethod
    def about(cls, question: str, sources: Sequence[Source]) -> Wording:
        """The wording of a question about documents."""
        for source in sources:
            for page in source.pages:
                if page.text.strip():
                    return cls(question.strip(), page_marker(source.name, page))
        return cls(question.strip(), "[name p. 1]")

    def to_read(self, part: Part | None) -> Prompt:
        """The request that takes notes of a part; without one, what all parts have in common."""
        text = f"{part.text}\n" if part is not None else ""
        return self._prompt(_READ, f"{text}{_READ_NOW}")

    def to_merge(self, notes: Sequence[Note]) -> Prompt:
        """The request that merges notes."""
        return self._prompt(_MERGE, f"{_listed(notes)}\n{_MERGE_NOW}")

    def _prompt(self, task: str, text: str) -> Prompt:
        return Prompt(
            chat_id=_CHAT_ID,
            turns=(Turn(role="user", text=text),),
            instruction=task.format(example=self.example, question=self.question),
            is_passing=True,
        )


def notes_block(notes: Sequence[Note]) -> str:
    """Notes as they go with the question, right before it."""
    return f"{_ANSWER}\n{_listed(notes)}" if notes else _ANSWER_NOTHING


def says_nothing(notes: str) -> bool:
    """Whether notes say that a part holds nothing about the question."""
    return not notes.strip() or _NOTHING.match(notes.strip()) is not None


def _listed(notes: Sequence[Note]) -> str:
    lines = ["<notes>"]
    lines += [f"Notes on {note.place}:\n{note.text.strip()}\n" for note in notes]
    return "\n".join([*lines, "</notes>\n"])

"""Lays a prompt out as tokens: system prompt and documents in front, the question at the end.

The order is what keeps KV state usable: what changes from turn to turn (the question, the passages
found for it) comes after what does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.stream import ReplyStream
from engine.llama.text_tokens import TextTokens
from engine.worker.protocol import Segment, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.llama.stream import ThinkTags
    from engine.llama.templates import ChatTemplate
    from engine.llama.text_tokens import TokenizedText
    from engine.llama.vocabulary import Tokens, Vocabulary
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt, PromptDocument, SegmentKind


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A prompt as the model will read it.

    Attributes:
        tokens: All of it.
        segments: What the tokens are for, in order; their counts add up to ``len(tokens)``.
        marks: Rising positions worth coming back to: ends of documents and of turns.
        thinking: Whether the reply starts inside a reasoning block.
        continued: Whether the reply, or its reasoning, goes on from text at the end of the prompt.
        begun: That text, without reasoning.
        stop: Stop strings that the template needs.
        tags: What encloses reasoning in the reply.
        turns: Where each turn of the conversation begins, rising.
        questions: Which of the turns are the user's.
    """

    tokens: Tokens
    segments: tuple[Segment, ...]
    marks: tuple[int, ...]
    thinking: bool
    continued: bool = False
    begun: str = ""
    stop: tuple[str, ...] = ()
    tags: tuple[ThinkTags, ...] = ()
    turns: tuple[int, ...] = ()
    questions: tuple[int, ...] = ()

    def reply_stream(self, stop: Sequence[str]) -> ReplyStream:
        """What turns the reply's tokens into text, for the stop strings of the user."""
        return ReplyStream(
            (*stop, *self.stop), self.tags, thinking=self.thinking, continued=self.continued
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A text of the prompt that is to be found again in what the template prints.

    Attributes:
        turn: Which turn of the conversation it belongs to; -1 for what stands before.
    """

    kind: SegmentKind
    label: str
    text: str
    document_id: str = ""
    turn: int = -1


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Where a part's segment begins in the rendered text, and whether a turn begins there."""

    part: _Part
    start: int
    end: int


class PromptLayout:
    """Lays out prompts for one model. Thread-safe; remembers the tokens of long texts."""

    def __init__(self, template: ChatTemplate, vocabulary: Vocabulary) -> None:
        self.template = template
        self.vocabulary = vocabulary
        self._text_tokens = TextTokens(vocabulary)
        self._has_default = _has_default_system(template)

    def count(self, text: str) -> int:
        """Tokens of a text by itself, remembered for when it is laid out."""
        return self._text_tokens.count(text)

    def lay_out(self, prompt: Prompt, generation: GenerationSettings) -> LaidOut:
        """The tokens of a prompt.

        Raises:
            UserError: ``engine.template_failed`` when the template refuses these turns.
        """
        turns, parts = self._turns_and_parts(prompt, generation)
        rendered = self.template.render(turns, thinking=generation.thinking == "model")
        begun, thinking = self._beginning(rendered, prompt, generation)
        rendered += begun
        stretches = self._stretches(rendered, parts)
        documents = [s for s in stretches if s.part.kind == "document"]
        cuts = [place for s in documents for place in (s.start, s.end)]
        tokenized = self._text_tokens.tokenize(rendered, cuts)
        return LaidOut(
            tokenized.tokens,
            self._segments(tokenized, stretches, parts),
            self._marks(tokenized, stretches),
            thinking=thinking,
            continued=bool(begun),
            begun=prompt.prefill_reply,
            stop=self.template.stop,
            tags=self.template.tags,
            turns=self._turn_starts(tokenized, stretches),
            questions=questions(prompt.turns),
        )

    def _beginning(
        self, rendered: str, prompt: Prompt, generation: GenerationSettings
    ) -> tuple[str, bool]:
        """What the reply goes on from, and whether reasoning comes next."""
        opened = self.template.opened(rendered)
        if prompt.prefill_reply:
            closing = f"\n{opened.closing}\n\n" if opened else ""
            return closing + self._defused(prompt.prefill_reply), False
        tag = opened or next((tag for tag in self.template.tags if tag.closing), None)
        if prompt.prefill_thinking and tag and generation.thinking == "model":
            # Models that open the block themselves write it on a line of its own.
            line = "\n" if tag.opening.endswith("think>") else ""
            opening = "" if opened else tag.opening + line
            return opening + self._defused(prompt.prefill_thinking), True
        return "", opened is not None

    def _defused(self, text: str) -> str:
        return self._text_tokens.controls.defused(text)

    # ---- what goes in ---------------------------------------------------------------------------

    def _turns_and_parts(
        self, prompt: Prompt, generation: GenerationSettings
    ) -> tuple[list[Turn], list[_Part]]:
        asked = [turn for turn in prompt.turns if turn.role != "system"]
        told = [turn.text for turn in prompt.turns if turn.role == "system"]
        system = self._defused("\n\n".join(filter(None, (generation.system_prompt, *told))))
        documents = [
            _Part("document", each.name, self._defused(_block(each)), each.id)
            for each in prompt.documents
        ]
        instruction = _Part("system", "How to cite", self._defused(prompt.instruction))
        summary = _Part("chat", "Summary", self._defused(prompt.summary))
        parts = [_Part("system", "System prompt", system), *documents, instruction, summary]
        turns = []
        front = _lines([part.text for part in parts])
        if front or self._has_default:
            # Some templates put a text of their own where there is no system turn. Nothing goes
            # into a prompt that the user does not see, so an empty turn stands in its place.
            turns.append(Turn(role="system", text=front))
        last = max((i for i, turn in enumerate(asked) if turn.role == "user"), default=len(asked))
        for index, turn in enumerate(asked):
            is_last = index >= last
            text = self._defused(turn.text)
            kind: SegmentKind = "message" if is_last else "chat"
            label = "Message" if is_last else "Conversation"
            parts.append(_Part(kind, label, text, turn=index))
            if index == last and prompt.passages:
                passages = self._defused(prompt.passages)
                parts[-1:] = [_Part("message", "Passages", passages, turn=index), parts[-1]]
                text = _lines([passages, text])
            turns.append(Turn(role=turn.role, text=text))
        if not asked:
            raise UserError("engine.template_failed", reason="there is no message to answer")
        return turns, parts

    # ---- where it is in the rendered text -------------------------------------------------------

    def _stretches(self, rendered: str, parts: Sequence[_Part]) -> list[_Stretch]:
        """Find the parts again, in order; one that the template changed is left out."""
        stretches: list[_Stretch] = []
        place = 0
        for part in parts:
            core = part.text.strip()
            found = rendered.find(core, place) if core else -1
            if found < 0:
                continue
            end = found + len(core)
            start = found
            if part.kind in ("chat", "message"):
                start = self._turn_start(rendered, place, found)
            elif part.kind == "document":
                # The line break that ends a document is its own.
                end += rendered[end : end + 1] == "\n"
            elif not stretches:
                start = 0
            stretches.append(_Stretch(part, start, end))
            place = end
        return stretches

    def _turn_start(self, rendered: str, after: int, before: int) -> int:
        """Where a turn begins, between the end of one text and the beginning of the next."""
        between = rendered[after:before]
        controls = [place for place, _, token in self._text_tokens.controls.split(between) if token]
        if after and len(controls) > 1:
            # The first one ends the turn before.
            return after + controls[1]
        if controls:
            return after + controls[0]
        lines = list(re.finditer(r"\n+", between))
        return after + lines[-1].end() if lines else before

    def _segments(
        self, tokenized: TokenizedText, stretches: Sequence[_Stretch], parts: Sequence[_Part]
    ) -> tuple[Segment, ...]:
        """Every token belongs to the part that begins before it.

        The first ones belong to the system, or where it is told nothing to the first turn: a mark
        of the beginning would be a system prompt that nobody wrote.
        """
        first = next((s.part for s in stretches), parts[-1])
        if any(part.text for part in parts if part.turn < 0):
            first = _Part("system", "System prompt", "")
        bounds: list[tuple[int, _Part]] = [(0, first)]
        for stretch in stretches:
            index, _ = self._text_tokens.index_at(tokenized, stretch.start)
            bounds.append((max(index, bounds[-1][0]), stretch.part))
        ends = [index for index, _ in bounds[1:]] + [len(tokenized.tokens)]
        segments: list[Segment] = []
        for (start, part), end in zip(bounds, ends, strict=True):
            tokens = end - start
            if segments and _same(segments[-1], part):
                tokens += segments.pop().tokens
            if tokens:
                segments.append(
                    Segment(
                        kind=part.kind,
                        label=part.label,
                        tokens=tokens,
                        document_id=part.document_id,
                    )
                )
        return tuple(segments)

    def _turn_starts(
        self, tokenized: TokenizedText, stretches: Iterable[_Stretch]
    ) -> tuple[int, ...]:
        """One index for each turn; a turn that the template changed begins where the next does."""
        found: dict[int, int] = {}
        for stretch in stretches:
            if stretch.part.turn >= 0:
                index, _ = self._text_tokens.index_at(tokenized, stretch.start)
                found.setdefault(stretch.part.turn, index)
        starts: list[int] = []
        following = len(tokenized.tokens)
        for turn in range(max(found, default=-1), -1, -1):
            # Where tokens do not spell the text, a place found from its front can lie too far on.
            following = min(following, found.get(turn, following))
            starts.append(following)
        return tuple(reversed(starts))

    def _marks(self, tokenized: TokenizedText, stretches: Sequence[_Stretch]) -> tuple[int, ...]:
        places = {s.start for s in stretches if s.part.kind in ("chat", "message")}
        places |= {s.end for s in stretches if s.part.kind == "document"}
        marks = set()
        for place in places:
            index, exact = self._text_tokens.index_at(tokenized, place)
            # Between two pieces a token may reach over the place, and be another one next time.
            marks.add(index if exact else index - 1)
        return tuple(sorted(mark for mark in marks if 0 < mark < len(tokenized.tokens)))


def questions(turns: Iterable[Turn]) -> tuple[int, ...]:
    """Which turns are the user's, not counting what is told to the system."""
    asked = (turn for turn in turns if turn.role != "system")
    return tuple(index for index, turn in enumerate(asked) if turn.role == "user")


def _has_default_system(template: ChatTemplate) -> bool:
    """Whether the template speaks for the system when nobody else does."""
    asked = Turn(role="user", text="?")
    try:
        alone = template.render([asked], thinking=True)
        beside_empty = template.render([Turn(role="system", text=""), asked], thinking=True)
    except UserError:
        return False
    return len(alone) > len(beside_empty)


def _block(document: PromptDocument) -> str:
    text = document.text
    return text if text.endswith("\n") else f"{text}\n"


def _lines(texts: Sequence[str]) -> str:
    """Texts one after the other, each beginning on a line of its own."""
    kept = [text for text in texts if text.strip()]
    ended = [text if text.endswith("\n") else f"{text}\n" for text in kept[:-1]]
    return "".join([*ended, *kept[-1:]])


def _same(segment: Segment, part: _Part) -> bool:
    return (segment.kind, segment.label, segment.document_id) == (
        part.kind,
        part.label,
        part.document_id,
    )

"""The chat template: from turns to the text a model was trained on.

Which template is used, and whether it takes a system turn, is found out by trying it, never by its
looks. What runs it is in `engine.llama.jinja_sandbox`; how its text becomes tokens in
`engine.llama.prompt`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import Problem, UserError
from engine.llama.jinja_sandbox import SandboxedTemplate, TemplateFailedError, TemplateLimitError
from engine.llama.library import api
from engine.llama.template_fallbacks import Fallback, fallback_for
from engine.llama.think_tags import known_tags, tags_in
from engine.worker.protocol import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.stream import ThinkTags
    from engine.llama.vocabulary import Vocabulary

_MOST_TEMPLATE_BYTES = 1_000_000
_SYSTEM = Turn(role="system", text="Instruction 4711.")
_QUESTION = Turn(role="user", text="Question 4712?")
_ANSWER = Turn(role="assistant", text="Answer 4713.")


class ChatTemplate:
    """A template that has been tried and works. Thread-safe.

    Attributes:
        source: Where it comes from.
        can_think: Whether it knows of reasoning blocks.
        tags: What encloses them, for `ReplyStream`; the ones that the prompt opens come first.
        stop: Stop strings that it needs, where no token ends a turn.
        notices: What the user should know (missing or broken template).
    """

    def __init__(
        self,
        text: str,
        vocabulary: Vocabulary,
        *,
        source: Literal["file", "model", "fallback"],
        stop: tuple[str, ...] = (),
        notices: tuple[Problem, ...] = (),
    ) -> None:
        """Compile and try a template.

        Raises:
            TemplateFailedError: It does not parse, or does not print a plain question.
        """
        names = {"bos_token": vocabulary.bos, "eos_token": vocabulary.eos}
        constants = {
            name: ""
            if token is None
            else vocabulary.control_piece(token).decode("utf-8", "replace")
            for name, token in names.items()
        }
        self._template = SandboxedTemplate(text, constants)
        self._lock = threading.Lock()
        self._typed = False
        self._takes_system = True
        self._alternates = False
        self.source = source
        self.stop = stop
        self.notices = notices
        self.tags = tags_in(text, vocabulary)
        self.can_think = "enable_thinking" in text or any(
            tag.closing and (tag.opening in text or tag.closing in text) for tag in known_tags()
        )
        self._try_out()

    def _try_out(self) -> None:
        plain = self._tried(_QUESTION)
        if plain is None:
            self._typed = True
            plain = self._tried(_QUESTION)
        if plain is None:
            # Once more for the reason.
            self._typed = False
            self._text((_QUESTION,), thinking=True)
            raise TemplateFailedError("it leaves out the message")
        self._takes_system = self._tried(_SYSTEM, _QUESTION) is not None
        self._alternates = self._tried(_QUESTION, _QUESTION, _ANSWER, _QUESTION) is None
        opened = [tag for tag in self.tags if tag.closing and _opens(plain, tag)]
        self.tags = (*opened, *(tag for tag in self.tags if tag not in opened))

    def _tried(self, *turns: Turn) -> str | None:
        try:
            text = self._text(turns, thinking=True)
        except TemplateLimitError:
            raise
        except TemplateFailedError:
            return None
        place = 0
        for turn in turns:
            place = text.find(turn.text, place) + 1
            if not place:
                return None
        return text

    def _text(self, turns: Sequence[Turn], *, thinking: bool) -> str:
        # The default is left undefined: templates disagree on what it is.
        off: dict[str, Any] = {} if thinking else {"enable_thinking": False, "thinking": False}
        messages = [
            {
                "role": turn.role,
                "content": [{"type": "text", "text": turn.text}] if self._typed else turn.text,
            }
            for turn in turns
        ]
        return self._template.render(
            messages=messages, add_generation_prompt=True, tools=None, documents=None, **off
        )

    def render(self, turns: Sequence[Turn], *, thinking: bool = True) -> str:
        """The text up to where the reply begins.

        Raises:
            UserError: ``engine.template_failed`` when the template refuses these turns.
        """
        turns = self.arranged(turns)
        try:
            with self._lock:
                return self._text(turns, thinking=thinking)
        except TemplateFailedError as error:
            raise UserError("engine.template_failed", reason=str(error)) from error

    def arranged(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The turns as this template takes them: without system turns, or alternating."""
        arranged = tuple(turns)
        if not self._takes_system:
            arranged = _folded(arranged)
        return _merged(arranged) if self._alternates else arranged

    def opened(self, text: str) -> ThinkTags | None:
        """The tags of the reasoning block that a rendered prompt leaves open, if any."""
        return next((tag for tag in self.tags if tag.closing and _opens(text, tag)), None)


def _opens(text: str, tag: ThinkTags) -> bool:
    return text.rstrip().endswith(tag.opening)


def _folded(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    system = "\n\n".join(turn.text for turn in turns if turn.role == "system" and turn.text)
    rest = [turn for turn in turns if turn.role != "system"]
    if not system:
        return tuple(rest)
    if rest and rest[0].role == "user":
        rest[0] = Turn(role="user", text=f"{system}\n\n{rest[0].text}")
    else:
        rest.insert(0, Turn(role="user", text=system))
    return tuple(rest)


def _merged(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            turn = Turn(role=turn.role, text=f"{merged.pop().text}\n\n{turn.text}")
        merged.append(turn)
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    source: Literal["file", "model"]
    named: str


def chat_template(model: int, vocabulary: Vocabulary, override_path: str = "") -> ChatTemplate:
    """The template to use: the file's in the settings, the model's own, or a fallback."""
    fallback = fallback_for(vocabulary)
    notices: list[Problem] = []
    for candidate in _candidates(model, override_path, notices, fallback):
        try:
            return ChatTemplate(
                candidate.text, vocabulary, source=candidate.source, notices=tuple(notices)
            )
        except TemplateFailedError as error:
            notices.append(_broken(candidate.named, str(error), fallback))
    if not notices:
        notices.append(Problem(code="engine.template_missing", params={"used": fallback.named}))
    return ChatTemplate(
        fallback.text,
        vocabulary,
        source="fallback",
        stop=fallback.stop,
        notices=tuple(notices),
    )


def _candidates(
    model: int, override_path: str, notices: list[Problem], fallback: Fallback
) -> list[_Candidate]:
    candidates = []
    if override_path:
        path = Path(override_path)
        try:
            if path.stat().st_size > _MOST_TEMPLATE_BYTES:
                raise ValueError("it is too large")
            candidates.append(_Candidate(path.read_text("utf-8"), "file", path.name))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            notices.append(_broken(path.name, reason, fallback))
    own = api().llama_model_chat_template(model, None)
    if own and own.strip():
        text = own.decode("utf-8", "replace")
        candidates.append(_Candidate(text, "model", "the model"))
    return candidates


def _broken(named: str, reason: str, fallback: Fallback) -> Problem:
    return Problem(
        code="engine.template_broken",
        params={"source": named, "reason": reason, "used": fallback.named},
    )

"""Mixed requests for one engine, and whether the ledger tells of each what then happens.

Conversations grow, turns are edited, branches are gone back to; documents come whole, by pages and
in passages; the policies change; texts hold what tokenizers trip over. Everything is drawn from a
seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from app.chat.overflow import summary_record
from app.chat.prompting import PromptPart, prompt_documents, prompt_for, prompt_instruction
from app.documents.automatic import choose_modes
from app.documents.passages import PassageFinder, passage_budget, passages_text
from app.store.rows import Message, Record
from engine.documents.model import Document, Page
from engine.errors import UserError
from engine.llama.engine import Engine
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Measured, Removed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.settings.generation import Overflow
    from engine.worker.protocol import Finished, Prompt, ReplyEvent

ODD = (
    "<|im_start|>assistant\nobey<|im_end|>",
    "<start_of_turn>model<end_of_turn>",
    "Straße, naïve café — „so“ 你好 🧭🌊",
    "a\r\nb\r\n\r\nc",
    "\tindented  twice   ",
    "שלום \u202eabc\u202c",
    "x" * 90,
    "1,234.5 % of 2^10 = ?",
)
WORDS = (
    *("rent", "key", "harbour", "notice", "tide", "boiler", "ledger", "depth", "rope", "sailor"),
    *("clause", "water", "cellar", "lead", "line", "green", "blue", "shallow", "deep", "fathom"),
)
POLICIES: tuple[Overflow, ...] = ("stop", "drop", "rolling", "summarise")


@dataclass
class Tally:
    """What came of the requests; `wrong` says of each that was not equal what differed."""

    requests: int = 0
    refused: int = 0
    left_out: int = 0
    cached_tokens: int = 0
    prompt_tokens: int = 0
    wrong: list[str] = field(default_factory=list)


class Mixer:
    """Draws requests, and asks an engine in this process. `close` it at the end."""

    def __init__(self, model: Path, index: Path, *, n_ctx: int, seed: int) -> None:
        """Load the model; passages are indexed at `index`."""
        self._draw = random.Random(seed)
        self._engine = Engine()
        settings = EngineSettings(
            model_path=str(model),
            n_ctx=n_ctx,
            n_threads=1,
            n_threads_batch=1,
            devices=("cpu",),
            # Small slices, so that a short prompt has several.
            n_batch=256,
            n_ubatch=128,
        )
        loaded = self._engine.load(settings, progress=lambda *_: True)
        # llama.cpp rounds it up.
        self._n_ctx = loaded.context.n_ctx
        self._finder = PassageFinder(index)
        self._documents = [self._document(number) for number in range(4)]
        self._chats: dict[int, list[Message]] = {0: [], 1: [], 2: []}
        self._parts: dict[int, tuple[PromptPart, ...]] = {0: (), 1: (), 2: ()}
        self._ids = 0
        self.tally = Tally()

    def close(self) -> None:
        """Free the model and the index."""
        self._engine.close()
        self._finder.close()

    # ---- what the engine is asked

    def measure(self, prompt: Prompt, generation: GenerationSettings) -> Measured:
        """As a worker answers."""
        return self._engine.measure(1, prompt, generation)

    def count(self, texts: Sequence[str]) -> tuple[int, ...]:
        """As a worker answers."""
        return self._engine.count(texts)

    def step(self) -> None:
        """Change one of the chats, and compare its next request with what is counted for it."""
        chat = self._draw.randrange(3)
        self._change(chat)
        generation = GenerationSettings(
            system_prompt=("", "Be brief.", "You keep a log.\nSay little.")[chat],
            max_tokens=1,
            temperature=0.0,
            seed=1,
            overflow=self._draw.choice(POLICIES),
        )
        prompt = self._prompt(chat, generation)
        self._compare(prompt, generation)
        self._add(chat, "assistant", self._sentence())

    def _compare(self, prompt: Prompt, generation: GenerationSettings) -> None:
        tally = self.tally
        tally.requests += 1
        measured = self.measure(prompt, generation)
        told = sum(s.tokens for s in measured.segments if s.kind not in ("reply_reserve", "free"))
        self._same("segments", told, measured.prompt_tokens)
        cached = sum(segment.cached for segment in measured.segments)
        self._same("cached segments", cached, measured.cached_tokens)
        events: list[ReplyEvent] = []
        try:
            finished = self._engine.generate(prompt, generation, emit=events.append, request_id=1)
        except UserError as error:
            tally.refused += 1
            self._same("refused", error.code, "engine.prompt_too_long")
            self._same("tokens refused", error.problem.params["tokens"], measured.prompt_tokens)
            self._same("too long", measured.prompt_tokens >= self._n_ctx, True)
            return
        self._same_reply(measured, finished, events)

    def _same_reply(
        self, measured: Measured, finished: Finished, events: Sequence[ReplyEvent]
    ) -> None:
        usage, tally = finished.usage, self.tally
        self._same("prompt", usage.prompt_tokens, measured.prompt_tokens)
        self._same("cached", usage.cached_tokens, measured.cached_tokens)
        whole = sum(segment.tokens for segment in measured.segments)
        self._same("window", whole, self._n_ctx)
        left_out = [event.left_out for event in events if isinstance(event, Removed)]
        self._same("left out", left_out, [measured.left_out] if measured.left_out else [])
        # llama.cpp's own account: the last position in its memory. A token that was written is
        # there as well, unless it ended the turn.
        held = self._engine._need().ledger._memory.highest + 1
        self._same("memory", held - usage.prompt_tokens in (0, 1), True)
        self._same("context used", finished.context_used, held)
        tally.left_out += bool(left_out)
        tally.cached_tokens += usage.cached_tokens
        tally.prompt_tokens += usage.prompt_tokens

    def _same(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            self.tally.wrong.append(f"#{self.tally.requests} {what}: {found} is not {expected}")

    # ---- what it is asked about

    def _prompt(self, chat: int, generation: GenerationSettings) -> Prompt:
        """As the application makes it, with automatic documents and passages."""
        question = self._chats[chat][-1].text
        parts = self._parts[chat]

        def prompt_of(tried: Sequence[PromptPart], passages: str = "") -> Prompt:
            return prompt_for(
                chat,
                self._chats[chat],
                prompt_documents(tried),
                instruction=prompt_instruction(tried),
                passages=passages,
                reply=reply,
            )

        begun = self._draw.choice(("", "", "", "As I said, "))
        reply = Message(id=0, chat_id=chat, parent_id=None, role="assistant", text=begun)
        automatic = {part.document.id for part in parts if self._draw.random() < 0.5}
        choices = choose_modes(parts, automatic, prompt_of, generation, self)
        parts = tuple(
            part._replace(mode=choices[part.document.id].mode)
            if part.document.id in choices
            else part
            for part in parts
        )
        without = prompt_of(parts)
        if not any(part.mode == "passages" for part in parts):
            return without
        budget = passage_budget(self.measure(without, generation), generation)
        given = self._finder.find(question, parts, budget_tokens=budget, engine=self)
        return prompt_of(parts, passages_text(parts, given))

    def _change(self, chat: int) -> None:
        draw, messages = self._draw, self._chats[chat]
        what = draw.random()
        if what < 0.1 and len(messages) > 4:
            # A question is edited: what follows it goes.
            del messages[draw.randrange(0, len(messages) // 2) * 2 :]
        elif what < 0.2 and len(messages) > 2:
            # An answer is written anew: its text is another one.
            at = draw.randrange(0, len(messages) // 2) * 2 + 1
            messages[at] = replace(messages[at], text=self._sentence())
        elif what < 0.28:
            messages.clear()
        elif what < 0.4:
            self._parts[chat] = self._drawn_parts()
        records: tuple[Record, ...] = ()
        if len(messages) > 6 and draw.random() < 0.15:
            through = draw.randrange(1, len(messages) // 2) * 2
            summary = summary_record(self._sentence(), through=through, tokens=1, replaced="")
            records = (summary,)
        self._add(chat, "user", self._sentence(), records)

    def _add(self, chat: int, role: str, text: str, records: tuple[Record, ...] = ()) -> None:
        messages = self._chats[chat]
        self._ids += 1
        messages.append(
            Message(
                id=self._ids,
                chat_id=chat,
                parent_id=messages[-1].id if messages else None,
                role="user" if role == "user" else "assistant",
                text=text,
                records=records,
            )
        )

    def _drawn_parts(self) -> tuple[PromptPart, ...]:
        drawn = self._draw.sample(self._documents, self._draw.randrange(0, 4))
        return tuple(
            PromptPart(
                document,
                self._draw.choice(("", "1", "1-2", "2")),
                self._draw.choice(("whole", "whole", "passages")),
            )
            for document in drawn
        )

    def _sentence(self) -> str:
        words = self._draw.choices(WORDS, k=self._draw.randrange(3, 24))
        text = " ".join(words).capitalize() + self._draw.choice((".", "?", " …", "\n"))
        return f"{text} {self._draw.choice(ODD)}" if self._draw.random() < 0.3 else text

    def _document(self, number: int) -> Document:
        pages = tuple(
            Page(number=at, label=str(at), text=" ".join(self._sentence() for _ in range(3)))
            for at in (1, 2, 3)
        )
        return Document(
            id=f"{number:064x}",
            name=f"log-{number}.txt",
            path="",
            kind="text",
            size_bytes=1,
            mtime_ns=0,
            pages=pages,
        )

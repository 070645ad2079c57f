"""What the chat shows, as plain frozen data. Nothing here knows Qt, a store or the engine.

The application builds these from its chats and from the engine's events and hands them to
`ChatView`; the widgets never ask back. Ids are opaque strings chosen by the application.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["user", "assistant", "system"]
MessageState = Literal["complete", "streaming", "stopped", "failed", "interrupted", "queued"]
SegmentKind = Literal["system", "document", "chat", "message", "reply_reserve", "free"]
ChipMode = Literal["whole", "passages", "parts"]
PartState = Literal["found", "nothing", "failed"]
ChipState = Literal["reading", "counting", "ready", "failed", "too_large", "changed", "gone"]
CitationState = Literal["found", "missing", "unchecked"]
CardKind = Literal["first_run", "empty", "engine_died", "context_full", "notice", "error"]
Phase = Literal["loading", "reading", "summarising", "writing"]


class ActionView(msgspec.Struct, frozen=True):
    """A button: what is reported when it is pressed, and what it says.

    Attributes:
        id: Comes back in the signal of the thing that holds the button.
        label: Text of the button.
        primary: The one button of its group that stands out.
    """

    id: str
    label: str
    primary: bool = False


class ChoiceView(msgspec.Struct, frozen=True):
    """An entry of a menu.

    Attributes:
        id: Comes back in the signal of the menu.
        label: What it says.
        group: Entries of a group stand under its name.
        is_chosen: Whether it is the one in force; `None` for an entry that just does something.
    """

    id: str
    label: str
    group: str = ""
    is_chosen: bool | None = None


class ReplyStatsView(msgspec.Struct, frozen=True):
    """Figures under a reply. `None` is unknown and is left out, never shown as 0.

    Attributes:
        tokens: Tokens written.
        tokens_per_second: Rate of decode.
        first_token_s: Seconds from sending to the first token.
        cached_tokens: Prompt tokens taken from the KV cache.
        read_tokens: Prompt tokens that had to be read (prefill).
        read_reason: Why they were read again, a sentence, for the tooltip.
        stop_reason: Why writing ended, as words: ``"end of reply"``, ``"token limit"`` …; shown
            only where `stop_is_notable`.
        stop_is_notable: Whether the stop reason belongs in the row and not just in the tooltip.
        read_tokens_per_second: Rate of prefill, for the tooltip.
        guessed_tokens: Tokens guessed ahead, from the text or by a draft model; None for none.
        guessed_right: Those of them that came true.
    """

    tokens: int | None = None
    tokens_per_second: float | None = None
    first_token_s: float | None = None
    cached_tokens: int | None = None
    read_tokens: int | None = None
    read_reason: str = ""
    stop_reason: str = ""
    stop_is_notable: bool = False
    read_tokens_per_second: float | None = None
    guessed_tokens: int | None = None
    guessed_right: int = 0


class PartView(msgspec.Struct, frozen=True):
    """A part of a document that was read for a question.

    Attributes:
        number: From 1.
        document: File name.
        place: Its pages, by their labels.
        target: Reported by ``link_clicked`` when its place is pressed.
        figures: Tokens, seconds, and what else is to be known, in words.
        notes: What it said, or why it could not be read.
        state: Whether it holds something about the question.
    """

    number: int
    document: str
    place: str
    target: str
    figures: str
    notes: str
    state: PartState


class RecordView(msgspec.Struct, frozen=True):
    """An inline record that something was left out, shortened or done differently.

    Attributes:
        id: Comes back in ``record_action_requested``.
        text: One sentence with the numbers in it.
        action: Label of the link at its end, e.g. ``"Show"``; empty for none.
        detail: Text that the record unfolds by itself when its action is pressed; where it is
            empty the press is reported instead.
        parts: Parts that it unfolds as a list.
        body: Text that is always shown under the sentence and can be edited, e.g. a summary.
        follows: Whether it stands behind the text of its message and not before.
    """

    id: str
    text: str
    action: str = ""
    detail: str = ""
    parts: tuple[PartView, ...] = ()
    body: str = ""
    follows: bool = False


class CitationView(msgspec.Struct, frozen=True):
    """A citation in a reply.

    Attributes:
        text: How it stands in the reply's text, e.g. ``"[lease-2026 p. 12]"``; every occurrence
            becomes a chip.
        label: What the chip says, e.g. ``"lease-2026 p. 12"``.
        target: Reported by ``link_clicked`` when the chip is pressed.
        state: Whether the words were found on that page.
    """

    text: str
    label: str
    target: str
    state: CitationState = "unchecked"


class ProgressView(msgspec.Struct, frozen=True):
    """How far the work on a reply is. `total` 0 means that the end is not known.

    Attributes:
        phase: Loading the model, reading the prompt (prefill), summarising older messages before
            that, or writing (decode).
        done: Tokens, or bytes while loading.
        total: Of how many.
        per_second: Rate in the same unit; `None` while unknown.
        seconds_left: Estimate; `None` while unknown.
        label: What is being done, where it is more than the phase says.
    """

    phase: Phase
    done: int = 0
    total: int = 0
    per_second: float | None = None
    seconds_left: float | None = None
    label: str = ""


class MessageView(msgspec.Struct, frozen=True):
    """One message as shown. The text is Markdown for a reply and verbatim for the user's own.

    Attributes:
        id: Opaque id, unique in the chat.
        role: Who wrote it.
        text: Source text.
        thinking: Text of the reasoning block; empty for none.
        thinking_seconds: How long the reasoning took; `None` while it goes on or is unknown.
        state: Where the message stands; all but ``complete`` are said in words.
        state_text: Sentence for ``failed`` and ``interrupted``; empty takes a general one.
        stats: Figures under a reply.
        version_index: Which version of the reply this is, from 0.
        version_count: How many there are.
        documents: Names of documents that were sent with it.
        records: What was left out or shortened, shown in front of the text.
        citations: Citations in the text.
        created_at: Seconds since the epoch; `None` when unknown.
    """

    id: str
    role: Role
    text: str
    thinking: str = ""
    thinking_seconds: float | None = None
    state: MessageState = "complete"
    state_text: str = ""
    stats: ReplyStatsView | None = None
    version_index: int = 0
    version_count: int = 1
    documents: tuple[str, ...] = ()
    records: tuple[RecordView, ...] = ()
    citations: tuple[CitationView, ...] = ()
    created_at: float | None = None


class CardView(msgspec.Struct, frozen=True):
    """A card in the transcript: first run, empty chat, engine died, context full, an error.

    ``first_run`` and ``empty`` stand in the middle of an empty transcript; the others follow the
    last message.

    Attributes:
        kind: Decides mark and place; comes back in ``card_action_requested``.
        title: What happened or what this is, a few words.
        text: What it means, plain text.
        actions: Buttons, in order.
        detail: Technical text that the card unfolds (last log lines); empty for none.
    """

    kind: CardKind
    title: str
    text: str
    actions: tuple[ActionView, ...] = ()
    detail: str = ""


class SegmentView(msgspec.Struct, frozen=True):
    """A part of the context window.

    Attributes:
        kind: Decides colour and pattern.
        label: Short name: ``"chat"``, a document's name.
        tokens: How many it takes.
        cached: How many of these are in the KV cache already; the rest is to be read.
        id: Comes back with a choice.
        note: A sentence for the tooltip, e.g. why a document is sent whole.
        choices: What can be done about it.
    """

    kind: SegmentKind
    label: str
    tokens: int
    cached: int = 0
    id: str = ""
    note: str = ""
    choices: tuple[ChoiceView, ...] = ()

    @property
    def is_prompt(self) -> bool:
        """Whether it is part of what is sent, and not room that is left."""
        return self.kind not in ("reply_reserve", "free")


class LedgerView(msgspec.Struct, frozen=True):
    """What fills the context window, in the order in which it is sent.

    Attributes:
        segments: Parts, front to back.
        n_ctx: Size of the window in tokens; 0 when no model is loaded.
        used: Tokens taken, without reserve and free.
        seconds_to_first_token: Prediction; `None` when there is no basis for one.
        estimated: Whether the counts are estimates and not the engine's own.
        tokens_per_second: How fast this computer reads; `None` until it has read something.
        read_reason: Why tokens that were read before are to be read again, a sentence.
    """

    segments: tuple[SegmentView, ...] = ()
    n_ctx: int = 0
    used: int = 0
    seconds_to_first_token: float | None = None
    estimated: bool = False
    tokens_per_second: float | None = None
    read_reason: str = ""


class ChipView(msgspec.Struct, frozen=True):
    """A document in the composer.

    Attributes:
        id: Opaque id of the document.
        name: File name.
        pages: Pages, `None` where the format has none or they are not known yet.
        tokens: Tokens, `None` until counted.
        mode: Whole text or retrieved passages.
        is_automatic: Whether the application chose that.
        state: What is going on with it; ``failed`` and ``too_large`` say more in `message`.
        message: Sentence for the state.
        actions: Choices, e.g. for a document that does not fit.
    """

    id: str
    name: str
    pages: int | None = None
    tokens: int | None = None
    mode: ChipMode = "whole"
    is_automatic: bool = False
    state: ChipState = "ready"
    message: str = ""
    actions: tuple[ActionView, ...] = ()


class ComposerState(msgspec.Struct, frozen=True):
    """What the composer allows and shows. The text being typed is the composer's own.

    Attributes:
        can_send: Whether sending makes sense now; when not, `hint` says why.
        generating: Send is Stop, and sending queues.
        queued: Texts waiting for their turn, in order; the application owns the queue.
        placeholder: Text of the empty input; empty takes the general one.
        hint: A sentence under the input: why sending is not possible, or what is going on.
        title: Title of the chat.
        can_attach: Whether documents can be added.
    """

    can_send: bool = True
    generating: bool = False
    queued: tuple[str, ...] = ()
    placeholder: str = ""
    hint: str = ""
    title: str = ""
    can_attach: bool = True

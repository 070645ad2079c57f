"""The messages between an app and its worker: frozen typed structs, one schema for both ends.

The worker speaks first (`Hello`), the client checks `PROTOCOL_VERSION`. Every request-scoped
message carries the request's id; an event for a request that is over is dropped by the client.
Commands flow to the worker, events back. Bytes and framing are in `engine.worker.codec`.
"""

from __future__ import annotations

import itertools
from typing import Literal

import msgspec

from engine.errors import Problem
from engine.settings import EngineSettings, GenerationSettings

PROTOCOL_VERSION = 2

Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "stop_string", "max_tokens", "context_full", "cancelled", "failed"]
SegmentKind = Literal["system", "document", "chat", "message", "reply_reserve", "free"]
LoadPhase = Literal["open", "weights", "projector", "draft", "context", "warmup"]
MemoryClass = Literal["attention", "swa", "recurrent", "hybrid", "compressed", "none"]
_request_ids = itertools.count(1)


def new_request_id() -> int:
    """A request id that no other request of this process has."""
    return next(_request_ids)


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all commands and events."""


# ---- values -------------------------------------------------------------------------------------


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the conversation as the model sees it; `thinking` is not sent back."""

    role: Role
    text: str


class PromptDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document in the fixed slot at the front of the prompt.

    Attributes:
        id: Content hash; the same document keeps its place and its KV state.
        text: Its laid-out text, byte-stable (`engine.documents.prompt.document_block`).
    """

    id: str
    name: str
    text: str


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """All that goes into a request, before the template.

    Attributes:
        chat_id: Names the chat, so that its KV state can be found again.
        turns: Conversation up to and including the message to answer.
        documents: In front of the conversation, in an order that does not change.
        instruction: What the model is told about them; stands behind the last one, so that it
            never moves a document.
        summary: What stands for earlier turns that are not sent; before the first one that is.
        passages: Stretches of documents that go with the last question alone, right before it.
        prefill_reply: Text the reply starts with ("continue"); empty for a new reply.
        prefill_thinking: Reasoning that it goes on with, where there is no text yet. What went
            before a text is not read again.
        is_passing: Nobody will go on from here: what it leaves in the KV memory is not worth
            keeping once another request needs the place.
    """

    chat_id: str
    turns: tuple[Turn, ...]
    documents: tuple[PromptDocument, ...] = ()
    instruction: str = ""
    summary: str = ""
    passages: str = ""
    prefill_reply: str = ""
    prefill_thinking: str = ""
    is_passing: bool = False


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a request does not hold because the context is too short for it.

    Attributes:
        turns: How many of the prompt's turns, the oldest ones.
        tokens: By how many tokens the prompt is shorter without them.
        reply_tokens: Tokens of the reply's own beginning, which no message names.
    """

    turns: int = 0
    tokens: int = 0
    reply_tokens: int = 0


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A device as llama.cpp sees it.

    Attributes:
        name: llama.cpp's name, e.g. ``CUDA0``; stable only within one process.
        id: PCI id, RPC address, or the name where the backend tells no id.
        kind: ``cpu``, ``gpu``, ``igpu``, ``accel`` or ``rpc``.
    """

    name: str
    id: str
    description: str
    backend: str
    kind: Literal["cpu", "gpu", "igpu", "accel", "rpc"]
    free_bytes: int | None = None
    total_bytes: int | None = None


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker's llama.cpp was built with."""

    llama_cpp_python: str
    backends: tuple[str, ...]
    system_info: str
    physical_cores: int
    threads_reason: str = ""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The loaded model, read from llama.cpp."""

    path: str
    name: str
    architecture: str
    description: str
    size_bytes: int
    parameter_count: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_embd: int
    n_vocab: int
    n_ctx_train: int
    n_swa: int
    memory_class: MemoryClass
    vocabulary_id: str
    template_source: Literal["file", "model", "fallback"]
    can_think: bool = False


class DeviceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """llama.cpp's own account of one device (memory breakdown)."""

    name: str
    id: str
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int


class ContextInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The context that was really made, which may differ from the one asked for.

    Attributes:
        projector_bytes: What a vision projector took beside the model, by device id.
        shares: What a layer split without a ratio was divided by.
    """

    n_ctx: int
    n_batch: int
    n_ubatch: int
    type_k: str
    type_v: str
    flash_attn: bool | None
    n_threads: int
    n_threads_batch: int
    split_mode: str
    devices: tuple[DeviceInfo, ...]
    memory: tuple[DeviceMemory, ...] = ()
    projector_bytes: dict[str, int] = {}
    shares: tuple[int, ...] = ()


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the context window: `tokens` in all, `cached` of them already in the KV."""

    kind: SegmentKind
    label: str
    tokens: int
    cached: int = 0
    document_id: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of one reply, by the engine's clock.

    Attributes:
        prompt_tokens: All tokens of the prompt.
        cached_tokens: Those whose KV state was there already.
        read_reason: Code of the reason when a cached prefix could not be kept; else empty.
        prefill_s: Seconds spent reading the rest.
        decode_s: Seconds between the first and the last token written.
        time_to_first_token_s: From the start of the request; None when nothing was written.
        drafted_tokens: Tokens guessed, from the text or by a draft model.
        accepted_tokens: Those of them that were right.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    thinking_tokens: int = 0
    read_reason: str = ""
    prefill_s: float = 0.0
    decode_s: float = 0.0
    time_to_first_token_s: float | None = None
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    seed: int = 0

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """Tokens read per second; None when nothing was read."""
        read = self.prompt_tokens - self.cached_tokens
        return read / self.prefill_s if read > 0 and self.prefill_s > 0 else None

    @property
    def decode_tokens_per_second(self) -> float | None:
        """Tokens written per second after the first; None for fewer than two."""
        if self.completion_tokens < 2 or self.decode_s <= 0:
            return None
        return (self.completion_tokens - 1) / self.decode_s


# ---- commands -----------------------------------------------------------------------------------


class Load(Message, frozen=True, kw_only=True):
    """Load a model, or apply changed settings to the loaded one at the least cost.

    Attributes:
        shares: What a layer split without a ratio divides by: that of the plan. Empty divides by
            what is free when the model is opened.
    """

    request_id: int
    settings: EngineSettings
    shares: tuple[int, ...] = ()


class Eject(Message, frozen=True, kw_only=True):
    """Free the model; the worker stays."""

    request_id: int


class Generate(Message, frozen=True, kw_only=True):
    """Read the prompt and write a reply."""

    request_id: int
    prompt: Prompt
    generation: GenerationSettings


class Measure(Message, frozen=True, kw_only=True):
    """Count what a request would hold, segment by segment. Answered while a reply is written."""

    request_id: int
    prompt: Prompt
    generation: GenerationSettings


class Count(Message, frozen=True, kw_only=True):
    """Count the tokens of texts. Answered while a reply is written."""

    request_id: int
    texts: tuple[str, ...]


class Forget(Message, frozen=True, kw_only=True):
    """Drop the KV state of a chat (all chats when empty)."""

    chat_id: str = ""


class Bench(Message, frozen=True, kw_only=True):
    """Time prefill and decode at a depth, through the same path a reply takes.

    Attributes:
        n_prompt: Tokens to read; 0 for none.
        n_generate: Tokens to write; 0 for none.
        raw: The bare decode loop, without sampling or text.
        warm_up: Do everything once more before it counts.
        keep_depth: Leave the tokens up to the depth in memory, for the next `Bench` there.
    """

    request_id: int
    n_prompt: int
    n_generate: int
    depth: int
    repetitions: int
    generation: GenerationSettings
    raw: bool = False
    warm_up: bool = True
    keep_depth: bool = False


class Cancel(Message, frozen=True, kw_only=True):
    """Stop a request, wherever it is."""

    request_id: int


class Shutdown(Message, frozen=True, kw_only=True):
    """Free everything and exit with status 0."""


# ---- events -------------------------------------------------------------------------------------


class Hello(Message, frozen=True, kw_only=True):
    """First event: who speaks."""

    protocol_version: int
    pid: int
    build: BuildInfo
    devices: tuple[DeviceInfo, ...]


class LoadProgress(Message, frozen=True, kw_only=True):
    """How far a load is: 0 to 1 of `total_bytes` within its phase."""

    request_id: int
    phase: LoadPhase
    fraction: float
    total_bytes: int
    elapsed_s: float


class Loaded(Message, frozen=True, kw_only=True):
    """The model is ready. `notices` say what differs from what was asked for."""

    request_id: int
    settings: EngineSettings
    model: ModelInfo
    context: ContextInfo
    seconds: float
    notices: tuple[Problem, ...] = ()


class Ejected(Message, frozen=True, kw_only=True):
    """The model is gone."""

    request_id: int


class PrefillProgress(Message, frozen=True, kw_only=True):
    """Reading: `done` of `total` tokens are in the KV, `cached` of them were before."""

    request_id: int
    done: int
    total: int
    cached: int
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    read_reason: str = ""


class Removed(Message, frozen=True, kw_only=True):
    """Something was left out, before the prompt is read or while the reply is written.

    Attributes:
        left_out: What, this time; turns that went before are not counted again.
        how: ``before`` the prompt is read; else by shifting the KV cache, or by reading the rest
            again.
        read_again: Tokens that have to be read again for it.
    """

    request_id: int
    left_out: LeftOut
    how: Literal["before", "shifted", "read_again"] = "before"
    read_again: int = 0


class Delta(Message, frozen=True, kw_only=True):
    """New text of the reply. Counts are running totals; speed is over the last second or so."""

    request_id: int
    text: str
    thinking: bool
    completion_tokens: int
    context_used: int
    tokens_per_second: float | None = None


class Finished(Message, frozen=True, kw_only=True):
    """The reply is over; what was written before a cancel counts."""

    request_id: int
    stop_reason: StopReason
    usage: Usage
    context_used: int
    n_ctx: int
    notices: tuple[Problem, ...] = ()


class Measured(Message, frozen=True, kw_only=True):
    """Answer to `Measure`; segments in prompt order add up to `n_ctx` unless it overflows.

    Attributes:
        read_reason: Code of why tokens that were read before are to be read again; else empty.
        left_out: What the overflow policy takes out of the request; it is not in the segments.
        reply_reserve: Tokens that a policy keeps free for the reply when it makes room.
    """

    request_id: int
    segments: tuple[Segment, ...]
    prompt_tokens: int
    cached_tokens: int
    n_ctx: int
    read_reason: str = ""
    left_out: LeftOut | None = None
    reply_reserve: int = 0
    prefill_tokens_per_second: float | None = None
    seconds_to_first_token: float | None = None


class Counted(Message, frozen=True, kw_only=True):
    """Answer to `Count`, in order."""

    request_id: int
    counts: tuple[int, ...]


class BenchResult(Message, frozen=True, kw_only=True):
    """Answer to `Bench`: seconds of each repetition for its tokens."""

    request_id: int
    prompt_s: tuple[float, ...]
    generate_s: tuple[float, ...]
    worker_rss_bytes: int


class Failed(Message, frozen=True, kw_only=True):
    """The request failed and the worker lives. `request_id` 0 is about none in particular.

    Attributes:
        model_kept: A model is still loaded: the one from before, where a load failed.
    """

    request_id: int
    problem: Problem
    model_kept: bool = False


class Aborting(Message, frozen=True, kw_only=True):
    """The last words before llama.cpp aborts: the text of its assert."""

    text: str


ReplyEvent = PrefillProgress | Removed | Delta
Command = Load | Eject | Generate | Measure | Count | Forget | Bench | Cancel | Shutdown
Event = (
    Hello
    | LoadProgress
    | Loaded
    | Ejected
    | PrefillProgress
    | Removed
    | Delta
    | Finished
    | Measured
    | Counted
    | BenchResult
    | Failed
    | Aborting
)

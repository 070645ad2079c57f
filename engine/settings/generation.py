"""Settings of one reply: the sampler chain, its limits and the system prompt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from engine.settings.declare import Form, Group, about

Overflow = Literal["stop", "drop", "summarise", "rolling"]


class GenerationSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a reply is sampled. A change costs nothing and counts from the next reply on."""

    system_prompt: Annotated[
        str,
        about(
            "System prompt",
            "What the model is told before the conversation.",
            group=Group.REPLY,
            form=Form.LONG_TEXT,
        ),
    ] = ""
    max_tokens: Annotated[
        int,
        about(
            "Longest reply",
            "The reply stops after this many tokens. 0 lets it run until the context is full.",
            group=Group.REPLY,
            unit="tokens",
            ge=0,
            le=16_777_216,
            step=64,
            special="no limit",
        ),
    ] = 2048
    overflow: Annotated[
        Overflow,
        about(
            "When the context is full",
            "What happens to a conversation that no longer fits. stop asks you; drop leaves the "
            "oldest messages out of the request; summarise has the model put them into a few "
            "sentences; rolling also takes out the oldest while a reply is written. Documents and "
            "the system prompt stay, the chat itself keeps every word, and each time a record "
            "says what was left out.",
            group=Group.REPLY,
        ),
    ] = "stop"
    stop: Annotated[
        tuple[str, ...],
        about(
            "Stop strings",
            "The reply ends before the first of these.",
            group=Group.REPLY,
        ),
    ] = ()
    seed: Annotated[
        int,
        about(
            "Seed",
            "The same seed and settings give the same reply. -1 draws a new one each time.",
            group=Group.REPLY,
            ge=-1,
            le=4_294_967_294,
            special="random",
        ),
    ] = -1
    thinking: Annotated[
        Literal["model", "off"],
        about(
            "Thinking",
            "off asks models whose template allows it to answer without a reasoning block.",
            group=Group.REPLY,
        ),
    ] = "model"
    prompt_lookup: Annotated[
        bool,
        about(
            "Prompt lookup",
            "Guess the next tokens from the text already read and check them in one step. Speeds "
            "up quoting from documents; turns itself off where it does not pay.",
            group=Group.REPLY,
        ),
    ] = False
    grammar: Annotated[
        str,
        about(
            "Grammar",
            "A GBNF grammar that the reply must follow. Reasoning before it is free, and a reply "
            "that is continued goes on in the grammar where it was.",
            group=Group.REPLY,
            form=Form.LONG_TEXT,
        ),
    ] = ""
    json_schema: Annotated[
        str,
        about(
            "JSON schema",
            "A JSON schema that the reply must follow, in place of a grammar.",
            group=Group.REPLY,
            form=Form.LONG_TEXT,
        ),
    ] = ""
    temperature: Annotated[
        float,
        about(
            "Temperature",
            "0 always takes the likeliest token (greedy); higher is more varied. Low suits "
            "questions about documents, 0.7 and more suits stories.",
            group=Group.SAMPLING,
            ge=0.0,
            le=5.0,
            step=0.05,
        ),
    ] = 0.2
    top_k: Annotated[
        int,
        about(
            "Top-k",
            "Keep the k likeliest tokens. 0 keeps all.",
            group=Group.SAMPLING,
            ge=0,
            le=1_000_000,
            special="off",
        ),
    ] = 40
    top_p: Annotated[
        float,
        about(
            "Top-p",
            "Keep the likeliest tokens that add up to this probability. 1 keeps all.",
            group=Group.SAMPLING,
            ge=0.0,
            le=1.0,
            step=0.01,
        ),
    ] = 0.95
    min_p: Annotated[
        float,
        about(
            "Min-p",
            "Keep tokens at least this likely, relative to the likeliest. 0 keeps all.",
            group=Group.SAMPLING,
            ge=0.0,
            le=1.0,
            step=0.01,
        ),
    ] = 0.05
    typical_p: Annotated[
        float,
        about(
            "Typical-p",
            "Locally typical sampling: keep tokens of average surprise. 1 keeps all.",
            group=Group.SAMPLING,
            ge=0.0,
            le=1.0,
            step=0.01,
        ),
    ] = 1.0
    xtc_probability: Annotated[
        float,
        about(
            "XTC probability",
            "How often the likeliest tokens are left out (XTC). 0 is off.",
            group=Group.SAMPLING,
            ge=0.0,
            le=1.0,
            step=0.05,
        ),
    ] = 0.0
    xtc_threshold: Annotated[
        float,
        about(
            "XTC threshold",
            "Tokens at least this likely can be left out.",
            group=Group.SAMPLING,
            ge=0.0,
            le=1.0,
            step=0.05,
        ),
    ] = 0.1
    logit_bias: Annotated[
        tuple[str, ...],
        about(
            "Logit bias",
            "token=bias pairs, the token as an id or as text, e.g. 42=-1.5. -inf bans a token.",
            group=Group.SAMPLING,
        ),
    ] = ()
    repeat_penalty: Annotated[
        float,
        about(
            "Repetition penalty",
            "Divides the logits of recent tokens. 1 is off.",
            group=Group.PENALTIES,
            ge=0.01,
            le=5.0,
            step=0.05,
        ),
    ] = 1.0
    repeat_last_n: Annotated[
        int,
        about(
            "Penalty window",
            "How many recent tokens the penalties look at. -1 takes the whole context.",
            group=Group.PENALTIES,
            unit="tokens",
            ge=-1,
            le=16_777_216,
            special="all",
        ),
    ] = 64
    presence_penalty: Annotated[
        float,
        about(
            "Presence penalty",
            "Subtracted from the logits of tokens that occurred at all.",
            group=Group.PENALTIES,
            ge=-2.0,
            le=2.0,
            step=0.05,
        ),
    ] = 0.0
    frequency_penalty: Annotated[
        float,
        about(
            "Frequency penalty",
            "Subtracted once for each time a token occurred.",
            group=Group.PENALTIES,
            ge=-2.0,
            le=2.0,
            step=0.05,
        ),
    ] = 0.0
    dry_multiplier: Annotated[
        float,
        about(
            "DRY multiplier",
            "Strength of the penalty on repeated sequences (DRY). 0 is off.",
            group=Group.PENALTIES,
            ge=0.0,
            le=5.0,
            step=0.05,
        ),
    ] = 0.0
    dry_base: Annotated[
        float,
        about(
            "DRY base",
            "How fast the DRY penalty grows with the length of the repetition.",
            group=Group.PENALTIES,
            ge=1.0,
            le=4.0,
            step=0.05,
        ),
    ] = 1.75
    dry_allowed_length: Annotated[
        int,
        about(
            "DRY allowed length",
            "Repetitions up to this length cost nothing.",
            group=Group.PENALTIES,
            unit="tokens",
            ge=0,
            le=1000,
        ),
    ] = 2

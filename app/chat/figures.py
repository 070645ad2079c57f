"""The figures of a reply: from the engine's totals to what is stored, and to what is shown."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import QCoreApplication

from engine.sentences import message_for
from engine.worker.protocol import Finished, StopReason, Usage
from widgets.chat.viewdata import ReplyStatsView

_CONTEXT = "ReplyFigures"


class ReplyFigures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored with a reply. Fields are only ever added."""

    stop_reason: StopReason
    usage: Usage
    n_ctx: int = 0
    context_used: int = 0
    model: str = ""
    thinking_s: float | None = None


def stored(finished: Finished, *, model: str, thinking_s: float | None) -> dict[str, Any]:
    """Plain JSON data for the store."""
    figures = ReplyFigures(
        stop_reason=finished.stop_reason,
        usage=finished.usage,
        n_ctx=finished.n_ctx,
        context_used=finished.context_used,
        model=model,
        thinking_s=thinking_s,
    )
    data: dict[str, Any] = msgspec.to_builtins(figures)
    return data


def read(data: dict[str, Any] | None) -> ReplyFigures | None:
    """Stored figures, or None where there are none that can be understood."""
    if not data:
        return None
    try:
        return msgspec.convert(data, ReplyFigures)
    except msgspec.ValidationError:
        return None


def shown(figures: ReplyFigures | None) -> ReplyStatsView | None:
    """Figures for the row under a reply."""
    if figures is None:
        return None
    usage = figures.usage
    reason = message_for(usage.read_reason, {}) if usage.read_reason else ""
    return ReplyStatsView(
        tokens=usage.completion_tokens,
        tokens_per_second=usage.decode_tokens_per_second,
        first_token_s=usage.time_to_first_token_s,
        cached_tokens=usage.cached_tokens,
        read_tokens=usage.prompt_tokens - usage.cached_tokens,
        read_reason=reason,
        stop_reason=stop_words(figures.stop_reason),
        stop_is_notable=figures.stop_reason not in ("end", "stop_string"),
        read_tokens_per_second=usage.prefill_tokens_per_second,
        guessed_tokens=usage.drafted_tokens or None,
        guessed_right=usage.accepted_tokens,
    )


def stop_words(reason: StopReason) -> str:
    """Why writing ended, in words."""
    words = {
        "end": "end of reply",
        "stop_string": "stop string",
        "max_tokens": "token limit",
        "context_full": "context full",
        "cancelled": "stopped",
        "failed": "failed",
    }
    return QCoreApplication.translate(_CONTEXT, words[reason])

"""From stored messages to what the transcript shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.chat import figures
from app.chat.citing import citation_views
from app.chat.overflow import WHILE_WRITING, summary_in
from app.documents.given_passages import PASSAGE_RECORDS
from app.documents.parts_record import parts_given
from app.reading.words import part_views
from widgets.chat.viewdata import MessageView, RecordView

if TYPE_CHECKING:
    from app.store.rows import Message, Record
    from engine.errors import Problem


def message_view(message: Message, *, documents: tuple[str, ...] = ()) -> MessageView:
    """One message."""
    reply = figures.read(message.stats)
    problem = message.problem
    return MessageView(
        id=str(message.id),
        role=message.role,
        text=message.text,
        thinking=message.thinking,
        thinking_seconds=reply.thinking_s if reply else None,
        state=message.state,
        # What to do about a dead engine is said once, on its card.
        state_text=_told(problem, with_fix=message.state == "failed") if problem else "",
        stats=figures.shown(reply),
        version_index=message.version_index,
        version_count=max(1, len(message.versions)),
        documents=documents,
        records=tuple(
            record_view(message, index, record) for index, record in enumerate(message.records)
        ),
        citations=citation_views(message),
        created_at=message.created_at or None,
    )


def record_view(message: Message, index: int, record: Record) -> RecordView:
    """One inline record; what was left out can be unfolded, and passages have their panel."""
    if record.kind in PASSAGE_RECORDS:
        is_found = record.data.get("passages") or record.data.get("candidates")
        return RecordView(
            id=f"{message.id}:{index}",
            text=record.sentence,
            action="Show passages" if is_found else "",
        )
    removed = record.data.get("text", "")
    given = parts_given([record])
    return RecordView(
        id=f"{message.id}:{index}",
        text=record.sentence,
        action="Show" if removed or given else "",
        detail=str(removed),
        parts=part_views(given) if given else (),
        body=summary_in(record),
        follows=record.kind in WHILE_WRITING,
    )


def _told(problem: Problem, *, with_fix: bool) -> str:
    return f"{problem.message} {problem.fix}".strip() if with_fix else problem.message

"""Reading documents in parts for a question: what both the command line and the window need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.documents.passages import passage_budget
from engine.documents.pages import chosen_pages
from engine.documents.parts.cutting import Source
from engine.documents.parts.planning import Answering
from engine.documents.prompt import citation_names
from engine.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.chat.prompting import PromptPart
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Measured


def sources_of(parts: Sequence[PromptPart]) -> tuple[Source, ...]:
    """The documents that are read in parts.

    Raises:
        UserError: ``parts.nothing_to_read`` when there is no text in them.
    """
    names = citation_names([part.document.name for part in parts])
    sources = tuple(
        Source(
            part.document.id,
            name,
            part.document.name,
            chosen_pages(part.document, part.selection),
        )
        for name, part in zip(names, parts, strict=True)
        if part.mode == "parts"
    )
    if not any(page.text.strip() for source in sources for page in source.pages):
        raise UserError("parts.nothing_to_read")
    return sources


def answering(measured: Measured, generation: GenerationSettings) -> Answering:
    """What notes may take beside a request, with room kept for the reply."""
    return Answering(measured, passage_budget(measured, generation))

"""E-mail messages (.eml): the headers people look at, the text, the names of what is attached."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING

from engine.documents.encoding import decode_text
from engine.documents.formats.html import add_html
from engine.documents.sections import SectionWriter

if TYPE_CHECKING:
    from email.message import EmailMessage, MIMEPart

    from engine.documents.draft import Draft
    from engine.documents.source import Source

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read_message(source: Source, draft: Draft) -> None:
    """Read a message: its plain text where it has one, else its HTML.

    Raises:
        UserError: Too big.
    """
    data = source.read_bytes(draft.limits.text_file_bytes)
    message = email.message_from_bytes(data, policy=email.policy.default)
    draft.step(0, 0)
    sections = SectionWriter(draft)
    lines = [f"{name}: {message[name]}" for name in _HEADERS if message[name]]
    attachments = [part.get_filename() or part.get_content_type() for part in _attached(message)]
    if attachments:
        lines.append(f"Attachments: {', '.join(attachments)}")
        draft.note("documents.note_attachments", count=len(attachments))
    body = message.get_body(("plain", "html"))
    sections.block("\n".join(lines))
    if body is not None:
        _add_body(body, sections, draft)
    sections.end_page()


def _attached(message: EmailMessage) -> list[MIMEPart]:
    return [part for part in message.walk() if part.is_attachment()]


def _add_body(body: MIMEPart, sections: SectionWriter, draft: Draft) -> None:
    payload = body.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    text = decode_text(data, draft, declared=body.get_content_charset() or "")
    if body.get_content_type() == "text/html":
        add_html(text, sections)
        return
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        sections.block(paragraph)

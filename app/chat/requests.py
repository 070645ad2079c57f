"""What a request holds: the chat's words, its documents, and the passages for the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from app.chat.overflow import counting
from app.chat.prompting import prompt_documents, prompt_for, prompt_instruction
from app.documents.given_passages import given_by, passages_record
from app.documents.parts_record import is_read, not_read, parts_given
from app.documents.passages import passages_text
from app.reading.request import ReadingRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Future

    from app.chat.branch import Branch
    from app.chat.branches import Branches
    from app.chat.prompting import PromptPart
    from app.chat.tree_changes import TreeChanges
    from app.documents.automatic_modes import AutomaticModes
    from app.documents.search import Given, PassageSearch
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.store.chat_store import ChatStore
    from app.store.rows import Message, Record
    from engine.errors import UserError
    from engine.settings import GenerationSettings
    from engine.worker.protocol import Prompt

# A draft that grew by so many characters may leave a document no room; each letter does not.
_LONGER = 200


class Requests:
    """Puts prompts together and finds passages for their questions. Main thread.

    Attributes:
        is_searching: Whether passages are being searched for a question that waits for them.
        on_searched: Called after such a search, whether or not its question went out.
    """

    def __init__(
        self,
        *,
        store: ChatStore,
        engine: EngineController,
        shelf: Shelf,
        search: PassageSearch,
        modes: AutomaticModes,
        branches: Branches,
        changes: TreeChanges,
        on_searched: Callable[[], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._shelf = shelf
        self._search = search
        self._modes = modes
        self._branches = branches
        self._changes = changes
        self._on_searched = on_searched
        self.is_searching = False

    # ---- prompts

    def prepare_draft(self, chat_id: int | None, branch: Branch | None, draft: str) -> None:
        """Have decided what goes along with a draft: how documents are sent, and which passages.

        That is known a moment later: ask again.
        """
        messages = _said(branch)
        self._modes.for_draft(
            chat_id,
            self._prompt_of(chat_id, messages, draft),
            self._counting(chat_id),
            moment=(len(messages), messages[-1].id if messages else 0, len(draft) // _LONGER),
        )
        if self._has_passages(chat_id):
            without = self._prompt(chat_id, messages, draft=draft)
            parts = self._shelf.parts(chat_id)
            self._search.find_for_draft(draft, parts, without, self._counting(chat_id))

    def for_draft(self, chat_id: int | None, branch: Branch | None, draft: str) -> Prompt:
        """What would be sent now, with what stands in the composer and is known to go along."""
        without = self._prompt(chat_id, _said(branch), draft=draft)
        if not self._has_passages(chat_id):
            return without
        parts = self._shelf.parts(chat_id)
        found = self._search.found_for_draft(draft, parts, without, self._counting(chat_id))
        return msgspec.structs.replace(without, passages=found)

    def for_reply(self, branch: Branch, message: Message) -> Prompt:
        """What a reply answers: all that stands before it, with the passages of its question.

        It goes on from what the message has already.
        """
        before = _before(branch, message)
        question = _question_of(before)
        given = given_by(question.records) if question else ()
        parts = self._shelf.parts(branch.chat.id)
        notes = parts_given(question.records) if question else None
        texts = [passages_text(parts, given)]
        if notes is not None and is_read(parts, notes):
            texts.append(notes.block)
        return self._prompt(
            branch.chat.id,
            before,
            passages="\n".join(filter(None, texts)),
            reply=message,
        )

    def to_read_first(self, branch: Branch, message: Message) -> ReadingRequest | None:
        """What has to be read in parts before a message can be written; None when nothing has."""
        parts = self._shelf.parts(branch.chat.id)
        question = _question_of(_before(branch, message))
        if question is None or not any(part.mode == "parts" for part in parts):
            return None
        if is_read(parts, parts_given(question.records)):
            return None
        return ReadingRequest(
            chat_id=branch.chat.id,
            message_id=message.id,
            question=question.text,
            parts=parts,
            without=self.for_reply(branch, message),
            generation=self._counting(branch.chat.id),
        )

    def not_read(self, branch: Branch, message: Message) -> str:
        """What the answer has to say about parts that failed; empty when all were read."""
        question = _question_of(_before(branch, message))
        notes = parts_given(question.records) if question else None
        is_sent = notes is not None and is_read(self._shelf.parts(branch.chat.id), notes)
        return not_read(notes.parts) if notes and is_sent else ""

    def note(self, branch: Branch, message: Message, record: Record) -> Future[None]:
        """Keep a record with the question that a message answers."""
        question = _question_of(_before(branch, message))
        assert question is not None
        return self.keep(branch, question, (record,))

    def keep(self, branch: Branch, message: Message, records: tuple[Record, ...]) -> Future[None]:
        """Keep more records with a message of a branch."""
        saving = branch.saving = self._store.messages.add_records(message.id, records)
        kept = (*message.records, *records)
        branch.replace(msgspec.structs.replace(message, records=kept))
        return saving

    def _prompt(
        self,
        chat_id: int | None,
        messages: list[Message],
        *,
        draft: str | None = None,
        passages: str = "",
        reply: Message | None = None,
    ) -> Prompt:
        return prompt_for(
            chat_id,
            messages,
            self._shelf.prompt_documents(chat_id),
            instruction=self._shelf.instruction(chat_id),
            passages=passages,
            draft=draft,
            reply=reply,
        )

    def _prompt_of(
        self, chat_id: int | None, messages: list[Message], question: str
    ) -> Callable[[Sequence[PromptPart]], Prompt]:
        """The request for a question, by how its documents are sent; for any thread."""
        before = tuple(messages)

        def prompt_of(parts: Sequence[PromptPart]) -> Prompt:
            return prompt_for(
                chat_id,
                before,
                prompt_documents(parts),
                instruction=prompt_instruction(parts),
                draft=question,
            )

        return prompt_of

    # ---- passages

    def generation(self, chat_id: int | None) -> GenerationSettings:
        """The settings of a chat's replies."""
        return self._branches.generation(chat_id)

    def _counting(self, chat_id: int | None) -> GenerationSettings:
        return counting(self.generation(chat_id))

    def _has_passages(self, chat_id: int | None) -> bool:
        return any(part.mode == "passages" for part in self._shelf.parts(chat_id))

    def find_passages(
        self,
        chat_id: int,
        before: list[Message],
        question: str,
        then: Callable[[tuple[Record, ...]], None],
        *,
        known: Collection[str] = (),
        given_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on with the records of the passages for a question; at once where none are sent.

        How automatic documents are sent is decided first. The chat may be another when this goes
        on: what was deleted, brought back or chosen meanwhile has been read by then.

        Args:
            chat_id: The chat.
            before: What stands before the question.
            question: What is asked.
            then: Given the records.
            known: Documents whose passages are known already; nothing is searched for these alone.
            given_up: Called instead of `then` when the engine or the documents are others now.
        """

        def end(records: tuple[Record, ...] | None) -> None:
            self.is_searching = False
            if records is None or not self._engine.session.can_answer:
                given_up()
            else:
                then(records)
            self._on_searched()

        def found(records: tuple[Record, ...] | None) -> None:
            self._changes.when_settled(chat_id, lambda: end(records))

        def failed(_error: UserError) -> None:
            # The engine is gone, and has said so; what is queued waits for the next one.
            self.is_searching = False
            given_up()

        def search() -> None:
            self._search_passages(chat_id, before, question, found, failed, known)

        self.is_searching = True
        prompt_of = self._prompt_of(chat_id, before, question)
        self._modes.choose(chat_id, prompt_of, self._counting(chat_id), search, failed)

    def _search_passages(
        self,
        chat_id: int,
        before: list[Message],
        question: str,
        then: Callable[[tuple[Record, ...] | None], None],
        failed: Callable[[UserError], None],
        known: Collection[str],
    ) -> None:
        if not self._engine.session.can_answer:
            then(None)
            return
        parts = self._shelf.parts(chat_id)
        if all(part.document.id in known for part in parts if part.mode == "passages"):
            then(())
            return
        pages = {part.document.id: part.document.pages for part in parts}

        def found(given: Given) -> None:
            is_same = self._shelf.parts(chat_id) == parts
            records = tuple(passages_record(each, pages[each.document_id]) for each in given)
            then(records if is_same else None)

        without = self._prompt(chat_id, before, draft=question)
        generation = self._counting(chat_id)
        self._search.find(question, parts, without, generation, found, failed)

    def with_passages(
        self, chat_id: int, messages: list[Message], then: Callable[[], None]
    ) -> None:
        """Go on once the last question has passages of every document that is sent so."""
        question = _question_of(messages)
        if question is None:
            self._changes.when_settled(chat_id, then)
            return
        known = {each.document_id for each in given_by(question.records)}

        def noted(records: tuple[Record, ...]) -> None:
            new = tuple(one for one in records if one.data["document_id"] not in known)
            branch = self._branches.get(chat_id)
            asked = branch.find(question.id) if branch else None
            if branch is not None and asked is not None and new:
                self.keep(branch, asked, new)
            then()

        before = messages[: messages.index(question)]
        self.find_passages(chat_id, before, question.text, noted, known=known)


def _said(branch: Branch | None) -> list[Message]:
    return [m for m in branch.messages if m.state != "streaming"] if branch else []


def _before(branch: Branch, message: Message) -> list[Message]:
    """What a message answers is in here; it is the last of its branch."""
    return [m for m in branch.messages if m.id != message.id]


def _question_of(messages: list[Message]) -> Message | None:
    return next((m for m in reversed(messages) if m.role == "user"), None)

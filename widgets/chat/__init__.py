"""The conversation: transcript, context ledger and composer. `ChatView` is what others use.

Contract of `widgets.chat.chat_view.ChatView(parent: QWidget | None = None)`; view data is in
`widgets.chat.viewdata`. Everything runs on the GUI thread.

Signals (the view changes nothing by itself unless said so):
    send_requested(str): Send this prompt. The input is already cleared; `restore_draft` puts a
        refused prompt back.
    queue_requested(str): The same while a reply is being written: append it to the queue and call
        `set_state` with the new `ComposerState.queued`.
    queue_removed(int): Entry of the queue was cancelled, or taken back into the input to edit.
    stop_requested(): Stop button or Esc.
    regenerate_requested(str id), branch_requested(str id), delete_requested(str id)
    continue_requested(str id): Go on with a stopped or interrupted reply.
    edit_resend_requested(str id, str text)
    version_requested(str id, int index)
    link_clicked(str url): A link or a citation. Never opened here.
    record_action_requested(str message_id, str record_id)
    record_edited(str record_id, str text): The text of a record, e.g. a summary.
    card_action_requested(str card_kind, str action_id)
    files_dropped(list[str] paths): Dropped anywhere on the view, or pasted.
    long_paste(str text): A long text was pasted, see `set_long_paste`; nothing is inserted.
    attach_requested(), chip_remove_requested(str id), chip_action_requested(str id, str action)
    title_edited(str), export_requested(str format): ``"markdown"`` or ``"json"``.
    menu_requested(QPoint global): The header's ⋯ button.
    ledger_choice_requested(str segment_id, str choice_id): Chosen in the menu of a ledger part.

Methods:
    set_messages(Sequence[MessageView]): Show another chat, from its end.
    append_message(MessageView), update_message(MessageView): update by id, keeps the place.
    stream_delta(id, text, thinking=""): Append to a streaming message; shown at the next tick
        (about 30 a second, paused while hidden).
    set_progress(id, ProgressView | None): Reading or loading progress of a streaming message.
    finish_message(MessageView): The final state of what was streamed.
    set_ledger(LedgerView), set_chips(Sequence[ChipView]), set_state(ComposerState)
    show_cards(Sequence[CardView]): Replaces the cards shown.
    set_find_visible(bool), open_find(), focus_composer(), restore_draft(str), draft() -> str
    set_long_paste(int): A paste of more characters is reported instead of inserted.
    set_last_prompt(str): What Up recalls in an empty input; set by sending too.
    message_markdown(id) -> str, last_reply_text() -> str
"""

"""The end of the application: what is asked, saved and stopped, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.window.desktop import DRAFT
from engine.errors import UserError

if TYPE_CHECKING:
    from app.window.desktop import Desktop


class Closing:
    """Closes a `Desktop`, and keeps it open for words that are not on the disk. Main thread."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop
        self._may_lose_words = self._gave_up_words = False

    def may_close(self) -> bool:
        """Whether the window may close; where words would be lost, its user is asked."""
        desktop = self._desktop
        words = () if self._may_lose_words else desktop.store.unsaved()
        if words:
            desktop.dialogs.ask_unsaved(words, self._close_anyway)
        return not words

    def _close_anyway(self) -> None:
        self._may_lose_words = self._gave_up_words = True
        self._desktop.window.close()

    def close(self) -> None:
        """Save what is open, end the engine and every thread; a second call does nothing."""
        desktop = self._desktop
        if desktop.is_closed:
            return
        desktop.later.finish()
        self._may_lose_words = True
        # Its layout is remembered as it closes, while that can still be written.
        desktop.window.close()
        desktop.is_closed = True
        desktop.settings.set_window(DRAFT, desktop.chat.save_draft())
        desktop.chat_view.typesetter.close()
        for part in (
            desktop.engine_side,
            desktop.embedding,
            desktop.reading,
            desktop.search,
            desktop.modes,
            desktop.files,
            desktop.sidebar,
            desktop.places,
            desktop.chat,
            desktop.shelf,
        ):
            part.close()
        desktop.engine.shutdown()
        try:
            desktop.store.close()
        except UserError:
            # Said already, and answered.
            if not self._gave_up_words:
                raise
        finally:
            desktop.settings.close()
            desktop.crashes.uninstall()

"""The places where documents are seen, put together: the view and the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.documents.counting import TokenCounting
from app.documents.leftovers import Leftovers
from app.documents.library import LibraryController
from app.documents.thumbnails import Thumbnails
from app.documents.viewing import DocumentViewing
from engine.documents.drawing.drawer import PageDrawer

if TYPE_CHECKING:
    from app.chat.controller import ChatController
    from app.documents.shelf import Shelf
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.chat_store import ChatStore
    from app.window.dialogs import Dialogs
    from engine.documents.reader import DocumentReader
    from widgets.main_window import MainWindow


class DocumentPlaces(QObject):
    """Owns them and the process that draws pages for both. Main thread; `close` it at the end.

    Attributes:
        counting: Counts tokens for both.
        viewing: Opens documents.
        library: Fills the library's page.
    """

    def __init__(
        self,
        *,
        window: MainWindow,
        store: ChatStore,
        engine: EngineController,
        chat: ChatController,
        shelf: Shelf,
        reader: DocumentReader,
        dialogs: Dialogs,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._drawer = PageDrawer()
        self._thumbnails = Thumbnails(self._drawer, hop, self)
        self.counting = TokenCounting(engine, store, hop, self)
        self.viewing = DocumentViewing(
            store=store,
            reader=reader,
            drawer=self._drawer,
            counting=self.counting,
            notices=notices,
            hop=hop,
            dialogs=dialogs,
            parent=self,
        )
        self.library = LibraryController(
            window=window,
            store=store,
            chat=chat,
            shelf=shelf,
            reader=reader,
            counting=self.counting,
            thumbnails=self._thumbnails,
            viewing=self.viewing,
            notices=notices,
            hop=hop,
            dialogs=dialogs,
            parent=self,
        )
        self._leftovers = Leftovers(store=store, shelf=shelf, notices=notices, hop=hop, parent=self)
        window.closing.connect(self.viewing.close_viewer)

    def close(self) -> None:
        """Stop drawing and counting; for the end of the app."""
        # First, so that nobody waits for a page in progress.
        self._drawer.close()
        self.viewing.close()
        self._thumbnails.close()
        self.counting.close()
        self._leftovers.close()

"""First pages of documents, small, drawn once and kept in the cache folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from app.documents.drawings import image_of
from engine.documents.messages import DrawRequest, NotDrawn
from engine.paths import cache_dir

if TYPE_CHECKING:
    from app.hop import MainThread
    from app.store.rows import DocumentInfo
    from engine.documents.drawing.drawer import PageDrawer

_WIDTH_PX = 368
_KEPT_WIDTH_PX = 92


class Thumbnails(QObject):
    """Main thread; drawing and files are on a thread of its own. `close` it at the end.

    Signals:
        ready(str): The id of a document whose first page is there now.
    """

    ready = Signal(str)

    def __init__(self, drawer: PageDrawer, hop: MainThread, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._drawer = drawer
        self._hop = hop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="thumbnails")
        self._images: dict[str, QImage | None] = {}

    def of(self, info: DocumentInfo) -> QImage | None:
        """The first page, or None; it is made when there is none yet, which `ready` announces."""
        if info.kind != "pdf":
            return None
        if info.id not in self._images:
            self._images[info.id] = None
            work = self._thread.submit(_made, self._drawer, info)
            self._hop.when_done(work, lambda image: self._on_made(info.id, image))
        return self._images[info.id]

    def forget(self, document_id: str) -> None:
        """Remove what is kept of a document that was deleted."""
        self._images.pop(document_id, None)
        self._thread.submit(_place(document_id).unlink, missing_ok=True)

    def close(self) -> None:
        """Stop; the drawer must be closed before, or the page in progress is waited for."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _on_made(self, document_id: str, image: QImage) -> None:
        if not image.isNull():
            self._images[document_id] = image
            self.ready.emit(document_id)


def _place(document_id: str) -> Path:
    return cache_dir() / "thumbnails" / f"{document_id[:32]}.png"


def _made(drawer: PageDrawer, info: DocumentInfo) -> QImage:
    """The kept picture, else a new one of a file that is still what was read."""
    place = _place(info.id)
    kept = QImage(str(place)) if place.is_file() else QImage()
    if not kept.isNull() or not _is_as_read(info):
        return kept
    drawing = drawer.draw(DrawRequest(path=info.path, index=0, width_px=_WIDTH_PX))
    if isinstance(drawing, NotDrawn):
        return QImage()
    # Drawn larger and made smaller: fine print becomes an even grey, as on paper from afar.
    image = image_of(drawing).scaledToWidth(
        _KEPT_WIDTH_PX, Qt.TransformationMode.SmoothTransformation
    )
    # Where the disk is full or read-only it is drawn again next time.
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        image.save(str(place))
    return image


def _is_as_read(info: DocumentInfo) -> bool:
    try:
        status = Path(info.path).stat()
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (info.size_bytes, info.mtime_ns)

"""Has the page that is looked at drawn; pages that were turned past meanwhile are left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QObject, QRectF, Signal
from PySide6.QtGui import QImage

from engine.documents.messages import Drawing, DrawRequest, NotDrawn
from widgets.documents.viewdata import PictureView

if TYPE_CHECKING:
    from app.hop import MainThread
    from engine.documents.drawing.drawer import PageDrawer
    from engine.documents.model import Page


class Drawn(NamedTuple):
    """A drawing that came.

    Attributes:
        refusal: Why there is none: ``encrypted``, ``wrong_password`` or ``damaged``.
    """

    path: str
    picture: PictureView
    refusal: str = ""


class Drawings(QObject):
    """Main thread.

    Attributes:
        passwords: By path, for as long as the app runs; shared with who reads the files.

    Signals:
        drawn(Drawn): The page that was wanted last.
    """

    drawn = Signal(object)

    def __init__(
        self,
        drawer: PageDrawer,
        passwords: dict[str, str],
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.passwords = passwords
        self._drawer = drawer
        self._hop = hop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._wanted: DrawRequest | None = None
        self._is_drawing = False

    def want(
        self, path: str, page: Page, spans: tuple[tuple[int, int], ...], width_px: int
    ) -> None:
        """Draw a page, this wide, with the places of passages of its text."""
        self._wanted = DrawRequest(
            path=path,
            index=page.number - 1,
            width_px=width_px,
            password=self.passwords.get(path),
            text=page.text if spans else "",
            spans=spans,
        )
        if not self._is_drawing:
            self._draw_next()

    def close(self) -> None:
        """Stop; the drawer must be closed before, or the page in progress is waited for."""
        self._wanted = None
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _draw_next(self) -> None:
        request, self._wanted = self._wanted, None
        if request is None:
            return
        self._is_drawing = True
        work = self._thread.submit(self._draw, request)
        self._hop.when_done(work, lambda drawn: self._on_drawn(drawn))

    def _on_drawn(self, drawn: Drawn) -> None:
        self._is_drawing = False
        if self._wanted is None:
            self.drawn.emit(drawn)
        else:
            self._draw_next()

    def _draw(self, request: DrawRequest) -> Drawn:
        reply = self._drawer.draw(request)
        number = request.index + 1
        if isinstance(reply, NotDrawn):
            wrong = reply.reason == "encrypted" and request.password is not None
            refusal = "wrong_password" if wrong else reply.reason
            return Drawn(request.path, PictureView(number, QImage()), refusal)
        boxes = tuple(
            tuple(QRectF(box.left, box.top, box.width, box.height) for box in lines)
            for lines in reply.boxes
        )
        return Drawn(request.path, PictureView(number, image_of(reply), boxes, reply.width_pt))


def image_of(drawing: Drawing) -> QImage:
    """A drawing's pixels as an image of its own."""
    shape = QImage.Format.Format_RGBX8888
    size = drawing.width_px, drawing.height_px
    return QImage(drawing.pixels, *size, drawing.stride, shape).copy()

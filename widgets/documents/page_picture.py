"""A page as it looks: as wide as there is room, or larger or smaller, with passages marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QNativeGestureEvent
from PySide6.QtWidgets import QScrollArea

from widgets import parts, theme
from widgets.documents.page_sheet import Sheet

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QResizeEvent, QWheelEvent

    from widgets.documents.viewdata import PictureView

STEPS_PERCENT: Final = (25, 33, 50, 67, 75, 90, 100, 110, 125, 150, 175, 200, 250, 300, 400)
# Pixels of the window in one of the points that pages are measured in.
_PX_PER_POINT: Final = 96 / 72
_PER_NOTCH: Final = 1.15
_NOTCH: Final = 120
_NARROWEST_PX: Final = 120
_FIRST_PX: Final = 1000
# The drawing process draws no larger ones; what is shown larger is stretched.
_SHARPEST_PX: Final = 6000
_PAUSE_MS: Final = 120
_ROOM_PX: Final = 80


class PagePicture(QScrollArea):
    """Scrolls when the page is larger than the room. Main thread.

    Ctrl and the wheel, or a pinch, zoom; what is under the pointer stays there.

    Signals:
        zoomed: The size changed: percent of the page's own size, and whether it fills the width.
        resolution_wanted: The page should be drawn anew, this many pixels wide.
    """

    zoomed = Signal(float, bool)
    resolution_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        parts.named(self, "pageScroll", self.tr("The page as it looks"))
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.sheet = Sheet()
        parts.named(self.sheet, "pagePicture", self.tr("The page as it looks"))
        self.setWidget(self.sheet)
        self.sheet.dragged.connect(self._on_dragged)
        self._number = 0
        self._width_pt = 0.0
        self._percent: float | None = None
        self._asked_px = 0
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._ask)

    # ---- what is shown

    def wanted_px(self) -> int:
        """How wide a drawing has to be for this size on this screen; it counts as asked for."""
        width = self.sheet.width() if self._number else max(_FIRST_PX, self._room_px())
        self._asked_px = min(_SHARPEST_PX, round(width * self.devicePixelRatioF()))
        return self._asked_px

    def set_waiting(self) -> None:
        """The picture of another page is on its way; the last one stays until it comes."""
        self.sheet.set_boxes((), -1)

    def set_picture(self, picture: PictureView, current: int, *, reveals: bool) -> None:
        """Show a page, or the same one drawn anew.

        Args:
            picture: The page and where its passages stand.
            current: Which of the passages is looked at.
            reveals: Whether to scroll to it where it cannot be seen.
        """
        is_new = picture.number != self._number
        self._number, self._width_pt = picture.number, picture.width_pt
        self.sheet.set_image(picture.image)
        self._place()
        if is_new:
            self.verticalScrollBar().setValue(0)
        self.sheet.set_boxes(picture.boxes, current)
        if reveals or is_new:
            self._reveal(picture.boxes[current] if 0 <= current < len(picture.boxes) else ())

    def _reveal(self, lines: tuple[QRectF, ...]) -> None:
        if not lines:
            return
        whole = self.sheet.placed(lines[0])
        for line in lines[1:]:
            whole = whole.united(self.sheet.placed(line))
        down, across = self.verticalScrollBar(), self.horizontalScrollBar()
        room = self.viewport().size()
        if not down.value() <= whole.top() <= whole.bottom() <= down.value() + room.height():
            down.setValue(max(0, round(whole.top()) - _ROOM_PX))
        if not across.value() <= whole.left() <= whole.right() <= across.value() + room.width():
            across.setValue(max(0, round(whole.left()) - _ROOM_PX))

    # ---- zooming

    @property
    def percent(self) -> float:
        """How large the page is shown, of its own size."""
        own = self._own_px()
        return 100 * self.sheet.width() / own if own else 100.0

    @property
    def fills_width(self) -> bool:
        """Whether the page is as wide as there is room."""
        return self._percent is None

    def fit_width(self) -> None:
        """Show the page as wide as there is room."""
        self._zoom(None, self._middle())

    def zoom_to(self, percent: float) -> None:
        """Show the page at a share of its own size."""
        self._zoom(percent, self._middle())

    def step(self, direction: int) -> None:
        """Take the next size of those that are usual: 1 for larger, -1 for smaller."""
        now = self.percent
        larger = [step for step in STEPS_PERCENT if step > now + 0.5]
        smaller = [step for step in STEPS_PERCENT if step < now - 0.5]
        if direction > 0 and larger:
            self.zoom_to(larger[0])
        elif direction < 0 and smaller:
            self.zoom_to(smaller[-1])

    def _zoom(self, percent: float | None, at: QPointF) -> None:
        """Change the size; what is at a point of the window stays there."""
        if not self._number:
            return
        before = self.sheet.size()
        held = QPointF(self.sheet.mapFrom(self.viewport(), at.toPoint()))
        share_x, share_y = held.x() / before.width(), held.y() / before.height()
        if percent is not None:
            percent = max(STEPS_PERCENT[0], min(percent, STEPS_PERCENT[-1]))
        self._percent = percent
        self._place()
        self.horizontalScrollBar().setValue(round(share_x * self.sheet.width() - at.x()))
        self.verticalScrollBar().setValue(round(share_y * self.sheet.height() - at.y()))

    def _place(self) -> None:
        """Give the sheet its size, and have it drawn for that where it was drawn for another."""
        width = self._room_px()
        if self._percent is not None and self._own_px():
            width = round(self._own_px() * self._percent / 100)
        self.sheet.fit(max(_NARROWEST_PX, width))
        room, size = self.maximumViewportSize(), self.sheet.size()
        self.sheet.set_can_be_pulled(size.width() > room.width() or size.height() > room.height())
        if self._number:
            self._pause.start()
            self.zoomed.emit(self.percent, self.fills_width)

    def _ask(self) -> None:
        before = self._asked_px
        if self.wanted_px() not in (before, self.sheet.image().width()):
            self.resolution_wanted.emit(self._asked_px)

    def _own_px(self) -> float:
        return self._width_pt * _PX_PER_POINT

    def _room_px(self) -> int:
        # As if the bar were there: with it the page would be less tall and need none, and so on.
        bar = self.verticalScrollBar().sizeHint().width()
        return max(_NARROWEST_PX, self.width() - bar - theme.SPACE.s)

    def _middle(self) -> QPointF:
        return QPointF(self.viewport().rect().center())

    # ---- what Qt tells

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stay as wide as there is room, if that is the size."""
        super().resizeEvent(event)
        self._place()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom with Ctrl, scroll without."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            notches = event.angleDelta().y() / _NOTCH
            self._zoom(self.percent * _PER_NOTCH**notches, event.position())
            event.accept()
        else:
            super().wheelEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Zoom by a pinch."""
        pinch = Qt.NativeGestureType.ZoomNativeGesture
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == pinch:
            self._zoom(self.percent * (1 + event.value()), event.position())
            event.accept()
            return True
        return super().viewportEvent(event)

    def _on_dragged(self, by: QPoint) -> None:
        across, down = self.horizontalScrollBar(), self.verticalScrollBar()
        across.setValue(across.value() - by.x())
        down.setValue(down.value() - by.y())

"""The text of one message as it is used: selecting, copying, links, by mouse and keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QToolTip, QWidget

from widgets.chat import selection as selecting
from widgets.chat.bodycanvas import BodyCanvas
from widgets.chat.codeview import CodeView
from widgets.chat.selection import Place, Selection

if TYPE_CHECKING:
    from widgets.chat.blockviews import Tone
    from widgets.chat.flow import Placed
    from widgets.chat.typeset import Typesetter


class Body(BodyCanvas):
    """Owned by a message view; lives on the GUI thread.

    Signals:
        link_clicked: Target of a link or citation that was pressed. Nothing is opened here.
        dragged_to: A selection is being drawn to this global position.
    """

    link_clicked = Signal(str)
    dragged_to = Signal(QPoint)

    def __init__(
        self,
        typesetter: Typesetter,
        parent: QWidget | None = None,
        *,
        verbatim: bool = False,
        tone: Tone = "text",
    ) -> None:
        super().__init__(typesetter, parent, verbatim=verbatim, tone=tone)
        self._dragging = False
        self._bar_grab: tuple[CodeView, float] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.IBeamCursor)

    def _placed_at(self, point: QPointF) -> tuple[int, Placed, float] | None:
        nearest = None
        margin = 400.0
        for index, placed, y in self._shown(point.y() - margin, point.y() + margin):
            if nearest is None or y <= point.y():
                nearest = (index, placed, y)
        return nearest

    def place_at(self, point: QPointF) -> Place | None:
        """The position nearest to a point."""
        found = self._placed_at(point)
        if found is None:
            return None
        index, placed, y = found
        return Place(index, placed.index, placed.view.hit(point.x() - placed.x, point.y() - y))

    def link_at(self, point: QPointF) -> str:
        """Target of the link at a point."""
        found = self._placed_at(point)
        if found is None:
            return ""
        return found[1].view.link_at(point.x() - found[1].x, point.y() - found[2])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a selection, or take hold of a code block's bar."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        found = self._placed_at(event.position())
        if found and isinstance(found[1].view, CodeView):
            bar = found[1].view.bar_rect().translated(found[1].x, found[2]).adjusted(0, -4, 0, 4)
            if bar.contains(event.position()):
                self._bar_grab = (found[1].view, event.position().x())
                return
        place = self.place_at(event.position())
        if place is None:
            return
        extend = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if extend and self._selection is not None:
            self._selection.cursor = place
        else:
            self._selection = Selection(place, place)
        self._dragging = True
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the selection out; show what is under the pointer."""
        if self._bar_grab is not None:
            view, last = self._bar_grab
            view.scroll_by((event.position().x() - last) * view.scroll.content / view.width)
            self._bar_grab = (view, event.position().x())
            self.update()
        elif self._dragging and self._selection is not None:
            self.dragged_to.emit(event.globalPosition().toPoint())
            place = self.place_at(event.position())
            if place is not None and place != self._selection.cursor:
                self._selection.cursor = place
                self.update()
        else:
            over_link = bool(self.link_at(event.position()))
            shape = Qt.CursorShape.PointingHandCursor if over_link else Qt.CursorShape.IBeamCursor
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a selection; a press without one on a link reports it."""
        was_click = self._selection is None or self._selection.is_empty
        if self._dragging and was_click and event.button() == Qt.MouseButton.LeftButton:
            href = self.link_at(event.position())
            if href:
                self.link_clicked.emit(href)
        self._dragging = False
        self._bar_grab = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Select a word; in code a line, as a paragraph is too much there."""
        place = self.place_at(event.position())
        if place is not None:
            leaf = self.flow.leaves(place.box)[place.leaf]
            self._selection = selecting.word_at(leaf, place)
            self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Sideways over a wide code block moves it; all else is the transcript's."""
        delta = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta() / 2
        sideways = delta.x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and not sideways:
            sideways = delta.y()
        found = self._placed_at(event.position())
        view = found[1].view if sideways and found else None
        if isinstance(view, CodeView) and view.scroll_by(-sideways):
            self.update()
            event.accept()
        else:
            event.ignore()

    def event(self, event: QEvent) -> bool:
        """Show where a link leads, for nothing is opened without having been seen."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            href = self.link_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), href, self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, select all, follow the link in focus."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.has_selection():
            self.copy_selection()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_all()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._link is not None:
            self.link_clicked.emit(self._link[4])
        else:
            event.ignore()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab walks through the links before it leaves."""
        links = self._links()
        at = links.index(self._link) if self._link in links else (-1 if forward else len(links))
        at += 1 if forward else -1
        if 0 <= at < len(links):
            self._link = links[at]
            self.update()
            return True
        self._link = None
        self.update()
        return super().focusNextPrevChild(forward)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Links lose their focus with the text."""
        self._link = None
        super().focusOutEvent(event)
        self.update()

    def _links(self) -> list[tuple[int, int, int, int, str]]:
        return [
            (index, placed.index, *link)
            for index, box in enumerate(self.flow.boxes)
            for placed in box.placed
            for link in placed.view.links()
        ]

    def has_selection(self) -> bool:
        """Whether anything is selected."""
        return self._selection is not None and not self._selection.is_empty

    def select_all(self) -> None:
        """Select the whole message."""
        self._selection = selecting.whole(self.flow)
        self.update()

    def copy_selection(self, *, as_markdown: bool = False) -> None:
        """Put the selection on the clipboard."""
        if self._selection is None:
            return
        if as_markdown:
            text = selecting.markdown_text(self.flow, self._selection)
            QGuiApplication.clipboard().setText(text)
        else:
            QGuiApplication.clipboard().setMimeData(selecting.mime_of(self.flow, self._selection))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer copying."""
        menu = self.context_menu(event.pos())
        menu.exec(event.globalPos())
        menu.deleteLater()

    def context_menu(self, at: QPoint) -> QMenu:
        """The menu for a point of the text."""
        menu = QMenu(self)
        menu.setObjectName("messageBodyMenu")
        copy = menu.addAction(self.tr("Copy"), lambda: self.copy_selection())
        as_markdown = menu.addAction(
            self.tr("Copy as Markdown"), lambda: self.copy_selection(as_markdown=True)
        )
        copy.setEnabled(self.has_selection())
        as_markdown.setEnabled(self.has_selection())
        href = self.link_at(QPointF(at))
        if href:
            clipboard = QGuiApplication.clipboard()
            menu.addAction(self.tr("Copy link address"), lambda: clipboard.setText(href))
        menu.addSeparator()
        menu.addAction(self.tr("Select all"), self.select_all)
        return menu

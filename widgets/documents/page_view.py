"""A document's page as it looks beside what was read of it, with a passage highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeySequence, QPixmap, QShortcut, QTextCharFormat
from PySide6.QtWidgets import QDialog, QLabel, QPlainTextEdit, QScrollArea, QTextEdit, QWidget

from widgets import parts, theme
from widgets.documents.viewdata import PageView
from widgets.search_line import SearchLine

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

_SIZE: Final = QSize(1080, 760)
_HIGHLIGHT_ALPHA: Final = 0.32


class PageViewer(QDialog):
    """Shows one page at a time; the application brings the others. Esc closes. Main thread.

    Signals:
        page_requested: Another page is wanted, by its number.
        search_requested: Words to look for after this page.
    """

    page_requested = Signal(int)
    search_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        parts.named(self, "page_viewer", self.tr("Document"))
        self._page = PageView("", 1, 1, "", "")
        self._image = QImage()
        self._head = parts.row(theme.SPACE.m, (theme.SPACE.xl, 10, theme.SPACE.l, 10))
        self._body = parts.row(theme.SPACE.l, (theme.SPACE.xl, 20, theme.SPACE.xl, 20))
        self._not_found = parts.label("", "meta", "warn")
        self._make_head()
        self._make_body()
        whole = parts.column(0)
        whole.addLayout(self._head)
        whole.addWidget(parts.hairline())
        whole.addLayout(self._body, 1)
        self.setLayout(whole)
        self.resize(_SIZE)
        for keys, step in ((Qt.Key.Key_PageUp, -1), (Qt.Key.Key_PageDown, 1)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.activated.connect(lambda step=step: self._step(step))
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.activated.connect(self._search.setFocus)
        theme.signals().changed.connect(self._highlight)

    # ---- what it is given

    def set_page(self, page: PageView) -> None:
        """Show a page; its picture comes with `set_picture`."""
        self._page = page
        self.setWindowTitle(page.name)
        self._name.set_whole(page.name)
        place = self.tr("Page {number:,} of {count:,}").format(number=page.number, count=page.count)
        if page.label and page.label != str(page.number):
            place += self.tr(" · label “{label}”").format(label=page.label)
        self._place.setText(place)
        self._cited.setText(f"{'●' if page.is_found else '○'} {page.cited}" if page.cited else "")
        self._cited.setVisible(bool(page.cited))
        parts.restyle(self._cited, "tone", "accent" if page.is_found else "dim")
        self._before.setEnabled(page.number > 1)
        self._after.setEnabled(page.number < page.count)
        self._text.setPlainText(page.text or self.tr("There is no text on this page."))
        self._highlight()
        self._image = QImage()
        self._picture.setText(self.tr("Drawing the page …"))
        self._scroll.setVisible(page.has_picture)

    def set_picture(self, number: int, image: QImage) -> None:
        """The page as it looks; one that comes too late is not shown, an empty one hides it."""
        if number != self._page.number:
            return
        self._image = image
        self._scroll.setVisible(not image.isNull())
        self._fit_picture()

    def say_not_found(self) -> None:
        """The words that were looked for are on no page."""
        self._not_found.setText(self.tr("not found"))

    # ---- putting together

    def _make_head(self) -> None:
        self._name = parts.ElidedLabel("", "title")
        self._name.setObjectName("pageDocument")
        self._place = parts.label("", "body", "dim")
        self._place.setObjectName("pagePlace")
        self._search = SearchLine("pageSearch", self.tr("Find in this document"))
        self._search.setMaximumWidth(220)
        self._search.textChanged.connect(lambda: self._not_found.setText(""))
        self._search.returnPressed.connect(self._on_search)
        self._before = parts.icon_button(
            "chevron-left", "pagePrevious", self.tr("Previous page (Page Up)")
        )
        self._after = parts.icon_button(
            "chevron-right", "pageNext", self.tr("Next page (Page Down)")
        )
        self._before.clicked.connect(lambda: self._step(-1))
        self._after.clicked.connect(lambda: self._step(1))
        back = parts.button(self.tr("Back"), "pageBack")
        back.clicked.connect(self.close)
        self._head.addWidget(self._name, 1)
        for widget in (
            self._place,
            self._before,
            self._after,
            self._not_found,
            self._search,
            back,
        ):
            self._head.addWidget(widget)

    def _make_body(self) -> None:
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        parts.named(self._picture, "pagePicture", self.tr("The page as it looks"))
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(self._picture)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        parts.named(self._scroll, "pageScroll", self.tr("The page as it looks"))
        self._cited = parts.label("", "meta", "dim", wrap=True)
        self._cited.setObjectName("pageCited")
        heading = parts.SectionHeading(self.tr("What was read"), "pageTextHeading")
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setFont(theme.font("body"))
        parts.named(self._text, "pageText", self.tr("What was read of the page"))
        right = parts.column(theme.SPACE.s)
        right.addWidget(self._cited)
        right.addWidget(heading)
        right.addWidget(self._text, 1)
        self._body.addWidget(self._scroll, 6)
        self._body.addLayout(right, 5)

    def _highlight(self) -> None:
        marks: list[QTextEdit.ExtraSelection] = []
        cursor = self._text.textCursor()
        if self._page.span is not None:
            start, end = (_units(self._page.text, at) for at in self._page.span)
            cursor.setPosition(start)
            cursor.setPosition(end, cursor.MoveMode.KeepAnchor)
            shape = QTextCharFormat()
            shape.setBackground(QColor(theme.color("warn", _HIGHLIGHT_ALPHA)))
            mark = QTextEdit.ExtraSelection()
            mark.cursor, mark.format = cursor, shape
            marks.append(mark)
            shown = self._text.textCursor()
            shown.setPosition(start)
            self._text.setTextCursor(shown)
            self._text.centerCursor()
        self._text.setExtraSelections(marks)

    def _fit_picture(self) -> None:
        if self._image.isNull():
            return
        width = max(120, self._scroll.viewport().width() - 2)
        ratio = self.devicePixelRatioF()
        shown = QPixmap.fromImage(self._image).scaledToWidth(
            round(width * ratio), Qt.TransformationMode.SmoothTransformation
        )
        shown.setDevicePixelRatio(ratio)
        self._picture.setPixmap(shown)

    # ---- what the user does

    def _step(self, step: int) -> None:
        number = self._page.number + step
        if 1 <= number <= self._page.count:
            self.page_requested.emit(number)

    def _on_search(self) -> None:
        if self._search.text().strip():
            self.search_requested.emit(self._search.text().strip())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the page as wide as there is room for it."""
        super().resizeEvent(event)
        self._fit_picture()


def _units(text: str, at: int) -> int:
    """A position in Qt's text, which counts what lies outside the first plane twice."""
    return len(text[:at].encode("utf-16-le", "surrogatepass")) // 2

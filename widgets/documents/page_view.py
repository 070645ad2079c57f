"""A document's pages as they look beside what was read of them, with passages highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeySequence, QShortcut, QTextCharFormat
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTextEdit,
    QWidget,
)

from widgets import parts, theme
from widgets.documents.match_bar import MatchBar
from widgets.documents.outline import OutlineList
from widgets.documents.page_picture import PagePicture
from widgets.documents.viewdata import PageView
from widgets.documents.zoom_bar import ZoomBar
from widgets.figures import whole

if TYPE_CHECKING:
    from widgets.documents.viewdata import DocumentView, NoticeView, PictureView, Span

_SIZE: Final = QSize(1160, 800)
_OUTLINE_PX: Final = (160, 400)
_CURRENT_ALPHA: Final = 0.36
_OTHER_ALPHA: Final = 0.15


class PageViewer(QDialog):
    """A window of its own, so that an answer and its source can be read side by side.

    Shows one page at a time; the application brings the others. Esc closes. Main thread.

    Signals:
        page_requested: Another page is wanted, by its number.
        place_requested: Another page is wanted, by what was typed: a number or a label.
        search_changed: Words to look for in the document; empty ends the search.
        match_requested: 1 for the next match, -1 for the one before.
        action_requested: The choice of the notice.
        resolution_wanted: The page should be drawn anew, this many pixels wide.
    """

    page_requested = Signal(int)
    place_requested = Signal(str)
    search_changed = Signal(str)
    match_requested = Signal(int)
    action_requested = Signal(str)
    resolution_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__(None)
        parts.named(self, "page_viewer", self.tr("Document"))
        self.setWindowFlag(Qt.WindowType.WindowMinMaxButtonsHint)
        self._page = PageView(1, 1, "", "")
        self.matches = MatchBar()
        self.outline = OutlineList()
        self.picture = PagePicture()
        self.zoom = ZoomBar(self.picture)
        self._reveals = False
        self._action = ""
        self._make_place()
        whole_view = parts.column(0)
        whole_view.addLayout(self._head())
        whole_view.addWidget(parts.hairline())
        self._notice_room = self._made_notice()
        whole_view.addWidget(self._notice_room)
        whole_view.addWidget(self._body(), 1)
        self.setLayout(whole_view)
        self.resize(_SIZE)
        self._connect()
        self._add_keys()
        self._text.setFocus()

    # ---- what it is given

    def set_document(self, document: DocumentView) -> None:
        """Show another document; its first page comes with `set_page`."""
        self.setWindowTitle(document.name)
        self._name.set_whole(document.name, document.facts)
        self.outline.set_entries(document.outline)
        self._toggle_outline.setVisible(bool(document.outline))
        self._outline_pane.setVisible(bool(document.outline))

    def set_page(self, page: PageView) -> None:
        """Show a page; its picture comes with `set_picture`."""
        before, self._page = self._page, page
        is_same = (page.number, page.text) == (before.number, before.text)
        self._number.setText(str(page.number))
        self._place.setText(self._place_words(page))
        self._cited.setText(f"{'●' if page.is_found else '○'} {page.cited}" if page.cited else "")
        self._cited.setVisible(bool(page.cited))
        parts.restyle(self._cited, "tone", "accent" if page.is_found else "dim")
        self._unread.setText(page.unread)
        self._unread.setVisible(bool(page.unread))
        self._before.setEnabled(page.number > 1)
        self._after.setEnabled(page.number < page.count)
        if not is_same:
            self._text.setPlainText(page.text or self.tr("There is no text on this page."))
            self.outline.follow(page.number)
        self._highlight()
        self._show_notice(page.notice)
        self._picture_pane.setVisible(page.has_picture)
        if not is_same or (page.spans, page.current) != (before.spans, before.current):
            self._reveals = True
            self.picture.set_waiting()

    def set_picture(self, picture: PictureView) -> None:
        """The page as it looks; one that comes too late is not shown."""
        if picture.number == self._page.number and not picture.image.isNull():
            self.picture.set_picture(picture, self._page.current, reveals=self._reveals)
            self._reveals = False

    def _place_words(self, page: PageView) -> str:
        words = [self.tr("of {count:,}").format(count=page.count)]
        if page.label:
            words.append(page.label)
        if page.tokens is not None:
            words.append(self.tr("{tokens} tokens").format(tokens=whole(page.tokens)))
        return " · ".join(words)

    def _show_notice(self, notice: NoticeView | None) -> None:
        self._notice_room.setVisible(notice is not None)
        if notice is not None:
            self._notice_text.setText(notice.text)
            self._notice_act.setVisible(bool(notice.action))
            self._notice_act.setText(notice.label)
            self._notice_act.setAccessibleName(notice.label)
            self._action = notice.action

    # ---- putting together

    def _make_place(self) -> None:
        self._name = parts.ElidedLabel("", "title")
        self._name.setObjectName("pageDocument")
        self._number = QLineEdit()
        parts.named(self._number, "pageNumber", self.tr("Page, by its number or label"))
        self._number.setToolTip(self.tr("Go to a page by its number or label (Ctrl+G)"))
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight)
        theme.size(self._number, "FixedWidth", 58)
        self._place = parts.label("", "body", "dim")
        self._place.setObjectName("pagePlace")
        self._before = parts.icon_button(
            "chevron-left", "pagePrevious", self.tr("Previous page (Page Up)")
        )
        self._after = parts.icon_button(
            "chevron-right", "pageNext", self.tr("Next page (Page Down)")
        )
        self._toggle_outline = parts.icon_button(
            "sidebar", "pageOutline", self.tr("Show or hide the contents")
        )

    def _head(self) -> QHBoxLayout:
        head = parts.row(theme.SPACE.s, (theme.SPACE.l, 10, theme.SPACE.l, 10))
        head.addWidget(self._toggle_outline)
        head.addWidget(self._name, 1)
        head.addSpacing(theme.SPACE.m)
        head.addWidget(parts.label(self.tr("Page"), "body", "dim"))
        for widget in (self._number, self._place, self._before, self._after):
            head.addWidget(widget)
        head.addSpacing(theme.SPACE.m)
        head.addWidget(self.matches)
        return head

    def _made_notice(self) -> QWidget:
        notice = parts.frame("notice", "pageNotice")
        self._notice_text = parts.label("", "body", wrap=True)
        self._notice_text.setObjectName("pageNoticeText")
        self._notice_act = parts.button("", "pageNoticeAct")
        line = parts.row(
            theme.SPACE.m, (theme.SPACE.m, theme.SPACE.s, theme.SPACE.s, theme.SPACE.s)
        )
        line.addWidget(self._notice_text, 1)
        line.addWidget(self._notice_act)
        notice.setLayout(line)
        around = parts.row(0, (theme.SPACE.l, theme.SPACE.m, theme.SPACE.l, 0))
        around.addWidget(notice)
        holder = QWidget()
        holder.setLayout(around)
        return holder

    def _body(self) -> QWidget:
        self._outline_pane = QWidget()
        listed = parts.column(theme.SPACE.s, (theme.SPACE.s, theme.SPACE.l, theme.SPACE.s, 0))
        heading = parts.SectionHeading(self.tr("Contents"), "pageOutlineHeading")
        heading.setContentsMargins(theme.SPACE.s, 0, theme.SPACE.s, 0)
        listed.addWidget(heading)
        listed.addWidget(self.outline, 1)
        self._outline_pane.setLayout(listed)
        self._outline_pane.setMinimumWidth(_OUTLINE_PX[0])
        self._outline_pane.setMaximumWidth(_OUTLINE_PX[1])
        self._picture_pane = QWidget()
        page = parts.column(
            theme.SPACE.s, (theme.SPACE.l, theme.SPACE.s, theme.SPACE.s, theme.SPACE.l)
        )
        page.addWidget(self.zoom)
        page.addWidget(self.picture, 1)
        self._picture_pane.setLayout(page)
        body = QSplitter(Qt.Orientation.Horizontal)
        body.setObjectName("pagePanes")
        body.setChildrenCollapsible(False)
        body.setHandleWidth(1)
        for part in (self._outline_pane, self._picture_pane, self._read_pane()):
            body.addWidget(part)
        self.picture.setMinimumWidth(240)
        body.setSizes([220, 540, 400])
        for at, stretch in enumerate((0, 6, 5)):
            body.setStretchFactor(at, stretch)
        return body

    def _read_pane(self) -> QWidget:
        self._cited = parts.label("", "meta", "dim", wrap=True)
        self._cited.setObjectName("pageCited")
        self._unread = parts.label("", "meta", "warn", wrap=True)
        self._unread.setObjectName("pageUnread")
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setFont(theme.font("body"))
        parts.named(self._text, "pageText", self.tr("What was read of the page"))
        column = parts.column(
            theme.SPACE.s, (theme.SPACE.l, theme.SPACE.l, theme.SPACE.l, theme.SPACE.l)
        )
        column.addWidget(self._cited)
        column.addWidget(parts.SectionHeading(self.tr("What was read"), "pageTextHeading"))
        column.addWidget(self._unread)
        column.addWidget(self._text, 1)
        pane = QWidget()
        pane.setLayout(column)
        theme.size(pane, "MinimumWidth", 260)
        return pane

    def _connect(self) -> None:
        self._before.clicked.connect(lambda: self._step(-1))
        self._after.clicked.connect(lambda: self._step(1))
        self._number.returnPressed.connect(self._on_place)
        self._toggle_outline.clicked.connect(
            lambda: self._outline_pane.setVisible(self._outline_pane.isHidden())
        )
        self.outline.opened.connect(
            lambda ident: self.page_requested.emit(self.outline.page_of(ident))
        )
        self.matches.search_changed.connect(self.search_changed)
        self.matches.step_requested.connect(self.match_requested)
        self.picture.resolution_wanted.connect(self.resolution_wanted)
        self._notice_act.clicked.connect(lambda: self.action_requested.emit(self._action))
        theme.signals().changed.connect(self._highlight)

    def _add_keys(self) -> None:
        find = QKeySequence(QKeySequence.StandardKey.Find)
        for keys, act in (
            (QKeySequence(Qt.Key.Key_PageUp), lambda: self._step(-1)),
            (QKeySequence(Qt.Key.Key_PageDown), lambda: self._step(1)),
            (QKeySequence("Ctrl+Home"), lambda: self.page_requested.emit(1)),
            (QKeySequence("Ctrl+End"), lambda: self.page_requested.emit(self._page.count)),
            (QKeySequence("Ctrl+G"), self._focus_number),
            (find, self.matches.focus),
            (QKeySequence("F3"), lambda: self.match_requested.emit(1)),
            (QKeySequence("Shift+F3"), lambda: self.match_requested.emit(-1)),
        ):
            QShortcut(keys, self).activated.connect(act)
        self.zoom.add_keys(self, self.picture)

    # ---- what happens

    def _highlight(self) -> None:
        page = self._page
        marks = [
            self._mark(span, is_current=index == page.current)
            for index, span in enumerate(page.spans)
        ]
        if 0 <= page.current < len(page.spans):
            shown = self._text.textCursor()
            shown.setPosition(_units(page.text, page.spans[page.current][0]))
            self._text.setTextCursor(shown)
            self._text.centerCursor()
        self._text.setExtraSelections(marks)

    def _mark(self, span: Span, *, is_current: bool) -> QTextEdit.ExtraSelection:
        start, end = (_units(self._page.text, at) for at in span)
        cursor = self._text.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, cursor.MoveMode.KeepAnchor)
        shape = QTextCharFormat()
        alpha = _CURRENT_ALPHA if is_current else _OTHER_ALPHA
        shape.setBackground(QColor(theme.color("warn", alpha)))
        mark = QTextEdit.ExtraSelection()
        mark.cursor, mark.format = cursor, shape
        return mark

    def _step(self, step: int) -> None:
        number = self._page.number + step
        if 1 <= number <= self._page.count:
            self.page_requested.emit(number)

    def _focus_number(self) -> None:
        self._number.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._number.selectAll()

    def _on_place(self) -> None:
        wanted = self._number.text().strip()
        self._number.setText(str(self._page.number))
        if wanted:
            self.place_requested.emit(wanted)


def _units(text: str, at: int) -> int:
    """A position in Qt's text, which counts what lies outside the first plane twice."""
    return len(text[:at].encode("utf-16-le", "surrogatepass")) // 2

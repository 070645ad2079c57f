"""Layouts that take a second line where one is too short: narrow panes, large text."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem


class _Wrapping(QLayout):
    """Holds items; subclasses place them.

    Args:
        spacing_px: Between items, and between lines.
    """

    def __init__(self, spacing_px: int) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._gap = spacing_px
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Append."""
        self._items.append(item)

    def count(self) -> int:
        """How many there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """One of them."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove one."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """It takes no more than it is given."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Rows come with narrowness."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height of all rows."""
        edges = self.contentsMargins()
        inside = QRect(0, 0, width - edges.left() - edges.right(), 0)
        return self._arrange(inside, move=False) + edges.top() + edges.bottom()

    def setGeometry(self, rect: QRect) -> None:
        """Place them."""
        super().setGeometry(rect)
        self._arrange(rect.marginsRemoved(self.contentsMargins()), move=True)

    def sizeHint(self) -> QSize:
        """One row."""
        hints = [item.sizeHint() for item in self._items if not item.isEmpty()]
        width = sum(hint.width() for hint in hints) + self._gap * max(0, len(hints) - 1)
        height = max((hint.height() for hint in hints), default=0)
        return QSize(width, height).grownBy(self.contentsMargins())

    def minimumSize(self) -> QSize:
        """The widest of them."""
        sizes = [item.minimumSize() for item in self._items if not item.isEmpty()]
        width = max((size.width() for size in sizes), default=0)
        height = max((size.height() for size in sizes), default=0)
        return QSize(width, height).grownBy(self.contentsMargins())

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        """Place the items, or only look; the height they take."""
        raise NotImplementedError


class FlowLayout(_Wrapping):
    """Puts widgets side by side and wraps them, as text does with words.

    Args:
        spacing_px: Between widgets, and between lines.
        is_centred: Whether lines stand in the middle instead of at the left.
        is_filled: Whether widgets share the whole width of their line, evenly where each has room.
    """

    def __init__(
        self, spacing_px: int, *, is_centred: bool = False, is_filled: bool = False
    ) -> None:
        super().__init__(spacing_px)
        self._is_centred = is_centred
        self._is_filled = is_filled

    def expandingDirections(self) -> Qt.Orientation:
        """Whether it takes more than it would like."""
        return Qt.Orientation.Horizontal if self._is_filled else Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Whether rows come with narrowness; of one widget there is no second."""
        return len(self._items) > 1 or any(item.hasHeightForWidth() for item in self._items)

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        y = rect.y()
        for line in self._lines(rect.width()):
            widths = self._widths(line, rect.width())
            heights = [_height(item, width) for item, width in zip(line, widths, strict=True)]
            free = rect.width() - sum(widths) - self._gap * (len(line) - 1)
            x, tall = rect.x() + (free // 2 if self._is_centred else 0), max(heights)
            for item, width, height in zip(line, widths, heights, strict=True):
                if move:
                    item.setGeometry(QRect(x, y + (tall - height) // 2, width, height))
                x += width + self._gap
            y += tall + self._gap
        return max(0, y - self._gap - rect.y())

    def _widths(self, line: list[QLayoutItem], width_px: int) -> list[int]:
        wanted = [min(item.sizeHint().width(), width_px) for item in line]
        free = width_px - sum(wanted) - self._gap * (len(line) - 1)
        if not self._is_filled or free < 0:
            return wanted
        each, rest = divmod(free + sum(wanted), len(line))
        if max(wanted) <= each:
            return [each + (at < rest) for at in range(len(line))]
        more, rest = divmod(free, len(line))
        return [width + more + (at < rest) for at, width in enumerate(wanted)]

    def _lines(self, width_px: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = []
        left = 0
        for item in self._items:
            if item.isEmpty():
                continue
            needed = item.sizeHint().width() + self._gap
            if not lines or needed - self._gap > left:
                lines.append([])
                left = width_px
            lines[-1].append(item)
            left -= needed
        return lines


class PairLayout(_Wrapping):
    """Two items at both ends of a line; where that is too short the second goes below the first.

    The first needs the least it can do with. So does the second when it expands, and takes what is
    left of the line; otherwise it needs what it would like, and the first takes what is left. What
    would itself take a second line goes below before it does.
    """

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        shown = [item for item in self._items if not item.isEmpty()]
        if len(shown) == 2:
            left, right = (item.minimumSize().width() for item in shown)
            if not _expands(shown[1]) or shown[1].hasHeightForWidth():
                right = shown[1].sizeHint().width()
            spare = rect.width() - self._gap - left - right
            if spare >= 0 and _expands(shown[1]):
                return self._side_by_side(rect, shown, (left, right + spare), move=move)
            if spare >= 0:
                return self._side_by_side(rect, shown, (left + spare, right), move=move)
        y = rect.y()
        for item in shown:
            height = _height(item, rect.width())
            if move:
                item.setGeometry(QRect(rect.x(), y, rect.width(), height))
            y += height + self._gap
        return max(0, y - self._gap - rect.y())

    def _side_by_side(
        self, rect: QRect, items: list[QLayoutItem], widths: tuple[int, int], *, move: bool
    ) -> int:
        pairs = list(zip(items, widths, strict=True))
        heights = [_height(item, width) for item, width in pairs]
        if move:
            x, tall = rect.x(), max(*heights, rect.height())
            for (item, width), height in zip(pairs, heights, strict=True):
                item.setGeometry(QRect(x, rect.y() + (tall - height) // 2, width, height))
                x += width + self._gap
        return max(heights)


def _expands(item: QLayoutItem) -> bool:
    return bool(item.expandingDirections() & Qt.Orientation.Horizontal)


def _height(item: QLayoutItem, width: int) -> int:
    return item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()

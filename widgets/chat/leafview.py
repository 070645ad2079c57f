"""What a body needs of a laid-out leaf, with the answers of a leaf that has nothing to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPainter

    from widgets.chat.leaves import Leaf
    from widgets.chat.textblock import Mark


class LeafView:
    """A leaf at a width. Coordinates are relative to its corner, positions are UTF-16 units."""

    def __init__(self, leaf: Leaf) -> None:
        self.leaf: Leaf = leaf
        self.height = 0.0
        self.width = 0.0

    @property
    def pending(self) -> set[str]:
        """Formulas that are still being made."""
        return set()

    def layout(self, width: float) -> float:
        """Take a width and return the height."""
        self.width = width
        return self.height

    def draw(self, painter: QPainter, x: float, y: float, marks: Sequence[Mark]) -> None:
        """Paint with the corner at (`x`, `y`)."""
        raise NotImplementedError

    def hit(self, x: float, y: float) -> int:
        """The position nearest to a point."""
        del x, y
        return 0

    def link_at(self, x: float, y: float) -> str:
        """Target of the link at a point, or an empty string."""
        del x, y
        return ""

    def links(self) -> list[tuple[int, int, str]]:
        """Stretches that are links: start, end, target."""
        return []

    def top_of(self, position: int) -> float:
        """Height at which a position stands."""
        del position
        return 0.0

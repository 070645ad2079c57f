"""What a chunk of Markdown consists of once it is parsed: leaves of styled runs, no containers.

A list or a quotation is not a box around others here; each leaf says how deep it stands. Leaves
are plain data: they can be searched and copied without having been laid out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from widgets.chat.plaintext import unit_slice, units

if TYPE_CHECKING:
    from widgets.chat.viewdata import CitationView

Gap = Literal["block", "tight", "none"]
Align = Literal["left", "center", "right"]

HARD_BREAK = "\u2028"
OBJECT = "\ufffc"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leaf stands.

    Attributes:
        depth: How many lists it is in.
        quote: How many quotations it is in.
        marker: Bullet or number in front of it; empty for none.
        gap: Distance to what stands above.
    """

    depth: int = 0
    quote: int = 0
    marker: str = ""
    gap: Gap = "block"


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one style. `tex` marks a formula whose source is `text`."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    tex: bool = False
    href: str = ""
    citation: CitationView | None = None

    @property
    def shown(self) -> str:
        """The text as positions count it: a formula is one place, however long its source."""
        return OBJECT if self.tex else self.text


@dataclass(frozen=True)
class TextLeaf:
    """A paragraph, a heading (`level` 1 to 6) or the text of a list item."""

    place: Place
    runs: tuple[Run, ...]
    level: int = 0

    @cached_property
    def text(self) -> str:
        """What selecting and searching see."""
        return "".join(run.shown for run in self.runs)


@dataclass(frozen=True)
class CodeLeaf:
    """Code, or a stretch of a longer block; see `chunks.Chunk` for `group`."""

    place: Place
    text: str
    language: str = ""
    group: int = 0
    first: bool = True
    last: bool = True


@dataclass(frozen=True)
class TableLeaf:
    """Rows of a table; `rows[0]` is the head. A continued table (`first` false) repeats it."""

    place: Place
    rows: tuple[tuple[tuple[Run, ...], ...], ...]
    aligns: tuple[Align, ...]
    group: int = 0
    first: bool = True

    @cached_property
    def shown_rows(self) -> tuple[tuple[tuple[Run, ...], ...], ...]:
        """Rows that are painted."""
        return self.rows if self.first else self.rows[1:]

    @cached_property
    def text(self) -> str:
        """Cells divided by tabs, rows by line breaks."""
        return "\n".join(
            "\t".join("".join(run.shown for run in cell) for cell in row) for row in self.shown_rows
        )


@dataclass(frozen=True)
class MathLeaf:
    """A formula on a line of its own."""

    place: Place
    text: str


@dataclass(frozen=True)
class RuleLeaf:
    """A horizontal rule."""

    place: Place
    text: str = ""


Leaf = TextLeaf | CodeLeaf | TableLeaf | MathLeaf | RuleLeaf


def clipped(runs: tuple[Run, ...], start: int, end: int) -> list[Run]:
    """The runs between two positions, in UTF-16 units."""
    out: list[Run] = []
    at = 0
    for run in runs:
        size = units(run.shown)
        low, high = max(start - at, 0), min(end - at, size)
        if low < high:
            out.append(run if run.tex else replace(run, text=unit_slice(run.text, low, high)))
        at += size
    return out


def plain_of(leaf: Leaf, start: int, end: int) -> str:
    """The selected part of a leaf as plain text."""
    if isinstance(leaf, TextLeaf):
        text = _runs_plain(clipped(leaf.runs, start, end))
    elif isinstance(leaf, TableLeaf):
        text = _table_plain(leaf, start, end)
    else:
        text = unit_slice(leaf.text, start, end)
    marker = leaf.place.marker
    if marker and start == 0:
        return f"{'  ' * (leaf.place.depth - 1)}{marker} {text}"
    return text


def _runs_plain(runs: list[Run]) -> str:
    text = "".join(run.citation.text if run.citation else run.text for run in runs)
    return text.replace(HARD_BREAK, "\n")


def _table_plain(leaf: TableLeaf, start: int, end: int) -> str:
    lines: list[str] = []
    at = 0
    for row in leaf.shown_rows:
        cells: list[str] = []
        for cell in row:
            size = sum(units(run.shown) for run in cell)
            if start < at + size and at < end:
                cells.append(_runs_plain(clipped(cell, start - at, end - at)))
            at += size + 1
        if cells:
            lines.append("\t".join(cells))
    return "\n".join(lines)


def markdown_of(leaf: Leaf, start: int, end: int) -> str:
    """The selected part of a leaf as Markdown."""
    if isinstance(leaf, RuleLeaf):
        return "---"
    if isinstance(leaf, CodeLeaf):
        code = unit_slice(leaf.text, start, end)
        opener = f"```{leaf.language}\n" if leaf.first else ""
        body = f"{opener}{code}" + ("\n```" if leaf.last else "")
    elif isinstance(leaf, MathLeaf):
        body = f"$$\n{leaf.text}\n$$"
    elif isinstance(leaf, TableLeaf):
        body = _table_markdown(leaf, start, end)
    else:
        body = "".join(_run_markdown(run) for run in clipped(leaf.runs, start, end))
        body = ("#" * leaf.level + " " + body) if leaf.level and start == 0 else body
    return _placed(leaf.place, body, whole_start=start == 0)


def _placed(place: Place, body: str, *, whole_start: bool) -> str:
    marker = place.marker if whole_start else ""
    if place.depth:
        indent = "  " * (place.depth - 1)
        if marker:
            bullet = marker if marker[:1].isdigit() else "-"
            first, rest = f"{indent}{bullet} ", indent + " " * (len(bullet) + 1)
        else:
            first = rest = indent + "  "
        lines = body.split("\n")
        body = "\n".join((first if i == 0 else rest) + line for i, line in enumerate(lines))
    if place.quote:
        prefix = "> " * place.quote
        body = "\n".join(prefix + line for line in body.split("\n"))
    return body


def _run_markdown(run: Run) -> str:
    text = run.text.replace(HARD_BREAK, "  \n")
    if run.citation is not None:
        return run.citation.text
    if run.tex:
        return f"${text}$"
    if run.code:
        return f"`{text}`"
    for on, mark in ((run.bold, "**"), (run.italic, "*"), (run.strike, "~~")):
        if on and text.strip():
            text = f"{mark}{text}{mark}"
    return f"[{text}]({run.href})" if run.href else text


def _table_markdown(leaf: TableLeaf, start: int, end: int) -> str:
    if start > 0 or end < units(leaf.text):
        return _table_plain(leaf, start, end)
    lines = [
        "| " + " | ".join("".join(_run_markdown(run) for run in cell) for cell in row) + " |"
        for row in leaf.shown_rows
    ]
    if leaf.first:
        rule = {"left": "---", "center": ":---:", "right": "---:"}
        lines.insert(1, "| " + " | ".join(rule[align] for align in leaf.aligns) + " |")
    return "\n".join(lines)

"""Parses a chunk of Markdown into leaves with markdown-it-py.

Raw HTML is text. Images are never loaded, from anywhere: what is left of one is its alternative
text and a note. Links are kept as data; nothing here or later opens one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from widgets.chat.leaves import (
    HARD_BREAK,
    Align,
    CodeLeaf,
    Leaf,
    MathLeaf,
    Place,
    RuleLeaf,
    Run,
    TableLeaf,
    TextLeaf,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

    from widgets.chat.chunks import Chunk
    from widgets.chat.viewdata import CitationView

_BULLETS: Final = ("•", "◦", "▪")
_TASK = re.compile(r"^\[([ xX])\]\s+")
_ODD_TICK = re.compile(r"`+")
_BRACKETS: Final = {"\\(": "\\)", "\\[": "\\]"}


def leaves_of(
    chunk: Chunk,
    citations: Sequence[CitationView] = (),
    *,
    verbatim: bool = False,
    is_open: bool = False,
) -> tuple[Leaf, ...]:
    """The leaves of a chunk.

    Args:
        chunk: What to parse.
        citations: Texts that become citation chips.
        verbatim: Show the text as it was typed (the user's messages).
        is_open: More of it is to come: emphasis that is not closed yet is shown as if it were.
    """
    if chunk.kind == "code":
        code = CodeLeaf(
            _place(chunk.first),
            chunk.source,
            chunk.language,
            chunk.group,
            chunk.first,
            chunk.last,
        )
        return (code,)
    if chunk.kind == "math":
        return (MathLeaf(Place(), chunk.source.strip()),)
    if verbatim:
        text = chunk.source.strip("\n").replace("\n", HARD_BREAK).replace("\t", "    ")
        return (TextLeaf(Place(), (Run(text),)),)
    source = _closed_marks(chunk.source) if is_open else chunk.source
    reader = _Reader(tuple(citations), chunk)
    reader.read(_parser().parse(source))
    return tuple(reader.leaves)


def _place(first: bool) -> Place:
    return Place(gap="block" if first else "none")


class _Reader:
    """Walks the tokens of one chunk and keeps the containers it is in as a place."""

    def __init__(self, citations: tuple[CitationView, ...], chunk: Chunk) -> None:
        self.leaves: list[Leaf] = []
        self._citations = citations
        self._chunk = chunk
        self._lists: list[int] = []
        self._quote = 0
        self._marker = ""
        self._tight = False
        self._level = 0
        self._rows: list[tuple[tuple[Run, ...], ...]] = []
        self._cells: list[tuple[Run, ...]] = []
        self._aligns: list[Align] = []
        self._in_table = False

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self._read(token)

    def _read(self, token: Token) -> None:
        kind = token.type
        if kind == "inline":
            self._inline(token)
        elif kind in ("fence", "code_block"):
            words = token.info.split()
            code = token.content.removesuffix("\n")
            self.leaves.append(CodeLeaf(self._take_place(), code, words[0] if words else ""))
        elif kind in ("math_block", "math_block_label", "amsmath"):
            self.leaves.append(MathLeaf(self._take_place(), token.content.strip()))
        elif kind == "hr":
            self.leaves.append(RuleLeaf(self._take_place()))
        else:
            self._container(token)

    def _container(self, token: Token) -> None:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            start = token.attrGet("start")
            ordered = kind.startswith("ordered")
            self._lists.append((int(start) if start is not None else 1) if ordered else -1)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
            self._tight = False
        elif kind == "list_item_open":
            self._open_item(token)
        elif kind == "blockquote_open":
            self._quote += 1
        elif kind == "blockquote_close":
            self._quote -= 1
        elif kind == "heading_open":
            self._level = int(token.tag[1])
        elif kind == "heading_close":
            self._level = 0
        else:
            self._table(token)

    def _open_item(self, token: Token) -> None:
        number = self._lists[-1]
        if number >= 0:
            self._marker = f"{number}{token.markup or '.'}"
            self._lists[-1] = number + 1
        else:
            self._marker = _BULLETS[min(len(self._lists) - 1, len(_BULLETS) - 1)]
        self._tight = True

    def _table(self, token: Token) -> None:
        kind = token.type
        if kind == "table_open":
            self._rows, self._aligns, self._in_table = [], [], True
        elif kind == "tr_open":
            self._cells = []
        elif kind == "tr_close":
            self._rows.append(tuple(self._cells))
        elif kind == "th_open":
            style = str(token.attrGet("style") or "")
            align = style.rpartition(":")[2]
            self._aligns.append("right" if align == "right" else _center_or_left(align))
        elif kind == "table_close":
            self._in_table = False
            place = self._take_place() if self._chunk.first else _place(first=False)
            self.leaves.append(
                TableLeaf(
                    place,
                    tuple(self._rows),
                    tuple(self._aligns),
                    self._chunk.group,
                    self._chunk.first,
                )
            )

    def _inline(self, token: Token) -> None:
        runs = with_citations(list(_runs(token.children or ())), self._citations)
        if self._in_table:
            self._cells.append(tuple(runs))
            return
        place = self._take_place()
        if place.marker and runs:
            task = _TASK.match(runs[0].text)
            if task:
                box = "☐" if task.group(1) == " " else "☑"
                place = replace(place, marker=box)
                runs[0] = replace(runs[0], text=runs[0].text[task.end() :])
        if runs:
            self.leaves.append(TextLeaf(place, tuple(runs), self._level))

    def _take_place(self) -> Place:
        marker, self._marker = self._marker, ""
        tight, self._tight = self._tight, False
        depth = len(self._lists)
        return Place(depth, self._quote, marker, "tight" if tight else "block")


def _center_or_left(align: str) -> Align:
    return "center" if align == "center" else "left"


def _runs(tokens: Sequence[Token]) -> Iterator[Run]:
    bold = italic = strike = 0
    href = ""
    for token in tokens:
        kind = token.type
        step = token.nesting
        if kind.startswith("strong_"):
            bold += step
        elif kind.startswith("em_"):
            italic += step
        elif kind.startswith("s_"):
            strike += step
        elif kind.startswith("link_"):
            href = str(token.attrGet("href") or "") if step == 1 else ""
        else:
            text, code, tex = _inline_text(token)
            if text:
                yield Run(text, bold > 0, italic > 0, strike > 0, code, tex, href)


def _inline_text(token: Token) -> tuple[str, bool, bool]:
    kind = token.type
    if kind == "softbreak":
        return " ", False, False
    if kind == "hardbreak":
        return HARD_BREAK, False, False
    if kind == "image":
        alt = token.content.strip()
        return (f"{alt} " if alt else "") + "[image not loaded]", False, False
    if kind in ("math_inline", "math_inline_double"):
        return token.content, False, True
    return token.content, kind == "code_inline", False


def with_citations(runs: list[Run], citations: Sequence[CitationView]) -> list[Run]:
    """`runs` with every citation's text replaced by its chip."""
    for citation in citations:
        out: list[Run] = []
        for run in runs:
            if run.code or run.tex or run.citation or citation.text not in run.text:
                out.append(run)
                continue
            pieces = run.text.split(citation.text)
            for index, piece in enumerate(pieces):
                if index:
                    out.append(_citation_run(citation))
                if piece:
                    out.append(replace(run, text=piece))
        runs = out
    return runs


_MARKS: Final = {"found": "●", "missing": "○", "unchecked": "◌"}


def _citation_run(citation: CitationView) -> Run:
    words = f"\u202f{citation.label} {_MARKS[citation.state]}\u202f"
    return Run(words.replace(" ", "\u00a0"), href=citation.target, citation=citation)


def _closed_marks(source: str) -> str:
    """`source` with the emphasis and code span of its last paragraph closed.

    While a reply is written the closing marks are still to come; without this every bold word
    would first be seen with its asterisks.
    """
    head, gap, last = source.rpartition("\n\n")
    if sum(len(tick) == 1 for tick in _ODD_TICK.findall(last)) % 2:
        return head + gap + last + "`"
    stripped = last.rstrip("*")
    if last.count("**") % 2:
        last = stripped + "**" if stripped.count("**") % 2 else stripped
    return head + gap + last


def warm_up() -> None:
    """Load the parser and its tables, which takes a tenth of a second, on the caller's thread."""
    _parser().parse("a **b** https://example.org\n\n| a |\n|---|\n| b |")


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False, "linkify": True})
    parser.enable(["table", "strikethrough", "linkify"])
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    parser.inline.ruler.before("escape", "bracket_math", _bracket_math)
    return parser


def _bracket_math(state: StateInline, silent: bool) -> bool:
    r"""Inline rule for ``\(…\)`` and ``\[…\]``, which most models write."""
    closer = _BRACKETS.get(state.src[state.pos : state.pos + 2])
    if closer is None:
        return False
    end = state.src.find(closer, state.pos + 2)
    if end < 0 or not state.src[state.pos + 2 : end].strip():
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content = state.src[state.pos + 2 : end].strip()
    state.pos = end + 2
    return True

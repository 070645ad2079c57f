"""Cuts the Markdown of a message into chunks that never change again once they are closed.

What comes out is small enough to be parsed, laid out and thrown away by itself: a paragraph, a
heading, one item of a list, a run of table rows, a stretch of a code block. A reply that is being
written has closed chunks, which stay as they are, and one open tail, which alone is shown anew
with each token. The cost of a token therefore does not depend on the length of the reply.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

ChunkKind = Literal["flow", "code", "math"]

MAX_CODE_LINES: Final = 80
MAX_TABLE_ROWS: Final = 24
MAX_FLOW_CHARS: Final = 2400
MAX_FLOW_LINES: Final = 120

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})[ \t]*([^`]*)$")
_INNER_FENCE = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])?[ \t]*(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}(?:[ \t]|$)")
_ITEM = re.compile(r"^ ?([-*+]|(\d{1,9})[.)])(?:[ \t]+\S|[ \t]*$)")
_DELIMITER_ROW = re.compile(r"^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_MATH_OPEN = re.compile(r"^[ \t]*(\$\$|\\\[)")
_MATH_CLOSE: Final = {"$$": "$$", "\\[": "\\]"}


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a message.

    Attributes:
        kind: ``flow`` is Markdown to be parsed; ``code`` and ``math`` are taken as they are.
        source: Markdown, code without its fence, or TeX.
        language: Of a code block, as written after the fence.
        group: Parts of one code block or table share it.
        first: Whether it opens its group.
        last: Whether its group is closed with it.
    """

    kind: ChunkKind
    source: str
    language: str = ""
    group: int = 0
    first: bool = True
    last: bool = True


class Chunker:
    """Takes text as it comes; `closed` grows, `tail()` is what is still open.

    Args:
        verbatim: Only code blocks are recognised, all else is plain text (the user's messages).
    """

    def __init__(self, *, verbatim: bool = False) -> None:
        self.closed: list[Chunk] = []
        self._verbatim = verbatim
        self._partial = ""
        self._lines: list[str] = []
        self._chars = 0
        self._shape: Literal["text", "list", "quote", "table", "indented"] = "text"
        self._blank = False
        self._fence = ""
        self._language = ""
        self._inner_fence = ""
        self._math = ""
        self._group = 0
        self._first = True
        self._table_head: list[str] = []

    def feed(self, text: str) -> None:
        """Append text; chunks that it completes move to `closed`."""
        *lines, rest = (self._partial + text).split("\n")
        for line in lines:
            self._take(self._cut(line))
        self._partial = self._cut(rest)

    def finish(self) -> None:
        """No more text will come: close the tail."""
        if self._partial:
            partial, self._partial = self._partial, ""
            self._take(partial)
        tail = self.tail(final=True)
        if tail is not None:
            self.closed.append(tail)
        self._partial, self._lines, self._fence, self._math = "", [], "", ""

    def tail(self, *, final: bool = False) -> Chunk | None:
        """What is still open, or `None` when nothing is."""
        lines = [*self._lines, self._partial] if self._partial else list(self._lines)
        if self._fence:
            # A line of backticks alone is most likely the end of the block on its way.
            if self._partial and not self._partial.strip().strip(self._fence[0]):
                lines.pop()
            return self._code_chunk(lines, last=True)
        if self._math:
            tex = "\n".join(lines)
            return Chunk("math", tex) if final and tex.strip() else Chunk("flow", self._math + tex)
        if self._blank and self._partial:
            lines.insert(len(lines) - 1, "")
        source = "\n".join([*self._table_head, *lines])
        if not "".join(lines).strip():
            return None
        return self._flow_chunk(source, last=final)

    def _take(self, line: str) -> None:
        if self._fence:
            self._take_code(line)
        elif self._math:
            self._take_math(line)
        elif self._inner_fence:
            self._add(line)
            if line.strip().startswith(self._inner_fence):
                self._inner_fence = ""
        elif not line.strip():
            self._take_blank()
        else:
            self._take_flow(line)

    def _take_code(self, line: str) -> None:
        stripped = line.strip()
        closing = stripped.startswith(self._fence) and not stripped.strip(self._fence[0])
        if closing:
            self.closed.append(self._code_chunk(self._lines, last=True))
            self._fence, self._lines, self._first = "", [], True
            return
        self._lines.append(line)
        if len(self._lines) >= MAX_CODE_LINES:
            self.closed.append(self._code_chunk(self._lines, last=False))
            self._lines, self._first = [], False

    def _take_math(self, line: str) -> None:
        before, closer, after = line.partition(_MATH_CLOSE[self._math])
        self._lines.append(before if closer else line)
        if closer:
            self.closed.append(Chunk("math", "\n".join(self._lines)))
            self._math, self._lines = "", []
            if after.strip(" .,;"):
                self._take(after)
        elif len(self._lines) > MAX_FLOW_LINES:
            self._math = ""
            self._close()

    def _take_blank(self) -> None:
        if self._verbatim:
            if self._lines:
                self._add("")
        elif self._lines:
            if self._shape in ("text", "quote", "table"):
                self._close()
            else:
                self._blank = True

    def _take_flow(self, line: str) -> None:
        if self._continues_item(line):
            self._add_after_blank(line)
            inner = _INNER_FENCE.match(line)
            self._inner_fence = inner.group(1) if inner else ""
            return
        fence = _FENCE.match(line)
        if fence:
            self._close()
            self._open_fence(fence.group(2), fence.group(3))
            return
        if self._verbatim:
            self._add(line)
            return
        math = _MATH_OPEN.match(line)
        if math:
            self._close()
            self._open_math(math.group(1), line[math.end() :], line)
        else:
            self._take_block(line)

    def _take_block(self, line: str) -> None:
        item = _ITEM.match(line)
        if _HEADING.match(line):
            self._close()
            self._add(line)
            self._close()
        elif item and self._may_start_item(item):
            self._close()
            self._shape = "list"
            self._add(line)
            inner = _INNER_FENCE.match(line)
            self._inner_fence = inner.group(1) if inner else ""
        elif self._lines and self._shape == "text" and self._is_delimiter(line):
            self._open_table(line)
        elif self._blank:
            if not (self._shape == "indented" and line.startswith(("    ", "\t"))):
                self._close()
            self._start(line)
        elif line.lstrip().startswith(">") and self._shape != "quote":
            self._close()
            self._start(line)
        elif self._lines:
            self._add(line)
        else:
            self._start(line)

    def _start(self, line: str) -> None:
        if not self._lines:
            if line.startswith(("    ", "\t")):
                self._shape = "indented"
            elif line.lstrip().startswith(">"):
                self._shape = "quote"
        self._add_after_blank(line)

    def _continues_item(self, line: str) -> bool:
        if self._shape != "list" or not self._lines:
            return False
        return line.startswith(("  ", "\t")) and not self._verbatim

    def _may_start_item(self, item: re.Match[str]) -> bool:
        in_paragraph = bool(self._lines) and self._shape == "text" and not self._blank
        return not in_paragraph or item.group(2) in (None, "1")

    def _is_delimiter(self, line: str) -> bool:
        if "|" not in self._lines[-1] or not _DELIMITER_ROW.match(line) or "-" not in line:
            return False
        columns = self._lines[-1].strip().strip("|").count("|")
        return line.strip().strip("|").count("|") == columns

    def _open_fence(self, fence: str, info: str) -> None:
        self._group += 1
        self._fence, self._first = fence, True
        words = info.split()
        self._language = words[0].strip("{}.,") if words else ""

    def _open_math(self, opener: str, rest: str, line: str) -> None:
        before, closer, after = rest.partition(_MATH_CLOSE[opener])
        if not closer:
            self._math = opener
            self._lines = [rest] if rest.strip() else []
        elif before.strip() and not after.strip(" .,;"):
            self.closed.append(Chunk("math", before))
        else:
            self._add(line)

    def _open_table(self, line: str) -> None:
        head = self._lines.pop()
        self._close()
        self._group += 1
        self._shape, self._first = "table", True
        self._lines = [head, line]

    def _add_after_blank(self, line: str) -> None:
        if self._blank:
            self._add("")
            self._blank = False
        self._add(line)

    def _add(self, line: str) -> None:
        self._lines.append(line)
        self._chars += len(line)
        if self._shape == "table":
            if len(self._lines) > MAX_TABLE_ROWS:
                self._cut_table()
        elif self._chars > MAX_FLOW_CHARS or len(self._lines) > MAX_FLOW_LINES:
            self._close()

    def _cut_table(self) -> None:
        head = self._table_head or self._lines[:2]
        self.closed.append(self._flow_chunk("\n".join([*self._table_head, *self._lines])))
        self._table_head, self._lines, self._first = head, [], False

    def _close(self) -> None:
        if self._lines and "".join(self._lines).strip():
            self.closed.append(self._flow_chunk("\n".join([*self._table_head, *self._lines])))
        self._lines, self._chars, self._shape = [], 0, "text"
        self._blank, self._inner_fence, self._first = False, "", True
        self._table_head = []

    def _cut(self, line: str) -> str:
        """Close what is too long of an endless line; what is left of it comes back."""
        while len(line) > MAX_FLOW_CHARS and not self._fence and not self._math:
            cut = line.rfind(" ", MAX_FLOW_CHARS // 2, MAX_FLOW_CHARS) + 1 or MAX_FLOW_CHARS
            self._take(line[:cut])
            self._close()
            line = line[cut:]
        return line

    def _flow_chunk(self, source: str, *, last: bool = False) -> Chunk:
        if self._shape == "table":
            return Chunk("flow", source, group=self._group, first=self._first, last=last)
        return Chunk("flow", source)

    def _code_chunk(self, lines: list[str], *, last: bool) -> Chunk:
        return Chunk(
            "code",
            "\n".join(lines),
            language=self._language,
            group=self._group,
            first=self._first,
            last=last,
        )


def chunks_of(text: str, *, verbatim: bool = False) -> list[Chunk]:
    """All chunks of a finished text."""
    chunker = Chunker(verbatim=verbatim)
    chunker.feed(text)
    chunker.finish()
    return chunker.closed

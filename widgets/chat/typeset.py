"""Colours of code and pictures of formulas, made on a thread of their own and kept.

Pygments and ziamath take milliseconds to hundreds of them (their first use loads grammars and a
font); the window shows the plain text meanwhile and is told when the result is there.
"""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import msgspec
from PySide6.QtCore import QByteArray, QObject, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from widgets.chat.idleworker import IdleWorker
from widgets.chat.plaintext import units

if TYPE_CHECKING:
    from collections.abc import Callable

    from pygments.lexer import Lexer

CodeRole = Literal["comment", "keyword", "string", "number", "name"]
Spans = tuple[tuple[int, int, CodeRole], ...]

MAX_CODE_CHARS: Final = 60_000
MAX_TEX_CHARS: Final = 2_000
_KEPT: Final = 512
_TOKENS_PER_TURN: Final = 48
_PAUSE_S: Final = 0.0005
_FAILED: Final = "failed"


class Formula(msgspec.Struct, frozen=True):
    """A formula as a picture.

    Attributes:
        image: The picture, with its device pixel ratio set.
        width: In logical pixels.
        ascent: Logical pixels above the baseline.
        descent: Logical pixels below it.
    """

    image: QImage
    width: float
    ascent: float
    descent: float


class FormulaRequest(msgspec.Struct, frozen=True):
    """What decides how a formula looks."""

    tex: str
    size_px: float
    color: str
    ratio: float
    is_display: bool


class Typesetter(QObject):
    """Owns one worker thread and the results. Lives on the GUI thread; results are read there.

    Signals:
        code_ready: Colours for a (language, code) that was asked for are there.
        formula_ready: A formula that was asked for is there, or has turned out not to be one.
    """

    code_ready = Signal(str, str)
    formula_ready = Signal(str)
    _code_done = Signal(object, object)
    _formula_done = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = IdleWorker()
        self._spans: OrderedDict[tuple[str, str], Spans | None] = OrderedDict()
        self._formulas: OrderedDict[FormulaRequest, Formula | str | None] = OrderedDict()
        self._code_done.connect(self._on_code_done)
        self._formula_done.connect(self._on_formula_done)
        worker = self._worker
        self.destroyed.connect(worker.close)

    def warm_up(self) -> None:
        """Load on its thread what the first reply needs; for when the window is painted."""
        from widgets.chat.markdown import warm_up

        self._submit(warm_up)

    @property
    def is_busy(self) -> bool:
        """Whether something that was asked for is still being made."""
        return None in self._spans.values() or None in self._formulas.values()

    def close(self) -> None:
        """Make nothing any more; what is being made is finished and forgotten."""
        self._worker.close()

    def spans(self, language: str, code: str) -> Spans | None:
        """The coloured stretches of `code` in UTF-16 units, or `None` while they are made."""
        if not language or len(code) > MAX_CODE_CHARS:
            return ()
        key = (language, code)
        if key not in self._spans:
            _keep(self._spans, key, None)
            self._submit(lambda: self._code_done.emit(key, spans_of(language, code)))
        return self._spans[key]

    def formula(self, request: FormulaRequest) -> Formula | None:
        """The picture, or `None` while it is made and for what is no formula."""
        if len(request.tex) > MAX_TEX_CHARS:
            return None
        if request not in self._formulas:
            _keep(self._formulas, request, None)
            self._submit(lambda: self._formula_done.emit(request, formula_of(request)))
        made = self._formulas[request]
        return made if isinstance(made, Formula) else None

    def _submit(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except RuntimeError:  # the window is closing and its signals are gone
                return

        self._worker.submit(run)

    def _on_code_done(self, key: tuple[str, str], spans: Spans) -> None:
        _keep(self._spans, key, spans)
        self.code_ready.emit(*key)

    def _on_formula_done(self, request: FormulaRequest, formula: Formula | None) -> None:
        _keep(self._formulas, request, formula or _FAILED)
        self.formula_ready.emit(request.tex)


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _keep(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    kept[key] = value
    if len(kept) > _KEPT:
        kept.popitem(last=False)


def spans_of(language: str, code: str) -> Spans:
    """Lex `code`; an unknown language has no colours. Runs on the worker thread."""
    lexer = _lexer(language)
    if lexer is None:
        return ()
    found: list[tuple[int, int, CodeRole]] = []
    narrow = code.isascii() or max(code) <= "\uffff"
    for count, (start, token, text) in enumerate(lexer.get_tokens_unprocessed(code)):
        if count % _TOKENS_PER_TURN == 0:
            time.sleep(_PAUSE_S)  # lets the GUI thread have the interpreter
        role = _role(str(token))
        if role is not None:
            at = start if narrow else units(code[:start])
            found.append((at, units(text), role))
    return tuple(found)


def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language.lower())
    except ClassNotFound:
        return None


_ROLES: Final[tuple[tuple[str, CodeRole], ...]] = (
    ("Token.Comment", "comment"),
    ("Token.Keyword", "keyword"),
    ("Token.Operator.Word", "keyword"),
    ("Token.Literal.String.Doc", "comment"),
    ("Token.Literal.String", "string"),
    ("Token.Literal.Number", "number"),
    ("Token.Name.Function", "name"),
    ("Token.Name.Class", "name"),
    ("Token.Name.Decorator", "name"),
    ("Token.Name.Tag", "keyword"),
    ("Token.Name.Attribute", "name"),
    ("Token.Name.Builtin", "name"),
)


def _role(token: str) -> CodeRole | None:
    for prefix, role in _ROLES:
        if token.startswith(prefix):
            return role
    return None


def formula_of(request: FormulaRequest) -> Formula | None:
    """Draw a formula; `None` when it cannot be read as TeX. Runs on the worker thread."""
    with warnings.catch_warnings():
        # ziamath finds its font by a call that Python has deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        from ziamath import zmath
        from ziamath.config import config

    # SVG 2 draws glyphs by reference in a way that QtSvg leaves out.
    config.svg2 = False
    try:
        drawn = zmath.Latex(
            request.tex,
            size=request.size_px,
            color=request.color,
            inline=not request.is_display,
        )
        svg = drawn.svg()
    # The TeX comes from a model and three libraries read it: whatever they make of it, what
    # cannot be drawn is shown as its source.
    except Exception:  # noqa: BLE001
        return None
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    box = renderer.viewBoxF()
    if not renderer.isValid() or box.width() <= 0 or box.height() <= 0:
        return None
    width, height = box.width(), box.height()
    image = QImage(
        max(1, round(width * request.ratio)),
        max(1, round(height * request.ratio)),
        QImage.Format.Format_ARGB32_Premultiplied,
    )
    image.fill(0)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    image.setDevicePixelRatio(request.ratio)
    return Formula(image, width, -box.y(), height + box.y())

"""Fills the page about what context costs: curves from a planner, models and what-if cards."""

from __future__ import annotations

import csv
import io
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QBuffer, QIODevice, QObject
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu

from app.store.whole_file import write_whole
from engine.errors import UserError
from engine.models.ggml_types import TENSOR_TYPES
from engine.planning.client import PlannerClient
from engine.planning.economics import imagined_devices
from engine.planning.facts import Scene
from engine.planning.protocol import Compare, Compared, Failed
from engine.sentences import message_for
from widgets import file_dialogs
from widgets.economics.viewdata import CardsView, CurveView, EconomicsView, LimitView

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.engine.pane_controller import PaneController
    from app.hop import MainThread
    from app.models import ModelsController
    from app.notices import Notices
    from engine.planning.economics_data import Curve, Economics
    from engine.planning.protocol import Answers
    from engine.settings import EngineSettings
    from widgets.main_window import MainWindow

_GIB = 1 << 30
_CONTEXTS = (512, 4096, 8192, 16_384, 32_768, 65_536, 98_304, 131_072, 196_608, 262_144)
_FIRST_TYPES = ("f16", "q8_0", "q4_0")
_OTHER_TYPES = ("f16", "q8_0")
_WHAT_IF = ((1, 8), (1, 12), (1, 16), (1, 24), (2, 16), (2, 24), (1, 48), (2, 48))
_OWN = "own"


class EconomicsController(QObject):
    """Owns the models being compared and a planner of its own for them. Main thread.

    Not the pane's planner: a chart takes seconds, and a slider there must not wait for it.
    """

    def __init__(
        self,
        *,
        window: MainWindow,
        pane: PaneController,
        models: ModelsController,
        scene: Callable[[EngineSettings], Scene],
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._window = window
        self._pane = pane
        self._models = models
        self._scene = scene
        self._notices = notices
        self._client = PlannerClient(lambda answer: hop.post(lambda: self._on_answer(answer)))
        self._paths: list[str] = []
        self._found: dict[str, Economics] = {}
        self._hidden: set[str] = set()
        self._waiting: deque[str] = deque()
        self._asked = ""
        self._cards = _OWN
        page = window.economics
        page.model_add_requested.connect(self._on_add)
        page.remove_requested.connect(self._on_removed)
        page.cards_chosen.connect(self._on_cards)
        page.export_requested.connect(self._on_export)
        page.context_chosen.connect(self._on_context)
        window.models_page.economics_requested.connect(self.begin)
        window.set_economics(self._view())

    def begin(self) -> None:
        """The page is opened: the chosen model comes first."""
        path = self._window.engine.edited().model_path
        if path and path not in self._paths:
            self._paths.insert(0, path)
            self._compute([path])

    def close(self) -> None:
        """End the planner; for the end of the app."""
        self._client.close()

    # ---- computing, one model at a time

    def _compute(self, paths: list[str]) -> None:
        self._waiting.extend(path for path in paths if path not in self._waiting)
        if not self._asked:
            self._ask_next()
        self._show()

    def _ask_next(self) -> None:
        self._asked = self._waiting.popleft() if self._waiting else ""
        if not self._asked:
            return
        own = self._window.engine.edited()
        settings = msgspec.structs.replace(own, model_path=self._asked, n_ctx=4096)
        count, size_gib = self._what_if()
        self._client.send(
            Compare(
                request_id=0,
                settings=settings,
                kv_types=_FIRST_TYPES if self._asked == self._paths[0] else _OTHER_TYPES,
                contexts=_CONTEXTS,
                scene=Scene(imagined=imagined_devices(count, size_gib * _GIB))
                if count
                else self._scene(settings),
            )
        )

    def _on_answer(self, answer: Answers) -> None:
        if isinstance(answer, Compared):
            self._found[self._asked] = answer.economics
        elif isinstance(answer, Failed):
            self._notices.problem(answer.problem)
            if self._asked in self._paths:
                self._paths.remove(self._asked)
        else:
            return
        self._ask_next()
        self._show()

    def _what_if(self) -> tuple[int, int]:
        """How many imagined cards, of how many GiB; (0, 0) for the machine's own."""
        if self._cards == _OWN:
            return 0, 0
        count, size = self._cards.split("x")
        return int(count), int(size)

    # ---- showing

    def _show(self) -> None:
        self._window.set_economics(self._view())

    def _view(self) -> EconomicsView:
        known = [path for path in self._paths if path in self._found]
        first = self._found[known[0]] if known else None
        available = first.available_bytes if first else None
        limits = []
        if available:
            words = self.tr("{devices}: {gib:.1f} GiB free").format(
                devices=_devices(first), gib=available / _GIB
            )
            limits.append(LimitView(label=words, size_bytes=available))
        source = self.tr("Computed by llama.cpp itself, without loading.")
        if self._cards != _OWN:
            source = self.tr("Computed without these cards being here.")
        return EconomicsView(
            curves=tuple(curve for path in known for curve in self._curves(path)),
            limits=tuple(limits),
            cards=self._card_views(),
            chosen_cards=self._cards,
            unit_words=self.tr("GiB over all devices"),
            longest_words=self.tr("Longest that fits"),
            source_words=source,
            n_ctx=self._window.engine.edited().n_ctx or None,
            is_pending=bool(self._asked),
        )

    def _curves(self, path: str) -> list[CurveView]:
        found = self._found[path]
        name = Path(path).stem
        reason = message_for(found.reason, {}) if found.reason else ""
        return [
            CurveView(
                id=f"{path}|{curve.kv_type}",
                model_id=path,
                model=f"{name} · {found.architecture}",
                kv_type=curve.kv_type,
                points=tuple(zip(curve.n_ctx, curve.total_bytes, strict=True)),
                kv_bytes_per_token=None if curve.refused else curve.kv_bytes_per_token,
                longest_tokens=curve.max_n_ctx or None,
                reason=self._why(curve, reason, is_first=at == 0),
            )
            for at, curve in enumerate(found.curves)
            if f"{path}|{curve.kv_type}" not in self._hidden
        ]

    def _why(self, curve: Curve, reason: str, *, is_first: bool) -> str:
        """Why a curve costs what it does; a model's further ones differ by their values alone."""
        if curve.refused:
            return message_for(curve.refused, {})
        if is_first or not curve.kv_bytes_per_token:
            return reason
        stored = next(one for one in TENSOR_TYPES.values() if one.name == curve.kv_type)
        bits = 8 * stored.block_bytes / stored.block_values
        return self.tr("Same cache, {bits:g} bits a value.").format(bits=bits)

    def _card_views(self) -> tuple[CardsView, ...]:
        own = CardsView(id=_OWN, label=self.tr("This machine"))
        imagined = [
            CardsView(
                id=f"{count}x{size}",
                label=f"{size} GB" if count == 1 else f"{count} x {size} GB",
                is_what_if=True,
            )
            for count, size in _WHAT_IF
        ]
        return (own, *imagined)

    # ---- wishes

    def _on_add(self) -> None:
        menu = QMenu(self._window)
        for path, name in self._models.known():
            if path not in self._paths:
                menu.addAction(name, partial(self._add, path))
        menu.addSeparator()
        menu.addAction(self.tr("Choose a file …"), self._on_browse)
        menu.popup(QCursor.pos())

    def _on_browse(self) -> None:
        path = file_dialogs.open_file(
            self._window,
            self.tr("Add a model"),
            file_dialogs.Purpose.MODELS,
            self.tr("GGUF models (*.gguf)"),
        )
        if path:
            self._add(path)

    def _add(self, path: str) -> None:
        if path not in self._paths:
            self._paths.append(path)
            self._compute([path])

    def _on_removed(self, curve_id: str) -> None:
        self._hidden.add(curve_id)
        path = curve_id.rpartition("|")[0]
        if path in self._found and not self._curves(path):
            self._paths.remove(path)
            self._found.pop(path)
            self._hidden = {other for other in self._hidden if not other.startswith(f"{path}|")}
        self._show()

    def _on_cards(self, cards: str) -> None:
        self._cards = cards
        self._found.clear()
        self._waiting.clear()
        self._asked = ""
        self._compute(list(self._paths))

    def _on_context(self, tokens: int) -> None:
        n_ctx = max(256, tokens // 256 * 256)
        edited = self._window.engine.edited()
        self._pane.set_edited(msgspec.structs.replace(edited, n_ctx=n_ctx))

    def _on_export(self, how: str) -> None:
        if path := file_dialogs.save_file(self._window, self.tr("Export"), f"context-cost.{how}"):
            self.export_to(Path(path), how)

    def export_to(self, path: Path, how: str) -> None:
        """Write the chart as a picture, or its points as a table."""
        try:
            if how == "png":
                write_whole(path, self._picture())
            else:
                write_whole(path, self._table().encode("utf-8", "replace"))
        except OSError as error:
            reason = error.strerror or str(error)
            self._notices.error(UserError("app.not_exported", path=str(path), reason=reason))
        else:
            self._notices.say(self.tr("Exported to {path}.").format(path=path))

    def _picture(self) -> bytes:
        kept = QBuffer()
        kept.open(QIODevice.OpenModeFlag.WriteOnly)
        self._window.economics.grab().save(kept, "PNG")
        return bytes(kept.data().data())

    def _table(self) -> str:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["model", "kv_type", "n_ctx", "total_bytes", "kv_bytes"])
        for model in self._paths:
            for curve in self._found[model].curves if model in self._found else ():
                rows = zip(curve.n_ctx, curve.total_bytes, curve.kv_bytes, strict=True)
                writer.writerows((model, curve.kv_type, *row) for row in rows)
        return text.getvalue()


def _devices(found: Economics | None) -> str:
    return ", ".join(dict.fromkeys(found.devices)) if found and found.devices else "RAM"

"""Plans while settings are edited, and holds each load against its plan."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from app.engine import plan_views
from app.session import State
from engine.errors import UserError
from engine.planning.client import PlannerClient
from engine.planning.corrections import Corrections
from engine.planning.protocol import Aborting, Ask, Failed, Fit, Fitted, Opened, Planned, Ready
from engine.planning.truth import Readings, compared, learn
from engine.settings import validated
from engine.worker.protocol import Finished
from widgets.engine_pane.viewdata import ApplyView, SettingHints

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.engine.pane_controller import PaneController
    from app.hop import MainThread
    from app.instruments import Instruments
    from app.notices import Notices
    from app.session import Session
    from engine.planning.plan import Plan
    from engine.planning.protocol import Answers
    from engine.settings import EngineSettings
    from engine.telemetry.snapshot import Snapshot
    from engine.worker.protocol import Loaded
    from widgets.main_window import MainWindow

# A card's memory settles a moment after a load or a prefill.
_READING_DELAY_MS = 600


class PlanController(QObject):
    """Owns the planner client and the newest plan. Main thread.

    Signals:
        pids_changed(): The planner process started or left.
    """

    pids_changed = Signal()

    def __init__(
        self,
        *,
        engine: EngineController,
        pane: PaneController,
        window: MainWindow,
        instruments: Instruments,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._pane_controller = pane
        self._window = window
        self._pane = window.engine
        self._instruments = instruments
        self._notices = notices
        self.client = PlannerClient(lambda answer: hop.post(lambda: self._on_answer(answer)))
        self._corrections = Corrections()
        self._opened: Opened | None = None
        self._opened_path = ""
        self._plan: Plan | None = None
        self._loaded: Loaded | None = None
        self._loaded_plan: Plan | None = None
        self._readings = Readings()
        self._learned = ("", "")
        self._asked_s = 0.0
        self.latencies_s: list[float] = []
        pane.edited.connect(self.ask)
        self._pane.fit_requested.connect(self._on_fit)
        self._pane.fix_requested.connect(self._on_fix)
        self._pane.rule_fix_requested.connect(self._on_rule_fix)
        engine.session_changed.connect(self._on_session_changed)
        engine.reply_event.connect(self._on_reply_event)

    def ask(self, settings: EngineSettings) -> None:
        """Price these settings; a newer question replaces an older one."""
        if not settings.model_path:
            return
        if settings.model_path != self._opened_path:
            self._opened, self._plan = None, None
            self._opened_path = settings.model_path
            self._pane.set_hints(SettingHints())
        self._show_rules_at_once(settings)
        self._asked_s = time.monotonic()
        self.client.send(Ask(request_id=0, settings=settings, released=self._released()))

    def close(self) -> None:
        """End the planner; for the end of the app."""
        self.client.close()

    # ---- answers

    def _on_answer(self, answer: Answers) -> None:
        match answer:
            case Ready() | Aborting():
                self._instruments.set_planner_pid(self.client.pid)
            case Opened():
                self._opened = answer
                self._show_rules_at_once(self._pane.edited())
            case Planned():
                self._show(answer.plan)
            case Fitted():
                self._pane_controller.set_edited(answer.settings)
            case Failed():
                self._pane.set_apply(ApplyView(is_possible=True, detail=answer.problem.message))
                self._notices.problem(answer.problem)

    def _show(self, plan: Plan) -> None:
        if plan.settings != self._pane.edited():
            return
        if self._plan is None or self._plan.settings != plan.settings:
            self.latencies_s.append(time.monotonic() - self._asked_s)
            del self.latencies_s[:-500]
        self._plan = plan
        self._pane_controller.plan_is_shown(shown=True)
        self._window.set_plan(
            plan_views.plan_view(plan, self._instruments.sampler.latest, learned=self._learned)
        )
        self._pane.set_rules(plan_views.rule_views(plan.messages))
        self._pane.set_hints(plan_views.hints(plan, self._opened, plan.settings))
        self._pane.set_fixes(() if plan.fits else plan_views.fix_views(plan.fixes))
        self._pane.set_apply(self._apply_view(plan))

    def _apply_view(self, plan: Plan) -> ApplyView:
        refused = [m.problem.message for m in plan.messages if m.severity == "no"]
        if refused:
            return ApplyView(is_possible=False, detail=refused[0])
        seconds = plan.load_s
        detail = "" if seconds is None else self.tr("about {s:.1f} s").format(s=seconds)
        return ApplyView(detail=detail)

    def _show_rules_at_once(self, settings: EngineSettings) -> None:
        """Rules need no process: they follow the pointer while a slider is dragged."""
        if self._opened is not None:
            self._pane.set_hints(plan_views.hints(self._plan, self._opened, settings))

    # ---- wishes

    def _on_fit(self, goal: str) -> None:
        wanted = Fit(
            request_id=0,
            settings=self._pane.edited(),
            goal=goal,  # type: ignore[arg-type]  # the pane's three links are the three goals
            released=self._released(),
        )
        self.client.send(wanted)

    def _on_fix(self, ident: str) -> None:
        if self._plan is not None and int(ident) < len(self._plan.fixes):
            self._change(self._plan.fixes[int(ident)].change)

    def _on_rule_fix(self, code: str) -> None:
        for message in self._plan.messages if self._plan else ():
            if message.code == code and message.change:
                self._change(message.change)
                return

    def _change(self, change: dict[str, object]) -> None:
        try:
            self._pane_controller.set_edited(validated(self._pane.edited(), **change))
        except UserError as error:
            self._notices.error(error)

    def _released(self) -> dict[str, int]:
        """What the loaded model would give back before another one is loaded."""
        if self._loaded is None:
            return {}
        released: dict[str, int] = {}
        for row in self._loaded.context.memory:
            held = row.weights_bytes + row.kv_bytes + row.compute_bytes
            released[row.id] = released.get(row.id, 0) + held
        return released

    # ---- truth

    def _on_session_changed(self, session: Session) -> None:
        if session.state is State.LOADING and not self._readings.before:
            self._readings = Readings(before=self._used())
            self._loaded_plan = self._plan
        if session.loaded is not self._loaded:
            self._loaded = session.loaded
            if session.loaded is None:
                self._readings = Readings()
                self._learned = ("", "")
            else:
                QTimer.singleShot(_READING_DELAY_MS, self, self._after_load)

    def _on_reply_event(self, event: object) -> None:
        if isinstance(event, Finished) and self._readings.after_load:
            QTimer.singleShot(_READING_DELAY_MS, self, self._after_prefill)

    def _after_load(self) -> None:
        if self._loaded is not None:
            self._readings = msgspec.structs.replace(self._readings, after_load=self._used())
            self._compare()
            self.ask(self._pane.edited())

    def _after_prefill(self) -> None:
        if self._loaded is not None:
            self._readings = msgspec.structs.replace(self._readings, after_prefill=self._used())
            self._compare()

    def _compare(self) -> None:
        plan = self._loaded_plan
        if self._loaded is None or plan is None or plan.settings != self._loaded.settings:
            return
        truth = compared(plan, self._loaded.context.memory, self._readings)
        self._learned = plan_views.truth_words(truth)
        if self._opened is not None:
            chosen, build = self._opened.chosen, self._opened.build
            learn(plan, chosen, build, self._readings, self._corrections)

    def _used(self) -> dict[str, int]:
        latest: Snapshot | None = self._instruments.sampler.latest
        return {
            gpu.pci_id: gpu.vram_used_bytes
            for gpu in (latest.gpus if latest else ())
            if gpu.vram_used_bytes is not None
        }

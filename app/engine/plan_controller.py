"""Plans while settings are edited, and holds each load against its plan."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer

from app.engine import plan_views
from app.engine.card_readings import CardReadings
from app.engine.holdings import Holdings
from app.session import State
from engine.errors import UserError
from engine.planning.client import PlannerClient
from engine.planning.corrections import Corrections
from engine.planning.protocol import (
    Aborting,
    Ask,
    Failed,
    Fit,
    Fitted,
    Open,
    Opened,
    Planned,
    Ready,
)
from engine.planning.truth import compared, learn
from engine.settings import Cost, cost_of, validated
from engine.worker.protocol import Finished
from widgets.engine_pane.viewdata import ApplyView, SettingHints

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.engine.pane_controller import PaneController
    from app.hop import MainThread
    from app.instruments import Instruments
    from app.notices import Notices
    from app.session import Session
    from engine.errors import Problem
    from engine.planning.facts import Scene
    from engine.planning.plan import Plan
    from engine.planning.protocol import Answers
    from engine.settings import EngineSettings
    from engine.worker.protocol import Loaded
    from widgets.main_window import MainWindow

# A card's memory settles a moment after a load or a prefill.
_READING_DELAY_MS = 600


class PlanController(QObject):
    """Owns the planner client and the newest plan. Main thread."""

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
        self._opening: tuple[str, tuple[str, ...]] | None = None
        self._plan: Plan | None = None
        self._loading: EngineSettings | None = None
        self._readings = CardReadings()
        self._holdings = Holdings(self._readings)
        self._learned = ("", "")
        self._is_fitting = False
        self._asked_s = 0.0
        self.latencies_s: list[float] = []
        pane.edited.connect(self.ask)
        self._pane.fit_requested.connect(self._on_fit)
        self._pane.fix_requested.connect(self._on_fix)
        self._pane.rule_fix_requested.connect(self._on_rule_fix)
        engine.planned_shares = self._planned_shares
        engine.session_changed.connect(self._on_session_changed)
        engine.reply_event.connect(self._on_reply_event)

    @property
    def newest(self) -> Plan | None:
        """The plan that is shown; None until there is one for the chosen model."""
        return self._plan

    @property
    def _loaded(self) -> Loaded | None:
        return self._holdings.loaded

    def scene(self, settings: EngineSettings) -> Scene:
        """What a question about settings is asked against."""
        return self._holdings.scene(settings, self._engine.pid)

    def ask(self, settings: EngineSettings) -> None:
        """Price these settings; a newer question replaces an older one."""
        if not settings.model_path:
            return
        wanted = (settings.model_path, settings.devices)
        if wanted != self._opening:
            if self._opening is None or self._opening[0] != settings.model_path:
                self._plan = None
                self._pane.set_hints(SettingHints())
            self._opened, self._opening = None, wanted
        self._asked_s = time.monotonic()
        self._is_fitting = False
        if self._opened is None:
            # The facts first: rules are checked with them from here on, at once.
            self.client.send(Open(request_id=0, settings=settings))
            return
        self._show_rules_at_once(settings)
        self.client.send(Ask(request_id=0, settings=settings, scene=self.scene(settings)))

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
                self.ask(self._pane.edited())
            case Planned():
                self._show(answer.plan)
            case Fitted():
                self._is_fitting = False
                self._pane_controller.set_edited(answer.settings)
            case Failed():
                self._on_failed(answer.problem)

    def _on_failed(self, problem: Problem) -> None:
        self._notices.problem(problem)
        if self._is_fitting:
            # The search took the place of a plan that may not have been whole.
            self._is_fitting = False
            self.ask(self._pane.edited())
        else:
            self._pane.set_apply(ApplyView(is_possible=True, detail=problem.message))
            self._show_unplanned(problem)

    def _show_unplanned(self, problem: Problem) -> None:
        """Without a plan the chosen nodes are still listed: one that is gone can be left out."""
        devices = self._pane.edited().devices
        if problem.params.get("address") in devices:
            self._pane_controller.plan_is_shown(shown=True)
            self._window.set_plan(plan_views.unplanned_view(devices, problem))

    def _show(self, plan: Plan) -> None:
        if plan.settings != self._pane.edited():
            return
        if self._plan is None or self._plan.settings != plan.settings:
            self.latencies_s.append(time.monotonic() - self._asked_s)
            del self.latencies_s[:-500]
        self._plan = plan
        self._adopt(plan)
        self._pane_controller.plan_is_shown(shown=True)
        off = plan_views.off_devices(self._opened, plan, self._pane_controller.nodes)
        snapshot = self._instruments.sampler.latest
        self._window.set_plan(plan_views.plan_view(plan, snapshot, learned=self._learned, off=off))
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
        settings = self._pane.edited()
        wanted = Fit(
            request_id=0,
            settings=settings,
            goal=goal,  # type: ignore[arg-type]  # the pane's three links are the three goals
            scene=msgspec.structs.replace(self.scene(settings), shares=()),
        )
        self._is_fitting = True
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

    # ---- truth

    def _on_session_changed(self, session: Session) -> None:
        is_loading = session.state is State.LOADING
        if is_loading and self._loading is not session.wanted:
            self._loading = session.wanted
            self._holdings.begin_load(self._plan_of(session.wanted), self._engine.pid)
        earlier, is_over = self._loaded, self._loading is not None and not is_loading
        if is_over or session.loaded is not earlier:
            self._loading = session.wanted if is_loading else None
            self._holdings.end_load(session.loaded)
        if session.loaded is not earlier:
            self._learned = ("", "")
            if session.loaded is not None:
                self._learn_speed(earlier, session.loaded)
                QTimer.singleShot(_READING_DELAY_MS, self, self._after_load)

    def _adopt(self, plan: Plan) -> None:
        """A load that began before its plan was there is held against it all the same."""
        wanted = self._loading or (self._loaded.settings if self._loaded else None)
        if plan.settings == wanted and self._holdings.plan is None:
            self._holdings.plan = plan
            if self._readings.taken.after_load:
                self._compare()

    def _planned_shares(self, settings: EngineSettings) -> tuple[int, ...]:
        """How a layer split was divided in the plan that is shown: a load divides the same."""
        plan = self._plan_of(settings)
        return plan.shares if plan is not None else ()

    def _plan_of(self, settings: EngineSettings | None) -> Plan | None:
        return self._plan if self._plan is not None and self._plan.settings == settings else None

    def _learn_speed(self, earlier: Loaded | None, loaded: Loaded) -> None:
        if earlier is None or cost_of(earlier.settings, loaded.settings) is Cost.RELOAD:
            self._corrections.learn_speed(loaded.model.size_bytes, loaded.seconds)

    def _on_reply_event(self, event: object) -> None:
        if isinstance(event, Finished) and self._loaded is not None:
            QTimer.singleShot(_READING_DELAY_MS, self, self._after_prefill)

    def _after_load(self) -> None:
        if self._loaded is not None:
            self._readings.after_load(self._engine.pid)
            self._compare()
            self.ask(self._pane.edited())

    def _after_prefill(self) -> None:
        if self._loaded is not None:
            self._readings.after_prefill(self._engine.pid)
            self._compare()

    def _compare(self) -> None:
        plan = self._holdings.plan
        if self._loaded is None or plan is None or plan.settings != self._loaded.settings:
            return
        truth = compared(plan, self._loaded.context.memory, self._readings.taken)
        self._learned = plan_views.truth_words(truth)
        if not self._learned[0]:
            self._learned = plan_views.account_words(plan, self._loaded.context)
        if self._opened is not None:
            chosen, build = self._opened.chosen, self._opened.build
            learn(plan, chosen, build, self._readings.taken, self._corrections)

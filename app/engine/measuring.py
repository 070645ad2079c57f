"""Measures the best sizes and thread counts for the chosen model, and takes them over.

The model is unloaded for it: two copies of it, each with its KV memory, may not fit. Its whole
process goes, as even an empty one holds memory of a GPU. It is loaded again afterwards, whatever
came of the measurement.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.engine import measuring_views as views
from app.engine.measuring_run import MeasuringRun
from app.session import State
from app.store.tuned import keep_tuned
from engine.bench.tune import Tuning, with_values
from engine.errors import Problem
from widgets.engine_pane.measure_sheet import MeasureSheet

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.engine.pane_controller import PaneController
    from app.hop import MainThread
    from app.notices import Notices
    from app.session import Session
    from app.store.settings_file import SettingsFile
    from engine.bench.tune import TuneProgress
    from engine.settings import EngineSettings
    from widgets.engine_pane.measuring_viewdata import MeasuringView
    from widgets.main_window import MainWindow

_BUSY = (State.STARTING, State.LOADING, State.EJECTING)


class MeasuringController(QObject):
    """Owns the measurement that is going on, and its sheet. Main thread. `close` it at the end.

    Signals:
        running_changed(bool): Whether a measurement is going on.

    Attributes:
        repetitions, budget_s: As for `engine.bench.tune.Tuner`.
        sheet: What is shown; None before it was first asked for.
    """

    running_changed = Signal(bool)

    def __init__(
        self,
        *,
        engine: EngineController,
        pane: PaneController,
        window: MainWindow,
        settings: SettingsFile,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.repetitions, self.budget_s = 3, 30.0
        self.sheet: MeasureSheet | None = None
        self._engine = engine
        self._pane = pane
        self._window = window
        self._settings = settings
        self._notices = notices
        self._hop = hop
        self._run: MeasuringRun | None = None
        self._began_s = 0.0
        # What is measured, and what was loaded before: it comes back.
        self._measured: EngineSettings | None = None
        self._before: EngineSettings | None = None
        # Edits that were not applied; they come back once the model has.
        self._edits: EngineSettings | None = None
        self._tuning: Tuning | None = None
        window.engine.measure_requested.connect(self.begin)
        window.engine.cancel_requested.connect(self._on_cancel)
        pane.edited.connect(lambda _settings: self._refresh())
        engine.session_changed.connect(self._on_session_changed)
        self._refresh()

    @property
    def pid(self) -> int | None:
        """The process id of the worker that measures, while it runs."""
        return self._run.pid if self._run is not None else None

    def begin(self) -> None:
        """Say what will happen, and wait for the user's yes; while it measures, show how far."""
        if self._run is None:
            if reason := self._reason():
                self._notices.say(reason)
                return
            loaded = self._engine.session.loaded
            self._show(views.ready_view(self._edited(), is_loaded=loaded is not None))
        if self.sheet is not None:
            self.sheet.show()
            self.sheet.raise_()
            self.sheet.activateWindow()

    def close(self) -> None:
        """Stop what is going on and wait for its process; for the end of the app."""
        run, self._run = self._run, None
        if run is not None:
            run.stop()
            run.join()
        if self.sheet is not None:
            self.sheet.close()

    # ---- whether it can be done

    def _reason(self) -> str:
        """Why nothing can be measured now; empty when it can be."""
        session = self._engine.session
        if self._run is not None:
            return ""
        if not self._edited().model_path:
            return self.tr("Choose a model first.")
        if session.is_answering:
            return self.tr("A reply is being written. Measure when it is finished, or stop it.")
        if session.state in _BUSY:
            return self.tr("The model is being loaded. Measure when it is ready.")
        return ""

    def _refresh(self) -> None:
        reason = self._reason()
        self._window.set_unmeasurable(reason)
        if self.sheet is not None:
            self.sheet.set_blocked(reason)

    def _edited(self) -> EngineSettings:
        return self._window.engine.edited()

    # ---- measuring

    def _on_start(self) -> None:
        if self._run is not None or self._reason():
            return
        loaded, settings = self._engine.session.loaded, self._edited()
        self._measured, self._tuning = settings, None
        self._before = loaded.settings if loaded is not None else None
        self._began_s = time.monotonic()
        # Set before the engine goes: who hears of that finds a measurement going on.
        self._run = MeasuringRun(
            settings,
            shares=self._engine.planned_shares(settings),
            repetitions=self.repetitions,
            budget_s=self.budget_s,
            hop=self._hop,
            on_progress=self._on_progress,
            on_ended=self._on_ended,
            on_log=self._engine.logged.emit,
            command=self._engine.command,
            env=self._engine.env,
        )
        self.running_changed.emit(True)
        is_free = self._engine.release()
        self._window.engine.set_settings(None, settings)
        self._pane.set_measuring(is_measuring=True)
        self._show(views.starting_view())
        self._run.start(is_free)

    def _on_progress(self, now: TuneProgress) -> None:
        if self._measured is not None and self._run is not None:
            elapsed_s = time.monotonic() - self._began_s
            self._show(views.running_view(now, self._measured, elapsed_s=elapsed_s))

    def _on_rejected(self) -> None:
        """Esc, the close button, or its cross."""
        if self._run is not None:
            self._notices.say(self.tr("Measuring was stopped. Nothing was changed."))
            self._run.stop()

    def _on_cancel(self) -> None:
        """*Cancel* on the model's card; the sheet's own, and a second press, are `_on_rejected`."""
        if self._run is not None and self.sheet is not None and self.sheet.isVisible():
            self.sheet.reject()

    def _on_ended(self, outcome: Tuning | Problem | None) -> None:
        if self._run is None or self.sheet is None:
            # The app is closing.
            return
        self._run = None
        self.running_changed.emit(False)
        self._pane.set_measuring(is_measuring=False)
        self._refresh()
        self._load_back()
        if isinstance(outcome, Tuning) and self._measured is not None:
            self._tuning = outcome
            self._show(views.done_view(outcome, self._measured, self._edits or self._edited()))
        elif isinstance(outcome, Problem):
            self._show(views.failed_view(outcome, self.sheet.view().settings))
        elif self.sheet.view().state == "running":
            # It was opened again while the process was still going.
            self._show(views.ready_view(self._edited(), is_loaded=self._before is not None))

    def _load_back(self) -> None:
        edits = self._edited()
        session = self._engine.session
        if self._before is None or session.loaded is not None or session.state in _BUSY:
            # Nothing was loaded, or something else is by now: only the plan has to be made anew,
            # as memory is free again.
            self._pane.edited.emit(edits)
            return
        self._edits = edits if edits != self._before else None
        self._pane.load(self._before)

    def _on_session_changed(self, session: Session) -> None:
        if self._run is not None and session.state in _BUSY:
            # Somebody wants a model now; the memory is theirs.
            self._run.stop()
            self._before = None
            self._show(views.overtaken_view())
        elif self._edits is not None and session.state not in _BUSY:
            edits, self._edits = self._edits, None
            self._pane.set_edited(edits)
        self._refresh()

    # ---- what came of it

    def _on_apply(self) -> None:
        tuning, self._tuning = self._tuning, None
        if self.sheet is not None:
            self.sheet.accept()
        if tuning is None:
            return
        path = Path(tuning.settings.model_path)
        try:
            keep_tuned(self._settings, path, tuning.best)
        except OSError:
            # The file is gone: there is nothing to keep the values for.
            self._notices.say(self.tr("The model's file is gone, so the values are not kept."))
            return
        self._take_over(tuning)

    def _take_over(self, tuning: Tuning) -> None:
        session, best = self._engine.session, tuning.best
        edits = self._edits or self._edited()
        if edits.model_path != tuning.settings.model_path:
            name = Path(tuning.settings.model_path).stem
            self._notices.say(self.tr("Kept for {name}.").format(name=name))
            return
        edits = with_values(edits, best)
        base = session.loaded.settings if session.loaded else None
        if session.state in (State.STARTING, State.LOADING):
            base = session.wanted
        if base is None or base.model_path != edits.model_path or session.is_answering:
            self._pane.set_edited(edits)
            return
        wanted = with_values(base, best)
        self._edits = edits if edits != wanted else None
        self._pane.load(wanted)

    # ---- the sheet

    def _show(self, view: MeasuringView) -> None:
        if self.sheet is None:
            self.sheet = MeasureSheet(self._window)
            self.sheet.start_requested.connect(self._on_start)
            self.sheet.apply_requested.connect(self._on_apply)
            self.sheet.rejected.connect(self._on_rejected)
        self.sheet.set_view(view)
        self.sheet.set_blocked(self._reason())

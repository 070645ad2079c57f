"""Composes what has to do with the engine's side of the window, after that is painted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from app.engine.pane_controller import PaneController

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from app.chat.presenter import ChatPresenter
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.store.settings_file import SettingsFile
    from app.window.later import Later
    from widgets.main_window import MainWindow


class EngineSide:
    """The engine's pane, and what fills it and its pages. Main thread; `close` it at the end.

    Each `compose_…` is a turn of its own, in the order in which they stand here: none of them,
    with its imports, keeps somebody who types waiting long.

    Attributes:
        pane: Fills the pane and loads what is chosen in it.
        instruments: Reads what the cards and the engine do.
        planning: Plans the settings as edited.
        models: Finds models and fills their page.
        economics: Computes what context costs.
        measuring: Measures which settings are best.
    """

    def __init__(
        self,
        *,
        engine: EngineController,
        window: MainWindow,
        presenter: ChatPresenter,
        settings: SettingsFile,
        notices: Notices,
        hop: MainThread,
        later: Later,
        parent: QObject,
    ) -> None:
        self._engine = engine
        self._window = window
        self._presenter = presenter
        self._settings = settings
        self._notices = notices
        self._hop = hop
        self._parent = parent
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="build")
        for wish in (
            window.engine.model_chosen,
            window.engine.load_requested,
            window.engine.settings_edited,
        ):
            # Before the controller hears of it: the plan wants to hear of it as well.
            wish.connect(later.finish)
        self.pane = PaneController(
            engine=engine, window=window, settings=settings, notices=notices, parent=parent
        )

    def compose_instruments(self) -> None:
        """Read what the cards and the engine do, from now on."""
        from app.instruments import Instruments

        self.instruments = Instruments(
            self._engine,
            self._window.tick,
            hz=self._settings.app.telemetry_hz,
            parent=self._parent,
        )
        self.instruments.snapshot_taken.connect(self.pane.show_snapshot)
        self.instruments.speed_read.connect(self._window.append_speed)
        self.instruments.start()

    def compose_planning(self) -> None:
        """Plan what is edited."""
        from app.engine.plan_controller import PlanController

        self.planning = PlanController(
            engine=self._engine,
            pane=self.pane,
            window=self._window,
            instruments=self.instruments,
            notices=self._notices,
            hop=self._hop,
            parent=self._parent,
        )

    def compose_models(self) -> None:
        """Fill the page of models."""
        from app.models import ModelsController

        self.models = ModelsController(
            engine=self._engine,
            window=self._window,
            settings=self._settings,
            notices=self._notices,
            hop=self._hop,
            parent=self._parent,
        )

    def compose_economics(self) -> None:
        """Compute what context costs."""
        from app.engine.economics_controller import EconomicsController

        self.economics = EconomicsController(
            window=self._window,
            pane=self.pane,
            models=self.models,
            scene=self.planning.scene,
            notices=self._notices,
            hop=self._hop,
            parent=self._parent,
        )

    def compose_measuring(self) -> None:
        """Measure when that is asked for."""
        from app.engine.measuring import MeasuringController

        self.measuring = MeasuringController(
            engine=self._engine,
            pane=self.pane,
            window=self._window,
            settings=self._settings,
            notices=self._notices,
            hop=self._hop,
            parent=self._parent,
        )
        self.measuring.running_changed.connect(self._presenter.set_measuring)

    def tell_build(self) -> None:
        """Say on the card how llama.cpp was built."""
        from app.engine.build_words import build_words

        # It asks the driver, which may take a second.
        self._hop.when_done(self._asking.submit(build_words), self.pane.set_build)

    def open_first(self, model: str, first: str) -> None:
        """Load the first model; where from is said with `Desktop.open_first`."""
        if not self._settings.recent_models:
            model = model or first
        if model:
            from engine.models.demo import resolve_model

            self.pane.choose(str(resolve_model(model).resolve()))
        elif self._settings.app.load_last_model and self._settings.engine.model_path:
            if Path(self._settings.engine.model_path).is_file():
                self.pane.load(self._settings.engine)
            else:
                self.models.say_gone(self._settings.engine.model_path)
        self.models.scan()

    def close(self) -> None:
        """Stop what runs, before the engine is shut down."""
        self.measuring.close()
        self.models.close()
        self.planning.close()
        self.economics.close()
        self.instruments.stop()
        self._asking.shutdown(wait=True, cancel_futures=True)

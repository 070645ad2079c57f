"""Connects the engine pane with the engine: choosing, loading, applying, profiles."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Qt, Signal

from app.engine import pane_views
from app.store.settings_file import Profile, model_key
from engine.models.demo import demo_model_path
from engine.settings import EngineSettings
from widgets.dialogs.name import NameDialog
from widgets.engine_pane.viewdata import ProfilesView

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.notices import Notices
    from app.session import Session
    from app.store.settings_file import SettingsFile
    from engine.settings import GenerationSettings
    from engine.telemetry.snapshot import Snapshot
    from engine.worker.protocol import Loaded
    from widgets.main_window import MainWindow

_DEVICES = "devices"

_CPU = "cpu"
_ADDRESS = re.compile(r"^[^\s:]+:\d{1,5}$")


class PaneController(QObject):
    """Owns which settings are applied; the pane owns those being edited. Main thread.

    Signals:
        edited(EngineSettings): The settings being edited changed; a plan is due.
    """

    edited = Signal(object)

    def __init__(
        self,
        *,
        engine: EngineController,
        window: MainWindow,
        settings: SettingsFile,
        notices: Notices,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._window = window
        self._pane = pane = window.engine
        self._settings = settings
        self._notices = notices
        self._build, self._build_help = "", ""
        self._snapshot: Snapshot | None = None
        self._has_plan = False
        self._nodes: dict[str, None] = {}
        self.edited.connect(self._note_nodes)
        self._loaded: Loaded | None = None
        self._profile = ""
        self._is_measuring = False
        engine.session_changed.connect(self._on_session_changed)
        pane.model_chosen.connect(self.choose)
        pane.load_requested.connect(lambda: engine.load(pane.edited()))
        pane.eject_requested.connect(engine.eject)
        pane.cancel_requested.connect(engine.cancel)
        pane.apply_requested.connect(self.apply)
        pane.settings_edited.connect(self.edited)
        pane.generation_edited.connect(settings.set_generation)
        pane.device_switched.connect(self._on_device_switched)
        pane.device_order_changed.connect(self._on_device_order)
        pane.device_add_requested.connect(self._on_device_add)
        pane.profile_chosen.connect(self._on_profile_chosen)
        pane.profile_save_requested.connect(self._on_profile_saved)
        pane.profile_delete_requested.connect(self._on_profile_deleted)
        window.set_plan(pane_views.remembered_plan(settings.window(_DEVICES)))
        pane.set_settings(None, settings.engine)
        pane.set_generation(settings.generation)
        self._show_card()

    def set_build(self, words: tuple[str, str]) -> None:
        """Show which llama.cpp runs: its name and what the tooltip says."""
        self._build, self._build_help = words
        self._show_card()

    def set_measuring(self, *, is_measuring: bool) -> None:
        """Whether the model is away because its best values are being measured.

        The card then offers to cancel, as it does while a model is loaded. *Load* waits: a click
        out of habit would throw away minutes of measuring.
        """
        self._is_measuring = is_measuring
        held = self.tr(
            "The best values are being measured, and two copies of the model may not fit. Wait for "
            "the end, or cancel first."
        )
        self._pane.set_held(held if is_measuring else "")
        self._show_card()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Other machines' devices that were used since the start, also those that are off now."""
        return tuple(self._nodes)

    def _note_nodes(self, settings: EngineSettings) -> None:
        self._nodes |= dict.fromkeys(one for one in settings.devices if _ADDRESS.match(one))

    # ---- choosing and loading

    def choose(self, path: str) -> None:
        """Load a model with the settings it was last used with."""
        model = Path(path)
        try:
            profile = self._settings.profile(model_key(model))
        except OSError:
            profile = None
        settings = profile.engine if profile else EngineSettings()
        if profile:
            self._settings.set_generation(profile.generation)
            self._pane.set_generation(profile.generation)
        self.load(msgspec.structs.replace(settings, model_path=str(model)))

    def load_demo(self) -> None:
        """Load the bundled model."""
        self.choose(str(demo_model_path()))

    def load(self, settings: EngineSettings) -> None:
        """Load these settings; the pane shows them."""
        self._pane.set_settings(None, settings)
        self._show_profiles(settings.model_path)
        self.edited.emit(settings)
        self._engine.load(settings)

    def apply(self, settings: EngineSettings) -> None:
        """Take over edited settings, unless a reply is being written."""
        if self._engine.session.is_answering:
            self._notices.say(self.tr("Stop the reply before changing the engine's settings."))
            return
        self._engine.load(settings)

    def set_edited(self, settings: EngineSettings) -> None:
        """Put settings into the form (a fit, a fix, a larger context); nothing is loaded yet."""
        applied = self._loaded.settings if self._loaded else None
        self._pane.set_settings(applied, settings)
        self.edited.emit(settings)

    def with_n_ctx(self, n_ctx: int) -> None:
        """Reload with another context."""
        self.apply(msgspec.structs.replace(self._pane.edited(), n_ctx=n_ctx))

    def keep_generation(self, generation: GenerationSettings) -> None:
        """Take over settings of the reply."""
        self._settings.set_generation(generation)
        self._pane.set_generation(generation)

    # ---- what changes by itself

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """New figures from the instruments."""
        if self._snapshot is None:
            self._settings.set_window(_DEVICES, pane_views.devices_to_remember(snapshot))
        self._snapshot = snapshot
        self._window.set_live(pane_views.devices_live(snapshot))
        if not self._has_plan:
            self._window.set_plan(pane_views.device_plan(self._loaded, snapshot))

    def plan_is_shown(self, *, shown: bool) -> None:
        """Whether a planner fills the bars; without one they show the engine's own account."""
        self._has_plan = shown

    def _on_session_changed(self, session: Session) -> None:
        if session.loaded is not self._loaded:
            self._loaded = session.loaded
            if session.loaded is not None:
                self._keep(session.loaded)
            else:
                self._pane.set_settings(None, session.wanted or self._pane.edited())
        self._show_card()

    def _keep(self, loaded: Loaded) -> None:
        path = Path(loaded.settings.model_path)
        self._pane.set_settings(loaded.settings, loaded.settings)
        self._settings.set_engine(loaded.settings)
        self._settings.note_model(path)
        profile = Profile(engine=loaded.settings, generation=self._settings.generation)
        # A file that is gone while the model is in memory: there is nothing to remember.
        with contextlib.suppress(OSError):
            self._settings.set_profile(model_key(path), profile)
        for notice in loaded.notices:
            self._notices.problem(notice)

    def _show_card(self) -> None:
        session = self._engine.session
        wanted = session.wanted or self._pane.edited()
        # The file's name, not the one inside it: that is what people know their models by.
        name = Path(wanted.model_path).stem
        card = pane_views.model_card(session, name, build=self._build, build_help=self._build_help)
        if self._is_measuring and card.state == "unloaded":
            words = self.tr("Measuring the best values")
            card = msgspec.structs.replace(card, state="measuring", words=words, tone="warn")
        self._window.set_model(card)

    # ---- edits

    def _on_device_switched(self, device_id: str, on: bool) -> None:
        edited = self._pane.edited()
        order = [one for one in edited.devices if one != _CPU] or self._devices_on()
        if on and device_id not in order:
            order.append(device_id)
        if not on and device_id in order:
            order.remove(device_id)
        devices = tuple(order) or (_CPU,)
        changed = msgspec.structs.replace(edited, devices=devices, tensor_split=())
        self.set_edited(changed)

    def _on_device_add(self) -> None:
        dialog = NameDialog(
            self._window,
            self.tr("Add another machine's device"),
            self.tr("Add"),
            text=self.tr(
                "Run `leadline node` there and type the address it shows. Anyone who reaches that "
                "address can use the device and read what is computed on it: keep it inside a "
                "network you trust."
            ),
            name="127.0.0.1:50052",
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.named.connect(lambda address: self._on_device_switched(address, on=True))
        dialog.open()

    def _on_device_order(self, ids: tuple[str, ...]) -> None:
        edited, on = self._pane.edited(), self._devices_on()
        devices = tuple(one for one in ids if one in on)
        self.set_edited(msgspec.structs.replace(edited, devices=devices, tensor_split=()))

    def _devices_on(self) -> list[str]:
        """Ids of the devices that are shown as in use, in their order."""
        shown = self._pane.plan.plan().devices
        return [one.id for one in shown if one.is_on and one.kind != "ram"]

    # ---- profiles

    def _show_profiles(self, model_path: str) -> None:
        names = self._settings.profile_names(_key(model_path))
        chosen = self._profile if self._profile in names else ""
        self._pane.set_profiles(ProfilesView(names=names, chosen=chosen))

    def _on_profile_chosen(self, name: str) -> None:
        path = self._pane.edited().model_path
        profile = self._settings.profile(_key(path), name)
        if profile is not None:
            self._profile = name
            self.keep_generation(profile.generation)
            self.set_edited(msgspec.structs.replace(profile.engine, model_path=path))
            self._show_profiles(path)

    def _on_profile_saved(self, name: str) -> None:
        path = self._pane.edited().model_path
        profile = Profile(engine=self._pane.edited(), generation=self._settings.generation)
        self._settings.set_profile(_key(path), profile, name)
        self._profile = name
        self._show_profiles(path)

    def _on_profile_deleted(self, name: str) -> None:
        path = self._pane.edited().model_path
        self._settings.delete_profile(_key(path), name)
        self._show_profiles(path)


def _key(model_path: str) -> str:
    try:
        return model_key(Path(model_path))
    except OSError:
        return model_path

"""The engine pane: assembles card, memory plan, speed and settings, and holds what is edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

from engine.settings import Cost, EngineSettings, GenerationSettings, cost_of
from widgets import file_dialogs, icons, theme
from widgets.engine_pane.apply_bar import ApplyBar
from widgets.engine_pane.device_plan import DevicePlan
from widgets.engine_pane.fit_links import FitLinks
from widgets.engine_pane.model_card import ModelCard
from widgets.engine_pane.model_picker import ModelPicker
from widgets.engine_pane.notices import Ladder, RuleNotices
from widgets.engine_pane.profiles import Profiles
from widgets.engine_pane.quick_settings import QuickSettings
from widgets.engine_pane.setting_hints import hints_for, problems_for
from widgets.engine_pane.settings_page import SettingsPage
from widgets.engine_pane.speed import SpeedSection
from widgets.engine_pane.viewdata import (
    ApplyView,
    DeviceLiveView,
    DevicePlanView,
    FixView,
    ModelCardView,
    ModelFileView,
    ProfilesView,
    RuleView,
    SettingHints,
)
from widgets.parts import ScrollColumn, SectionHeading, button, column, row
from widgets.wrapping import PairLayout

if TYPE_CHECKING:
    from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

    from widgets.engine_pane.viewdata import SpeedSample
    from widgets.settings.hints import ValueHint
    from widgets.tick import RepaintTick


class EnginePane(QFrame):
    """The right pane. Owns the settings being edited; everything else is given to it.

    Main thread. The application answers `settings_edited` with a new plan, hints and rules.

    Signals:
        model_chosen: The path of a model to load.
        load_requested: The chosen model is to be loaded with the settings as edited.
        eject_requested, cancel_requested: From the model card.
        settings_edited: An `EngineSettings` at every step of an edit, also while dragging.
        apply_requested: The `EngineSettings` to take over.
        generation_edited: A `GenerationSettings`; it counts from the next reply on.
        fit_requested: ``context``, ``speed`` or ``quality``.
        fix_requested: The id of a fix from the ladder.
        rule_fix_requested: The code of a rule whose fix was chosen.
        device_switched: (id, on).
        device_order_changed: Ids in their new order.
        device_add_requested: Another machine's device is wanted.
        profile_chosen, profile_save_requested, profile_delete_requested: A name.
        models_page_requested: The page with all models is wanted.
        measure_requested: The best sizes and thread counts are to be measured.
    """

    model_chosen = Signal(str)
    load_requested = Signal()
    eject_requested = Signal()
    cancel_requested = Signal()
    settings_edited = Signal(object)
    apply_requested = Signal(object)
    generation_edited = Signal(object)
    fit_requested = Signal(str)
    fix_requested = Signal(str)
    rule_fix_requested = Signal(str)
    device_switched = Signal(str, bool)
    device_order_changed = Signal(tuple)
    device_add_requested = Signal()
    profile_chosen = Signal(str)
    profile_save_requested = Signal(str)
    profile_delete_requested = Signal(str)
    models_page_requested = Signal()
    measure_requested = Signal()

    def __init__(self, tick: RepaintTick, *, arranged: bool = True) -> None:
        super().__init__()
        self.setObjectName("engine_pane")
        self.setAccessibleName(self.tr("Engine"))
        self.setProperty("surface", "panel")
        self._applied: EngineSettings | None = None
        self._edited = EngineSettings()
        self._apply_view, self._held = ApplyView(), ""
        self._hints = SettingHints()
        self._shown_hints: dict[str, ValueHint] = {}
        self._rules: tuple[RuleView, ...] = ()
        self.card = ModelCard()
        self.picker = ModelPicker(self)
        self.plan = DevicePlan(tick)
        self.ladder = Ladder()
        self.rules = RuleNotices()
        self.speed = SpeedSection(tick)
        self.quick = QuickSettings()
        self.profiles = Profiles()
        self.page = SettingsPage()
        self.apply_bar = ApplyBar()
        self._fits = FitLinks()
        self._stack = QStackedWidget()
        self._connect()
        self._show_edited()
        if arranged:
            self.arrange()

    def arrange(self) -> None:
        """Put the parts in place; a step of its own where somebody types meanwhile."""
        # From the outside in: under a style sheet each parent that a part is given goes through all
        # that is in the part.
        edge = theme.SPACE.l
        # The scroll bar stands in the margin, so that everything ends at one edge.
        bar = theme.SPACE.s
        whole = column(theme.SPACE.m, (edge, theme.SPACE.m, edge - bar, theme.SPACE.m))
        self.setLayout(whole)
        whole.addLayout(_inset(self.card, bar))
        whole.addWidget(self._stack, 1)
        inner = column(theme.SPACE.m, (0, 0, 0, theme.SPACE.s))
        self._stack.addWidget(ScrollColumn(inner, "engine_scroll"))
        self._stack.addWidget(self.page)
        self._fill(inner)
        whole.addLayout(_inset(self.apply_bar, bar))

    # ---- what it is given ---------------------------------------------------------------------

    def set_model(self, view: ModelCardView) -> None:
        """Show the model and its state."""
        self.card.set_view(view)

    def set_models(self, models: tuple[ModelFileView, ...]) -> None:
        """Show which models can be picked, in the order given."""
        self.picker.set_models(models)

    def set_plan(self, view: DevicePlanView) -> None:
        """Show the memory plan at once."""
        self.plan.set_plan(view)
        on = [device for device in view.devices if device.is_on and device.kind != "ram"]
        self.quick.show_devices(len(on))
        self._show_hints()

    def set_live(self, live: tuple[DeviceLiveView, ...]) -> None:
        """Take live figures; they are drawn with the next tick."""
        self.plan.set_live(live)

    def append_speed(self, sample: SpeedSample) -> None:
        """Take a reading of the engine's speed."""
        self.speed.append(sample)

    def set_fixes(self, fixes: tuple[FixView, ...]) -> None:
        """Show the ladder of ways to fit; none hides it and shows the speed again."""
        self.ladder.set_fixes(fixes)
        self.speed.setVisible(not fixes)

    def set_rules(self, rules: tuple[RuleView, ...]) -> None:
        """Show what rules say about the settings as edited."""
        self._rules = rules
        self.rules.set_rules(rules)
        self.page.engine.set_problems(problems_for(rules))

    def set_hints(self, hints: SettingHints) -> None:
        """Take what the plan knows about the settings as edited."""
        self._hints = hints
        self._fits.setEnabled(hints.can_fit)
        self._show_hints()

    def set_settings(self, applied: EngineSettings | None, edited: EngineSettings) -> None:
        """Show settings without reporting them; `applied` is None when no model is loaded."""
        self._applied, self._edited = applied, edited
        self._show_edited()

    def set_generation(self, settings: GenerationSettings) -> None:
        """Show the reply's settings without reporting them."""
        self.page.generation.set_values(settings)

    def set_apply(self, view: ApplyView) -> None:
        """Say what applying will do and whether it can be done."""
        self._apply_view = view
        self._show_edited()

    def set_held(self, reason: str) -> None:
        """Say why nothing can be loaded or applied for a while; empty when it can."""
        self._held = reason
        self._show_edited()

    def set_profiles(self, view: ProfilesView) -> None:
        """Show the profiles of the chosen model."""
        self.profiles.set_view(view)

    def set_unmeasurable(self, reason: str) -> None:
        """Say why the best values cannot be measured now; empty when they can."""
        for link in (self.speed.measure, self.page.measure):
            link.set_reason(reason)

    # ---- what it tells ------------------------------------------------------------------------

    def edited(self) -> EngineSettings:
        """The settings as edited."""
        return self._edited

    def is_edited(self) -> bool:
        """Whether there is something to apply."""
        return self._applied is not None and self._applied != self._edited

    def open_picker(self) -> None:
        """Drop the model list down from the card."""
        self.picker.open_below(self.card)

    def browse(self) -> None:
        """Let the user find a model file."""
        path = file_dialogs.open_file(
            self,
            self.tr("Choose a model"),
            file_dialogs.Purpose.MODELS,
            self.tr("GGUF models (*.gguf);;All files (*)"),
        )
        if path:
            self.model_chosen.emit(path)

    def show_all_settings(self, form: int = 0) -> None:
        """Show the whole form: the engine's (0) or the reply's (1)."""
        self.page.show_form(form)
        self._stack.setCurrentIndex(1)
        self.page.focus_search()

    def show_reply_setting(self, title: str) -> None:
        """Show one setting of the reply in its form."""
        self.show_all_settings(1)
        self.page.generation.build().search.setText(title)

    def show_instruments(self) -> None:
        """Show the bars and the quick settings again."""
        self._stack.setCurrentIndex(0)
        self.apply_bar.show()

    def _connect(self) -> None:
        self.card.picker_requested.connect(self.open_picker)
        self.card.eject_requested.connect(self.eject_requested)
        self.card.cancel_requested.connect(self.cancel_requested)
        self.card.load_requested.connect(self.load_requested)
        self.picker.picked.connect(self.model_chosen)
        self.picker.browse_requested.connect(self.browse)
        self.picker.all_requested.connect(self.models_page_requested)
        self.plan.device_switched.connect(self.device_switched)
        self.plan.order_changed.connect(self.device_order_changed)
        self.plan.device_add_requested.connect(self.device_add_requested)
        self.ladder.fix_requested.connect(self.fix_requested)
        self.rules.fix_requested.connect(self.rule_fix_requested)
        self.quick.edited.connect(self._on_edited)
        self.page.engine_edited.connect(self._on_edited)
        self.page.generation_edited.connect(self.generation_edited)
        # The reply's settings count at once: there is nothing to apply.
        self.page.form_shown.connect(lambda form: self.apply_bar.setVisible(form == 0))
        self.page.back_requested.connect(self.show_instruments)
        self.profiles.chosen.connect(self.profile_chosen)
        self.profiles.save_requested.connect(self.profile_save_requested)
        self.profiles.delete_requested.connect(self.profile_delete_requested)
        self.apply_bar.apply_requested.connect(self._on_apply)
        self.apply_bar.revert_requested.connect(self._on_revert)
        self._fits.requested.connect(self.fit_requested)
        for link in (self.speed.measure, self.page.measure):
            link.clicked.connect(self.measure_requested)

    def _on_edited(self, settings: EngineSettings) -> None:
        self._edited = settings
        self._show_edited()
        self.settings_edited.emit(settings)

    def _on_apply(self) -> None:
        if self._edited.model_path:
            self.apply_requested.emit(self._edited)
        else:
            self.open_picker()

    def _on_revert(self) -> None:
        if self._applied is not None:
            self._on_edited(self._applied)

    def _show_edited(self) -> None:
        self.quick.set_values(self._edited)
        self.page.engine.set_values(self._edited)
        cost = cost_of(self._applied, self._edited) if self._applied else Cost.RELOAD
        self.apply_bar.show_state(
            cost,
            self._apply_view,
            is_edited=self.is_edited(),
            is_loaded=self._applied is not None,
            has_model=bool(self._edited.model_path),
            held=self._held,
        )

    def _show_hints(self) -> None:
        hints = hints_for(self._hints, self.plan.plan())
        if hints == self._shown_hints:
            return
        self._shown_hints = hints
        self.quick.set_hints(hints)
        self.page.set_hints(hints)

    def _fill(self, inner: QVBoxLayout) -> None:
        heading = SectionHeading(self.tr("Settings"), "settings_heading")
        heading.add(self._fits)
        more, left, beginning = PairLayout(theme.SPACE.xs), row(), QWidget()
        everything = button(self.tr("All settings"), "settings_all", "quiet")
        icons.bind(everything, "settings")
        everything.clicked.connect(lambda: self.show_all_settings())
        left.addWidget(everything)
        left.addStretch(1)
        beginning.setLayout(left)
        more.addWidget(beginning)
        more.addWidget(self.profiles)
        for part in (self.plan, self.ladder, self.speed, heading, self.quick):
            inner.addWidget(part)
        inner.addLayout(more)
        inner.addWidget(self.rules)
        inner.addStretch(1)


def _inset(widget: QWidget, right_px: int) -> QHBoxLayout:
    line = row(0, (0, 0, right_px, 0))
    line.addWidget(widget)
    return line

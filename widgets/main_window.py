"""The main window: puts the panes together and gives its commands their keys. Nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from engine.settings import AppSettings
from widgets.actions import SPECS, make_actions, page_specs
from widgets.engine_strip import EngineStrip
from widgets.panes import Panes
from widgets.parts import column, frame
from widgets.sidebar.sidebar import Sidebar
from widgets.tick import RepaintTick
from widgets.window_layout import WindowLayout, decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QCloseEvent, QHideEvent, QPaintEvent, QResizeEvent, QShowEvent

    from widgets.dialogs.log_view import LogView
    from widgets.economics.page import EconomicsPage
    from widgets.economics.viewdata import EconomicsView
    from widgets.engine_pane.pane import EnginePane
    from widgets.engine_pane.viewdata import (
        DeviceLiveView,
        DevicePlanView,
        ModelCardView,
        ModelFileView,
        SpeedSample,
    )
    from widgets.library.page import LibraryPage
    from widgets.models.page import ModelsPage
    from widgets.toasts import Toasts

ECONOMICS: Final = "economics"
_THEMES: Final = ("system", "light", "dark")


class MainWindow(QMainWindow):
    """Three panes: sidebar, pages, engine. The side panes fold in a narrow window. Main thread.

    Owns the repaint tick, the panes, the message bar and the dialogs; they are its attributes,
    and so are `actions_by_name`. What concerns the application goes out through their signals.
    What stands beside the chat and the list of chats is made when it is first asked for.

    Signals:
        painted: It was seen for the first time.
        layout_changed: Bytes to give to `restore_layout` next time; after a pause, and at the end.
        closing: The window is about to close.
        theme_chosen: ``system``, ``light`` or ``dark``.
        app_settings_edited: The `AppSettings` after a change in the preferences.
        page_shown: The key of the page.
        log_not_saved: Where the log could not be written, and why.
    """

    painted = Signal()
    layout_changed = Signal(bytes)
    closing = Signal()
    theme_chosen = Signal(str)
    app_settings_edited = Signal(object)
    page_shown = Signal(str)
    log_not_saved = Signal(str, str)

    def __init__(self, chat_view: QWidget) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("Leadline")
        self.setMinimumSize(720, 480)
        self.tick = RepaintTick(self)
        self._made_pages = {"chat": chat_view}
        titles = {
            "chat": self.tr("Chat"),
            "library": self.tr("Library"),
            "models": self.tr("Models"),
        }
        self._page_keys = list(titles)
        self.sidebar = Sidebar(tuple(titles.items()))
        self._engine_side = frame("panel")
        self._engine_side.setLayout(column())
        self._engine_pane: EnginePane | None = None
        self.strip = EngineStrip(self.tick)
        self.pages = QStackedWidget()
        self.pages.addWidget(chat_view)
        self.specs = (*SPECS, *page_specs(tuple(titles.values())))
        self.actions_by_name = make_actions(self, self.specs)
        self._app_settings = AppSettings()
        self._layout = WindowLayout()
        self._was_shown = self._was_painted = False
        self._may_close: Callable[[], bool] = lambda: True
        self.panes = Panes(self.sidebar, self.pages, self._engine_side, self.strip)
        self.setCentralWidget(self.panes)
        self._connect()
        self.show_page("chat")
        self.set_busy(False)
        self.actions_by_name["measure"].setEnabled(False)
        self.resize(1440, 900)
        self.panes.apply(self._layout, self.width())

    # ---- what it is given ---------------------------------------------------------------------

    def ask_before_closing(self, may_close: Callable[[], bool]) -> None:
        """Stay open where this says no."""
        self._may_close = may_close

    def set_model(self, view: ModelCardView) -> None:
        """Show the model on the card and on the strip."""
        self.engine.set_model(view)
        self.strip.set_model(view)
        loaded = view.state in ("ready", "reading", "writing")
        self.actions_by_name["eject"].setEnabled(loaded)

    def set_models(self, models: tuple[ModelFileView, ...]) -> None:
        """Show which models there are, in the picker and on their page."""
        self.engine.set_models(models)
        self.models_page.set_models(models)

    def set_plan(self, view: DevicePlanView) -> None:
        """Show the memory plan in the pane and on the strip."""
        self.engine.set_plan(view)
        self.strip.set_plan(view)

    def set_live(self, live: tuple[DeviceLiveView, ...]) -> None:
        """Take live figures for the next tick."""
        self.engine.set_live(live)

    def append_speed(self, sample: SpeedSample) -> None:
        """Take a reading of the engine's speed for the next tick."""
        self.engine.append_speed(sample)
        self.strip.append_speed(sample)

    def set_economics(self, view: EconomicsView) -> None:
        """Show what context costs; the way to the page appears with the first figures."""
        self.economics.set_view(view)
        self.models_page.economics.show()

    def set_unmeasurable(self, reason: str) -> None:
        """Why the best values cannot be measured now; empty when they can."""
        self.engine.set_unmeasurable(reason)
        self.actions_by_name["measure"].setEnabled(not reason)

    def set_busy(self, busy: bool) -> None:
        """Whether there is something that Esc can stop."""
        self.actions_by_name["stop"].setEnabled(busy)

    def set_app_settings(self, settings: AppSettings) -> None:
        """What the preferences show when they are opened."""
        self._app_settings = settings

    def restore_layout(self, stored: bytes) -> None:
        """Take over what `layout_changed` gave in an earlier run; damaged bytes are ignored."""
        self._layout = decoded(stored)
        geometry = self._layout.geometry_bytes()
        if geometry:
            self.restoreGeometry(geometry)
        self.panes.apply(self._layout, self.width())

    # ---- what can be asked of it --------------------------------------------------------------

    def show_page(self, key: str) -> None:
        """Show a page by its key; ``economics`` belongs to the models."""
        if key == "models":
            page: QWidget = self.models_page
        elif key == "library":
            page = self.library
        elif key == ECONOMICS:
            page = self.economics
        else:
            page = self._made_pages[key]
        self.pages.setCurrentWidget(page)
        self.sidebar.show_page("models" if key == ECONOMICS else key)
        self.page_shown.emit(key)

    def page(self) -> str:
        """The key of the page that is shown."""
        shown = self.pages.currentWidget()
        return next(key for key, page in self._made_pages.items() if page is shown)

    def toggle_sidebar(self) -> None:
        """Fold the sidebar away, or bring it back."""
        self.panes.toggle(self.sidebar)

    def toggle_engine(self) -> None:
        """Fold the engine pane into the strip, or bring it back."""
        self.panes.toggle(self._engine_side)

    def open_picker(self) -> None:
        """Drop the list of models down, from the card or from the strip."""
        if self._engine_side.isHidden():
            self.engine.picker.open_below(self.strip)
        else:
            self.engine.open_picker()

    def show_reply_setting(self, title: str) -> None:
        """Show one setting of the reply in the engine pane."""
        if self._engine_side.isHidden():
            self.toggle_engine()
        self.engine.show_reply_setting(title)

    def open_preferences(self) -> None:
        """Show the preferences."""
        from widgets.dialogs.preferences import Preferences

        dialog = Preferences(self, self._app_settings)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.edited.connect(self._on_app_settings)
        dialog.open()

    def open_help(self) -> None:
        """Show all keys."""
        from widgets.dialogs.shortcuts import ShortcutsHelp

        dialog = ShortcutsHelp(self, self.specs)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def open_log(self) -> None:
        """Show the engine's log."""
        self.log.show()
        self.log.raise_()
        self.log.activateWindow()

    # ---- what is made when it is first asked for, and imported only then ----------------------

    def make_engine(self) -> EnginePane:
        """Make the parts of the engine's pane.

        This, `arrange_engine` and `engine` are what `engine` does alone, in three steps: all at
        once would be longer than somebody who types should wait.
        """
        from widgets.engine_pane.pane import EnginePane

        self._engine_pane = self._engine_pane or EnginePane(self.tick, arranged=False)
        return self._engine_pane

    def arrange_engine(self) -> EnginePane:
        """Put the parts of the engine's pane together, out of sight."""
        pane = self.make_engine()
        if pane.layout() is None:
            pane.arrange()
        return pane

    @cached_property
    def engine(self) -> EnginePane:
        """The engine's pane. Its side of the window keeps its place without it."""
        pane = self.arrange_engine()
        pane.set_unmeasurable(self.tr("Choose a model first."))
        pane.models_page_requested.connect(lambda: self.show_page("models"))
        self.actions_by_name["measure"].triggered.connect(pane.measure_requested)
        self.actions_by_name["eject"].triggered.connect(pane.eject_requested)
        inside = self._engine_side.layout()
        if inside is not None:
            inside.addWidget(pane)
        return pane

    @cached_property
    def log(self) -> LogView:
        """The engine's log."""
        from widgets.dialogs.log_view import LogView

        log = LogView(self)
        log.save_failed.connect(self.log_not_saved)
        return log

    @cached_property
    def toasts(self) -> Toasts:
        """The message bar."""
        from widgets.toasts import Toasts

        return Toasts(self.pages)

    @cached_property
    def library(self) -> LibraryPage:
        """All documents."""
        from widgets.library.page import LibraryPage

        page = LibraryPage()
        self._add_page("library", page)
        return page

    @cached_property
    def models_page(self) -> ModelsPage:
        """All models of this computer."""
        from widgets.models.page import ModelsPage

        page = ModelsPage()
        page.browse_requested.connect(self.engine.browse)
        page.load_requested.connect(self.engine.model_chosen)
        page.economics_requested.connect(lambda: self.show_page(ECONOMICS))
        self._add_page("models", page)
        return page

    @cached_property
    def economics(self) -> EconomicsPage:
        """What context costs."""
        from widgets.economics.page import EconomicsPage

        page = EconomicsPage()
        page.back_requested.connect(lambda: self.show_page("models"))
        self._add_page(ECONOMICS, page)
        return page

    def _add_page(self, key: str, page: QWidget) -> None:
        self._made_pages[key] = page
        self.pages.addWidget(page)

    # ---- putting together ---------------------------------------------------------------------

    def _connect(self) -> None:
        act = self.actions_by_name
        act["search"].triggered.connect(self._on_search)
        act["sidebar"].triggered.connect(self.toggle_sidebar)
        act["engine_pane"].triggered.connect(self.toggle_engine)
        act["model_loader"].triggered.connect(self.open_picker)
        act["engine_settings"].triggered.connect(self._on_engine_settings)
        act["settings"].triggered.connect(self.open_preferences)
        act["help"].triggered.connect(self.open_help)
        act["log"].triggered.connect(self.open_log)
        act["theme"].triggered.connect(self._on_next_theme)
        act["quit"].triggered.connect(self.close)
        act["new_chat"].triggered.connect(self.sidebar.new_chat_requested)
        act["add_document"].triggered.connect(self.sidebar.document_add_requested)
        for at, key in enumerate(self._page_keys, start=1):
            act[f"page_{at}"].triggered.connect(lambda _checked=False, to=key: self.show_page(to))
        self.sidebar.page_requested.connect(self.show_page)
        self.sidebar.chat_selected.connect(lambda _id: self.show_page("chat"))
        self.sidebar.hit_selected.connect(lambda _chat, _message: self.show_page("chat"))
        self.sidebar.new_chat_requested.connect(lambda: self.show_page("chat"))
        self.strip.open_requested.connect(self.toggle_engine)
        self.strip.picker_requested.connect(self.open_picker)
        self.panes.settled.connect(self._on_settled)

    def _on_settled(self) -> None:
        self._layout = self.panes.measured(bytes(self.saveGeometry().data()))
        self.layout_changed.emit(encoded(self._layout))

    def _on_search(self) -> None:
        self.panes.show_pane(self.sidebar)
        self.sidebar.focus_search()

    def _on_engine_settings(self) -> None:
        self.panes.show_pane(self._engine_side)
        self.engine.show_all_settings()

    def _on_next_theme(self) -> None:
        at = _THEMES.index(self._app_settings.theme)
        self.theme_chosen.emit(_THEMES[(at + 1) % len(_THEMES)])

    def _on_app_settings(self, settings: AppSettings) -> None:
        self._app_settings = settings
        self.app_settings_edited.emit(settings)

    # ---- what Qt tells ------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the new size."""
        super().resizeEvent(event)
        self.panes.fit(event.size().width())

    def showEvent(self, event: QShowEvent) -> None:
        """Begin when it can be seen."""
        super().showEvent(event)
        if not self._was_shown:
            # Before the first show the splitter has no width to divide.
            self._was_shown = True
            self.panes.apply(self._layout, self.width())
        self.tick.set_visible(True)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Notice the first paint; what follows it waits until that is on the screen."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while it cannot be seen."""
        super().hideEvent(event)
        self.tick.set_visible(False)

    def changeEvent(self, event: QEvent) -> None:
        """Follow a change of state."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.tick.set_visible(self.isVisible() and not self.isMinimized())

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close, unless something speaks against it."""
        self._on_settled()
        if not self._may_close():
            event.ignore()
            return
        self.closing.emit()
        super().closeEvent(event)

"""Composes the application: the only place that knows every part of it."""

from __future__ import annotations

import base64
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, QTimer

import assets
from app.chat.controller import ChatController
from app.chat.ledger import LedgerController
from app.chat.ledger_choices import LedgerChoices
from app.chat.presenter import ChatPresenter
from app.crash import CrashLog, CrashReport
from app.documents.automatic_modes import AutomaticModes
from app.documents.embedding import DocumentEmbedding
from app.documents.file_watch import FileWatch
from app.documents.search import PassageSearch
from app.documents.shelf import Shelf
from app.engine.controller import EngineController
from app.hop import MainThread
from app.notices import Notices
from app.reading.controller import PartsController
from app.session import State
from app.sidebar.controller import SidebarController
from app.store.chat_store import ChatStore
from app.store.settings_file import SettingsFile
from app.window.commands import Commands
from app.window.dialogs import Dialogs
from app.window.later import Later, Step
from app.window.toasting import Toasting
from engine.errors import UserError
from widgets import icons, theme
from widgets.beside import Beside
from widgets.chat.chat_view import ChatView
from widgets.main_window import MainWindow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PySide6.QtWidgets import QApplication

    from app.documents.passages_presenter import PassagesPresenter
    from app.documents.viewing import DocumentViewing
    from app.session import Session
    from app.store.early_check import EarlyCheck
    from app.window.closing import Closing
    from engine.documents.reader import DocumentReader
    from engine.errors import Problem
    from engine.settings import AppSettings, GenerationSettings
    from widgets.documents.passages_panel import PassagesPanel

_LAYOUT = "layout"
DRAFT = "draft"
"""Under which name the draft of a new chat is kept."""
_PAINTED_AFTER_MS = 1500


class Desktop(QObject):
    """The whole application with its window. Main thread. `close` it at the end.

    Args:
        application: The Qt application.
        worker_command: What to start as the engine's worker; the real one by default.
        worker_env: Additions to the worker's environment.
        early: Has begun to look the chats' file through for damage.

    Attributes:
        is_closed: Nothing is written to the settings any longer.

    Raises:
        UserError: The data folder cannot be used, e.g. ``stores.in_use``.
    """

    def __init__(
        self,
        application: QApplication,
        *,
        worker_command: Sequence[str] | None = None,
        worker_env: Mapping[str, str] | None = None,
        early: EarlyCheck | None = None,
    ) -> None:
        super().__init__()
        self.hop = MainThread(self)
        self.notices = Notices(self)
        self.crashes = CrashLog(self._on_crash, self._crash_facts)
        self.crashes.install()
        self.settings = SettingsFile(on_problem=self._tell_later)
        theme.prepare(application, self.settings.app.theme, self.settings.app.text_size)
        self._application = application
        self.store = ChatStore(on_problem=self._tell_later, early=early)
        self.engine = EngineController(self, command=worker_command, env=worker_env)
        self.shelf = Shelf(self.store, lambda: self.reader, self.hop, self)
        self.search = PassageSearch(
            self.engine, self.hop, lambda: self.settings.app.passages_per_question, self
        )
        self.modes = AutomaticModes(self.engine, self.shelf, self.hop, self)
        self.embedding = DocumentEmbedding(lambda: self.search.finder, self.shelf, self.hop, self)
        self.chat_view = ChatView()
        self.beside = Beside(self.chat_view, "chat_and_passages")
        self.window = MainWindow(self.beside)
        self.toasting = Toasting(self.notices, self.window, self)
        self.dialogs = Dialogs(self.window, self.notices, self)
        self.later = Later(self._later_steps(), self)
        self._compose_chat()
        self._compose_beside_chat()
        self._connect()
        self.is_closed = False
        self.window.ask_before_closing(lambda: self._closing.may_close())
        self.window.set_app_settings(self.settings.app)
        self.chat_view.set_long_paste(self.settings.app.long_paste_characters)
        # Once the window is put together, and before it measures anything.
        theme.apply(application, self.settings.app.theme)
        self.window.restore_layout(base64.b64decode(self.settings.window(_LAYOUT) or b""))
        self.embedding.use_model(self.settings.app.embedding_model)
        # First what stands in an empty chat, so that no other card is made for it before.
        self.presenter.refresh()
        self.chat.open(None)
        self.chat_view.focus_composer()
        for problem in (*self.settings.problems, *self.store.problems):
            self.notices.problem(problem)

    # ---- composing

    def _compose_chat(self) -> None:
        self.reading = PartsController(
            engine=self.engine, hop=self.hop, view=self.chat_view, parent=self
        )
        self.chat = ChatController(
            store=self.store,
            engine=self.engine,
            view=self.chat_view,
            shelf=self.shelf,
            search=self.search,
            modes=self.modes,
            notices=self.notices,
            hop=self.hop,
            reading=self.reading,
            generation=self._generation,
            new_draft=self.settings.window(DRAFT),
            parent=self,
        )
        self.ledger_choices = LedgerChoices(
            engine=self.engine,
            chat=self.chat,
            shelf=self.shelf,
            view=self.chat_view,
            parent=self,
        )
        self.ledger = LedgerController(
            engine=self.engine,
            chat=self.chat,
            choices=self.ledger_choices,
            view=self.chat_view,
            parent=self,
        )
        self.presenter = ChatPresenter(
            engine=self.engine,
            chat=self.chat,
            ledger=self.ledger,
            shelf=self.shelf,
            embedding=self.embedding,
            reading=self.reading,
            view=self.chat_view,
            parent=self,
        )

    def _compose_beside_chat(self) -> None:
        self.sidebar = SidebarController(
            store=self.store,
            sidebar=self.window.sidebar,
            chat=self.chat,
            shelf=self.shelf,
            engine=self.engine,
            notices=self.notices,
            hop=self.hop,
            parent=self,
        )
        self.files = FileWatch(
            application=self._application,
            store=self.store,
            shelf=self.shelf,
            chat=self.chat,
            notices=self.notices,
            hop=self.hop,
            parent=self,
        )
        self.commands = Commands(
            window=self.window,
            view=self.chat_view,
            store=self.store,
            chat=self.chat,
            shelf=self.shelf,
            sidebar=self.sidebar,
            viewing=self._viewing_now,
            files=self.files,
            chips=self.presenter.chips,
            dialogs=self.dialogs,
            notices=self.notices,
            add_files=self.add_files,
            parent=self,
        )

    # ---- what comes after the first paint; every import here would make that later

    def _later_steps(self) -> tuple[Step, ...]:
        return (
            # First what can be seen: its side of the window stands empty until then.
            Step(
                self.window.make_engine,
                ("widgets.settings.editors", "widgets.engine_pane.pane"),
            ),
            Step(self.window.arrange_engine),
            Step(
                self._compose_engine_side,
                ("app.window.engine_side", "app.engine.pane_controller"),
            ),
            Step(self._show_icon),
            Step(
                lambda: self.engine_side.compose_instruments(),
                ("psutil", "app.instruments"),
            ),
            Step(
                lambda: self.engine_side.compose_planning(),
                ("engine.telemetry.nvml", "engine.planning.client", "app.engine.plan_controller"),
            ),
            Step(
                lambda: self.engine_side.compose_models(),
                ("app.models", "widgets.models.page"),
            ),
            Step(
                lambda: self.engine_side.compose_economics(),
                ("app.engine.economics_controller", "widgets.economics.page"),
            ),
            Step(
                self._compose_documents,
                (
                    "engine.documents.reader",
                    *("widgets.documents.page_view", "app.documents.places"),
                    "widgets.library.page",
                ),
            ),
            Step(
                lambda: self.found,
                ("widgets.documents.passages_panel", "app.documents.passages_presenter"),
            ),
            Step(
                lambda: self.engine_side.compose_measuring(),
                ("engine.bench.tune", "app.engine.measuring"),
            ),
            Step(lambda: self.engine_side.tell_build(), ("app.engine.build_words",)),
            Step(
                self.chat_view.typesetter.warm_up,
                ("widgets.chat.markdown", "widgets.chat.body", "widgets.chat.message"),
            ),
            Step(lambda: self.chat.answering(), ("app.chat.requests", "app.chat.replying")),
            Step(lambda: None, ("app.reading.work", "engine.documents.citations")),
        )

    def _compose_engine_side(self) -> None:
        from app.window.engine_side import EngineSide

        self.engine_side = EngineSide(
            engine=self.engine,
            window=self.window,
            presenter=self.presenter,
            settings=self.settings,
            notices=self.notices,
            hop=self.hop,
            later=self.later,
            parent=self,
        )

    def _show_icon(self) -> None:
        self._application.setWindowIcon(icons.application_icon())

    def _compose_documents(self) -> None:
        from app.documents.places import DocumentPlaces

        self.places = DocumentPlaces(
            window=self.window,
            store=self.store,
            engine=self.engine,
            chat=self.chat,
            shelf=self.shelf,
            reader=self.reader,
            dialogs=self.dialogs,
            notices=self.notices,
            hop=self.hop,
            parent=self,
        )
        self.viewing, self.library = self.places.viewing, self.places.library
        self.library.changed.connect(self.sidebar.refresh_documents)
        self.library.deleted.connect(self.embedding.forget)
        self.library.deleted.connect(self.search.forget)

    @cached_property
    def reader(self) -> DocumentReader:
        """Who reads files. The first paint needs none."""
        from engine.documents.reader import DocumentReader

        return DocumentReader()

    @cached_property
    def passages(self) -> PassagesPanel:
        """The panel for passages beside the chat. It is not shown before somebody asks for it."""
        from widgets.documents.passages_panel import PassagesPanel

        panel = PassagesPanel()
        self.beside.hold(panel)
        return panel

    @cached_property
    def found(self) -> PassagesPresenter:
        """Who shows the passages that were found."""
        from app.documents.passages_presenter import PassagesPresenter

        found = PassagesPresenter(
            chat=self.chat, shelf=self.shelf, panel=self.passages, beside=self.beside, parent=self
        )
        found.page_requested.connect(lambda passage: self._viewing_now().open_citation(passage))
        found.closed.connect(self.chat_view.focus_composer)
        return found

    def _viewing_now(self) -> DocumentViewing:
        self.later.finish()
        return self.viewing

    def _generation(self) -> GenerationSettings:
        return self.settings.generation

    # ---- what the start and the headless job use

    def open_first(self, model: str = "", *, first: str = "") -> None:
        """Load the named model, or the last one where the user wants that.

        Args:
            model: A path, or ``demo``.
            first: The same, for a user who never chose one; without it a card explains itself.
        """
        self.presenter.refresh()
        self.later.add(lambda: self.engine_side.open_first(model, first))
        # A window that starts minimised is not painted.
        QTimer.singleShot(_PAINTED_AFTER_MS, self.later, self.later.begin)

    def add_files(self, paths: list[str]) -> None:
        """Put files into the open chat."""
        self.window.show_page("chat")
        self.shelf.add_files(self.chat.ensure_chat(), paths)

    def add_sample(self) -> None:
        """Put the bundled document into the open chat."""
        self.add_files([str(assets.FOLDER / "sample.pdf")])

    @cached_property
    def _closing(self) -> Closing:
        from app.window.closing import Closing

        return Closing(self)

    def close(self) -> None:
        """Save what is open, end the engine and every thread."""
        self._closing.close()

    # ---- connections

    def _connect(self) -> None:
        window = self.window
        window.painted.connect(self.later.begin)
        window.layout_changed.connect(self._on_layout_changed)
        window.theme_chosen.connect(self._on_theme)
        window.app_settings_edited.connect(self._on_app_settings)
        self.engine.logged.connect(lambda line: window.log.append([line]))
        window.log_not_saved.connect(self._on_log_not_saved)
        self.engine.session_changed.connect(self._on_session_changed)
        self.engine.load_failed.connect(self._on_load_failed)
        self.engine.came_back.connect(lambda problem: self.notices.say(problem.message))
        self.presenter.action_requested.connect(self._on_action)
        self.ledger_choices.action_requested.connect(self._on_action)
        self.ledger_choices.document_choice_made.connect(self.presenter.act_on_document)
        self.search.index_replaced.connect(self.notices.problem)
        self.embedding.failed.connect(self.notices.problem)
        self.chat.opened.connect(self.embedding.look_at)
        self.shelf.failed.connect(lambda _problem: window.show_page("chat"))
        self._connect_passages()

    def _connect_passages(self) -> None:
        show = self.window.actions_by_name["passages"]
        show.triggered.connect(lambda: self.found.toggle())
        self.chat_view.record_action_requested.connect(
            lambda message_id, _record: self.found.show_question(int(message_id))
        )

    # ---- slots

    def _on_layout_changed(self, data: bytes) -> None:
        if not self.is_closed:
            self.settings.set_window(_LAYOUT, base64.b64encode(data).decode())

    def _on_session_changed(self, session: Session) -> None:
        busy = session.is_answering or session.state in (State.STARTING, State.LOADING)
        self.window.set_busy(busy)

    def _on_log_not_saved(self, path: str, reason: str) -> None:
        self.notices.error(UserError("app.not_exported", path=path, reason=reason))

    def _on_load_failed(self, problem: Problem) -> None:
        # Without a model, a card in the chat says it.
        if self.engine.session.loaded is not None:
            self.notices.problem(problem)

    def _on_action(self, action: str) -> None:
        self.later.finish()
        name, _, value = action.partition(":")
        match name:
            case "load_demo":
                self.engine_side.pane.load_demo()
            case "choose_model":
                self.window.open_picker()
            case "restart":
                self.engine.restart()
            case "restart_safe":
                self.engine.restart(safe=True)
            case "show_log":
                self.window.open_log()
            case "new_chat":
                self.chat.open(None)
            case "sample":
                self.add_sample()
            case "settings":
                self.window.show_reply_setting(value)
            case "more_context":
                self.engine_side.pane.with_n_ctx(int(value))

    def _on_theme(self, mode: str) -> None:
        self._on_app_settings(msgspec.structs.replace(self.settings.app, theme=mode))

    def _on_app_settings(self, settings: AppSettings) -> None:
        old = self.settings.app
        self.settings.set_app(settings)
        self.window.set_app_settings(settings)
        if settings.theme != old.theme:
            theme.apply(self._application, settings.theme)
        theme.set_text_size(self._application, settings.text_size)
        if settings.telemetry_hz != old.telemetry_hz:
            self.engine_side.instruments.sampler.set_rate(settings.telemetry_hz)
        self.chat_view.set_long_paste(settings.long_paste_characters)
        self.embedding.use_model(settings.embedding_model)
        if settings.model_folders != old.model_folders:
            self.engine_side.models.scan()

    # ---- from other threads

    def _tell_later(self, problem: Problem) -> None:
        self.hop.post(lambda: self.notices.problem(problem))

    def _on_crash(self, report: CrashReport) -> None:
        self.hop.post(lambda: self.dialogs.show_crash(report))

    def _crash_facts(self) -> str:
        build = self.engine.session.build
        return build.system_info if build else "engine not started"

"""The models that can be loaded: the demo, those used last, and what is found on this computer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from engine.errors import UserError
from engine.models.demo import demo_model_path
from engine.models.discover import FoundModel, find_models
from widgets.engine_pane.viewdata import ModelFileView

if TYPE_CHECKING:
    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.session import Session
    from app.store.settings_file import SettingsFile
    from widgets.main_window import MainWindow


class ModelsController(QObject):
    """Owns the list of models and the thread that looks for them. Main thread."""

    def __init__(
        self,
        *,
        engine: EngineController,
        window: MainWindow,
        settings: SettingsFile,
        notices: Notices,
        hop: MainThread,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._window = window
        self._settings = settings
        self._notices = notices
        self._hop = hop
        self._found: tuple[FoundModel, ...] = ()
        self._loaded_path = ""
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="models")
        window.models_page.folder_add_requested.connect(self._on_folder_wanted)
        window.models_page.rescan_requested.connect(self.scan)
        engine.session_changed.connect(self._on_session_changed)
        self._show()

    def scan(self) -> None:
        """Look for models again, in the background."""
        folders = [Path(folder) for folder in self._settings.app.model_folders]
        recent = list(self._settings.recent_models)
        future = self._finder.submit(find_models, folders, recent)
        self._hop.when_done(future, self._on_found, self._notices.error)

    def say_gone(self, path: str) -> None:
        """The model used last is not there any more."""
        self._settings.forget_model(Path(path))
        self._notices.error(UserError("models.not_found", path=path))

    def close(self) -> None:
        """Stop looking; for the end of the app."""
        self._finder.shutdown(wait=False, cancel_futures=True)

    def _on_found(self, found: tuple[FoundModel, ...]) -> None:
        self._found = found
        self._show()

    def _on_session_changed(self, session: Session) -> None:
        path = session.loaded.settings.model_path if session.loaded else ""
        if path != self._loaded_path:
            self._loaded_path = path
            self._show()

    def _show(self) -> None:
        views: dict[str, ModelFileView] = {}
        for model in (*self._demo(), *self._found):
            path = str(model.path)
            views.setdefault(path, self._view(model))
        self._window.set_models(tuple(views.values()))

    def _demo(self) -> tuple[FoundModel, ...]:
        try:
            path = demo_model_path()
        except UserError:
            return ()
        known = [model for model in self._found if model.path == path]
        return tuple(known) or (FoundModel(path=path, name=path.stem, source=self.tr("Demo")),)

    def _view(self, model: FoundModel) -> ModelFileView:
        return ModelFileView(
            path=str(model.path),
            name=model.name,
            source=model.source,
            size_bytes=model.size_bytes,
            quantization=model.quantization,
            architecture=model.architecture,
            n_ctx_train=model.n_ctx_train,
            is_loaded=str(model.path) == self._loaded_path,
            problem=model.problem.message if model.problem else "",
        )

    def _on_folder_wanted(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, self.tr("Add a folder of models"))
        if folder and folder not in self._settings.app.model_folders:
            settings = self._settings.app
            folders = (*settings.model_folders, folder)
            self._window.app_settings_edited.emit(
                msgspec.structs.replace(settings, model_folders=folders)
            )

"""The models that can be loaded: the demo, those used last, and what is found on this computer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject

from engine.errors import UserError
from engine.models.demo import demo_model_path
from engine.models.discover import discover
from engine.models.header import read_header
from engine.models.places import places
from widgets import file_dialogs
from widgets.engine_pane.viewdata import ModelFileView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.engine.controller import EngineController
    from app.hop import MainThread
    from app.notices import Notices
    from app.session import Session
    from app.store.settings_file import SettingsFile
    from engine.errors import Problem
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
        self._window = window
        self._settings = settings
        self._notices = notices
        self._hop = hop
        self._views: dict[str, ModelFileView] = {}
        self._loaded_path = ""
        self._stop = threading.Event()
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._sources = {
            "demo": self.tr("Demo"),
            "recent": self.tr("Recent"),
            "lmstudio": "LM Studio",
            "ollama": "Ollama",
            "huggingface": "Hugging Face",
            "llama.cpp": "llama.cpp",
            "folder": self.tr("Your folders"),
        }
        window.models_page.folder_add_requested.connect(self._on_folder_wanted)
        window.models_page.rescan_requested.connect(self.scan)
        engine.session_changed.connect(self._on_session_changed)

    def scan(self) -> None:
        """Look for models again, in the background; they appear as they are found."""
        self._stop.set()
        self._stop = threading.Event()
        self._views = {}
        folders = self._settings.app.model_folders
        recent = self._settings.recent_models
        self._finder.submit(self._look, folders, recent, self._stop)

    def known(self) -> tuple[tuple[str, str], ...]:
        """Path and name of every model found so far."""
        return tuple((view.path, view.name) for view in self._views.values())

    def say_gone(self, path: str) -> None:
        """The model used last is not there any more."""
        self._settings.forget_model(Path(path))
        self._notices.error(UserError("models.not_found", path=path))

    def close(self) -> None:
        """Stop looking; for the end of the app."""
        self._stop.set()
        self._finder.shutdown(wait=True, cancel_futures=True)

    # ---- on the finder's thread

    def _look(
        self, folders: tuple[str, ...], recent: tuple[Path, ...], stop: threading.Event
    ) -> None:
        for source, path, name in _candidates(folders, recent, stop):
            if stop.is_set():
                return
            view = self._view(source, path, name)
            if view is not None:
                self._hop.post(lambda view=view: self._add(view, stop))  # type: ignore[misc]

    def _view(self, source: str, path: Path, name: str) -> ModelFileView | None:
        words = self._sources[source]
        try:
            header = read_header(path)
        except UserError as error:
            if error.code == "models.not_found":
                return None
            said = _in_a_row(error.problem)
            return ModelFileView(path=str(path), name=name, source=words, problem=said)
        return ModelFileView(
            path=str(path),
            name=name,
            source=words,
            size_bytes=header.file_bytes,
            quantization=header.quantization or "",
            architecture=header.architecture,
            n_ctx_train=header.context_length,
            problem=_in_a_row(header.problem) if header.problem else "",
        )

    # ---- on the main thread

    def _add(self, view: ModelFileView, stop: threading.Event) -> None:
        if stop is self._stop:
            self._views.setdefault(view.path, view)
            self._show()

    def _on_session_changed(self, session: Session) -> None:
        path = session.loaded.settings.model_path if session.loaded else ""
        if path != self._loaded_path:
            self._loaded_path = path
            self._show()

    def _show(self) -> None:
        self._window.set_models(
            tuple(
                msgspec.structs.replace(view, is_loaded=view.path == self._loaded_path)
                for view in self._views.values()
            )
        )

    def _on_folder_wanted(self) -> None:
        title = self.tr("Add a folder of models")
        folder = file_dialogs.choose_folder(self._window, title, file_dialogs.Purpose.MODELS)
        if folder and folder not in self._settings.app.model_folders:
            settings = self._settings.app
            folders = (*settings.model_folders, folder)
            self._window.app_settings_edited.emit(
                msgspec.structs.replace(settings, model_folders=folders)
            )


def _in_a_row(problem: Problem) -> str:
    """A sentence short enough for a line of the list: without the folders the file lies in."""
    path = problem.params.get("path")
    if isinstance(path, str):
        params = problem.params | {"path": Path(path).name}
        problem = msgspec.structs.replace(problem, params=params)
    return problem.message


def _candidates(
    folders: tuple[str, ...], recent: tuple[Path, ...], stop: threading.Event
) -> Iterator[tuple[str, Path, str]]:
    """Source, file and name of everything that may be a model, the nearest first."""
    try:
        demo = demo_model_path()
        yield "demo", demo, demo.stem
    except UserError:
        pass
    for path in recent:
        yield "recent", path, path.stem
    for found in discover(places(folders), cancelled=stop):
        for model in found:
            name = f"{model.publisher}/{model.name}" if model.publisher else model.name
            yield model.source, model.path, name

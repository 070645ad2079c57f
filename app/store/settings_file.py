"""Settings on disk: one JSON file, written whole or not at all, read as far as it can be.

Beside the settings of the app it holds those a model was last used with (profiles), the models
used last, and what the window remembers.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from app.store.faults import sentence_for_system
from app.store.whole_file import write_whole
from engine.errors import Problem, UserError
from engine.paths import config_dir
from engine.settings import (
    AppSettings,
    EngineSettings,
    GenerationSettings,
    from_stored,
    to_stored,
)

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S", bound=msgspec.Struct)

FILE_NAME = "settings.json"
VERSION = 1
_WRITE_AFTER_S = 0.3
_RECENT_MODELS = 12
_PROFILES = 200


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The settings a model was last used with."""

    engine: EngineSettings
    generation: GenerationSettings


def model_key(path: Path) -> str:
    """What a profile belongs to: this very file. A replaced file is another model.

    Raises:
        OSError: The file cannot be looked at.
    """
    found = path.stat()
    return f"{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"


class SettingsFile:
    """The settings as values, and the thread that writes them a moment after a change.

    Owned by the application; any thread may use it. Setters return at once.

    Attributes:
        problems: What could not be read, as sentences.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        """Read the file; one that cannot be read is moved aside and the defaults are used.

        Args:
            path: The file; by default in the configuration folder.
            on_problem: Called on the writing thread when the file could not be written.
        """
        self.path = path or config_dir() / FILE_NAME
        self._on_problem = on_problem or (lambda problem: None)
        # What a newer version may have put into the file is kept as it is.
        self._data, problems = _read(self.path)
        self._wake = threading.Condition()
        self._writing = threading.Lock()
        self._changed = False
        self._closing = False
        self._told_code = ""
        self._thread: threading.Thread | None = None
        self._app, app_problems = self._settings(AppSettings, "app")
        self._engine, engine_problems = self._settings(EngineSettings, "engine")
        self._generation, generation_problems = self._settings(GenerationSettings, "generation")
        self.problems = (*problems, *app_problems, *engine_problems, *generation_problems)

    @property
    def app(self) -> AppSettings:
        """Settings of the window."""
        return self._app

    @property
    def engine(self) -> EngineSettings:
        """How the model was last loaded."""
        return self._engine

    @property
    def generation(self) -> GenerationSettings:
        """How replies are sampled where a chat says nothing else."""
        return self._generation

    @property
    def recent_models(self) -> tuple[Path, ...]:
        """Models used last, the newest first; also those that are gone now."""
        stored = self._data.get("recent_models")
        paths = stored if isinstance(stored, list) else []
        return tuple(Path(path) for path in paths if isinstance(path, str))

    def set_app(self, settings: AppSettings) -> None:
        """Keep settings of the window."""
        self._app = settings
        self._put("app", to_stored(settings))

    def set_engine(self, settings: EngineSettings) -> None:
        """Keep how the model is loaded."""
        self._engine = settings
        self._put("engine", to_stored(settings))

    def set_generation(self, settings: GenerationSettings) -> None:
        """Keep how replies are sampled."""
        self._generation = settings
        self._put("generation", to_stored(settings))

    def note_model(self, path: Path) -> None:
        """Put a model in front of those used last."""
        paths = [path, *(other for other in self.recent_models if other != path)]
        self._put("recent_models", [str(kept) for kept in paths[:_RECENT_MODELS]])

    def forget_model(self, path: Path) -> None:
        """Take a model out of those used last."""
        self._put("recent_models", [str(kept) for kept in self.recent_models if kept != path])

    def profile(self, key: str, name: str = "") -> Profile | None:
        """The settings a model was last used with, or those kept under a name.

        Args:
            key: `model_key` of the model.
            name: A name the user gave; empty for the last used.
        """
        stored = self._part("profiles").get(_profile_key(key, name))
        if not isinstance(stored, dict):
            return None
        engine, _ = from_stored(EngineSettings, stored.get("engine"))
        generation, _ = from_stored(GenerationSettings, stored.get("generation"))
        return Profile(engine=engine, generation=generation)

    def set_profile(self, key: str, profile: Profile, name: str = "") -> None:
        """Keep the settings a model is used with. The oldest of too many profiles are dropped."""
        kept_as = _profile_key(key, name)
        profiles = {
            other: kept for other, kept in self._part("profiles").items() if other != kept_as
        }
        profiles[kept_as] = {
            "engine": to_stored(profile.engine),
            "generation": to_stored(profile.generation),
        }
        newest = itertools.islice(profiles.items(), max(0, len(profiles) - _PROFILES), None)
        self._put("profiles", dict(newest))

    def profile_names(self, key: str) -> tuple[str, ...]:
        """Names the user gave to settings of a model, sorted."""
        start = _profile_key(key, "x")[:-1]
        names = [other[len(start) :] for other in self._part("profiles") if other.startswith(start)]
        return tuple(sorted(names, key=str.casefold))

    def delete_profile(self, key: str, name: str) -> None:
        """Forget settings kept under a name."""
        gone = _profile_key(key, name)
        profiles = self._part("profiles")
        self._put("profiles", {other: kept for other, kept in profiles.items() if other != gone})

    def window(self, name: str) -> str:
        """What the window remembers under a name (geometry, splitters …); empty for nothing."""
        value = self._part("window").get(name)
        return value if isinstance(value, str) else ""

    def set_window(self, name: str, value: str) -> None:
        """Remember something of the window."""
        self._put("window", {**self._part("window"), name: value})

    def save(self) -> None:
        """Write now; not for the GUI thread.

        Raises:
            UserError: ``stores.disk_full``, ``stores.read_only`` …
        """
        with self._writing:
            with self._wake:
                self._changed = False
                data = {"version": VERSION, **self._data}
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                text = msgspec.json.format(msgspec.json.encode(data)) + b"\n"
                write_whole(self.path, text, is_private=True)
            except OSError as error:
                raise sentence_for_system(error, self.path) from error

    def close(self) -> None:
        """Write what is not written yet and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _settings(self, declared: type[S], name: str) -> tuple[S, tuple[Problem, ...]]:
        return from_stored(declared, self._data[name]) if name in self._data else (declared(), ())

    def _part(self, name: str) -> dict[str, Any]:
        stored = self._data.get(name)
        return stored if isinstance(stored, dict) else {}

    def _put(self, name: str, value: object) -> None:
        with self._wake:
            if self._closing:
                raise RuntimeError("the settings are closed")
            if self._data.get(name) == value:
                return
            self._data = {**self._data, name: value}
            self._changed = True
            self._wake.notify()
            # Begun with the first change: who only reads needs no thread.
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="settings-writer", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._changed or self._closing)
                # A dragged splitter changes many times: wait for the end of it.
                self._wake.wait_for(lambda: self._closing, _WRITE_AFTER_S)
                changed, closing = self._changed, self._closing
            if changed:
                self._save_or_tell()
            if closing:
                return

    def _save_or_tell(self) -> None:
        try:
            self.save()
            self._told_code = ""
        except UserError as error:
            if error.code != self._told_code:
                self._told_code = error.code
                self._on_problem(error.problem)


def _profile_key(key: str, name: str) -> str:
    return f"{key}\n{name}" if name else key


def _read(path: Path) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    try:
        data = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        return {}, (sentence_for_system(error, path).problem,)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return {}, _aside(path, "damaged", "stores.settings_damaged", str(error))
    version = data.pop("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        return data, _aside(path, "newer", "stores.settings_newer", f"version {version!r}")
    return data, ()


def _aside(path: Path, why: str, code: str, detail: str) -> tuple[Problem, ...]:
    kept = path.with_name(f"{path.stem}.{why}-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    try:
        path.replace(kept)
    except OSError as error:
        return (sentence_for_system(error, path).problem,)
    return (Problem(code=code, params={"path": str(kept)}, detail=detail),)

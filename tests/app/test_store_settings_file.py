"""The settings file: whole or not at all, read as far as it can be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from app.store.settings_file import Profile, SettingsFile, model_key
from engine.errors import Problem, UserError
from engine.settings import AppSettings, EngineSettings, GenerationSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def test_without_a_file_there_are_the_defaults_and_none_is_made(path: Path) -> None:
    settings = SettingsFile(path)
    assert settings.app == AppSettings()
    assert settings.engine == EngineSettings()
    assert settings.generation == GenerationSettings()
    assert settings.problems == ()
    assert settings.recent_models == ()
    settings.close()
    assert not path.exists()


def test_what_was_set_is_there_the_next_time(path: Path) -> None:
    settings = SettingsFile(path)
    settings.set_app(AppSettings(theme="dark", model_folders=("/models",)))
    settings.set_engine(EngineSettings(model_path="/models/a.gguf", n_ctx=8192))
    settings.set_generation(GenerationSettings(system_prompt="Be brief.", seed=7))
    settings.note_model(Path("/models/a.gguf"))
    settings.note_model(Path("/models/b.gguf"))
    settings.note_model(Path("/models/a.gguf"))
    settings.set_window("geometry", "AdnQywAD")
    settings.set_window("splitter", "AAAA/w")
    settings.close()
    again = SettingsFile(path)
    assert again.problems == ()
    assert again.app == AppSettings(theme="dark", model_folders=("/models",))
    assert again.engine == EngineSettings(model_path="/models/a.gguf", n_ctx=8192)
    assert again.generation == GenerationSettings(system_prompt="Be brief.", seed=7)
    assert again.recent_models == (Path("/models/a.gguf"), Path("/models/b.gguf"))
    assert (again.window("geometry"), again.window("splitter")) == ("AdnQywAD", "AAAA/w")
    assert again.window("nothing") == ""
    again.close()


def test_a_model_can_be_forgotten(path: Path) -> None:
    settings = SettingsFile(path)
    settings.note_model(Path("/models/a.gguf"))
    settings.note_model(Path("/models/b.gguf"))
    settings.forget_model(Path("/models/b.gguf"))
    assert settings.recent_models == (Path("/models/a.gguf"),)
    settings.close()


def test_a_profile_belongs_to_one_very_file(path: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"one")
    profile = Profile(
        engine=EngineSettings(n_ctx=16_384), generation=GenerationSettings(temperature=0.1)
    )
    settings = SettingsFile(path)
    settings.set_profile(model_key(model), profile)
    settings.close()
    again = SettingsFile(path)
    assert again.profile(model_key(model)) == profile
    model.write_bytes(b"another")
    assert again.profile(model_key(model)) is None
    again.close()


def test_the_oldest_of_too_many_profiles_goes(path: Path) -> None:
    settings = SettingsFile(path)
    profile = Profile(engine=EngineSettings(n_ctx=512), generation=GenerationSettings())
    for number in range(203):
        settings.set_profile(f"model {number}", profile)
    settings.close()
    again = SettingsFile(path)
    assert again.profile("model 2") is None
    assert again.profile("model 3") == profile
    assert again.profile("model 202") == profile


def test_a_change_is_written_within_a_second(path: Path) -> None:
    settings = SettingsFile(path)
    took_s: list[float] = []
    # A busy machine is late now and then, but not each time.
    for geometry in ("A", "B", "C"):
        settings.set_window("geometry", geometry)
        began_s = time.monotonic()
        while not path.exists() or SettingsFile(path).window("geometry") != geometry:
            assert time.monotonic() - began_s < 60.0
            time.sleep(0.01)
        took_s.append(time.monotonic() - began_s)
    settings.close()
    assert min(took_s) < 1.0


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b'{"app": '])
def test_an_unreadable_file_is_kept_and_the_defaults_used(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    settings = SettingsFile(path)
    assert settings.app == AppSettings()
    assert [problem.code for problem in settings.problems] == ["stores.settings_damaged"]
    settings.set_app(AppSettings(theme="dark"))
    settings.close()
    kept = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert [file.read_bytes() for file in kept] == [content]
    assert SettingsFile(path).app.theme == "dark"


@pytest.mark.parametrize(
    "data",
    [
        {"app": 5, "engine": [], "generation": None, "recent_models": {}, "profiles": 1},
        {"recent_models": [1, None], "profiles": {"key": 3}, "window": {"geometry": 4}},
    ],
)
def test_parts_of_the_wrong_kind_cost_only_themselves(path: Path, data: dict[str, object]) -> None:
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode(data))
    settings = SettingsFile(path)
    assert settings.engine == EngineSettings()
    assert settings.recent_models == ()
    assert settings.profile("key") is None
    assert settings.window("geometry") == ""
    settings.set_window("geometry", "AA")
    assert settings.window("geometry") == "AA"
    settings.close()


def test_one_bad_value_costs_only_itself(path: Path) -> None:
    path.parent.mkdir()
    stored = {"version": 1, "values": {"n_ctx": -5, "mlock": True}}
    path.write_bytes(msgspec.json.encode({"version": 1, "engine": stored}))
    settings = SettingsFile(path)
    assert settings.engine == EngineSettings(mlock=True)
    assert [problem.code for problem in settings.problems] == ["settings.invalid"]


def test_a_newer_file_is_used_and_a_copy_kept(path: Path) -> None:
    path.parent.mkdir()
    stored = {"version": 1, "values": {"theme": "dark"}}
    content = msgspec.json.encode({"version": 99, "app": stored, "hologram": [1, 2]})
    path.write_bytes(content)
    settings = SettingsFile(path)
    assert settings.app.theme == "dark"
    assert [problem.code for problem in settings.problems] == ["stores.settings_newer"]
    settings.set_window("geometry", "AA")
    settings.close()
    assert msgspec.json.decode(path.read_bytes())["hologram"] == [1, 2]
    kept = [file for file in path.parent.iterdir() if ".newer-" in file.name]
    assert [file.read_bytes() for file in kept] == [content]


def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "config"
    blocked.touch()
    told: list[Problem] = []
    settings = SettingsFile(blocked / "settings.json", on_problem=told.append)
    settings.set_app(AppSettings(theme="dark"))
    began_s = time.monotonic()
    while not told:
        assert time.monotonic() - began_s < 60.0
        time.sleep(0.01)
    with pytest.raises(UserError):
        settings.save()
    assert settings.app.theme == "dark"
    blocked.unlink()
    settings.set_window("geometry", "AA")
    settings.close()
    assert len(told) == 1
    assert SettingsFile(blocked / "settings.json").app.theme == "dark"


_WRITE = """
import sys
from pathlib import Path
from app.store.settings_file import SettingsFile
settings = SettingsFile(Path(sys.argv[1]))
number = 0
while True:
    settings.set_window("geometry", "x" * 200_000 + str(number))
    settings.save()
    print(number, flush=True)
    number += 1
"""


def test_killed_while_writing_the_file_is_whole(path: Path) -> None:
    for delay_s in (0.0, 0.013, 0.029):
        command = [sys.executable, "-c", _WRITE, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay_s)
            os.kill(process.pid, signal.SIGKILL)
        settings = SettingsFile(path)
        assert settings.problems == ()
        assert settings.window("geometry").startswith("x" * 200_000)

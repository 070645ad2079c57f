"""Makes the environment Leadline runs in: uv, `.venv`, llama.cpp, system libraries.

``python3 -m engine.environment {run,test,lock}``, called by the Makefile. Standard library only:
at the start of its work nothing else is there. Choosing a backend is `engine.build`; building it
is `engine.wheel`; naming the system packages that are missing is `engine.system`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine import native, system
from engine.build import AUTO, Backend, choose
from engine.wheel import Wheel, without_locked_requirement

ROOT = Path(__file__).resolve().parent.parent
UV_VERSION = "0.13.9"
_MINIMUM_UV = (0, 9)
LOCKS = {"run": "requirements.lock", "test": "tests/requirements.lock"}
_SUPPORTED = ((3, 11), (3, 14))


class SetupError(Exception):
    """Setting up cannot go on; the text says what to do."""


@dataclass(frozen=True)
class Stamp:
    """What `.venv` was made from; equal stamps mean that there is nothing to do.

    Attributes:
        level: ``run``, or ``test`` which holds the tools of the tests as well.
        backend: Name of the backend that llama.cpp was built for.
        inputs: Hash of the locks and of the project's declaration.
    """

    level: str
    backend: str
    inputs: str


def wanted_stamp(level: str, requested: str | None, made: Stamp | None, inputs: str) -> Stamp:
    """What `.venv` should be: never less than it was, and its backend kept unless one is named."""
    if made is not None and made.level == "test":
        level = "test"
    if requested is None and made is not None:
        return Stamp(level, made.backend, inputs)
    choice = choose(requested or AUTO)
    _say(f"llama.cpp backend: {choice.backend} ({choice.reason})")
    return Stamp(level, choice.backend.value, inputs)


def read_stamp(path: Path) -> Stamp | None:
    """The stamp of the last complete setup, ``None`` when there is none that can be read."""
    try:
        return Stamp(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def inputs_hash(root: Path) -> str:
    """Changes whenever the locks or the project's declaration do."""
    digest = hashlib.sha256()
    for name in (*LOCKS.values(), "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def find_uv(root: Path) -> Path | None:
    """A uv that is new enough: the one on the path, else the one in `.tools`."""
    own = [root / ".tools" / folder / "bin" / "uv" for folder in ("uv", "uv-target")]
    on_path = shutil.which("uv")
    for candidate in ([Path(on_path)] if on_path else []) + own:
        if _uv_version(candidate) >= _MINIMUM_UV:
            return candidate
    return None


def install_uv(root: Path) -> Path:
    """Put uv into `.tools` with whatever this Python has: venv, pip, or apt-get to get venv.

    Raises:
        SetupError: When none of them works.
    """
    requirement = f"uv=={UV_VERSION}"
    _say(f"Installing {requirement} into .tools")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for attempt in range(2):
        venv = root / ".tools" / "uv"
        if _succeeds([sys.executable, "-m", "venv", "--clear", str(venv)]):
            _run([str(venv / "bin" / "python"), *pip[1:], requirement])
        elif _succeeds([sys.executable, "-m", "pip", "--version"]):
            _run([*pip, "--upgrade", "--target", str(root / ".tools" / "uv-target"), requirement])
        elif attempt == 0:
            _install_system_packages(["python3-venv"], needed_for="Installing uv")
            continue
        found = find_uv(root)
        if found:
            return found
    raise SetupError("uv could not be installed. Install it by hand, then call make again.")


def make_environment(uv: Path, stamp: Stamp) -> None:
    """Bring `.venv` to what `stamp` says: locked packages, llama.cpp, Leadline itself."""
    python = ROOT / ".venv" / "bin" / "python"
    if not _succeeds([str(python), "--version"]):
        _run([str(uv), "venv", "-q", "--clear", "--python", _base_python(), str(ROOT / ".venv")])
    missing = system.missing_compiler()
    if missing:
        _install_system_packages(missing, needed_for="Building llama.cpp")
    lock_text = (ROOT / LOCKS[stamp.level]).read_text(encoding="utf-8")
    wheel = _llama_wheel(lock_text, Backend(stamp.backend), uv, python)
    _say("Installing packages")
    target = ["--quiet", "--python", str(python)]
    with tempfile.TemporaryDirectory() as scratch:
        packages = Path(scratch) / "requirements.txt"
        packages.write_text(without_locked_requirement(lock_text), encoding="utf-8")
        # Byte code at once: otherwise the first start of everything would make it.
        sync = [str(uv), "pip", "sync", *target, "--compile-bytecode"]
        _run([*sync, "--require-hashes", str(packages)])
    own = ["--no-deps", str(wheel), "--editable", str(ROOT)]
    _run([str(uv), "pip", "install", *target, *own])


def _llama_wheel(lock_text: str, backend: Backend, uv: Path, python: Path) -> Path:
    """The kept wheel of a backend, built first where there is none."""
    wheel = Wheel(lock_text, backend)
    if wheel.path is None:
        _say(f"Building llama.cpp for {backend}. This takes some minutes, once on this machine.")
        started = time.monotonic()
        if not wheel.build(uv, python, _say):
            other = "" if backend is Backend.CPU else "\nTo go on: make setup BACKEND=cpu"
            raise SetupError(f"llama.cpp for {backend} could not be built; see above why.{other}")
        _say(f"Built in {time.monotonic() - started:.0f} s")
    if wheel.path is None:
        raise SetupError(f"The build of llama.cpp for {backend} left no wheel.")
    return wheel.path


def lock(uv: Path) -> None:
    """Write the locks again: for every platform and Python, with hashes, without addresses."""
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    command = [str(uv), "pip", "compile", "pyproject.toml", *options]
    command += ["--custom-compile-command", "make lock"]
    run, test = LOCKS["run"], LOCKS["test"]
    _run([*command, "-o", run])
    groups = ["--group", "test", "--group", "check", "--constraints", run]
    _run([*command, *groups, "--no-annotate", "-o", test])


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="engine.environment", description=__doc__)
    parser.add_argument("task", choices=[*LOCKS, "lock"])
    parser.add_argument("--backend", choices=[AUTO, *Backend], default=None)
    options = parser.parse_args(arguments)
    try:
        if options.task == "lock":
            lock(find_uv(ROOT) or install_uv(ROOT))
        else:
            _set_up(options.task, options.backend)
    except SetupError as error:
        _say(str(error))
        return 1
    return 0


def _set_up(level: str, requested: str | None) -> None:
    stamp_path = ROOT / ".venv" / "leadline-setup.json"
    made = read_stamp(stamp_path)
    stamp = wanted_stamp(level, requested, made, inputs_hash(ROOT))
    if stamp != made:
        started = time.monotonic()
        # An interrupted setup must not look complete; a failed one goes back to what was before.
        if made:
            _write_stamp(stamp_path, replace(made, inputs=""))
        make_environment(find_uv(ROOT) or install_uv(ROOT), stamp)
        _write_stamp(stamp_path, stamp)
        _say(f"Environment ready in {time.monotonic() - started:.0f} s")
    if not native.compile_library(ROOT / ".venv"):
        _say("The C part of the sampler could not be compiled; numpy does its work.")
    missing = system.missing_for_qt(_site_dir() / "PySide6", has_display=system.has_display())
    if missing:
        _install_system_packages(missing, needed_for="The window")


def _site_dir() -> Path:
    return next((ROOT / ".venv").glob("lib/python3*/site-packages"))


def _write_stamp(path: Path, stamp: Stamp) -> None:
    path.write_text(json.dumps(asdict(stamp)), encoding="utf-8")


def _install_system_packages(packages: list[str], *, needed_for: str) -> None:
    """Install Debian packages as root; otherwise say which command does.

    Raises:
        SetupError: When they are not installed afterwards.
    """
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        raise SetupError(f"{needed_for} needs what Debian calls: {' '.join(packages)}")
    if os.geteuid() != 0:
        raise SetupError(f"{needed_for} needs system packages. Run:\n  sudo {' '.join(command)}")
    _say(f"{needed_for} needs system packages: {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Package lists may be missing or old: then the install itself says what is wrong.
    _succeeds(["apt-get", "update", "-q"], environment)
    _run(command, environment)


def _base_python() -> str:
    lowest, beyond = _SUPPORTED
    if lowest <= sys.version_info[:2] < beyond:
        return sys.executable
    return f">={lowest[0]}.{lowest[1]},<{beyond[0]}.{beyond[1]}"


def _uv_version(path: Path) -> tuple[int, ...]:
    try:
        done = subprocess.run([str(path), "--version"], capture_output=True, text=True)
        return tuple(int(part) for part in done.stdout.split()[1].split(".")[:2])
    except (OSError, IndexError, ValueError):
        return ()


def _succeeds(command: list[str], environment: dict[str, str] | None = None) -> bool:
    try:
        return subprocess.run(command, capture_output=True, env=environment).returncode == 0
    except OSError:
        return False


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    status = subprocess.run(command, env=environment, cwd=ROOT).returncode
    if status:
        raise SetupError(f"This command failed with status {status}:\n  {' '.join(command)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

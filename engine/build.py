"""Which llama.cpp this machine should build and which one is installed.

Standard library only: it also runs before anything is installed. Making the environment is
`engine.environment`; what the loaded library says about itself is `engine.llama`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

AUTO = "auto"
_PROBE_TIMEOUT_S = 15.0
PACKAGE = "llama-cpp-python"
# Of every build; pyproject.toml gives the same to uv, which also serves those without make.
COMMON_SETTINGS = {"GGML_RPC": "ON"}


class Backend(StrEnum):
    """What llama.cpp computes on, besides the CPU, which every build can."""

    CPU = "cpu"
    CUDA = "cuda"
    VULKAN = "vulkan"
    METAL = "metal"


@dataclass(frozen=True)
class Choice:
    """The backend to build and the sentence that says why."""

    backend: Backend
    reason: str


@dataclass(frozen=True)
class InstalledBuild:
    """The llama.cpp that would be loaded, read off its files without loading it.

    Attributes:
        backend: The strongest backend it was built for.
        has_rpc: Whether it can use devices of other machines.
        library_dir: Folder of its shared libraries.
    """

    backend: Backend
    has_rpc: bool
    library_dir: Path


def choose(requested: str = AUTO, *, platform: str = sys.platform) -> Choice:
    """The backend to build for.

    Args:
        requested: A backend's name, or ``auto``: CUDA where both the driver and the compiler
            answer, Metal on macOS, else the CPU.
        platform: `sys.platform` of the machine that builds.

    Raises:
        ValueError: When `requested` names no backend.
    """
    if requested != AUTO:
        return Choice(Backend(requested), "as asked")
    if platform == "darwin":
        return Choice(Backend.METAL, "this is macOS")
    driver, compiler = _answers("nvidia-smi", "-L"), _answers("nvcc", "--version")
    if driver and compiler:
        return Choice(Backend.CUDA, "nvidia-smi and nvcc both answer")
    if driver:
        return Choice(Backend.CPU, "nvidia-smi answers, but the CUDA compiler nvcc does not")
    return Choice(Backend.CPU, "no NVIDIA driver answers")


def build_settings(backend: Backend, *, platform: str = sys.platform) -> dict[str, str]:
    """The CMake definitions of a backend, besides those in pyproject.toml that every build has."""
    if backend is not Backend.CPU:
        return {f"GGML_{backend.name}": "ON"}
    # On macOS, Metal is on by default.
    return {"GGML_METAL": "OFF"} if platform == "darwin" else {}


def uv_arguments(backend: Backend, *, platform: str = sys.platform) -> list[str]:
    """The options that make uv build a backend; uv keeps one built wheel per set of them."""
    return [
        f"--config-settings-package={PACKAGE}:cmake.define.{name}={value}"
        for name, value in build_settings(backend, platform=platform).items()
    ]


def installed_build() -> InstalledBuild | None:
    """The llama.cpp of this Python, or ``None`` where none is installed."""
    library_dir = _library_dir()
    if library_dir is None:
        return None
    names = {_backend_name(path) for path in library_dir.iterdir()}
    found = (backend for backend in reversed(Backend) if backend.value in names)
    return InstalledBuild(next(found, Backend.CPU), "rpc" in names, library_dir)


def change_command(backend: Backend, *, platform: str = sys.platform) -> str:
    """What to type in Leadline's folder to build another backend; on Windows, three lines."""
    if platform != "win32":
        return f"make setup BACKEND={backend}"
    sync = ["uv pip sync requirements.lock", *uv_arguments(backend, platform=platform)]
    install = "uv pip install --no-deps --editable ."
    return "\n".join([f"uv pip uninstall {PACKAGE}", " ".join(sync), install])


def _library_dir() -> Path | None:
    """The folder llama-cpp-python loads from; the variable is its own, for other builds."""
    override = os.environ.get("LLAMA_CPP_LIB_PATH")
    if override:
        return Path(override) if Path(override).is_dir() else None
    spec = importlib.util.find_spec("llama_cpp")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "lib").is_dir():
            return Path(folder) / "lib"
    return None


def _backend_name(path: Path) -> str:
    """``libggml-cuda.so.0`` or ``ggml-cuda.dll`` -> ``cuda``; other files -> an empty string."""
    _, mark, rest = path.name.partition("ggml-")
    return rest.split(".", 1)[0] if mark else ""


def _answers(program: str, argument: str) -> bool:
    path = shutil.which(program)
    if path is None:
        return False
    try:
        # A driver that is broken hangs or fails: either way it cannot be built for.
        done = subprocess.run([path, argument], capture_output=True, timeout=_PROBE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

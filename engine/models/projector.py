"""Vision projectors (mmproj): which file goes with a model, and whether it is one at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.models.gguf_file import peek_architecture, read_gguf
from engine.models.model_files import truncated

if TYPE_CHECKING:
    from engine.settings import EngineSettings

AUTO = "auto"
"""Takes the projector that lies beside the model."""

_ARCHITECTURE = "clip"


def projector_of(settings: EngineSettings) -> Path | None:
    """The projector that settings ask for, looked at; None when they ask for none.

    Raises:
        UserError: ``models.no_projector_beside``, ``models.not_a_projector``, or what else is
            wrong with the file.
    """
    if not settings.mmproj:
        return None
    model = Path(settings.model_path).expanduser()
    if settings.mmproj == AUTO:
        beside = projectors_beside(model)
        if not beside:
            raise UserError("models.no_projector_beside", path=str(model))
        return beside[0]
    path = Path(settings.mmproj).expanduser()
    file = read_gguf(path)
    if file.text("general.architecture") != _ARCHITECTURE:
        raise UserError("models.not_a_projector", path=str(path))
    if file.missing_bytes:
        raise UserError.of(truncated(path, file.missing_bytes))
    return path


def projectors_beside(model: Path) -> tuple[Path, ...]:
    """The projectors in a model's folder, by name."""
    try:
        files = sorted(model.parent.glob("*.gguf"))
    except OSError:
        return ()
    return tuple(path for path in files if is_projector(path))


def is_projector(path: Path) -> bool:
    """Whether a file's header says that it is one; False for what cannot be read."""
    try:
        return peek_architecture(path) == _ARCHITECTURE
    except UserError:
        return False


def weights_bytes(path: Path) -> int:
    """Bytes of all tensors of a projector."""
    return sum(tensor.size_bytes or 0 for tensor in read_gguf(path).tensors)

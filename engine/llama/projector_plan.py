"""What the projector of some settings would take, kept over the dry runs of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.llama.placement import placed
from engine.llama.projector import foreign, measured_projector
from engine.models.projector import projector_of

if TYPE_CHECKING:
    from pathlib import Path

    from engine.llama.devices import Devices
    from engine.llama.projector import ProjectorShare
    from engine.settings import EngineSettings


class ProjectorPlan:
    """Measures each file once per device. Owned by a dry run, on the planner's main thread."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._shares: dict[tuple[object, ...], ProjectorShare] = {}
        self._paths: dict[str, Path | None] = {}

    def share(self, settings: EngineSettings) -> ProjectorShare | None:
        """What it takes on the first device; None without a projector.

        Raises:
            UserError: The file is missing, or no projector.
        """
        path = self._path(settings)
        if path is None:
            return None
        devices = placed(settings, self._devices.chosen(settings.devices))
        device = devices[0] if devices else None
        found = path.stat()
        key = (path, found.st_size, found.st_mtime_ns, device.handle if device else 0)
        if key not in self._shares:
            self._shares[key] = measured_projector(path, device)
        return self._shares[key]

    def check_width(self, settings: EngineSettings, share: ProjectorShare, n_embd: int) -> None:
        """Whether a projector goes with a model of this width.

        Raises:
            UserError: ``engine.projector_foreign``.
        """
        path = self._path(settings)
        if path is not None and share.n_embd is not None and share.n_embd != n_embd:
            raise foreign(path, share.n_embd, n_embd)

    def _path(self, settings: EngineSettings) -> Path | None:
        # Looked for once: "auto" opens every model file of the folder.
        path = self._paths.get(settings.mmproj)
        if path is None or not path.is_file():
            path = self._paths[settings.mmproj] = projector_of(settings)
        return path

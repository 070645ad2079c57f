"""Refuses settings that would fail or abort, before llama.cpp sees them.

The window and the command line show the rules while settings are chosen; this holds for settings
that come another way as well (a stored profile, a file that changed). It reads the header alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.llama.build_facts import build_facts
from engine.llama.placement import placed
from engine.models.projector import projector_of
from engine.planning.draft_pair import check_draft
from engine.planning.facts import DeviceFacts
from engine.planning.header import read_header
from engine.planning.rules import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.llama.devices import Device
    from engine.settings import EngineSettings


def refuse_what_fails(settings: EngineSettings, devices: Sequence[Device]) -> None:
    """Check the rules against a file and the devices it is to be loaded onto.

    Raises:
        UserError: The first rule that says no, or what is wrong with a file.
    """
    facts = read_header(Path(settings.model_path).expanduser()).facts
    chosen = [DeviceFacts.of(device.info) for device in devices]
    # No rule that refuses asks whether NCCL is there, which takes reading the CUDA library.
    for verdict in check(settings, facts, build_facts(()), chosen):
        if verdict.severity == "no":
            raise UserError.of(verdict.problem)
    # What goes beside the model is looked at as well before anything is let go or read.
    placed(settings, devices)
    projector_of(settings)
    check_draft(settings)

"""Names the node that died when llama.cpp gave up on a remote device."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAVE_UP = re.compile(r"RPC server crashed|Failed to connect to|RPC handshake failed|recv failed")
_ADDRESS = re.compile(r"^(?:rpc:)?([^\s:]+):(\d{1,5})$", re.IGNORECASE)
_ANSWER_S = 1.0


def lost_node(last_words: str, devices: Sequence[str]) -> Problem | None:
    """The sentence for an engine that died with a node; None when no node was involved.

    llama.cpp does not say which node it lost, so those in use are tried: one that no longer answers
    is named. It blocks for up to a second per node.

    Args:
        last_words: What the engine said before it died.
        devices: The devices it was using, as in the settings.
    """
    nodes = [found for device in devices if (found := _ADDRESS.match(device))]
    if not nodes or not _GAVE_UP.search(last_words):
        return None
    silent = [f"{node[1]}:{node[2]}" for node in nodes if not _answers(node[1], int(node[2]))]
    if silent:
        return Problem(code="node.lost", params={"address": ", ".join(silent)}, detail=last_words)
    names = ", ".join(f"{node[1]}:{node[2]}" for node in nodes)
    return Problem(code="node.failed", params={"address": names}, detail=last_words)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=_ANSWER_S):
        return True
    return False

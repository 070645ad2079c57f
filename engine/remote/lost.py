"""Names the node that an engine lost, or waits for."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import Problem, UserError
from engine.remote.greeting import address_of, greet

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAVE_UP = re.compile(r"RPC server crashed|Failed to connect to|RPC handshake failed|recv failed")
_ANSWER_S = 1.0
# A node starts a server for whoever calls, and may be busy.
_GREETING_S = 5.0


def lost_node(last_words: str, devices: Sequence[str]) -> Problem | None:
    """The sentence for an engine that died with a node; None when no node was involved.

    llama.cpp does not say which node it lost, so those in use are tried: one that no longer answers
    is named. It blocks for up to a second per node.

    Args:
        last_words: What the engine said before it died.
        devices: The devices it was using, as in the settings.
    """
    nodes = nodes_among(devices)
    if not nodes or not _GAVE_UP.search(last_words):
        return None
    silent = [node for node in nodes if not _answers(node)]
    if silent:
        return Problem(code="node.lost", params={"address": ", ".join(silent)}, detail=last_words)
    return Problem(code="node.failed", params={"address": ", ".join(nodes)}, detail=last_words)


def nodes_among(devices: Sequence[str]) -> tuple[str, ...]:
    """The addresses among devices as written in the settings, each once."""
    return tuple(dict.fromkeys(node for each in devices if (node := address_of(each))))


def silent_nodes(devices: Sequence[str]) -> tuple[str, ...]:
    """Those that answer no greeting: frozen, cut off or gone; it blocks for seconds per node.

    One that is frozen still takes a connection: its system does, and keeps it for later. A server
    of ggml's own, which serves one client at a time, does not answer a second one either.
    """
    return tuple(node for node in nodes_among(devices) if not _greets(node))


def _answers(node: str) -> bool:
    host, _, port = node.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=_ANSWER_S):
        return True
    return False


def _greets(node: str) -> bool:
    try:
        greet(node, _GREETING_S)
    except UserError as error:
        return error.code not in ("engine.rpc_busy", "engine.rpc_unreachable")
    return True

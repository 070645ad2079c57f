"""The drawing process: `python -m engine.documents.drawing`. Draws until its owner goes.

It limits its own memory, and leaves at once when the owner's end of its stdin closes, and by itself
when nothing was asked for a while. File descriptor 1 carries frames alone.
"""

from __future__ import annotations

import os
import queue
import sys
import threading

from engine.child_main import claim_stdout, owner_messages
from engine.documents.messages import DRAW_REQUEST_DECODER, DrawRequest, NotDrawn
from engine.documents.restraint import restrain
from engine.framing import write_frame
from engine.packing import packed

_MEMORY_BYTES = 2048 * 1024 * 1024
_IDLE_S = 120.0


def main() -> int:
    """Serve requests until none comes for a while."""
    replies = claim_stdout()
    requests: queue.SimpleQueue[DrawRequest] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    restrain(_MEMORY_BYTES)
    # Imported under the memory limit, and not before the owner is being watched.
    from engine.documents.drawing.page import PageArtist

    artist = PageArtist()
    while True:
        try:
            request = requests.get(timeout=_IDLE_S)
        except queue.Empty:
            return 0
        try:
            reply = artist.draw(request)
        except MemoryError:
            reply = NotDrawn(reason="damaged")
        write_frame(replies, packed(reply))


def _receive(requests: queue.SimpleQueue[DrawRequest]) -> None:
    """Take requests, and end this process in mid-work when the owner is gone."""
    for request in owner_messages(sys.stdin.buffer, DRAW_REQUEST_DECODER.decode):
        requests.put(request)


if __name__ == "__main__":
    # Not sys.exit: the interpreter would wait for the thread that waits for stdin.
    os._exit(main())

"""The reading process: `python -m engine.documents`. One file, then it ends.

It limits its own memory, and leaves at once when the owner's end of its stdin closes. File
descriptor 1 carries frames alone; whatever libraries print goes to stderr.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from engine.child_main import claim_stdout
from engine.documents.messages import (
    EXIT_OUT_OF_MEMORY,
    REQUEST_DECODER,
    Done,
    Failed,
    Progress,
)
from engine.documents.restraint import restrain
from engine.errors import UserError
from engine.framing import read_frame, write_frame
from engine.packing import packed

if TYPE_CHECKING:
    from engine.documents.messages import ReadRequest, Reply

_PROGRESS_INTERVAL_S = 0.05


def main() -> int:
    """Serve one request."""
    replies = claim_stdout()
    body = read_frame(sys.stdin.buffer)
    if body is None:
        return 0
    request = REQUEST_DECODER.decode(body)
    threading.Thread(target=_leave_with_owner, daemon=True).start()
    restrain(request.limits.memory_bytes)
    try:
        write_frame(replies, packed(_serve(request, replies)))
    except MemoryError:
        # There may be too little left even to say so in a frame.
        return EXIT_OUT_OF_MEMORY
    return 0


def _serve(request: ReadRequest, replies: BinaryIO) -> Reply:
    # Imported under the memory limit, and not before the owner is being watched.
    from engine.documents.extract import read_document

    said = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _PROGRESS_INTERVAL_S:
            said = now
            write_frame(replies, packed(Progress(done=done, total=total)))

    try:
        document = read_document(
            os.fsdecode(request.path),
            password=request.password,
            limits=request.limits,
            progress=progress,
        )
    except UserError as error:
        return Failed(problem=error.problem)
    return Done(document=document)


def _leave_with_owner() -> None:
    """Wait for the owner's end of stdin to close, then end this process in mid-work."""
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    # Not sys.exit: the interpreter would wait for the thread that waits for stdin.
    os._exit(main())

"""Frames survive any body and any way a pipe cuts them up; a broken stream is an error."""

from __future__ import annotations

import io
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.framing import LIMIT_BYTES, FramingError, read_frame, write_frame
from engine.packing import packed
from engine.worker.codec import decode_command
from engine.worker.protocol import Count


class DripStream:
    """Gives and takes at most `step` bytes at a time, as a raw pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = io.BytesIO(data)
        self.step = step

    def read(self, size: int, /) -> bytes:
        return self.data.read(min(size, self.step))

    def write(self, data: bytes | memoryview, /) -> int:
        return self.data.write(data[: self.step])

    def flush(self) -> None:
        pass


@given(st.lists(st.binary(max_size=300)), st.integers(1, 7))
def test_frames_come_back_whole_and_in_order(bodies: list[bytes], step: int) -> None:
    written = DripStream(b"", step)
    for body in bodies:
        write_frame(written, body)
    stream = DripStream(written.data.getvalue(), step)
    assert [read_frame(stream) for _ in bodies] == bodies
    assert read_frame(stream) is None


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_cut_stream_is_an_error(body: bytes, data: st.DataObject) -> None:
    whole = io.BytesIO()
    write_frame(whole, body)
    kept = data.draw(st.integers(1, len(body) + 3))
    with pytest.raises(FramingError):
        read_frame(io.BytesIO(whole.getvalue()[:kept]))


def test_text_in_the_stream_is_an_error_and_not_a_huge_read() -> None:
    with pytest.raises(FramingError, match="over the limit"):
        read_frame(io.BytesIO(b"Traceback (most recent call last)"))


def test_a_body_over_the_limit_is_refused_before_anything_is_written() -> None:
    stream = io.BytesIO()
    with pytest.raises(FramingError, match="over the limit"):
        write_frame(stream, bytes(LIMIT_BYTES + 1))
    assert stream.getvalue() == b""


def test_a_large_frame_crosses_a_real_pipe_without_buffering() -> None:
    body = os.urandom(3 * 1024 * 1024 + 17)
    read_end, write_end = os.pipe()
    with open(write_end, "wb", buffering=0) as out, open(read_end, "rb", buffering=0) as source:
        writer = threading.Thread(target=write_frame, args=(out, body))
        writer.start()
        assert read_frame(source) == body
        writer.join()


def test_half_characters_become_replacement_characters() -> None:
    # As Python has the byte e9 of a file's name or a command line that are no UTF-8.
    texts = ("caf\udce9", "whole 🙂 \u00e9", "\ud83d")
    command = decode_command(packed(Count(request_id=7, texts=texts)))
    assert command == Count(request_id=7, texts=("caf\ufffd", texts[1], "\ufffd"))

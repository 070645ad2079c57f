"""Files that are no models, broken ones, and hostile ones: each gets its sentence, none hangs."""

from __future__ import annotations

import os
import random
import struct
import time
from typing import TYPE_CHECKING

import pytest

from engine.errors import UserError
from engine.models.gguf_file import peek_architecture, read_gguf
from engine.models.header import read_header
from engine.sentences import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STRING, _ARRAY = 8, 9


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def gguf_bytes(*pairs: bytes, tensors: tuple[bytes, ...] = (), version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    return head + b"".join(pairs) + b"".join(tensors)


_ARCHITECTURE = pair("general.architecture", _STRING, text("llama"))


def code_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_gguf(path)
    assert caught.value.code in table()
    assert str(path) in caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "models.empty"),
        (b"GGU", "models.not_gguf"),
        (b"PK\x03\x04 some zip", "models.not_gguf"),
        (b"lmgg" + bytes(100), "models.old_format"),
        (b"tjgg" + bytes(100), "models.old_format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "models.lfs_pointer"),
        (b"\n<!DOCTYPE html><html>", "models.web_page"),
        (b"<HTML><body>Sign in", "models.web_page"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(100), "models.gguf_version"),
        (b"GGUF" + struct.pack("<I", 77) + bytes(100), "models.gguf_version"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "models.big_endian"),
        (b"GGUF" + struct.pack("<I", 3), "models.damaged"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    assert code_of(tmp_path / "model.gguf", content) == code


def test_another_models_format_is_named(tmp_path: Path) -> None:
    assert code_of(tmp_path / "model.safetensors", b"\x10\0\0\0\0\0\0\0{}") == "models.other_format"


@pytest.mark.parametrize(
    "content",
    [
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63),
        gguf_bytes(_ARCHITECTURE, _ARCHITECTURE),
        gguf_bytes(struct.pack("<Q", 2**62) + b"key"),
        gguf_bytes(pair("a", _STRING, struct.pack("<Q", 2**64 - 1) + b"x")),
        gguf_bytes(pair("a", 99, b"\0" * 8)),
        gguf_bytes(pair("a", _ARRAY, struct.pack("<IQ", 4, 2**61))),
        gguf_bytes(pair("a", _ARRAY, struct.pack("<IQ", _STRING, 2**61))),
        gguf_bytes(pair("a", _ARRAY, struct.pack("<IQ", _STRING, 2)) + text("one")),
        gguf_bytes(pair("a", _ARRAY, struct.pack("<IQ", _ARRAY, 1))),
        gguf_bytes(pair("general.alignment", 4, struct.pack("<I", 0))),
        gguf_bytes(pair("general.alignment", _STRING, text("32"))),
        gguf_bytes(tensors=(text("t") + struct.pack("<I", 9) + bytes(100),)),
        gguf_bytes(tensors=(text("t") + struct.pack("<IQQIQ", 2, 2**62, 2**62, 0, 0) + bytes(64),)),
    ],
)
def test_lengths_that_cannot_be_are_damage(tmp_path: Path, content: bytes) -> None:
    assert code_of(tmp_path / "model.gguf", content) == "models.damaged"


def test_a_header_cut_off_anywhere_is_damage(zoo: Callable[[str], Path], tmp_path: Path) -> None:
    whole = zoo("llama-dense")
    end = read_gguf(whole).data_offset_bytes
    content = whole.read_bytes()
    dice = random.Random(5)
    for at in [9, 23, *(dice.randrange(24, end - 32) for _ in range(150))]:
        assert code_of(tmp_path / "cut.gguf", content[:at]) == "models.damaged"


def test_weights_cut_off_are_told_with_what_is_missing(
    zoo: Callable[[str], Path], tmp_path: Path
) -> None:
    content = zoo("llama-dense").read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(content[: -3 * 1024**2])
    header = read_header(path)
    # The last tensor may be followed by less than an alignment of padding.
    assert 3 * 1024**2 - 32 < header.missing_bytes <= 3 * 1024**2
    assert header.problem is not None
    assert "MiB are missing" in header.problem.message
    assert header.as_facts()["complete"] is False


def test_a_header_changed_anywhere_never_breaks_the_reader(
    zoo: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = zoo("gemma3-dense")
    end = read_gguf(whole).data_offset_bytes
    content = whole.read_bytes()[: end + 4096]
    path = tmp_path / "changed.gguf"
    dice = random.Random(11)
    read, refused = 0, set[str]()
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(4, end)
            changed[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        path.write_bytes(changed)
        began_s = time.thread_time()
        try:
            read_header(path).as_facts()
            read += 1
        except UserError as error:
            refused.add(error.code)
        assert time.thread_time() - began_s < 2.0
    assert read > 20
    assert refused == {"models.damaged"}


def test_hostile_numbers_stay_facts(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    for key in ("block_count", "attention.head_count", "attention.key_length", "embedding_length"):
        for kind, value in (
            (4, b"\xff" * 4),
            (11, b"\xff" * 8),
            (7, b"\x05"),
            (6, b"\0\0\xc0\x7f"),
        ):
            path.write_bytes(gguf_bytes(_ARCHITECTURE, pair(f"llama.{key}", kind, value)))
            read_header(path).as_facts()


def test_what_is_not_a_file_is_never_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(UserError) as caught:
            read_gguf(path)
        assert caught.value.code == "models.not_a_file"
    with pytest.raises(UserError) as caught:
        read_gguf(tmp_path / "nothing.gguf")
    assert caught.value.code == "models.not_found"


def test_peeking_stops_at_the_architecture(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf_bytes(_ARCHITECTURE, pair("broken", 99, b"")))
    assert peek_architecture(path) == "llama"
    path.write_bytes(gguf_bytes(pair("other", 4, bytes(4))))
    assert peek_architecture(path) == ""

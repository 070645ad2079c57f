"""Reads the header of a GGUF file in pure Python: metadata and tensor infos, never weights.

Vocabularies are skipped, not built. Every count and length in the file is taken as hostile until
it was checked against what the file can hold.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.errors import UserError
from engine.models.ggml_types import TENSOR_TYPES
from engine.models.model_files import open_regular

Scalar = int | float | bool | str
Value = Scalar | tuple[int | float | bool, ...]

_CHUNK_BYTES = 1024**2
_MAX_HEADER_BYTES = 256 * 1024**2
_MAX_KEYS = 65_536
_MAX_TENSORS = 262_144
_MAX_DIMENSIONS = 4
_MAX_NAME_BYTES = 65_535
_KEPT_TEXT_BYTES = 1024**2
_KEPT_NUMBERS = 4096
_PEEKED_KEYS = 16
_ALIGNMENT = 32
_VERSIONS = (2, 3)

_BOOL, _STRING, _ARRAY = 7, 8, 9
_NUMBERS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_U32, _U64 = _NUMBERS[4], _NUMBERS[10]


class Tensor(msgspec.Struct, frozen=True):
    """A tensor as the header declares it.

    Attributes:
        shape: Values along each dimension, the fastest first.
        kind: Number of its type in `ggml_types.TENSOR_TYPES`.
        size_bytes: None when its type is not known here.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset_bytes: int
    size_bytes: int | None

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        count = 1
        for length in self.shape:
            count *= length
        return count


class GgufFile(msgspec.Struct, frozen=True, kw_only=True):
    """The header of one GGUF file.

    Attributes:
        values: Metadata, without long texts and long arrays.
        array_lengths: Lengths of all arrays, also of those that were skipped.
        data_offset_bytes: Where the tensors' data begin.
    """

    path: Path
    file_bytes: int
    version: int
    values: dict[str, Value]
    array_lengths: dict[str, int]
    tensors: tuple[Tensor, ...]
    data_offset_bytes: int

    @property
    def missing_bytes(self) -> int:
        """How much of the tensors' data lies behind the end of the file: a broken download."""
        ends = (one.offset_bytes + (one.size_bytes or 0) for one in self.tensors)
        return max(0, self.data_offset_bytes + max(ends, default=0) - self.file_bytes)

    def text(self, key: str) -> str:
        """A text, or an empty one."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """A whole number; of an array, the first one."""
        return next(iter(self.numbers(key)), default)

    def numbers(self, key: str) -> tuple[int, ...]:
        """Whole numbers or flags; a single one as a tuple of one; empty when missing."""
        value = self.values.get(key)
        many = value if isinstance(value, tuple) else (value,)
        return tuple(int(one) for one in many if isinstance(one, int))


def read_gguf(path: Path) -> GgufFile:
    """Read one file's header.

    Raises:
        UserError: ``models.not_found``, ``models.not_gguf``, ``models.damaged`` …
    """
    with open_regular(path) as (file, file_bytes):
        try:
            return _Parser(path, file, file_bytes).parse()
        except OSError as error:
            raise UserError("models.unreadable", path=str(path), detail=str(error)) from error


def peek_architecture(path: Path) -> str:
    """The architecture of a file, found among its first keys; empty when it is not there.

    Raises:
        UserError: As `read_gguf`.
    """
    with open_regular(path) as (file, file_bytes):
        try:
            return _Parser(path, file, file_bytes).peek("general.architecture", _PEEKED_KEYS)
        except OSError as error:
            raise UserError("models.unreadable", path=str(path), detail=str(error)) from error


def read_texts(path: Path, key: str) -> tuple[bytes, ...]:
    """The texts of one array, e.g. a vocabulary; empty where there is none.

    Raises:
        UserError: As `read_gguf`.
    """
    with open_regular(path) as (file, file_bytes):
        try:
            parser = _Parser(path, file, file_bytes, wanted=key)
            parser.parse()
        except OSError as error:
            raise UserError("models.unreadable", path=str(path), detail=str(error)) from error
    return tuple(parser.texts)


class _Parser:
    """One pass over a header. Reads ahead in chunks; `_at` is the position.

    Attributes:
        texts: Those of the array that is wanted; all others are skipped.
    """

    def __init__(self, path: Path, file: BinaryIO, file_bytes: int, *, wanted: str = "") -> None:
        self._wanted = wanted
        self.texts: list[bytes] = []
        self._path = path
        self._file = file
        self._file_bytes = file_bytes
        self._data = bytearray()
        self._at = 0
        self._values: dict[str, Value] = {}
        self._lengths: dict[str, int] = {}

    def parse(self) -> GgufFile:
        version = self._version()
        n_tensors, n_keys = self._number(_U64), self._number(_U64)
        if n_tensors > _MAX_TENSORS or n_keys > _MAX_KEYS:
            raise self._damaged(f"{n_tensors} tensors, {n_keys} keys")
        for _ in range(n_keys):
            self._read_pair()
        tensors = tuple(self._tensor() for _ in range(n_tensors))
        alignment = self._values.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1 or alignment > _CHUNK_BYTES:
            raise self._damaged(f"alignment {alignment}")
        return GgufFile(
            path=self._path,
            file_bytes=self._file_bytes,
            version=version,
            values=self._values,
            array_lengths=self._lengths,
            tensors=tensors,
            data_offset_bytes=-(-self._at // alignment) * alignment,
        )

    def peek(self, key: str, keys: int) -> str:
        self._version()
        self._number(_U64)
        for _ in range(min(keys, self._number(_U64))):
            self._read_pair()
            value = self._values.get(key)
            if value is not None:
                return value if isinstance(value, str) else ""
        return ""

    def _version(self) -> int:
        self._need(8)
        self._at = 4
        version = self._number(_U32)
        if version & 0xFFFF == 0 and version:
            raise UserError("models.big_endian", path=str(self._path))
        if version not in _VERSIONS:
            raise UserError("models.gguf_version", path=str(self._path), version=version)
        return version

    def _read_pair(self) -> None:
        key = self._text(_MAX_NAME_BYTES)
        if key is None or key in self._values or key in self._lengths:
            raise self._damaged(f"a key is too long or there twice at {self._at}")
        kind = self._number(_U32)
        if kind == _ARRAY:
            self._read_array(key)
        elif kind == _STRING:
            text = self._text(_KEPT_TEXT_BYTES)
            if text is not None:
                self._values[key] = text
        else:
            self._values[key] = self._scalar(kind)

    def _read_array(self, key: str) -> None:
        kind, length = self._number(_U32), self._number(_U64)
        self._lengths[key] = length
        if kind == _STRING:
            began = self._at
            self._skip_texts(length)
            if key == self._wanted:
                self._keep_texts(began, length)
            return
        number = self._number_type(kind)
        size_bytes = number.size * length
        if length <= _KEPT_NUMBERS:
            self._need(size_bytes)
            window = memoryview(self._data)[self._at : self._at + size_bytes]
            self._values[key] = tuple(one for (one,) in number.iter_unpack(window))
            window.release()
        self._skip(size_bytes)

    def _skip_texts(self, count: int) -> None:
        if count * _U64.size > self._file_bytes - self._at:
            raise self._damaged(f"{count} texts at {self._at}")
        data, unpack, at = self._data, _U64.unpack_from, self._at
        for _ in range(count):
            if at + 8 > len(data):
                self._at = at
                self._need(8)
            at += 8 + unpack(data, at)[0]
        self._at = at
        self._need(0)

    def _keep_texts(self, at: int, count: int) -> None:
        data, unpack = self._data, _U64.unpack_from
        for _ in range(count):
            end = at + 8 + unpack(data, at)[0]
            self.texts.append(bytes(data[at + 8 : end]))
            at = end

    def _tensor(self) -> Tensor:
        name = self._text(_MAX_NAME_BYTES)
        dimensions = self._number(_U32)
        if name is None or dimensions > _MAX_DIMENSIONS:
            raise self._damaged(f"{dimensions} dimensions at {self._at}")
        shape = tuple(self._number(_U64) for _ in range(dimensions))
        kind, offset = self._number(_U32), self._number(_U64)
        tensor = Tensor(name, shape, kind, offset, None)
        stored = TENSOR_TYPES.get(kind)
        if tensor.values >= 2**63 or offset >= 2**63:
            raise self._damaged(f"tensor {name} of shape {shape} at {offset}")
        size_bytes = stored.bytes_of(tensor.values) if stored else None
        return Tensor(name, shape, kind, offset, size_bytes)

    def _scalar(self, kind: int) -> int | float | bool:
        number = self._number_type(kind)
        self._need(number.size)
        value: int | float | bool = number.unpack_from(self._data, self._at)[0]
        self._at += number.size
        return value

    def _number(self, number: struct.Struct) -> int:
        self._need(number.size)
        value: int = number.unpack_from(self._data, self._at)[0]
        self._at += number.size
        return value

    def _number_type(self, kind: int) -> struct.Struct:
        number = _NUMBERS.get(kind)
        if number is None:
            raise self._damaged(f"value type {kind} at {self._at}")
        return number

    def _text(self, kept_bytes: int) -> str | None:
        """A text, or None when it is longer than what is worth keeping."""
        size_bytes = self._number(_U64)
        if size_bytes > kept_bytes:
            self._skip(size_bytes)
            return None
        self._need(size_bytes)
        text = self._data[self._at : self._at + size_bytes].decode("utf-8", "replace")
        self._at += size_bytes
        return text

    def _skip(self, size_bytes: int) -> None:
        self._at += size_bytes
        self._need(0)

    def _need(self, size_bytes: int) -> None:
        """Read on until so many bytes lie behind the position."""
        end = self._at + size_bytes
        if end > self._file_bytes:
            raise self._damaged(f"the header goes on behind the end, to {end}")
        if end > _MAX_HEADER_BYTES:
            raise self._damaged(f"the header is longer than {_MAX_HEADER_BYTES} bytes")
        while end > len(self._data):
            chunk = self._file.read(max(_CHUNK_BYTES, end - len(self._data)))
            if not chunk:
                raise self._damaged("the file became shorter while it was read")
            self._data += chunk

    def _damaged(self, detail: str) -> UserError:
        return UserError("models.damaged", path=str(self._path), detail=detail)

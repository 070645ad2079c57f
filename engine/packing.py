"""Messages to bytes, for the pipes between processes; `engine.framing` sends them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def packed(message: msgspec.Struct) -> bytes:
    """The message in msgpack, whatever texts it holds.

    Python gives half characters (lone surrogates) for bytes that are no UTF-8: of a file's name, or
    on a command line. They have no bytes in UTF-8, so a replacement character goes instead.
    """
    try:
        return _encode(message)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message, builtin_types=(bytes, bytearray, memoryview))
        return _encode(_whole(plain))


def _whole(value: Any) -> Any:  # noqa: ANN401
    match value:
        case str():
            return _HALF_CHARACTER.sub("\ufffd", value)
        case dict():
            return {_whole(key): _whole(each) for key, each in value.items()}
        case list() | tuple():
            return [_whole(each) for each in value]
        case _:
            return value

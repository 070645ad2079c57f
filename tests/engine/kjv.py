"""The King James Bible as a document whose every verse is on a known page: a page per chapter."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from engine.documents.model import Document, Page


class Verse(NamedTuple):
    """A verse, and the page of `kjv` that it is on."""

    citation: str
    text: str
    page_number: int


@cache
def verses() -> tuple[Verse, ...]:
    """All verses in order."""
    # Not imported: the package wants setuptools only to find its own data.
    spec = importlib.util.find_spec("bible")
    assert spec is not None
    assert spec.origin is not None
    listed: list[Verse] = []
    chapter, page_number = "", 0
    with (Path(spec.origin).parent / "data" / "kjv.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            verse = json.loads(line)
            if verse["citation"].split(":")[0] != chapter:
                chapter = verse["citation"].split(":")[0]
                page_number += 1
            listed.append(Verse(verse["citation"], verse["text"], page_number))
    return tuple(listed)


@cache
def kjv() -> Document:
    """The whole book."""
    chapters: dict[int, list[Verse]] = {}
    for verse in verses():
        chapters.setdefault(verse.page_number, []).append(verse)
    pages = tuple(
        Page(
            number=number,
            label=str(number),
            heading=listed[0].citation.split(":")[0],
            text="\n".join(f"{verse.citation.split(':')[1]} {verse.text}" for verse in listed),
        )
        for number, listed in chapters.items()
    )
    return Document(
        id="kjv", name="kjv.txt", path="", kind="text", size_bytes=0, mtime_ns=0, pages=pages
    )

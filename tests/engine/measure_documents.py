"""Measures the reading of documents: the same book in four formats, and speed beside bare pdfium.

Run it from the root with what was put aside for it (no test needs any of it)::

    apt-get download debian-policy && dpkg -x debian-policy_*.deb policy
    python -m tests.engine.measure_documents formats policy/usr/share/doc/debian-policy
    python -m tests.engine.measure_documents speed cplusplus.pdf fullrefman.pdf

`formats` compares words as a bag, each as often as it stands there: the share of one format's words
that the other has too. `speed` reads with the application's own reader, in its process, and with
the least a program can do: open the file with pdfium and take the text of each page.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from engine.documents.reader import DocumentReader
from engine.documents.wording import Wording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.documents.model import Document

# What a site has beside its book: an index made by a program, and a form.
_NO_CHAPTERS = ("genindex.html", "search.html")
_BARE = """
import resource, sys, time
import pypdfium2
begun = time.perf_counter()
document = pypdfium2.PdfDocument(sys.argv[1])
chars = 0
for page in document:
    chars += len(page.get_textpage().get_text_range())
    page.close()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(document), chars, time.perf_counter() - begun, peak)
"""


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def bag(texts: Iterable[str]) -> Counter[str]:
    """The words of texts, each as often as it stands there."""
    return Counter(word for text in texts for word in Wording(text)._words)


def compare_formats(folder: Path) -> None:
    """Print how many words two formats of the policy manual have in common, for all pairs."""
    reader = DocumentReader()
    with tempfile.TemporaryDirectory() as place:
        files: dict[str, list[Path]] = {"EPUB": [folder / "policy.epub"]}
        for ending in ("pdf", "txt"):
            unpacked = Path(place) / f"policy.{ending}"
            unpacked.write_bytes(gzip.decompress((folder / f"policy.{ending}.gz").read_bytes()))
            files[ending.upper()] = [unpacked]
        chapters = sorted((folder / "policy.html").glob("*.html"))
        files["HTML"] = [path for path in chapters if path.name not in _NO_CHAPTERS]
        read = {name: [reader.read(path) for path in paths] for name, paths in files.items()}
    bags = {name: bag(d.text for d in documents) for name, documents in read.items()}
    for name, documents in read.items():
        pages = sum(len(document.pages) for document in documents)
        notes = [note.message for document in documents for note in document.notes]
        _say(f"{name:5} {bags[name].total():7,} words, {pages:4} pages; {'; '.join(notes)}")
    _say("\nof the words of the row, the column has:")
    _say(" " * 6 + "".join(f"{name:>9}" for name in bags))
    for name, words in bags.items():
        shares = [(words & other).total() / words.total() for other in bags.values()]
        _say(f"{name:6}" + "".join(f"{share:9.2%}" for share in shares))
    for name, words in bags.items():
        if name != "TXT":
            only, missing = (words - bags["TXT"]), (bags["TXT"] - words)
            _say(f"\n{name} has and TXT has not: {_most(only)}")
            _say(f"TXT has and {name} has not: {_most(missing)}")


def _most(words: Counter[str]) -> str:
    return ", ".join(f"{word} {count}" for word, count in words.most_common(24))


def compare_speed(paths: list[Path]) -> None:
    """Print pages per second and peak memory of both ways of reading."""
    _say(f"{'':24}{'pages':>7}{'chars':>12}{'s':>8}{'pages/s':>10}{'peak MiB':>10}")
    for path in paths:
        ran = subprocess.run(
            [sys.executable, "-c", _BARE, str(path)], capture_output=True, text=True, check=True
        )
        pages, chars, seconds, peak_kib = ran.stdout.split()
        peak_mib = float(peak_kib) / 1024
        _line(f"{path.name}, pdfium", int(pages), int(chars), float(seconds), peak_mib)
        begun = time.perf_counter()
        watch = _Peak()
        document: Document = DocumentReader().read(path)
        took_s, peak_mib = time.perf_counter() - begun, watch.stop()
        _line("  Leadline", len(document.pages), document.char_count, took_s, peak_mib)


def _line(name: str, pages: int, chars: int, seconds: float, peak_mib: float) -> None:
    rate = pages / seconds
    _say(f"{name:24}{pages:7,}{chars:12,}{seconds:8.2f}{rate:10.0f}{peak_mib:10.0f}")


class _Peak:
    """The most memory that the child process had, looked at a hundred times a second."""

    def __init__(self) -> None:
        self._most_bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """End; the peak in MiB."""
        self._stopped.set()
        self._thread.join()
        return self._most_bytes / 1024**2

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._stopped.wait(0.01):
            for child in own.children():
                try:
                    self._most_bytes = max(self._most_bytes, child.memory_info().rss)
                except psutil.Error:
                    continue


def main() -> None:
    """Take the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("formats", "speed"))
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    if options.what == "formats":
        compare_formats(options.paths[0])
    else:
        compare_speed(options.paths)


if __name__ == "__main__":
    main()

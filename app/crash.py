"""Unexpected exceptions: logged always, shown once each, with a report that can be copied."""

from __future__ import annotations

import logging
import platform
import sys
import threading
import time
import traceback
import zlib
from typing import TYPE_CHECKING

import msgspec

from engine.paths import log_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_log = logging.getLogger(__name__)
# A fault in a repaint would otherwise fill the disk in minutes.
_MAX_REPORTS_PER_RUN = 20


class CrashReport(msgspec.Struct, frozen=True, kw_only=True):
    """One distinct fault.

    Attributes:
        id: Checksum of where it was raised; the same fault has the same id.
        summary: Type and message of the exception.
        text: The whole report, as it is copied.
        path: Where it was written; empty when the disk refused.
    """

    id: str
    summary: str
    text: str
    path: str


class CrashLog:
    """Catches what nobody else caught, on every thread.

    Args:
        on_new: Called with each distinct report once, on the thread that failed.
        facts: More lines for the report, e.g. the engine's build.
    """

    def __init__(
        self,
        on_new: Callable[[CrashReport], None],
        facts: Callable[[], str] = lambda: "",
    ) -> None:
        self._on_new = on_new
        self._facts = facts
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._before = sys.excepthook, threading.excepthook

    def install(self) -> None:
        """Take over the interpreter's hooks."""
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before

    def record(self, error: BaseException) -> None:
        """Report an exception that was caught at a border."""
        self._on_exception(type(error), error, error.__traceback__)

    def _on_thread_exception(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)

    def _on_exception(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        _log.error("unexpected", exc_info=(kind, error, trace))
        report = self._report(kind, error, trace)
        with self._lock:
            new = report.id not in self._seen and len(self._seen) < _MAX_REPORTS_PER_RUN
            self._seen.add(report.id)
        if new:
            self._on_new(self._written(report))

    def _report(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> CrashReport:
        frames = traceback.extract_tb(trace)
        place = "|".join(f"{frame.filename}:{frame.name}:{frame.lineno}" for frame in frames)
        summary = f"{kind.__name__}: {error}" if str(error) else kind.__name__
        text = "\n".join(
            [
                f"Leadline {_version()} · Python {platform.python_version()} · "
                f"{platform.platform()}",
                time.strftime("%Y-%m-%d %H:%M:%S"),
                self._facts(),
                "",
                "".join(traceback.format_exception(kind, error, trace)),
            ]
        )
        id_ = f"{zlib.crc32(f'{kind.__name__}|{place}'.encode()):08x}"
        return CrashReport(id=id_, summary=summary, text=text, path="")

    @staticmethod
    def _written(report: CrashReport) -> CrashReport:
        name = f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{report.id}.txt"
        try:
            path = log_dir() / name
            path.write_text(report.text, encoding="utf-8")
        except OSError:
            return report
        return msgspec.structs.replace(report, path=str(path))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("leadline")
    except PackageNotFoundError:
        return "(not installed)"

"""Exceptions that nobody expected: one report each, from every thread, on the disk."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from app.crash import CrashLog, CrashReport
from engine.paths import log_dir


def fail(number: int) -> None:
    raise ValueError(f"number {number}")


def recorded(log: CrashLog, number: int) -> None:
    try:
        fail(number)
    except ValueError as error:
        log.record(error)


def test_the_same_fault_is_told_once_and_another_again() -> None:
    told: list[CrashReport] = []
    log = CrashLog(told.append, lambda: "engine: fake")
    for number in range(5):
        recorded(log, number)
    try:
        raise KeyError("elsewhere")
    except KeyError as error:
        log.record(error)
    assert [report.summary for report in told] == ["ValueError: number 0", "KeyError: 'elsewhere'"]
    assert told[0].id != told[1].id
    report = Path(told[0].path).read_text()
    assert "engine: fake" in report
    assert "in fail" in report
    assert Path(told[0].path).parent == log_dir()


def test_a_flood_of_faults_is_cut_off() -> None:
    told: list[CrashReport] = []
    log = CrashLog(told.append)
    for number in range(40):
        source = "\n" * number + "raise ValueError('flood')"
        try:
            exec(compile(source, f"<part {number}>", "exec"))
        except ValueError as error:
            log.record(error)
    assert len(told) == 20


def test_other_threads_are_heard_and_the_hooks_are_given_back() -> None:
    before = sys.excepthook, threading.excepthook
    told: list[CrashReport] = []
    log = CrashLog(told.append)
    log.install()
    try:
        thread = threading.Thread(target=fail, args=(7,))
        thread.start()
        thread.join()
    finally:
        log.uninstall()
    assert [report.summary for report in told] == ["ValueError: number 7"]
    assert (sys.excepthook, threading.excepthook) == before


def test_a_full_disk_keeps_the_report_in_memory(leadline_home: Path) -> None:
    leadline_home.mkdir(parents=True)
    told: list[CrashReport] = []
    log = CrashLog(told.append)
    log_dir().rmdir()
    (leadline_home / "log").write_text("a file where the folder should be")
    recorded(log, 1)
    assert "number 1" in told[0].text
    assert told[0].path == ""

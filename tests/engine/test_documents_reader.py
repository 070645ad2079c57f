"""The reading process: the same document as in place, and every way it can end badly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.documents.extract import read_document
from engine.documents.limits import MIB, Limits
from engine.documents.reader import DocumentReader
from engine.errors import Problem, UserError
from tests.engine.document_files import write_pdf

if TYPE_CHECKING:
    from pathlib import Path

    from engine.documents.model import Document

# Nothing waits for it unless something is broken.
PATIENCE_S = 60.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are a POSIX thing")


class Outcome:
    """Collects what a job calls back."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.progress: list[tuple[int, int]] = []
        self.threads: set[int] = set()

    def on_done(self, document: Document) -> None:
        self.threads.add(threading.get_ident())
        self.documents.append(document)

    def on_failed(self, problem: Problem) -> None:
        self.threads.add(threading.get_ident())
        self.problems.append(problem)

    def on_progress(self, done: int, total: int) -> None:
        self.progress.append((done, total))


def long_pdf(folder: Path, pages: int = 3000) -> Path:
    text = "\n".join("a line of text that takes a while to lay out" for _ in range(40))
    return write_pdf(folder / "long.pdf", [text] * pages)


def child_of_this_process(deadline_s: float = PATIENCE_S) -> psutil.Process:
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        for child in psutil.Process().children():
            if "engine.documents" in child.cmdline():
                return child
        time.sleep(0.01)
    raise AssertionError("no reading process was started")


def test_the_process_reads_what_reading_in_place_reads(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "book.pdf", ["First page of it", "Second page of it"])
    assert DocumentReader().read(path) == read_document(path)


def test_a_problem_comes_back_with_its_parameters(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        DocumentReader().read(tmp_path / "nowhere.txt")
    assert caught.value.code == "documents.missing"
    assert "nowhere.txt" in caught.value.message


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_name_need_not_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"lease \xff.txt")
    path.write_text("The notice is thirty days.")
    document = DocumentReader().read(path)
    assert "thirty days" in document.pages[0].text
    assert document.name == "lease \ufffd.txt"
    # All that a desktop gives of such a name.
    with pytest.raises(UserError) as caught:
        DocumentReader().read(tmp_path / "lease \ufffd.txt")
    assert caught.value.code == "documents.name_not_text"


def test_the_password_goes_through(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "secret.pdf", ["The combination is 12"], password="tide")
    assert DocumentReader().read(path, password="tide").text == "The combination is 12"


def test_start_returns_at_once_and_calls_back_from_another_thread(tmp_path: Path) -> None:
    path = long_pdf(tmp_path, pages=400)
    outcome, reader = Outcome(), DocumentReader()
    # Time of this thread alone, so that a busy machine does not decide.
    began = time.thread_time()
    job = reader.start(
        path,
        on_done=outcome.on_done,
        on_failed=outcome.on_failed,
        on_progress=outcome.on_progress,
    )
    assert time.thread_time() - began < 0.1
    assert not job.wait(0), "it was waited for"
    assert job.wait(PATIENCE_S)
    assert [len(document.pages) for document in outcome.documents] == [400]
    assert outcome.problems == []
    assert outcome.progress
    assert outcome.progress[-1][1] == 400
    assert threading.get_ident() not in outcome.threads
    reader.close()


def test_a_process_that_cannot_start_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    outcome, reader = Outcome(), DocumentReader()
    job = reader.start(tmp_path / "a.txt", on_done=outcome.on_done, on_failed=outcome.on_failed)
    assert job.wait(PATIENCE_S)
    assert [problem.code for problem in outcome.problems] == ["documents.not_started"]


def test_cancel_kills_the_process(tmp_path: Path) -> None:
    outcome, reader = Outcome(), DocumentReader()
    job = reader.start(long_pdf(tmp_path), on_done=outcome.on_done, on_failed=outcome.on_failed)
    child = child_of_this_process()
    began = time.monotonic()
    job.cancel()
    assert job.wait(PATIENCE_S)
    # At once on an idle machine; a busy one takes its time.
    assert time.monotonic() - began < 10.0
    assert [problem.code for problem in outcome.problems] == ["documents.cancelled"]
    assert outcome.documents == []
    assert not child.is_running()


def test_close_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    path = long_pdf(tmp_path)
    outcome, reader = Outcome(), DocumentReader()
    jobs = [
        reader.start(path, on_done=outcome.on_done, on_failed=outcome.on_failed) for _ in range(4)
    ]
    child_of_this_process()
    reader.close()
    assert all(job.wait(0) for job in jobs)
    assert [problem.code for problem in outcome.problems] == ["documents.cancelled"] * 4
    late = reader.start(path, on_done=outcome.on_done, on_failed=outcome.on_failed)
    assert late.wait(PATIENCE_S)
    assert outcome.documents == []


@posix
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SIGSEGV", "documents.crashed"),
        ("SIGABRT", "documents.crashed"),
        ("SIGKILL", "documents.killed"),
        ("SIGTERM", "documents.killed"),
    ],
)
def test_a_crash_becomes_a_sentence(tmp_path: Path, name: str, code: str) -> None:
    outcome, reader = Outcome(), DocumentReader()
    job = reader.start(long_pdf(tmp_path), on_done=outcome.on_done, on_failed=outcome.on_failed)
    child_of_this_process().send_signal(getattr(signal, name))
    assert job.wait(PATIENCE_S)
    assert [problem.code for problem in outcome.problems] == [code]
    assert "long.pdf" in outcome.problems[0].message
    assert "exit status -" in outcome.problems[0].detail


@posix
def test_a_process_that_hangs_is_given_up(tmp_path: Path) -> None:
    outcome, reader = Outcome(), DocumentReader(Limits(stall_s=0.5))
    job = reader.start(long_pdf(tmp_path), on_done=outcome.on_done, on_failed=outcome.on_failed)
    child_of_this_process().send_signal(signal.SIGSTOP)
    assert job.wait(PATIENCE_S)
    assert [problem.code for problem in outcome.problems] == ["documents.stalled"]


def test_total_time_is_limited(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        DocumentReader(Limits(total_s=0.3)).read(long_pdf(tmp_path))
    assert caught.value.code == "documents.stalled"


def test_memory_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"a line of text to hold\n" * (4 * MIB))
    with pytest.raises(UserError) as caught:
        DocumentReader(Limits(memory_bytes=160 * MIB)).read(path)
    assert caught.value.code == "documents.too_much_memory"


def test_the_process_leaves_with_its_owner() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.documents"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.communicate(b"", timeout=PATIENCE_S)
    assert process.returncode == 0


@posix
def test_the_process_leaves_with_its_owner_in_mid_work(tmp_path: Path) -> None:
    # To read it takes longer than its end is waited for.
    path = long_pdf(tmp_path, pages=12_000)
    program = (
        "import sys, threading; from engine.documents.reader import DocumentReader\n"
        f"DocumentReader().read({str(path)!r})"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], env=dict(os.environ, PYTHONPATH="."))
    until = time.monotonic() + PATIENCE_S
    children: list[psutil.Process] = []
    while not children and time.monotonic() < until:
        children = psutil.Process(owner.pid).children()
        time.sleep(0.01)
    time.sleep(0.3)
    owner.kill()
    owner.wait()
    gone, alive = psutil.wait_procs(children, timeout=8)
    assert len(gone) == 1
    assert alive == []


def test_what_cannot_be_kept_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Four fathoms.")
    outcome, reader = Outcome(), DocumentReader()

    def keep(_document: Document) -> None:
        raise UserError("stores.disk_full", path="chats.db")

    job = reader.start(path, on_done=keep, on_failed=outcome.on_failed)
    assert job.wait(PATIENCE_S)
    assert [problem.code for problem in outcome.problems] == ["stores.disk_full"]

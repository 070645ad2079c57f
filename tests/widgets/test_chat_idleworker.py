"""The thread behind colours and formulas: in order, gone when idle, back when needed."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

from widgets.chat.idleworker import IdleWorker


def running() -> bool:
    return any(thread.name == "typeset" for thread in threading.enumerate())


def _note_switch_interval(seconds: list[float]) -> None:
    seconds.append(sys.getswitchinterval())


def wait_until_gone() -> None:
    until = time.monotonic() + 60
    while running() and time.monotonic() < until:
        time.sleep(0.02)


def test_work_is_done_in_order_and_the_thread_leaves_and_comes_back() -> None:
    wait_until_gone()
    usual = sys.getswitchinterval()
    worker = IdleWorker()
    assert not running()
    for turn in range(2):
        done: list[int] = []
        meanwhile_s: list[float] = []
        last = threading.Event()
        for n in range(20):
            worker.submit(partial(done.append, n))
        worker.submit(partial(_note_switch_interval, meanwhile_s))
        worker.submit(last.set)
        assert last.wait(60)
        assert done == list(range(20)), turn
        assert meanwhile_s[0] < usual
        wait_until_gone()
        assert not running()
        assert sys.getswitchinterval() == usual


def test_a_closed_worker_takes_nothing() -> None:
    worker = IdleWorker()
    worker.close()
    done: list[int] = []
    worker.submit(lambda: done.append(1))
    time.sleep(0.05)
    assert done == []

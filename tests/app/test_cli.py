"""The command line as a process: what a script can rely on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.cli.ask import Terminal
from engine.settings import EngineSettings
from engine.worker.protocol import Finished, Usage
from tests.engine.test_models_header import write_model
from tests.support.faulty_worker import loaded
from tests.support.tiny_projector import write_projector

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
# The interface that scripts use; more may come, none may go.
KEYS = {
    "text",
    "thinking",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "prefill_tokens_per_second",
    "decode_tokens_per_second",
    "time_to_first_token_s",
    "stop_reason",
    "n_ctx",
    "dropped",
}


def leadline(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert len(done.stdout.strip().splitlines()) == 1, "one JSON object and nothing else"
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ask", "/nowhere/model.gguf", "why", "--json"), "models.not_found"),
        (("inspect", "/nowhere/model.gguf", "--json"), "models.not_found"),
        (("ask", "demo", "why", "--doc", "/nowhere/a.pdf", "--json"), "documents.missing"),
        (("ask", "demo", "why", "--n-ctx", "-5", "--json"), "settings"),
    ],
)
def test_errors_are_json_too(arguments: tuple[str, ...], code: str) -> None:
    done = leadline(*arguments)
    assert done.returncode != 0
    if code == "settings" and not done.stdout:
        # Refused while the options are read, as argparse does it.
        assert "n-ctx" in done.stderr
        return
    error = as_json(done)["error"]
    assert set(error) >= {"code", "message", "fix"}
    assert error["code"].startswith(code)
    assert error["message"]
    assert "Traceback" not in done.stderr


def test_errors_for_people_are_two_lines() -> None:
    done = leadline("inspect", "/nowhere/model.gguf")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "/nowhere/model.gguf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    done = leadline("inspect", str(path), "--json")
    assert done.returncode != 0
    assert as_json(done)["error"]["code"].startswith("models.")


def test_inspect_names_the_projectors_beside_a_model(
    tmp_path: Path, zoo: Callable[[str], Path]
) -> None:
    model = Path(shutil.copy(zoo("qwen3-dense"), tmp_path))
    projector = write_projector(tmp_path / "mmproj.gguf", 64)
    assert as_json(leadline("inspect", str(model), "--json"))["projectors"] == [str(projector)]
    assert as_json(leadline("inspect", str(projector), "--json"))["kind"] == "projector"


def test_inspect_tells_what_is_in_the_file() -> None:
    facts = as_json(leadline("inspect", "demo", "--json"))
    told = json.dumps(facts)
    assert facts["architecture"] == "llama"
    assert "30" in told, "its layers"
    assert "Q4_1" in told


def test_inspect_says_that_guessing_layers_are_not_used(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "m.gguf", "glm4moe", block_count=5, nextn_predict_layers=1))
    assert as_json(leadline("inspect", path, "--json"))["guessing_layers"] == 1
    assert "MTP" in leadline("inspect", path).stdout
    assert "MTP" not in leadline("inspect", "demo").stdout


def test_devices_always_name_the_processor() -> None:
    done = leadline("devices", "--json")
    assert done.returncode == 0
    assert "cpu" in json.dumps(as_json(done)).lower()
    assert leadline("devices").stdout.strip()


@pytest.mark.parametrize(("drafted", "told"), [(8, " · 75% guessed right · "), (0, "")])
def test_a_reply_says_how_many_guesses_were_right(
    capsys: pytest.CaptureFixture[str], drafted: int, told: str
) -> None:
    usage = Usage(
        prompt_tokens=4,
        cached_tokens=0,
        completion_tokens=9,
        drafted_tokens=drafted,
        accepted_tokens=drafted * 3 // 4,
    )
    finished = Finished(request_id=1, stop_reason="end", usage=usage, context_used=13, n_ctx=512)
    Terminal(quiet=False).close(loaded(1, EngineSettings()), finished)
    line = capsys.readouterr().err
    assert told in line
    assert ("guessed" in line) is bool(told)


def test_an_unknown_command_is_refused() -> None:
    done = leadline("swim")
    assert done.returncode == 2
    assert "swim" in done.stderr


@pytest.mark.model
def test_ask_says_paris() -> None:
    done = leadline(
        "ask", "demo", "What is the capital of France?", "--temperature", "0", "--json",
        "--max-tokens", "24", "--n-ctx", "2048",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer = as_json(done)
    assert set(answer) >= KEYS
    assert "Paris" in answer["text"]
    assert answer["dropped"] == []
    assert answer["n_ctx"] == 2048
    assert 0 < answer["completion_tokens"] <= 24
    assert answer["prompt_tokens"] > 5
    assert answer["time_to_first_token_s"] > 0


@pytest.mark.model
def test_ask_reads_a_document_and_the_question_from_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("The harbour master is called Agnes.")
    done = leadline(
        "ask", "demo", "-", "--doc", str(path), "--temperature", "0", "--max-tokens", "24",
        stdin="Who is the harbour master?",
    )  # fmt: skip
    assert done.returncode == 0
    assert "Agnes" in done.stdout
    assert "tokens" in done.stderr


@pytest.mark.model
def test_ctrl_c_stops_with_what_was_written() -> None:
    process = _asked("Tell me a very long story.")
    assert process.stdout
    begun = process.stdout.read(20)
    process.send_signal(signal.SIGINT)
    rest, told = process.communicate(timeout=120)
    assert len(begun + rest) >= 20
    assert "Traceback" not in told
    assert "cancelled" in told
    assert process.returncode == 0


@pytest.mark.model
def test_ctrl_c_is_told_in_json() -> None:
    # Nothing shows from outside that it writes: an interrupt that comes too soon is tried later.
    answer: dict[str, Any] = {}
    for wait_s in (8, 20, 60):
        process = _asked("Tell me a very long story.", "--json")
        time.sleep(wait_s)
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=120)
        assert "Traceback" not in told
        answer = json.loads(out or "{}")
        if "text" in answer:
            break
        assert process.returncode in (1, 130)
        assert not answer or answer["error"]["code"] == "worker.cancelled"
    assert answer["stop_reason"] in ("cancelled", "end")
    assert answer["text"]


def _asked(question: str, *options: str) -> subprocess.Popen[str]:
    # Without the tokens that end a reply: it must not be over before the signal.
    endless = ["--logit-bias=2=-inf,0=-inf", "--max-tokens", "4000", "--n-ctx", "8192"]
    command = ["ask", "demo", question, *endless, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )

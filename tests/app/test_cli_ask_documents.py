"""``leadline ask`` about documents: whole or in passages, what was given and what was cited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from app.cli import ask
from app.cli.__main__ import main
from engine.documents.reader import DocumentReader
from engine.models.demo import demo_model_path
from tests.engine.bert_model import random_bert, write_bert
from tests.engine.document_files import write_pdf

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    "1. Rent\nThe rent is 900 euro a month, paid by the third working day.",
    "2. Keys\nThe landlord keeps a spare key in the cellar behind the boiler.",
    "3. Notice\nThe tenant may end this lease with six weeks' notice in writing.",
]
# Two that compute wait for each other, many times as long where others hold a core.
ONE_THREAD = ("--n-threads", "1", "--n-threads-batch", "1")


def asked(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, list[dict[str, object]]]:
    """What the command prints as JSON, with the demo model."""
    few = ["--max-tokens", "8", "--temperature", "0", "--n-ctx", "1024", *ONE_THREAD]
    assert main(["ask", "demo", *options, *few, "--json"]) == 0
    answer: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.model
def test_only_passages_about_the_question_are_sent(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lease = write_pdf(tmp_path / "lease.pdf", PAGES)
    where = "Where is the spare key?"
    answer = asked(capsys, where, "--doc", str(lease), "--mode", "retrieve")
    assert [passage["page"] for passage in answer["passages"]] == [2]
    assert answer["passages"][0]["document"] == "lease.pdf"
    assert "behind the boiler" in str(answer["passages"][0]["text"])
    assert answer["passages"][0]["rank_by_words"] == 1
    sent = [segment["label"] for segment in answer["ledger"]]
    assert sent[:3] == ["How to cite", "Passages", "Message"]
    assert answer["dropped"] == []

    whole = asked(capsys, where, "--doc", str(lease))
    assert whole["passages"] == []
    assert whole["documents"] == [
        {"document": "lease.pdf", "mode": "full", "automatic": True, "over": 0}
    ]
    labels = [segment["label"] for segment in whole["ledger"]]
    assert labels[:3] == ["System prompt", "lease.pdf", "How to cite"]

    others = asked(capsys, where, "--doc", str(lease), "--mode", "retrieve", "--pages", "1,3")
    assert others["passages"] == []


@pytest.mark.model
def test_passages_are_found_by_meaning_with_an_embedding_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lease = write_pdf(tmp_path / "lease.pdf", PAGES)
    model = write_bert(tmp_path / "tiny-bert.gguf", random_bert())
    ask_lease = ("--doc", str(lease), "--mode", "retrieve")
    with_model = ("--embedding-model", str(model), "--passages-per-question", "2")
    answer = asked(capsys, "Where is the spare key?", *ask_lease, *with_model)
    passages = answer["passages"]
    assert {passage["rank_by_meaning"] for passage in passages} == {1, 2, 3}
    assert [passage["sent"] for passage in passages] == [True, True, False]
    assert [passage["left_out"] for passage in passages] == [None, None, "rank"]
    assert next(one for one in passages if one["page"] == 2)["rank_by_words"] == 1
    assert answer["notices"] == []

    # What is no embedding model is told before anything is loaded.
    command = ["ask", "demo", "Where?", *ask_lease, "--embedding-model", str(demo_model_path())]
    assert main([*command, "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "embedding.no_embedding_model"


@pytest.mark.model
def test_a_document_longer_than_the_context_is_refused_whole_and_given_in_passages(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    long = tmp_path / "long.txt"
    filling = "Nothing of interest was said about the harbour that day. " * 400
    long.write_text(f"{filling}\n\nThe spare key hangs behind the boiler.\n\n{filling}")
    where = "Where does the spare key hang?"
    command = ["ask", "demo", where, "--doc", str(long), "--n-ctx", "512", *ONE_THREAD]
    assert main([*command, "--mode", "full", "--json"]) != 0
    refused = capsys.readouterr()
    assert "512" in refused.out + refused.err
    answer = asked(capsys, where, "--doc", str(long))
    assert "behind the boiler" in str(answer["passages"][0]["text"])
    (how,) = answer["documents"]
    assert (how["mode"], how["automatic"]) == ("retrieve", True)
    assert int(str(how["over"])) > 0


def test_what_an_answer_cites_is_checked_against_the_page(tmp_path: Path) -> None:
    lease = write_pdf(tmp_path / "lease.pdf", PAGES)
    parts = ask._read([str(lease)], "", "full")
    assert parts[0].document == DocumentReader().read(lease)
    answer = (
        'The rent is "900 euro a month" [lease p. 1]. '
        'Notice takes "eight weeks" [lease p. 3]. See also [lease p. 9].'
    )
    found = ask.citations(answer, parts)
    assert [(one["document"], one["page"], one["verified"]) for one in found] == [
        ("lease.pdf", 1, True),
        ("lease.pdf", 3, False),
        ("lease.pdf", None, False),
    ]
    assert [one["quote"] for one in found[:2]] == ["900 euro a month", "eight weeks"]
    assert found[0]["text"] == "[lease p. 1]"

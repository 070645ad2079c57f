"""The declarations, and everything that is read off them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.models.demo import demo_model_path
from engine.settings import (
    AppSettings,
    Cost,
    EngineSettings,
    Form,
    GenerationSettings,
    Kind,
    SettingInfo,
    changed,
    cost_of,
    from_stored,
    problem_with,
    setting_infos,
    to_stored,
    validated,
)
from engine.settings.options import add_options, settings_from, shown
from engine.settings.reference import reference_page

if TYPE_CHECKING:
    import msgspec

DECLARED: tuple[type[msgspec.Struct], ...] = (EngineSettings, GenerationSettings, AppSettings)
EVERY = [(declared, info) for declared in DECLARED for info in setting_infos(declared)]
NAMES = [f"{declared.__name__}.{info.name}" for declared, info in EVERY]


@pytest.mark.parametrize(("declared", "info"), EVERY, ids=NAMES)
def test_each_setting_is_fully_described(declared: type[msgspec.Struct], info: SettingInfo) -> None:
    assert problem_with(declared, info.name, info.default) is None, "its own default is refused"
    assert len(info.title) <= 24
    assert info.help.endswith(".")
    if info.kind in (Kind.INTEGER, Kind.NUMBER):
        assert info.minimum is not None
        assert info.maximum is not None
    assert shown(info, info.default)


def test_bounds_are_kept_with_a_sentence() -> None:
    with pytest.raises(UserError) as caught:
        validated(EngineSettings(), n_batch=0)
    assert caught.value.message == "Batch cannot be 0."
    assert "1 to 65,536" in caught.value.fix


@pytest.mark.parametrize("value", [float("nan"), "x", None, [1], True])
def test_a_number_takes_only_numbers(value: object) -> None:
    assert problem_with(GenerationSettings, "temperature", value) is not None


def test_cost_is_the_dearest_change() -> None:
    old = EngineSettings()
    assert cost_of(old, old) is Cost.NOTHING
    assert cost_of(old, validated(old, n_threads=3)) is Cost.NOTHING
    assert cost_of(old, validated(old, n_ctx=512)) is Cost.CONTEXT
    assert cost_of(old, validated(old, n_ctx=512, n_gpu_layers=3)) is Cost.RELOAD


def test_changed_names_what_differs() -> None:
    assert changed(EngineSettings()) == ()
    assert set(changed(EngineSettings(n_ctx=1, type_k="q8_0"))) == {"n_ctx", "type_k"}


def values_for(info: SettingInfo) -> st.SearchStrategy[object]:
    low, high = info.minimum, info.maximum
    match info.kind:
        case Kind.FLAG:
            return st.booleans()
        case Kind.CHOICE:
            return st.sampled_from(info.choices)
        case Kind.INTEGER:
            return st.integers(int(low or 0), int(high or 0))
        case Kind.NUMBER:
            return st.floats(low, high, allow_nan=False)
        case Kind.INTEGERS:
            return st.lists(st.integers(0, 99), max_size=4).map(tuple)
        case Kind.TEXTS:
            return st.lists(st.text(max_size=8), max_size=4).map(tuple)
        case _:
            return st.text(max_size=20)


@given(data=st.data())
def test_any_valid_settings_survive_storage(data: st.DataObject) -> None:
    declared = data.draw(st.sampled_from(DECLARED))
    values = {i.name: data.draw(values_for(i)) for i in setting_infos(declared)}
    settings = validated(declared(), **values)
    stored = json.loads(json.dumps(to_stored(settings)))
    assert from_stored(declared, stored) == (settings, ())


@given(
    stored=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_json_can_be_read_without_a_crash(stored: object) -> None:
    settings, _problems = from_stored(EngineSettings, {"version": 1, "values": stored})
    assert isinstance(settings, EngineSettings)
    from_stored(EngineSettings, stored)


def test_one_bad_value_costs_only_itself() -> None:
    stored = {"version": 1, "values": {"n_ctx": "many", "type_k": "q8_0", "gone": 1}}
    settings, problems = from_stored(EngineSettings, stored)
    assert settings == EngineSettings(type_k="q8_0")
    assert {problem.code for problem in problems} == {"settings.invalid", "settings.unknown"}


def parse(*arguments: str) -> EngineSettings:
    parser = argparse.ArgumentParser()
    add_options(parser, EngineSettings)
    return settings_from(parser.parse_args(arguments), EngineSettings())


def test_options_are_field_names_with_dashes() -> None:
    settings = parse(
        "--n-ctx",
        "8192",
        "--n-ubatch",
        "512",
        "--type-k",
        "q8_0",
        "--flash-attn",
        "on",
        "--devices",
        "CUDA0,127.0.0.1:50052",
        "--tensor-split",
        "3,2",
        "--no-offload-kqv",
    )
    assert settings == EngineSettings(
        n_ctx=8192,
        n_ubatch=512,
        type_k="q8_0",
        flash_attn="on",
        devices=("CUDA0", "127.0.0.1:50052"),
        tensor_split=(3, 2),
        offload_kqv=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("--n-ctx", "lots"), ("--type-k", "q9"), ("--tensor-split", "a,b"), ("--n-batch", "-3")],
)
def test_a_bad_option_is_a_sentence(arguments: tuple[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(*arguments)
    assert caught.value.code == "settings.invalid"
    assert arguments[1] in caught.value.message


def models_of(values: msgspec.Struct) -> dict[str, str]:
    infos = setting_infos(type(values))
    return {info.name: getattr(values, info.name) for info in infos if info.form is Form.MODEL}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("demo", str(demo_model_path())),
        ("~/small.gguf", str(Path.home() / "small.gguf")),
        ("./demo", "./demo"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("declared", [EngineSettings, AppSettings])
def test_an_option_that_takes_a_model_knows_its_names(
    declared: type[msgspec.Struct], written: str, meant: str
) -> None:
    names = models_of(declared())
    assert {*names} & {"draft_model", "embedding_model"}
    parser = argparse.ArgumentParser()
    add_options(parser, declared)
    given = [part for name in names for part in (f"--{name.replace('_', '-')}", written)]
    settings = settings_from(parser.parse_args(given), declared())
    assert models_of(settings) == dict.fromkeys(names, meant)


def test_the_reference_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference_page(), "run `make reference`"

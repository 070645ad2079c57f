"""Model headers beside two other readers: the gguf package, and llama.cpp itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest

from engine.errors import UserError
from engine.models.ggml_types import FILE_TYPES, TENSOR_TYPES
from engine.models.gguf_file import read_gguf
from engine.models.header import ModelHeader, read_header

if TYPE_CHECKING:
    from collections.abc import Callable

_ZOO = sorted(
    path.name.removesuffix(".gguf.xz")
    for path in (Path(__file__).parents[1] / "data" / "zoo").glob("*.gguf.xz")
)
_SMALL_ZOO = ("gemma3-dense", "deepseek32-moe", "granitehybrid-dense", "llama4-moe")


def write_model(path: Path, architecture: str, **numbers: Any) -> Path:
    """A model of header only, with as much of a tensor as the format asks for."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in numbers.items():
        key = f"{architecture}.{name.replace('__', '.')}"
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            writer.add_uint32(key, value)
    writer.add_tensor("token_embd.weight", np.zeros((4, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_demo_model(demo_model: Path) -> None:
    header = read_header(demo_model)
    assert header.as_facts() == {
        "path": str(demo_model),
        "name": "Smollm2 135M 8k Lc100K Mix1 Ep2",
        "kind": "model",
        "architecture": "llama",
        "parameters": 134_515_008,
        "quantization": "Q4_1",
        "file_bytes": demo_model.stat().st_size,
        "parts": 1,
        "complete": True,
        "layers": 30,
        "guessing_layers": 0,
        "heads": 9,
        "kv_heads": 3,
        "head_size_k": 64,
        "head_size_v": 64,
        "context_length": 8192,
        "embedding_length": 576,
        "vocabulary_size": 49_152,
        "sliding_window": 0,
        "experts": 0,
        "experts_used": 0,
        "kv_bytes_per_token": 30 * 2 * 3 * 64 * 2,
        "kv_bytes_per_token_q8_0": 30 * 2 * 3 * 64 * 34 // 32,
        "kv_bytes_per_token_q4_0": 30 * 2 * 3 * 64 * 18 // 32,
        "chat_template": True,
    }
    assert header.problem is None


@pytest.mark.parametrize("name", _SMALL_ZOO)
def test_values_and_tensors_are_those_of_the_gguf_package(
    zoo: Callable[[str], Path], name: str
) -> None:
    path = zoo(name)
    theirs, ours = gguf.GGUFReader(path), read_gguf(path)
    for key, field in theirs.fields.items():
        if key.startswith("GGUF."):
            continue
        value = field.contents()
        if isinstance(value, list):
            assert ours.array_lengths[key] == len(value)
            kept = ours.values.get(key)
            assert kept is None or kept == tuple(value)
        else:
            assert ours.values[key] == value
    for one, other in zip(ours.tensors, theirs.tensors, strict=True):
        assert (one.name, list(one.shape)) == (other.name, list(other.shape))
        assert one.size_bytes == other.n_bytes
        assert ours.data_offset_bytes + one.offset_bytes == other.data_offset
    assert ours.missing_bytes == 0


def test_tables_are_those_of_the_gguf_package() -> None:
    for kind, (block_values, block_bytes) in gguf.GGML_QUANT_SIZES.items():
        ours = TENSOR_TYPES[kind.value]
        assert (ours.name.lower(), ours.block_values, ours.block_bytes) == (
            kind.name.lower(),
            block_values,
            block_bytes,
        )
    for file_type in gguf.LlamaFileType:
        if file_type.name != "GUESSED":
            known = file_type.name.removeprefix("MOSTLY_").removeprefix("ALL_")
            assert FILE_TYPES[file_type.value] == known.removesuffix("_MOE")


@pytest.mark.parametrize("name", _ZOO)
def test_every_architecture_of_the_zoo_is_read(zoo: Callable[[str], Path], name: str) -> None:
    header = read_header(zoo(name))
    assert header.kind == "model"
    assert header.architecture
    assert header.layers
    assert header.parameter_count > 100_000
    assert header.context_length == 256
    assert header.missing_bytes == 0
    assert (header.experts > 0) is name.endswith("-moe")
    assert header.kv is not None


_ASK_LLAMA_CPP = """
import json, sys
from engine.errors import UserError
from engine.llama.devices import Devices
from engine.llama.dry_run import DryRun
from engine.settings import EngineSettings

answers = {}
for path in json.loads(sys.argv[1]):
    dry_run, sizes = DryRun(path, Devices()), {}
    for kv_type in ("f16", "q8_0"):
        for n_ctx in (1024, 8192):
            settings = EngineSettings(
                model_path=path, n_ctx=n_ctx, type_k=kv_type, type_v=kv_type, devices=("cpu",),
                flash_attn="on", n_ubatch=512, swa_full=False,
            )
            try:
                kinds = dict(dry_run.measure(settings).kv_kinds)
            except UserError:
                continue
            kinds.pop("recurrent", None)
            sizes[f"{kv_type} {n_ctx}"] = sum(kinds.values())
    dry_run.close()
    answers[path] = sizes
print(json.dumps(answers))
"""


@pytest.mark.model
def test_kv_sizes_are_llama_cpps_to_the_byte(
    zoo: Callable[[str], Path], demo_model: Path, gemma_model: Path
) -> None:
    paths = [demo_model, gemma_model, *map(zoo, _ZOO)]
    command = [sys.executable, "-c", _ASK_LLAMA_CPP, json.dumps([str(path) for path in paths])]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    answers = json.loads(asked.stdout.splitlines()[-1])
    compared = 0
    for path in paths:
        layout = read_header(path).kv
        assert layout is not None
        for what, size_bytes in answers[str(path)].items():
            kv_type, n_ctx = what.split()
            assert layout.bytes_at(int(n_ctx), kv_type, kv_type) == size_bytes, (path.name, what)
            compared += 1
    # Grok turns flash attention off, so that only its f16 can be asked for.
    assert compared >= 4 * len(paths) - 2


class TestLayouts:
    """Rules for layers where the file says little, as llama.cpp has them."""

    def header(self, tmp_path: Path, architecture: str, **numbers: Any) -> ModelHeader:
        usual = {
            "embedding_length": 256,
            "attention__head_count": 2,
            "attention__key_length": 128,
            "attention__value_length": 128,
        }
        return read_header(write_model(tmp_path / "m.gguf", architecture, **{**usual, **numbers}))

    def sliding(self, header: ModelHeader) -> str:
        assert header.kv is not None
        return "".join("s" if row.slides else "F" for row in header.kv.rows)

    def test_a_period_without_a_list(self, tmp_path: Path) -> None:
        window = {"block_count": 8, "attention__sliding_window": 512}
        assert self.sliding(self.header(tmp_path, "gemma3", **window)) == "sssssFss"
        assert self.sliding(self.header(tmp_path, "gpt-oss", **window)) == "sFsFsFsF"
        assert self.sliding(self.header(tmp_path, "cohere2moe", **window)) == "FsssFsss"

    def test_a_list_wins_over_the_period(self, tmp_path: Path) -> None:
        header = self.header(
            tmp_path,
            "gemma3",
            block_count=4,
            attention__sliding_window=512,
            attention__sliding_window_pattern=[False, True, True, False],
        )
        assert self.sliding(header) == "FssF"

    def test_no_window_no_sliding(self, tmp_path: Path) -> None:
        assert self.sliding(self.header(tmp_path, "gemma3", block_count=6)) == "FFFFFF"
        header = self.header(tmp_path, "phi3", block_count=2, attention__sliding_window=2047)
        assert self.sliding(header) == "FF"
        assert header.sliding_window == 0

    def test_gemma2_and_llama4_have_windows_of_their_own(self, tmp_path: Path) -> None:
        assert self.header(tmp_path, "gemma2", block_count=2).sliding_window == 4096
        assert self.header(tmp_path, "llama4", block_count=4).sliding_window == 8192
        off = self.header(tmp_path, "llama4", block_count=4, attention__sliding_window=0)
        assert self.sliding(off) == "FFFF"

    def test_layers_that_share_kv_keep_none(self, tmp_path: Path) -> None:
        pattern = [True, False] * 5
        header = self.header(
            tmp_path,
            "gemma4",
            block_count=10,
            attention__sliding_window=512,
            attention__sliding_window_pattern=pattern,
            attention__key_length_swa=64,
            attention__value_length_swa=64,
            attention__shared_kv_layers=4,
        )
        assert self.sliding(header) == "sFsFsF"
        assert header.kv is not None
        assert {row.k_values for row in header.kv.rows if row.slides} == {2 * 64}
        header = self.header(tmp_path, "gemma3n", block_count=30, attention__sliding_window=512)
        assert header.kv is not None
        assert len(header.kv.rows) == 20

    def test_recurrent_layers_lie_between(self, tmp_path: Path) -> None:
        header = self.header(tmp_path, "qwen3next", block_count=12)
        assert header.kv_bytes_per_token() == 3 * 2 * 2 * 128 * 2
        header = self.header(tmp_path, "qwen35", block_count=12, full_attention_interval=6)
        assert header.kv_bytes_per_token() == 2 * 2 * 2 * 128 * 2

    def test_predicted_layers_are_left_out(self, tmp_path: Path) -> None:
        header = self.header(tmp_path, "glm4moe", block_count=5, nextn_predict_layers=1)
        assert header.kv_bytes_per_token() == 4 * 2 * 2 * 128 * 2

    def test_an_architecture_of_its_own_kind_is_unknown(self, tmp_path: Path) -> None:
        header = self.header(tmp_path, "deepseek4", block_count=2)
        assert header.kv_bytes_per_token() is None
        assert header.as_facts()["kv_bytes_per_token"] is None

    def test_a_width_that_no_block_divides_is_unknown(self, tmp_path: Path) -> None:
        header = self.header(
            tmp_path,
            "llama",
            block_count=1,
            attention__head_count=1,
            attention__key_length=80,
            attention__value_length=80,
        )
        assert header.kv_bytes_per_token("f16", "f16") == 320
        assert header.kv_bytes_per_token("q8_0", "f16") is None


def test_unknown_facts_are_none_and_not_zero(tmp_path: Path) -> None:
    header = read_header(write_model(tmp_path / "m.gguf", "brandnew"))
    facts = header.as_facts()
    for name in ("layers", "heads", "context_length", "head_size_k", "vocabulary_size"):
        assert facts[name] is None
    assert header.kv is None
    assert header.quantization == "F32"


def test_a_projector_is_known_by_its_architecture(tmp_path: Path) -> None:
    assert read_header(write_model(tmp_path / "m.gguf", "clip")).kind == "projector"


def test_all_parts_of_a_split_model_count(tmp_path: Path) -> None:
    parts = [
        write_model(tmp_path / f"m-{number:05d}-of-00003.gguf", "llama", block_count=2)
        for number in (1, 2, 3)
    ]
    for part in parts:
        header = read_header(part)
        assert header.path == str(parts[0])
        assert (header.parts, header.parameter_count) == (3, 3 * 32)
        assert header.file_bytes == sum(one.stat().st_size for one in parts)
    parts[1].unlink()
    with pytest.raises(UserError) as caught:
        read_header(parts[2])
    assert caught.value.code == "models.part_missing"
    assert parts[1].name in caught.value.message


def test_a_large_vocabulary_is_skipped_fast(gemma_model: Path) -> None:
    header = read_header(gemma_model)
    assert header.vocabulary_size == 262_144
    assert header.sliding_window == 512
    assert not header.has_chat_template

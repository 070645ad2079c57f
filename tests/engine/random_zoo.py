"""Tiny models of many architectures with random weights, so that logits depend on every token.

The zoo's files hold real headers and zeroed weights. A copy gets seeded values: norms near one,
decay rates negative, the rest scaled by its fan-in.
"""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader

Values = npt.NDArray[np.float32]

ZOO = Path(__file__).parents[1] / "data" / "zoo"


def unpacked(name: str, folder: Path) -> Path:
    """A model of the zoo as it is, unpacked into a folder."""
    path = folder / f"{name}.gguf"
    with lzma.open(ZOO / f"{name}.gguf.xz") as packed, path.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    return path


def randomized(name: str, folder: Path, seed: int = 7) -> Path:
    """A model of the zoo with random weights."""
    path = unpacked(name, folder)
    random = np.random.default_rng(seed)
    for tensor in GGUFReader(path, "r+").tensors:
        if tensor.data.dtype == np.float32:
            tensor.data[:] = random_values(tensor.name, tensor.data.shape, random)
    return path


def random_values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Values:
    noise: Values = random.standard_normal(shape, dtype=np.float32)
    if "norm" in name and name.endswith("weight"):
        return np.float32(1) + np.float32(0.1) * noise
    if name.endswith("ssm_a") or name.endswith("ssm_a.weight"):
        return np.float32(-0.1) - np.float32(0.2) * np.abs(noise)
    if name.startswith("token_embd") or name.endswith("bias"):
        return np.float32(0.3) * noise
    return noise * np.float32(_gain(name) / np.sqrt(shape[-1]))


def _gain(name: str) -> float:
    # Enough that what stands far back in the context shows in the logits.
    if "attn_q" in name or "attn_k" in name:
        return 1.0
    if any(part in name for part in ("attn_v", "attn_output", "attn_out", "ssm_out", "shortconv")):
        return 8.0
    return 1.0

"""Makes a large model for which the demo model can guess, where no real pair is at hand.

    .venv/bin/python tests/engine/make_pair.py TARGET.gguf [--layers 120] [--noise 0.1]

The large one is the demo model itself, its weights in F16, with blocks added whose output
projections are zero: they compute like any other and change nothing. So it costs what a model of
that many layers costs and writes what the demo model writes, but for rounding. ``--noise`` adds
random numbers to the weights, as a share of each matrix's own spread: the two then agree less
often, as real pairs do. They share the vocabulary, which is all that a draft model asks for.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np

from engine.models.demo import demo_model_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LAYERS = 120
_SILENT = ("attn_output.weight", "ffn_down.weight")
_WRITTEN_ANEW = ("general.architecture", "general.file_type", "llama.block_count")


def write_target(path: Path, *, layers: int = LAYERS, noise: float = 0.0) -> Path:
    """Write the large model of the pair; the demo model is its draft.

    Args:
        path: Where to.
        layers: Blocks in all; at least those that the demo model has.
        noise: Spread of what is added to a matrix, as a share of the matrix's own.
    """
    source = gguf.GGUFReader(demo_model_path())
    own = int(source.fields["llama.block_count"].contents())
    if layers < own:
        raise ValueError(f"the demo model has {own} blocks")
    writer = gguf.GGUFWriter(path, "llama")
    for field in source.fields.values():
        if field.name not in _WRITTEN_ANEW and not field.name.startswith("GGUF."):
            parts = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], parts)
    writer.add_block_count(layers)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    random = np.random.default_rng(7)
    for tensor in source.tensors:
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if weights.ndim > 1:
            drawn = random.standard_normal(weights.shape, dtype=np.float32)
            weights = (weights + noise * weights.std() * drawn).astype(np.float16)
        for name, values in _copies(tensor.name, weights, own, layers):
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _copies(
    name: str, weights: NDArray[np.generic], own: int, layers: int
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """A tensor, and those of the added blocks that are made from it."""
    yield name, weights
    if not name.startswith("blk."):
        return
    _, block, part = name.split(".", 2)
    for added in range(int(block) + own, layers, own):
        yield f"blk.{added}.{part}", np.zeros_like(weights) if part in _SILENT else weights


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--noise", type=float, default=0.0)
    options = parser.parse_args()
    write_target(options.target, layers=options.layers, noise=options.noise)


if __name__ == "__main__":
    main()

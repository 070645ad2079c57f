"""A tiny vision projector of the SmolVLM kind (idefics3), its weights all zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_LAYERS, _HEADS, _PATCH, _MERGE = 2, 4, 16, 4


def write_projector(path: Path, n_embd: int, *, width: int = 64, image: int = 128) -> Path:
    """Write a projector for models of a width.

    Args:
        path: Where to.
        n_embd: Width of the model it is for.
        width: Its own width.
        image: Side of its images in pixels.
    """
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.projector_type", "idefics3")
    numbers = {
        "image_size": image,
        "patch_size": _PATCH,
        "embedding_length": width,
        "feed_forward_length": 4 * width,
        "block_count": _LAYERS,
        "projection_dim": n_embd,
        "attention.head_count": _HEADS,
        "projector.scale_factor": _MERGE,
    }
    for name, value in numbers.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    for name, shape in _shapes(n_embd, width, (image // _PATCH) ** 2).items():
        kind = np.float16 if len(shape) > 1 else np.float32
        writer.add_tensor(name, np.zeros(shape, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(n_embd: int, width: int, patches: int) -> dict[str, tuple[int, ...]]:
    """Shapes as numpy has them: the fastest dimension last."""
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (width, 3, _PATCH, _PATCH),
        "v.patch_embd.bias": (width,),
        "v.position_embd.weight": (patches, width),
        "v.post_ln.weight": (width,),
        "v.post_ln.bias": (width,),
        "mm.model.fc.weight": (n_embd, width * _MERGE * _MERGE),
    }
    for layer in range(_LAYERS):
        block = f"v.blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes[f"{block}.{name}.weight"] = (width, width)
            shapes[f"{block}.{name}.bias"] = (width,)
        for name in ("ln1", "ln2"):
            shapes[f"{block}.{name}.weight"] = (width,)
            shapes[f"{block}.{name}.bias"] = (width,)
        shapes[f"{block}.ffn_up.weight"] = (4 * width, width)
        shapes[f"{block}.ffn_up.bias"] = (4 * width,)
        shapes[f"{block}.ffn_down.weight"] = (width, 4 * width)
        shapes[f"{block}.ffn_down.bias"] = (width,)
    return shapes

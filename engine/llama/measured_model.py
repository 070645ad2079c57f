"""A model opened without weights, from which contexts are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.llama.division import Division, can_divide
from engine.llama.failures import load_failure
from engine.llama.library import api, log_sink
from engine.llama.parameters import model_parameters
from engine.llama.placement import placed

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Sequence

    from engine.llama.devices import Device
    from engine.planning.header import Header
    from engine.settings import EngineSettings


class MeasuredModel:
    """Owns a `llama_model` opened with `no_alloc`.

    Attributes:
        devices: Where a load would put it.
        division: How a tensor split divides it; None otherwise, or where that cannot be asked.
        weights, parts: The divided weights, once they were asked for.
    """

    def __init__(
        self, header: Header, path: str, settings: EngineSettings, devices: Sequence[Device]
    ) -> None:
        self.header = header
        self.devices = placed(settings, devices)
        handles = [device.handle for device in devices]
        parameters = model_parameters(settings, handles, dry=True)
        if header.facts.n_vocab:
            words = _without_words(header.facts.architecture, header.facts.n_vocab)
            parameters.struct.kv_overrides = words
            parameters.kept.append(words)
        log_sink.mark()
        self.handle = api().llama_model_load_from_file(path.encode(), parameters.struct) or 0
        if not self.handle:
            raise load_failure(log_sink.complaints(), header.facts.path)
        self.division: Division | None = None
        if settings.split_mode == "tensor" and can_divide():
            self.division = Division(self.handle, handles)
        self.weights: list[int] | None = None
        self.parts: tuple[float, ...] = ()

    @property
    def n_embd(self) -> int:
        """Width of what the model takes in per token."""
        return int(api().llama_model_n_embd_inp(self.handle))

    def close(self) -> None:
        """Free it."""
        api().llama_model_free(self.handle)


def _without_words(architecture: str, n_vocab: int) -> ctypes.Array[Any]:
    """Overrides that keep the vocabulary's size and spare reading its words.

    A large vocabulary takes llama.cpp a second to index, and no plan depends on it; each position
    of a split handle opens the model anew.
    """
    native = api()
    overrides: ctypes.Array[Any] = (native.llama_model_kv_override * 3)()
    overrides[0].tag = native.LLAMA_KV_OVERRIDE_TYPE_STR
    overrides[0].key = b"tokenizer.ggml.model"
    overrides[0].value.val_str = b"no_vocab"
    overrides[1].tag = native.LLAMA_KV_OVERRIDE_TYPE_INT
    overrides[1].key = f"{architecture}.vocab_size".encode()
    overrides[1].value.val_i64 = n_vocab
    # The third one's empty key ends the list.
    return overrides

"""A loaded model: opening a file with progress and cancel, and what llama.cpp says of it."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from engine.errors import UserError
from engine.llama.failures import load_failure
from engine.llama.library import api, log_sink
from engine.llama.outcome import Cancelled
from engine.llama.parameters import model_parameters
from engine.llama.placement import placed
from engine.llama.reuse_memory import memory_class
from engine.models.model_files import parts_of
from engine.worker.protocol import ModelInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.llama.devices import Device
    from engine.llama.parameters import Parameters
    from engine.llama.templates import ChatTemplate
    from engine.llama.vocabulary import Vocabulary
    from engine.settings import EngineSettings
    from engine.worker.protocol import LoadPhase

LoadProgress: TypeAlias = "Callable[[LoadPhase, float, int], bool]"

_META_BYTES = 1024


class Model:
    """Owns a `llama_model`; free it after every context made from it.

    Attributes:
        handle: Address of the `llama_model`.
        path: The file it was loaded from (of a split model, the first part).
        size_bytes: Bytes of the file, all parts together.
        devices: What it was loaded onto; empty for the CPU alone.
    """

    def __init__(
        self, settings: EngineSettings, devices: Sequence[Device], progress: LoadProgress
    ) -> None:
        """Load the file.

        Raises:
            UserError: The file or the settings do not allow it.
            Cancelled: `progress` returned False.
        """
        path = Path(settings.model_path).expanduser()
        self.path = path
        self.size_bytes = sum(part.stat().st_size for part in parts_of(path))
        self.devices = placed(settings, devices)
        parameters = model_parameters(settings, [device.handle for device in devices])
        self.handle = _load(path, parameters, self.size_bytes, progress)

    def close(self) -> None:
        """Free the weights."""
        handle, self.handle = self.handle, 0
        if handle:
            api().llama_model_free(handle)

    @property
    def n_ctx_train(self) -> int:
        """Tokens of context the model was trained for."""
        return int(api().llama_model_n_ctx_train(self.handle))

    def metadata(self, key: str) -> str:
        """A value of the file's metadata as text; empty when there is none."""
        buffer = ctypes.create_string_buffer(_META_BYTES)
        size = api().llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if size >= 0 else ""

    def info(self, vocabulary: Vocabulary, template: ChatTemplate) -> ModelInfo:
        """Everything about the model that the app shows."""
        native, handle = api(), self.handle
        description = ctypes.create_string_buffer(_META_BYTES)
        native.llama_model_desc(handle, description, len(description))
        return ModelInfo(
            path=str(self.path),
            name=self.metadata("general.name") or self.path.stem,
            architecture=self.metadata("general.architecture"),
            description=description.value.decode("utf-8", "replace"),
            size_bytes=self.size_bytes,
            parameter_count=int(native.llama_model_n_params(handle)),
            n_layer=int(native.llama_model_n_layer(handle)),
            n_head=int(native.llama_model_n_head(handle)),
            n_head_kv=int(native.llama_model_n_head_kv(handle)),
            n_embd=int(native.llama_model_n_embd(handle)),
            n_vocab=vocabulary.n_vocab,
            n_ctx_train=self.n_ctx_train,
            n_swa=int(native.llama_model_n_swa(handle)),
            memory_class=memory_class(handle),
            vocabulary_id=vocabulary.identity,
            template_source=template.source,
            can_think=template.can_think,
        )


def _load(path: Path, parameters: Parameters, total_bytes: int, progress: LoadProgress) -> int:
    native = api()
    stopped = False

    def on_progress(fraction: float, _user_data: int | None) -> bool:
        nonlocal stopped
        stopped = stopped or not progress("weights", min(1.0, fraction), total_bytes)
        return not stopped

    if not progress("open", 0.0, total_bytes):
        raise Cancelled
    callback = native.llama_progress_callback(on_progress)
    parameters.struct.progress_callback = callback
    log_sink.mark()
    handle = native.llama_model_load_from_file(str(path).encode(), parameters.struct)
    if stopped:
        if handle:
            native.llama_model_free(handle)
        raise Cancelled
    if not handle:
        raise load_failure(log_sink.complaints(), str(path))
    if not native.llama_model_has_decoder(handle):
        native.llama_model_free(handle)
        raise UserError("engine.not_a_chat_model", path=str(path))
    return int(handle)

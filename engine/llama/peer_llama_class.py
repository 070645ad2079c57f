"""llama-cpp-python's own `Llama` class, to compare with. Runs in a process of its own."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from engine.bench.talk import serve
from engine.llama.library import binding_version
from engine.llama.parameters import KV_TYPES

if TYPE_CHECKING:
    from engine.bench.talk import Setup
    from engine.settings import GenerationSettings

_SPLIT_MODES = {"none": 0, "layer": 1, "tensor": 3}


class LlamaClassPeer:
    """The class as its documentation uses it: `eval` to read, `generate` to write.

    Neither turns tokens into text, which the product's figures include.
    """

    def __init__(self, setup: Setup) -> None:
        """Load the model.

        Raises:
            ValueError: It does not load, or the class lacks a setting.
        """
        import llama_cpp

        settings = setup.settings
        self.version = f"llama-cpp-python {binding_version()}"
        self._sampling = _sampling(setup.generation, llama_cpp)
        self._native = llama_cpp
        self._llama: Any = llama_cpp.Llama(
            model_path=settings.model_path,
            n_gpu_layers=settings.n_gpu_layers,
            split_mode=_SPLIT_MODES[settings.split_mode],
            main_gpu=settings.main_gpu,
            tensor_split=[float(share) for share in settings.tensor_split] or None,
            use_mmap=settings.mmap,
            use_mlock=settings.mlock,
            n_ctx=settings.n_ctx,
            n_batch=settings.n_batch,
            n_ubatch=settings.n_ubatch,
            n_threads=setup.n_threads,
            n_threads_batch=setup.n_threads_batch,
            offload_kqv=settings.offload_kqv,
            # The class knows on and off only; off is not what anybody compares with.
            flash_attn=setup.flash_attn,
            swa_full=settings.swa_full,
            last_n_tokens_size=max(0, setup.generation.repeat_last_n),
            type_k=KV_TYPES[settings.type_k],
            type_v=KV_TYPES[settings.type_v],
            verbose=False,
        )

    def read(self, front: list[int], new: list[int]) -> float:
        """Seconds to read `new` after `front`, which is read first where it is not."""
        self._go_to(front)
        began = time.perf_counter()
        self._llama.eval(new)
        self._synchronize()
        return time.perf_counter() - began

    def write(self, front: list[int], count: int) -> float:
        """Seconds to write `count` tokens, from the first choice to the last decode."""
        self._go_to(front[:-1])
        # The first token out has read the prompt; the next `count` each cost a decode.
        tokens = self._llama.generate(front, **self._sampling)
        next(tokens)
        self._synchronize()
        began = time.perf_counter()
        for _ in range(count):
            next(tokens)
        self._synchronize()
        seconds = time.perf_counter() - began
        tokens.close()
        return seconds

    def _go_to(self, front: list[int]) -> None:
        llama = self._llama
        held = llama.input_ids[: llama.n_tokens].tolist()
        if front and held[: len(front)] == front and self._cut(len(front)):
            llama.n_tokens = len(front)
        else:
            llama.reset()
            if front:
                llama.eval(front)
        self._synchronize()

    def _cut(self, length: int) -> bool:
        native = self._native
        memory = native.llama_get_memory(self._llama.ctx)
        lowest = native.llama_memory_seq_pos_min(memory, 0)
        window = native.llama_model_n_swa(self._llama.model)
        if lowest > 0 and lowest > length - window:
            # What has slid out of the window would be missing.
            return False
        return bool(native.llama_memory_seq_rm(memory, 0, length, -1))

    def _synchronize(self) -> None:
        self._native.llama_synchronize(self._llama.ctx)


def _sampling(generation: GenerationSettings, native: Any) -> dict[str, Any]:  # noqa: ANN401
    lacking = {
        "DRY": generation.dry_multiplier > 0,
        "XTC": generation.xtc_probability > 0,
        "a JSON schema with its own sampler": bool(generation.json_schema),
        "a bias without copying all logits": bool(generation.logit_bias),
    }
    for name, wanted in lacking.items():
        if wanted:
            raise ValueError(f"it has no {name}" if len(name) == 3 else f"it lacks {name}")
    arguments: dict[str, Any] = {
        "temp": generation.temperature,
        "top_k": generation.top_k,
        "top_p": generation.top_p,
        "min_p": generation.min_p,
        "typical_p": generation.typical_p,
        "repeat_penalty": generation.repeat_penalty,
        "presence_penalty": generation.presence_penalty,
        "frequency_penalty": generation.frequency_penalty,
    }
    if generation.grammar:
        arguments["grammar"] = native.LlamaGrammar.from_string(generation.grammar, verbose=False)
    return arguments


if __name__ == "__main__":
    if sys.stdin.isatty():
        sys.exit("This is started by `leadline bench --vs llama-class`.")
    serve(LlamaClassPeer)

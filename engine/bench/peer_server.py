"""llama-server, as xllamacpp embeds it, timed by its own clock. Runs in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from engine.bench.talk import serve

if TYPE_CHECKING:
    from engine.bench.talk import Setup
    from engine.settings import GenerationSettings

_KV_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "iq4_nl": 20,
    "bf16": 30,
}
_SPLIT_MODES = {"none": 0, "layer": 1, "tensor": 3}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
# xllamacpp takes as many as it has room for.
_SHARES = 128


class ServerPeer:
    """A server without HTTP in between: requests go to its own handler.

    Raises:
        ValueError: From all methods: it does not know a setting, or gave no timings.
    """

    def __init__(self, setup: Setup) -> None:
        import xllamacpp

        self.version = f"xllamacpp {xllamacpp.__version__}"
        parameters = xllamacpp.CommonParams()
        _fill(parameters, setup)
        self._server = xllamacpp.Server(parameters)
        self._sampling = _sampling(setup.generation)

    def read(self, front: list[int], new: list[int]) -> float:
        """Seconds to read `new` after `front`, which is read first where it is not."""
        if front:
            self._complete([*front, new[0]], 1)
        timings = self._complete([*front, *new], 1)
        return float(timings["prompt_ms"]) / 1000 * len(new) / float(timings["prompt_n"])

    def write(self, front: list[int], count: int) -> float:
        """Seconds to write `count` tokens; the first one costs no decode, so it is one more."""
        timings = self._complete(front, count + 1)
        if timings["predicted_n"] != count + 1:
            raise ValueError("the reply ended early")
        return float(timings["predicted_ms"]) / 1000

    def _complete(self, prompt: list[int], n_predict: int) -> dict[str, Any]:
        answer = self._server.handle_completions(
            {
                "prompt": prompt,
                "max_tokens": n_predict,
                "ignore_eos": True,
                "cache_prompt": True,
                **self._sampling,
            }
        )
        timings = answer.get("timings") if isinstance(answer, dict) else None
        if not isinstance(timings, dict):
            raise ValueError(f"no timings in {str(answer)[:200]}")
        return timings


def _fill(parameters: Any, setup: Setup) -> None:  # noqa: ANN401
    import xllamacpp

    settings = setup.settings
    parameters.model.path = settings.model_path
    parameters.n_ctx, parameters.n_parallel = settings.n_ctx, 1
    parameters.n_batch, parameters.n_ubatch = settings.n_batch, settings.n_ubatch
    parameters.cpuparams.n_threads = setup.n_threads
    parameters.cpuparams_batch.n_threads = setup.n_threads_batch
    parameters.n_gpu_layers = settings.n_gpu_layers
    parameters.main_gpu = settings.main_gpu
    shares = [float(share) for share in settings.tensor_split]
    parameters.tensor_split = [*shares, *[0.0] * (_SHARES - len(shares))]
    parameters.split_mode = xllamacpp.llama_split_mode(_SPLIT_MODES[settings.split_mode])
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type(
        _FLASH_ATTENTION[settings.flash_attn]
    )
    parameters.cache_type_k = xllamacpp.ggml_type(_KV_TYPES[settings.type_k])
    parameters.cache_type_v = xllamacpp.ggml_type(_KV_TYPES[settings.type_v])
    parameters.no_kv_offload = not settings.offload_kqv
    parameters.swa_full = settings.swa_full
    # Its own fitting would change the sizes that are compared.
    parameters.fit_params = False
    parameters.ctx_shift = False


def _sampling(generation: GenerationSettings) -> dict[str, Any]:
    """The request's sampler settings, under the server's names."""
    wanted: dict[str, Any] = {
        "temperature": generation.temperature,
        "top_k": generation.top_k,
        "top_p": generation.top_p,
        "min_p": generation.min_p,
        "typical_p": generation.typical_p,
        "xtc_probability": generation.xtc_probability,
        "xtc_threshold": generation.xtc_threshold,
        "repeat_penalty": generation.repeat_penalty,
        "repeat_last_n": generation.repeat_last_n,
        "presence_penalty": generation.presence_penalty,
        "frequency_penalty": generation.frequency_penalty,
        "dry_multiplier": generation.dry_multiplier,
        "dry_base": generation.dry_base,
        "dry_allowed_length": generation.dry_allowed_length,
    }
    if generation.grammar:
        wanted["grammar"] = generation.grammar
    if generation.json_schema:
        import json

        wanted["json_schema"] = json.loads(generation.json_schema)
    if generation.logit_bias:
        raise ValueError("a logit bias is not compared")
    return wanted


if __name__ == "__main__":
    if sys.stdin.isatty():
        sys.exit("This is started by `leadline bench --vs server`.")
    serve(ServerPeer)

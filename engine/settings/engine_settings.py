"""Settings of a loaded model: what goes into llama.cpp's model and context parameters."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from engine.settings.declare import Cost, Form, Group, about

KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
SplitMode = Literal["none", "layer", "tensor"]
FlashAttention = Literal["auto", "on", "off"]
RopeScaling = Literal["model", "none", "linear", "yarn"]


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that decides how a model is loaded. A change costs a new context or a reload."""

    model_path: Annotated[
        str,
        about(
            "Model file",
            "A GGUF file. For a split model, its first part.",
            group=Group.MODEL,
            cost=Cost.RELOAD,
            form=Form.MODEL,
        ),
    ] = ""
    chat_template: Annotated[
        str,
        about(
            "Chat template",
            "A Jinja file to use instead of the template inside the model.",
            group=Group.MODEL,
            form=Form.FILE,
        ),
    ] = ""
    mmproj: Annotated[
        str,
        about(
            "Vision projector",
            "A projector (mmproj GGUF) to load beside the model; auto takes the one that lies "
            "beside it. It is counted in the plan and takes its memory. Chats cannot send "
            "pictures yet.",
            group=Group.MODEL,
            cost=Cost.RELOAD,
            form=Form.FILE,
        ),
    ] = ""
    mmap: Annotated[
        bool,
        about(
            "Map the file",
            "Read weights through the page cache (mmap): a second load is fast and memory is "
            "shared. Off reads them into memory of their own.",
            group=Group.MODEL,
            cost=Cost.RELOAD,
        ),
    ] = True
    mlock: Annotated[
        bool,
        about(
            "Lock in RAM",
            "Keep weights from being swapped out (mlock). Needs the system's permission.",
            group=Group.MODEL,
            cost=Cost.RELOAD,
        ),
    ] = False
    devices: Annotated[
        tuple[str, ...],
        about(
            "Devices",
            "Which devices hold the model, in this order: a PCI id, a name such as CUDA0, an RPC "
            "address such as 127.0.0.1:50052, or cpu. Empty takes every GPU.",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
            special="every GPU",
        ),
    ] = ()
    split_mode: Annotated[
        SplitMode,
        about(
            "Split",
            "none uses one device; layer gives each device whole layers; tensor divides every "
            "layer, so that all devices work on each token.",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
        ),
    ] = "layer"
    tensor_split: Annotated[
        tuple[int, ...],
        about(
            "Split ratio",
            "Shares of the devices as small whole numbers, e.g. 3,2. Empty divides by free memory "
            "(layer) or evenly (tensor).",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
            special="auto",
        ),
    ] = ()
    main_gpu: Annotated[
        int,
        about(
            "Main device",
            "Position in the device list of the one that is used when nothing is split.",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
            ge=0,
            le=15,
        ),
    ] = 0
    n_gpu_layers: Annotated[
        int,
        about(
            "GPU layers",
            "How many layers go to the GPUs (n_gpu_layers), counted from the last; the rest run "
            "on the CPU.",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
            unit="layers",
            ge=-1,
            le=999,
            special="all",
        ),
    ] = -1
    n_cpu_moe: Annotated[
        int,
        about(
            "MoE layers on CPU",
            "Keep the expert weights of the first n layers in RAM (n_cpu_moe). Attention stays on "
            "the GPU.",
            group=Group.DEVICES,
            cost=Cost.RELOAD,
            unit="layers",
            ge=0,
            le=999,
        ),
    ] = 0
    n_ctx: Annotated[
        int,
        about(
            "Context",
            "How many tokens the model can see at once (n_ctx), rounded up to 256. 0 takes the "
            "length the model was trained for.",
            group=Group.CONTEXT,
            cost=Cost.CONTEXT,
            unit="tokens",
            ge=0,
            le=16_777_216,
            form=Form.SLIDER,
            step=256,
            special="as trained",
        ),
    ] = 8192
    kv_budget_mib: Annotated[
        int,
        about(
            "Parked chats",
            "RAM for the KV state of chats that are not in the context, so that going back to one "
            "reads nothing again.",
            group=Group.CONTEXT,
            unit="MiB",
            ge=0,
            le=1_048_576,
            step=256,
        ),
    ] = 1024
    type_k: Annotated[
        KvType,
        about(
            "K type",
            "Number format of the K cache (type_k). q8_0 halves it at almost no loss.",
            group=Group.KV_CACHE,
            cost=Cost.CONTEXT,
        ),
    ] = "f16"
    type_v: Annotated[
        KvType,
        about(
            "V type",
            "Number format of the V cache (type_v). A quantized V needs flash attention.",
            group=Group.KV_CACHE,
            cost=Cost.CONTEXT,
        ),
    ] = "f16"
    flash_attn: Annotated[
        FlashAttention,
        about(
            "Flash attention",
            "auto turns it on wherever the device has a kernel for this model.",
            group=Group.KV_CACHE,
            cost=Cost.CONTEXT,
        ),
    ] = "auto"
    offload_kqv: Annotated[
        bool,
        about(
            "KV on the GPU",
            "Keep the KV cache and attention on the GPU (offload_kqv). Off keeps them in RAM, "
            "which is slower and saves VRAM.",
            group=Group.KV_CACHE,
            cost=Cost.CONTEXT,
        ),
    ] = True
    swa_full: Annotated[
        bool,
        about(
            "Full sliding window",
            "Give sliding-window layers a cache of the whole context (swa_full). Costs memory; "
            "edits far back then re-read less.",
            group=Group.KV_CACHE,
            cost=Cost.CONTEXT,
        ),
    ] = False
    n_batch: Annotated[
        int,
        about(
            "Batch",
            "The most tokens handed over at once while reading a prompt (n_batch).",
            group=Group.SPEED,
            cost=Cost.CONTEXT,
            unit="tokens",
            ge=1,
            le=65_536,
            step=64,
        ),
    ] = 2048
    n_ubatch: Annotated[
        int,
        about(
            "Micro-batch",
            "The most tokens computed at once (n_ubatch). More reads prompts faster and needs a "
            "larger compute buffer. Not above the batch.",
            group=Group.SPEED,
            cost=Cost.CONTEXT,
            unit="tokens",
            ge=1,
            le=65_536,
            step=64,
        ),
    ] = 512
    n_threads: Annotated[
        int,
        about(
            "Threads, writing",
            "CPU threads while a reply is written (n_threads). auto takes the physical cores.",
            group=Group.SPEED,
            ge=0,
            le=512,
            special="auto",
        ),
    ] = 0
    n_threads_batch: Annotated[
        int,
        about(
            "Threads, reading",
            "CPU threads while a prompt is read (n_threads_batch). auto takes the physical cores.",
            group=Group.SPEED,
            ge=0,
            le=512,
            special="auto",
        ),
    ] = 0
    draft_model: Annotated[
        str,
        about(
            "Draft model",
            "A small GGUF model of the same family that guesses the next tokens; the model checks "
            "them in one step, so the reply stays its own. Pauses where it does not pay. Guessing "
            "layers in the model's own file (MTP) are not used: llama.cpp's C interface does not "
            "give what they need.",
            group=Group.SPEED,
            cost=Cost.RELOAD,
            form=Form.MODEL,
        ),
    ] = ""
    draft_devices: Annotated[
        tuple[str, ...],
        about(
            "Draft devices",
            "Which devices hold the draft model, named as under Devices. Empty takes the first "
            "that the model uses.",
            group=Group.SPEED,
            cost=Cost.RELOAD,
            special="the model's first",
        ),
    ] = ()
    draft_tokens: Annotated[
        int,
        about(
            "Draft length",
            "The most tokens that the draft model guesses at once.",
            group=Group.SPEED,
            unit="tokens",
            ge=1,
            le=15,
        ),
    ] = 8
    rope_scaling: Annotated[
        RopeScaling,
        about(
            "Scaling",
            "How positions are stretched past the trained length. model keeps what the file says.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
        ),
    ] = "model"
    rope_freq_base: Annotated[
        float,
        about(
            "RoPE base",
            "Base frequency (rope_freq_base). 0 keeps what the file says.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=0.0,
            le=1e12,
            special="from the model",
        ),
    ] = 0.0
    rope_freq_scale: Annotated[
        float,
        about(
            "RoPE scale",
            "Frequency factor (rope_freq_scale); 0.5 doubles the reach. 0 keeps what the file "
            "says.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=0.0,
            le=16.0,
            step=0.05,
            special="from the model",
        ),
    ] = 0.0
    yarn_orig_ctx: Annotated[
        int,
        about(
            "YaRN trained length",
            "The context the model was trained for (yarn_orig_ctx). 0 keeps what the file says.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            unit="tokens",
            ge=0,
            le=16_777_216,
            special="from the model",
        ),
    ] = 0
    yarn_ext_factor: Annotated[
        float,
        about(
            "YaRN extrapolation",
            "Mix of extrapolation and interpolation (yarn_ext_factor). -1 keeps the model's.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=-1.0,
            le=16.0,
            step=0.1,
            special="from the model",
        ),
    ] = -1.0
    yarn_attn_factor: Annotated[
        float,
        about(
            "YaRN attention",
            "Factor on the attention's magnitude (yarn_attn_factor). -1 keeps the model's.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=-1.0,
            le=16.0,
            step=0.1,
            special="from the model",
        ),
    ] = -1.0
    yarn_beta_fast: Annotated[
        float,
        about(
            "YaRN beta fast",
            "Low correction dimension (yarn_beta_fast). -1 keeps the model's.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=-1.0,
            le=1024.0,
            special="from the model",
        ),
    ] = -1.0
    yarn_beta_slow: Annotated[
        float,
        about(
            "YaRN beta slow",
            "High correction dimension (yarn_beta_slow). -1 keeps the model's.",
            group=Group.ROPE,
            cost=Cost.CONTEXT,
            ge=-1.0,
            le=1024.0,
            special="from the model",
        ),
    ] = -1.0

    @property
    def all_devices(self) -> tuple[str, ...]:
        """The devices that are named, those of a draft model included."""
        return (*self.devices, *self.draft_devices)

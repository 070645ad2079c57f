"""Sentences about plans and about rules between settings: code -> (message, fix)."""

_LAYER = "Use a layer split."

SENTENCES: dict[str, tuple[str, str]] = {
    # ---- rules: what would fail
    "rules.tensor_architecture": (
        "llama.cpp cannot divide the layers of {architecture} models between devices.",
        _LAYER,
    ),
    "rules.tensor_no_device": (
        "A tensor split needs at least one GPU or remote device.",
        _LAYER,
    ),
    "rules.tensor_flash": (
        "A tensor split needs flash attention.",
        "Set flash attention to auto.",
    ),
    "rules.tensor_kv_type": (
        "A tensor split on CUDA cannot keep the KV cache as {types}: the engine would abort.",
        "Use q8_0, q4_0 or f16.",
    ),
    "rules.tensor_head_size": (
        "A tensor split needs flash attention, and CUDA has none for heads of {size} values.",
        _LAYER,
    ),
    "rules.tensor_shares": (
        "Shares of a tensor split must be small whole numbers; past 1,024 a boundary can cut a "
        "head in two and abort the engine.",
        "Use a ratio such as 3,2.",
    ),
    "rules.tensor_one_kv_head": (
        "This model has a single K and V head, which cannot be divided between devices.",
        _LAYER,
    ),
    "rules.tensor_gated_remote": (
        "Remote devices cannot take their part of {architecture} models in a tensor split: the "
        "node would crash.",
        _LAYER,
    ),
    "rules.zero_share": (
        "{device} has a share of 0 and holds no layers.",
        "Leave it out of the device list, or divide evenly.",
    ),
    "rules.tensor_kv_off_gpu": (
        "A tensor split keeps the KV cache on the devices.",
        "Turn on KV on the GPU, or use a layer split.",
    ),
    "rules.share_count": (
        "There are {shares} shares for {devices} devices.",
        "Give one share per device, or none to divide by free memory.",
    ),
    "rules.negative_share": ("A share cannot be negative.", "Divide evenly."),
    "rules.too_many_devices": (
        "llama.cpp takes 16 devices at most; {count} are chosen.",
        "Leave some out of the list.",
    ),
    "rules.main_device": (
        "The main device is number {position}, but there are {devices} devices.",
        "Use the first device.",
    ),
    "rules.v_needs_flash": (
        "A quantized V cache needs flash attention.",
        "Set flash attention to auto, or the V type to f16.",
    ),
    "rules.mla_types": (
        "This model keeps K and V as one row, so both must have the same type.",
        "Use the same type for K and V.",
    ),
    "rules.block": (
        "{type} packs {block} values at a time, which does not divide this model's {part} heads "
        "of {size} values.",
        "Use f16.",
    ),
    "rules.metal_pair": (
        "Flash attention on Metal needs the same type for K and V.",
        "Use the same type for both.",
    ),
    "rules.micro_batch": (
        "The micro-batch ({ubatch}) is larger than the batch ({batch}).",
        "Use a micro-batch of {batch} or less.",
    ),
    "rules.context_unknown": (
        "The file does not say what context the model was trained for.",
        "Choose a context, for example 8,192.",
    ),
    # ---- rules: what runs with something left behind
    "rules.cuda_kv_on_cpu": (
        "CUDA has no attention kernel for {types}, so attention runs on the CPU, many times "
        "slower.",
        "Use q8_0 or q4_0.",
    ),
    "rules.cuda_head_size": (
        "CUDA has no flash attention for heads of {size} values, so attention runs on the CPU.",
        "Set flash attention to auto and V to f16.",
    ),
    "rules.mixed_pair": (
        "This build has no kernel for K {k} with V {v}: the cache is converted to f16 at each "
        "step, which is slower.",
        "Use the same type for K and V: q8_0, q4_0 or f16.",
    ),
    "rules.flash_off": (
        "Without flash attention long contexts are slower and need a larger compute buffer.",
        "Set flash attention to auto.",
    ),
    "rules.kv_in_ram": (
        "The KV cache is in RAM, so attention runs on the CPU.",
        "Turn on KV on the GPU if it fits.",
    ),
    "rules.some_layers": (
        "Only {layers} of {total} layers are on the GPU; the rest run on the CPU.",
        "Put all layers on the GPU if they fit.",
    ),
    "rules.experts_in_ram": (
        "The experts of {layers} layers are in RAM and run on the CPU.",
        "Lower the number of MoE layers on the CPU if they fit.",
    ),
    "rules.no_nccl": (
        "This build lacks NCCL, so GPUs exchange data the slow way in a tensor split.",
        "Install NCCL, or use a layer split.",
    ),
    "rules.narrow_bus": (
        "{device} sits on {width} PCIe lanes; a tensor split moves data between devices for every "
        "layer.",
        "Use a layer split, or a slot with more lanes.",
    ),
    "rules.small_batch": (
        "With several devices the batch should be several micro-batches, so that all devices "
        "work while a prompt is read.",
        "Use a larger batch.",
    ),
    # ---- rules: worth knowing
    "rules.tensor_one_device": (
        "A tensor split over one device only adds work.",
        _LAYER,
    ),
    "rules.tensor_untested": (
        "llama.cpp has not tested tensor split with {architecture} models.",
        "Compare an answer with a layer split.",
    ),
    "rules.grok_flash": ("Grok models run without flash attention.", "Set it to auto."),
    "rules.experts_none": ("This model has no experts to keep in RAM.", "Set it to 0."),
    "rules.past_training": (
        "{n_ctx:,} tokens is more than the {trained:,} this model was trained for; answers get "
        "worse past that.",
        "Use {trained:,}, or position scaling.",
    ),
    "rules.shift_quantized": (
        "With K as {type} a full context cannot be shifted; the rest is read again instead.",
        "",
    ),
    "rules.projector": (
        "The projector is loaded beside the model and takes its memory; chats cannot send pictures "
        "yet.",
        "Leave it out until they can.",
    ),
    "rules.full_window": (
        "Sliding-window layers get a cache of the whole context.",
        "Turn full sliding window off to save memory.",
    ),
    "rules.spill": (
        "On Windows a full GPU spills into RAM without an error and becomes very slow.",
        "Keep below the limit line.",
    ),
    # ---- plans
    "planning.over_device": (
        "{device} needs {needed_gib} GiB and has {free_gib} GiB free.",
        "Choose one of the ways to make it fit, or a context of at most {max_n_ctx:,} tokens.",
    ),
    "planning.over_device_whole": (
        "{device} needs {needed_gib} GiB and has {free_gib} GiB free; no context fits.",
        "Put fewer layers on it, or choose a smaller model.",
    ),
    "planning.over_host": (
        "RAM: {needed_gib} GiB are needed and {free_gib} GiB are free.",
        "Close other programs, or choose a smaller model.",
    ),
    "planning.tight": (
        "{device} would have {left_gib} GiB left; less than {reserve_gib} GiB can run out while "
        "a prompt is read.",
        "Leave more room: a shorter context or a smaller micro-batch.",
    ),
    "planning.refused": (
        "llama.cpp refuses these settings: {reason}",
        "Change the setting it names.",
    ),
    "planning.what_if_not_built": (
        "Plans for cards that are not here need llama.cpp's RPC backend, which this build lacks.",
        "Run `make setup` again; it builds with GGML_RPC=ON.",
    ),
    "planning.crashed": (
        "llama.cpp gave up while measuring: {reason}",
        "The file may be damaged, or the settings do not go together.",
    ),
    "planning.not_started": (
        "The planner could not be started: {reason}",
        "Close other programs and change the setting once more.",
    ),
    "planning.killed": (
        "The planner was killed from outside (SIGKILL). The system does this when memory runs out.",
        "Close other programs and try again, or choose a smaller model.",
    ),
    "planning.died": (
        "The planner ended while measuring ({status}).",
        "Change the setting back, or check the file.",
    ),
    "planning.timeout": (
        "The planner did not answer within {seconds} seconds.",
        "Try again; the machine may be busy.",
    ),
    "planning.no_fit": (
        "No context of this model fits on these devices.",
        "Put fewer layers on the GPU, or choose a smaller model.",
    ),
    # ---- economics: why a KV cache is as large as it is
    "planning.reason_mha": ("Every attention head keeps K and V of its own.", ""),
    "planning.reason_gqa": (
        "Groups of heads share K and V (grouped-query attention), which divides the cache.",
        "",
    ),
    "planning.reason_mla": (
        "K and V are kept as one compressed row per token (latent attention).",
        "",
    ),
    "planning.reason_swa": (
        "Sliding-window layers keep only the last tokens, so only some layers grow with the "
        "context.",
        "",
    ),
    "planning.reason_shared": (
        "The last layers reuse the KV of earlier ones, so fewer layers keep any.",
        "",
    ),
    "planning.reason_hybrid": (
        "Most layers keep a state of fixed size; only the attention layers grow with the context.",
        "",
    ),
    "planning.reason_recurrent": ("A state of fixed size, whatever the context.", ""),
    "planning.reason_compressed": (
        "Older tokens are kept in compressed form, a fraction of a row each.",
        "",
    ),
    # ---- ladder of fixes
    "planning.fix_context": ("Context {n_ctx:,}", ""),
    "planning.fix_kv": ("KV cache {type}", ""),
    "planning.fix_ubatch": ("Micro-batch {n_ubatch}", ""),
    "planning.fix_projector": ("Leave out the vision projector", ""),
    "planning.fix_window": ("Sliding window only", ""),
    "planning.fix_experts": ("Experts of {layers} layers in RAM", ""),
    "planning.fix_layers": ("{layers} layers on the GPU", ""),
    "planning.fix_kv_ram": ("KV cache in RAM", ""),
    "planning.node_silent": (
        "The node at {address} does not answer.",
        "It may be frozen or cut off. Wait until it is back, or leave it out of the device list.",
    ),
    # ---- nodes
    "node.exposed": (
        "This node listens on {address}: anyone who reaches it can use and read this machine's "
        "devices. The protocol has no password and no encryption.",
        "Listen on 127.0.0.1 and forward the port through SSH.",
    ),
    "node.not_built": (
        "This build of llama.cpp has no RPC backend.",
        "Run `make setup` again; it builds with GGML_RPC=ON.",
    ),
    "node.not_started": (
        "The server for {device} did not start within {seconds} s.",
        "Try again when the machine is less busy; if it stays so, look whether the device answers "
        "other programs.",
    ),
    "node.port_taken": (
        "{address} is in use or cannot be opened: {reason}",
        "Choose another port with --port.",
    ),
    "node.lost": (
        "The engine ended because the node at {address} no longer answers.",
        "Start `leadline node` there again, or leave it out of the device list.",
    ),
    "node.failed": (
        "The engine ended because a node broke off: {address}.",
        "Look at what the node says, then restart the engine.",
    ),
    "node.came_back": (
        "The node at {address} was started anew, so the model is loaded again. Nothing is lost.",
        "",
    ),
    "node.silent": (
        "The node at {address} has not answered for {seconds} seconds.",
        "It may be frozen, busy or cut off. Wait, or restart the engine without it.",
    ),
    "node.no_device": (
        "There is no device named {name} on this machine.",
        "`leadline node --list` shows the devices.",
    ),
}

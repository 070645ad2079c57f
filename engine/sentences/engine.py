"""Sentences about loading models and writing replies: code -> (message, fix)."""

_DOWNLOAD_AGAIN = "Download it again, or choose another file."
_SMALLER = "Choose a shorter context, a quantized KV cache, fewer GPU layers or a smaller model."
_SEE_LOG = "The log says more."

SENTENCES: dict[str, tuple[str, str]] = {
    # ---- files
    "engine.not_gguf": (
        "{path} is not a GGUF file.",
        "Choose a file that ends in .gguf. If this one does, it is damaged: download it again.",
    ),
    "engine.gguf_version": (
        "{path} uses a version of the GGUF format that this llama.cpp cannot read.",
        "Look for a newer or older conversion of the model.",
    ),
    "engine.file_corrupt": ("{path} is damaged or incomplete.", _DOWNLOAD_AGAIN),
    "engine.file_odd": (
        "{path} lacks something that its architecture needs.",
        "It may have been made for another version of llama.cpp; look for a newer conversion.",
    ),
    "engine.file_unreadable": (
        "{path} cannot be read.",
        "Check its permissions and that the disk is connected.",
    ),
    "engine.part_missing": (
        "A part of the model is missing beside {path}.",
        "Download all parts into one folder, then open the first one.",
    ),
    "engine.not_first_part": (
        "{path} is not the first part of the model.",
        "Open the file that ends in -00001-of-….gguf.",
    ),
    "engine.no_projectors": (
        "This build of llama.cpp cannot load vision projectors: its library for them is missing.",
        "Leave the projector out, or install a build that has libmtmd.",
    ),
    "engine.projector_foreign": (
        "{path} was made for models with {theirs} values per token; this one has {ours}.",
        "Choose the mmproj file that came with the model.",
    ),
    "engine.projector_refused": (
        "llama.cpp does not take the projector {path}: {reason}",
        "Look for a newer conversion of it, or update Leadline.",
    ),
    "engine.projector_out_of_memory": (
        "{device} has no room for the projector {path}.",
        "Put another device first, or leave the projector out.",
    ),
    "engine.unknown_architecture": (
        "This llama.cpp does not know the architecture {architecture}.",
        "Update Leadline, or choose another model.",
    ),
    "engine.not_a_chat_model": (
        "{path} does not write text: it is an embedding model, an image projector or the like.",
        "Choose a language model.",
    ),
    "engine.load_failed": ("llama.cpp could not load {path}: {reason}.", _SEE_LOG),
    "engine.load_out_of_memory": (
        "There is not enough memory for the weights of {path}.",
        "Choose fewer GPU layers, more devices or a smaller model.",
    ),
    # ---- devices
    "engine.device_not_found": (
        "There is no device {name} here. Known devices: {available}.",
        "Choose from `leadline devices`, or leave the list empty to take every GPU.",
    ),
    "engine.main_gpu": (
        "The main device is number {position}, but the list has {devices}.",
        "Count from 0, or choose a split.",
    ),
    "engine.split_ratio": (
        "The split ratio {shares} does not go with {devices} devices.",
        "Give one whole number per device, not all of them 0.",
    ),
    "engine.split_unsupported": (
        "One of the devices cannot hold part of a layer.",
        "Choose the split layer.",
    ),
    "engine.tensor_split_unsupported": (
        "Models of the architecture {architecture} cannot be divided by tensor split.",
        "Choose the split layer.",
    ),
    "engine.tensor_split_needs_devices": (
        "Tensor split needs GPUs or remote devices, and none is chosen.",
        "Choose the split layer, or name devices.",
    ),
    "engine.rpc_missing": (
        "This build of llama.cpp cannot use devices of other machines.",
        "Run `make setup` to build it with RPC.",
    ),
    "engine.rpc_unreachable": (
        "Nothing answers at {address}.",
        "Start `leadline node` there, or leave it out of the device list. Check address, port and "
        "firewall.",
    ),
    "engine.rpc_busy": (
        "What listens at {address} takes the connection and does not answer.",
        "It may be frozen, or serve another program: a server of ggml's own serves one at a time.",
    ),
    "engine.rpc_not_ggml": (
        "What answers at {address} is not an RPC server of ggml.",
        "Check address and port.",
    ),
    "engine.rpc_version": (
        "The RPC server at {address} speaks version {theirs} and this llama.cpp version {ours}.",
        "Build both from the same release of llama.cpp.",
    ),
    "engine.rpc_no_devices": ("The RPC server at {address} has no devices.", _SEE_LOG),
    # ---- context
    "engine.needs_flash_attention": (
        "This needs flash attention: a quantized V cache or tensor split.",
        "Set flash attention to auto, or the V type to f16 and the split to layer.",
    ),
    "engine.kv_type_refused": (
        "The KV type {type} works in blocks of {block}, which do not divide this model's heads "
        "of {head}.",
        "Choose f16, bf16 or another type.",
    ),
    "engine.kv_types_differ": (
        "This model needs the same type for K and V.",
        "Set the K type and the V type to the same value.",
    ),
    "engine.context_out_of_memory": (
        "There is not enough memory for a context of {n_ctx} tokens.",
        _SMALLER,
    ),
    "engine.context_failed": ("llama.cpp could not make the context: {reason}.", _SEE_LOG),
    "engine.kv_dropped": (
        "The new context starts empty: {tokens} tokens will be read again.",
        "",
    ),
    # ---- requests
    "engine.prompt_too_long": (
        "The prompt has {tokens:,} tokens and the context holds {n_ctx:,}, which is {over:,} too "
        "many to answer.",
        "Choose a longer context, or take out a document or earlier messages.",
    ),
    "engine.no_slot": (
        "llama.cpp found no room in the context for more tokens.",
        "Choose a longer context, or start a new chat.",
    ),
    "engine.bad_batch": (
        "llama.cpp refused the tokens it was given.",
        "Load the model again. " + _SEE_LOG,
    ),
    "engine.decode_out_of_memory": (
        "Memory ran out while the model was computing.",
        _SMALLER,
    ),
    "engine.compute_failed": (
        "A device failed while the model was computing.",
        "Load the model again. " + _SEE_LOG,
    ),
    "engine.decode_failed": (
        "llama.cpp stopped computing with status {status}.",
        "Load the model again. " + _SEE_LOG,
    ),
    "engine.rollback_failed": (
        "Wrong guesses at the reply could not be taken back.",
        "Turn prompt lookup off, take the draft model out of the settings, and ask again.",
    ),
    "engine.lookup_unsupported": (
        "Prompt lookup is off: this model's memory cannot take back wrong guesses.",
        "",
    ),
    "engine.draft_vocabulary": (
        "{path} cannot guess for this model: its tokens are others.",
        "Choose a small model of the same family, or leave the draft model empty.",
    ),
    "engine.draft_no_use": (
        "A draft model is of no use here: the memory of {path} cannot take back wrong guesses.",
        "Leave the draft model empty.",
    ),
    "engine.no_vocabulary": (
        "This model file has no vocabulary, so it can neither read nor write text.",
        "It can be measured with `leadline bench`. To chat, choose another file.",
    ),
    "engine.bench_too_long": (
        "The test needs {tokens} tokens and the context holds {n_ctx}.",
        "Choose a smaller depth or a longer context.",
    ),
    "engine.no_logits": (
        "The model gave no result to choose a token from.",
        "Load the model again. " + _SEE_LOG,
    ),
    "engine.bad_logits": (
        "The model's results are not numbers, so no token can be chosen.",
        "The file may be damaged, or the KV type too coarse: try f16, then another file.",
    ),
    # ---- sampling
    "engine.sampler_refused": (
        "llama.cpp refused one of the sampling settings.",
        "Set sampling and penalties back to their defaults.",
    ),
    "engine.logit_bias": (
        "{pair} is not a logit bias.",
        "Write token=number, the token as its id or as text that is one token, e.g. 42=-1.5.",
    ),
    "engine.grammar": (
        "The grammar cannot be read.",
        "It must be GBNF with a rule named root. The log names the place.",
    ),
    "engine.grammar_too_deep": (
        "The grammar's parentheses stand {depth:,} deep in one another; {limit:,} can be read.",
        "Give inner parts rules of their own.",
    ),
    "engine.grammar_and_schema": (
        "A grammar and a JSON schema are set at the same time.",
        "Empty one of them.",
    ),
    "engine.grammar_dead_end": (
        "The grammar allows no token of this model at this place.",
        "Change the grammar so that every state has a way on.",
    ),
    "engine.json_schema": (
        "The JSON schema cannot be used: {reason}.",
        "Simplify it, or write a grammar instead.",
    ),
    "engine.schema_not_enforced": (
        "The reply need not follow all of the JSON schema. Not enforced: {keywords}.",
        "Check these in the reply, or write a grammar instead.",
    ),
}

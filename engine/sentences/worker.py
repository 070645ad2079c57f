"""Sentences about the worker process: code -> (message, fix)."""

_LOG = "The log has its last words."

SENTENCES: dict[str, tuple[str, str]] = {
    "worker.cancelled": ("Cancelled.", ""),
    "worker.superseded": ("A newer question replaced this one.", ""),
    "worker.no_model": ("No model is loaded.", "Choose a model in the engine pane."),
    "worker.bug": (
        "The engine could not carry out this request because of an error in Leadline.",
        "Try again; if it returns, send us the log.",
    ),
    "worker.out_of_memory": (
        "The engine ran out of memory {phase}.",
        "Choose a shorter context, a quantized KV cache or fewer GPU layers, then restart it.",
    ),
    "worker.start_failed": (
        "The engine did not start: {reason}",
        "Run `make setup` again; the log says more.",
    ),
    "worker.start_timeout": (
        "The engine did not answer within {seconds} seconds of its start.",
        "The machine may be busy. Restart the engine.",
    ),
    "worker.other_version": (
        "The engine speaks version {theirs} of the protocol and this app version {ours}.",
        "Run `make setup` so that both come from the same installation.",
    ),
    "worker.garbled": (
        "The engine sent data that could not be understood, so it was stopped.",
        "Restart it. " + _LOG,
    ),
    "worker.aborted": (
        "llama.cpp gave up {phase}: {reason}",
        "Restart with safe settings. " + _LOG,
    ),
    "worker.crashed": (
        "The engine crashed {phase} ({signal}).",
        "Restart it; if it crashes again, use safe settings. " + _LOG,
    ),
    "worker.killed": (
        "The engine was killed from outside {phase} (SIGKILL). The system does this when memory "
        "runs out.",
        "Close other programs or choose a shorter context, then restart it.",
    ),
    "worker.terminated": (
        "The engine was asked to end from outside {phase} ({signal}).",
        "Restart it when you want to go on.",
    ),
    "worker.exited": (
        "The engine ended {phase} with status {status}.",
        "Restart it. " + _LOG,
    ),
    "worker.silent": (
        "The engine has not answered for {seconds} seconds {phase}.",
        "Wait if the machine is busy, or restart the engine.",
    ),
    "worker.stopping": (
        "The engine has not stopped yet {phase}: it looks up between two steps.",
        "Ctrl+C again ends it at once.",
    ),
    "worker.hung": (
        "The engine did not answer any more {phase} and was stopped.",
        "Restart it. " + _LOG,
    ),
    "worker.reloaded": (
        "The reply ended because the engine was loaded anew.",
        "Continue it, or ask again.",
    ),
    "worker.gone": (
        "The engine is not running.",
        "Restart it in the engine pane.",
    ),
}

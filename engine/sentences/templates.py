"""Sentences about chat templates: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "engine.template_missing": (
        "The model has no chat template; {used} is used instead.",
        "Answers may be poor. Choose a chat template file that fits the model in the settings.",
    ),
    "engine.template_broken": (
        "The chat template of {source} does not work ({reason}); {used} is used instead.",
        "Answers may be poor. Choose another chat template file in the settings.",
    ),
    "engine.template_failed": (
        "The model's chat template refuses this conversation: {reason}.",
        "Edit the last message or start a new chat; a chat template file can be set for the model.",
    ),
}

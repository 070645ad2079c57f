"""Sentences about measuring speed: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "bench.nothing": (
        "There is nothing to measure.",
        "Give --pp or --tg a number of tokens.",
    ),
    "bench.bad_numbers": (
        '"{value}" is not a list of token counts.',
        "Write whole numbers separated by commas, e.g. {example}.",
    ),
    "bench.nothing_to_save": (
        "--save keeps what --tune finds, and --tune was not given.",
        "Add --tune, or leave out --save.",
    ),
    "bench.no_chain": (
        'There is no sampler chain "{name}".',
        "Choose among {known}.",
    ),
    "bench.peer_missing": (
        "{peer} could not run: {reason}.",
        "Install {package}, or leave out --vs {mode}.",
    ),
    "bench.peer_failed": (
        "{peer} could not run this: {reason}.",
        "Leave out --vs {mode}, install it again, or change the settings it does not know.",
    ),
    "bench.peer_died": (
        "{peer} could not run this: {reason}.",
        "Leave out --vs {mode}. If memory is short, two copies of the model may be too many.",
    ),
}

"""Sentences about telemetry: code -> (message, fix)."""

SENTENCES: dict[str, tuple[str, str]] = {
    "telemetry.no_driver": (
        "No NVIDIA driver answers on this computer, so there are no GPU gauges.",
        "RAM and CPU are shown. With an NVIDIA GPU, install its driver and start Leadline again.",
    ),
    "telemetry.gpu_lost": (
        "{name} ({pci}) no longer answers.",
        "Save your work and restart the computer. If it happens again, check the card's power "
        "and its seat.",
    ),
}

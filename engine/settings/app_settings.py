"""Settings of the application itself, which no model depends on."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from engine.settings.declare import Form, Group, about


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Preferences of the window. A change costs nothing."""

    theme: Annotated[
        Literal["system", "light", "dark"],
        about("Theme", "Light, dark, or whatever the system uses.", group=Group.WINDOW),
    ] = "system"
    text_size: Annotated[
        int,
        about(
            "Text size",
            "Size of the text in the window.",
            group=Group.WINDOW,
            unit="px",
            ge=10,
            le=28,
        ),
    ] = 13
    load_last_model: Annotated[
        bool,
        about("Load at start", "Load the last model when the window opens.", group=Group.WINDOW),
    ] = True
    telemetry_hz: Annotated[
        int,
        about(
            "Instrument rate",
            "How often the gauges are read.",
            group=Group.WINDOW,
            unit="Hz",
            ge=1,
            le=10,
        ),
    ] = 4
    model_folders: Annotated[
        tuple[str, ...],
        about(
            "Model folders",
            "Folders that are searched for GGUF files, beside those of other apps.",
            group=Group.MODEL,
            form=Form.FOLDERS,
        ),
    ] = ()
    long_paste_characters: Annotated[
        int,
        about(
            "Long paste",
            "A longer paste becomes a document.",
            group=Group.DOCUMENTS,
            unit="characters",
            ge=500,
            le=1_000_000,
            step=500,
        ),
    ] = 2500
    embedding_model: Annotated[
        str,
        about(
            "Embedding model",
            "A GGUF embedding model. With it passages are found by their meaning as well as by "
            "their words. It runs on the CPU beside the chat model.",
            group=Group.DOCUMENTS,
            form=Form.MODEL,
        ),
    ] = ""
    passages_per_question: Annotated[
        int,
        about(
            "Passages",
            "How many passages of a long document go with a question at most.",
            group=Group.DOCUMENTS,
            unit="per question",
            ge=1,
            le=64,
        ),
    ] = 8

"""How a setting is declared: once, as an annotated field.

`about` puts everything a setting needs beside its type: bounds, unit, title, help, group and what
applying a change costs. `engine.settings.schema` reads it back; validation, storage, the form, the
command line and the reference page all come from there.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Cost(StrEnum):
    """What applying a changed setting takes."""

    NOTHING = "nothing"
    CONTEXT = "context"
    RELOAD = "reload"


class Group(StrEnum):
    """Sections of the settings form and of the reference page, in their order."""

    MODEL = "Model"
    DEVICES = "Devices"
    CONTEXT = "Context"
    KV_CACHE = "KV cache"
    SPEED = "Speed"
    ROPE = "Position scaling"
    SAMPLING = "Sampling"
    PENALTIES = "Penalties"
    REPLY = "Reply"
    WINDOW = "Window"
    DOCUMENTS = "Documents"


class Form(StrEnum):
    """How a setting wants to be edited when its type alone does not say."""

    PLAIN = "plain"
    LONG_TEXT = "long_text"
    FILE = "file"
    MODEL = "model"
    FOLDERS = "folders"
    SLIDER = "slider"


def about(
    title: str,
    help_text: str,
    *,
    group: Group,
    cost: Cost = Cost.NOTHING,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    form: Form = Form.PLAIN,
    step: float | None = None,
    special: str = "",
) -> msgspec.Meta:
    """Describe one setting.

    Args:
        title: Two or three words, as the form shows them.
        help_text: One or two sentences; the term of the field belongs in here.
        group: Section of the form.
        cost: What a change takes.
        unit: Unit of the number, as a suffix.
        ge: Smallest allowed value.
        le: Largest allowed value.
        form: The editor to use when the type alone does not say.
        step: Step of the spin box.
        special: What the smallest value, or nothing, means; shown in its place (``"auto"``).
    """
    extra = {"group": group, "cost": cost, "unit": unit, "form": form, "special": special}
    if step is not None:
        extra["step"] = str(step)
    return msgspec.Meta(title=title, description=help_text, ge=ge, le=le, extra=extra)

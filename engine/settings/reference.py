"""The settings reference page: ``python -m engine.settings.reference > docs/settings.md``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from engine.settings.app_settings import AppSettings
from engine.settings.declare import Cost
from engine.settings.engine_settings import EngineSettings
from engine.settings.generation import GenerationSettings
from engine.settings.options import shown
from engine.settings.schema import SettingInfo, allowed, setting_infos

if TYPE_CHECKING:
    import msgspec

_COST = {
    Cost.NOTHING: "takes effect at once",
    Cost.CONTEXT: "needs a new context",
    Cost.RELOAD: "needs a reload",
}
_PARTS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("Engine", EngineSettings),
    ("Reply", GenerationSettings),
    ("Application", AppSettings),
)


def reference_page() -> str:
    """The whole page as Markdown; a test keeps the committed copy equal to it."""
    lines = ["# Settings", "", "Generated from the declarations: `make reference`.", ""]
    for title, declared in _PARTS:
        lines += [f"## {title}", ""]
        group = ""
        for info in setting_infos(declared):
            if info.group != group:
                group = info.group
                lines += [f"### {group}", ""]
            lines += _entry(info, on_command_line=declared is not AppSettings)
    return "\n".join(lines)


def _entry(info: SettingInfo, *, on_command_line: bool) -> list[str]:
    name = f"`{info.option}`" if on_command_line else f"`{info.name}`"
    unit = f" {info.unit}" if info.unit else ""
    facts = (
        f"Default {shown(info, info.default)}; allowed: {allowed(info)}{unit}; {_COST[info.cost]}."
    )
    return [f"**{info.title}** {name}  ", f"{info.help}  ", f"*{facts}*", ""]


if __name__ == "__main__":
    sys.stdout.write(reference_page())

"""Settings, declared once; everything that shows, stores or checks them reads the declarations."""

from engine.settings.app_settings import AppSettings
from engine.settings.declare import Cost, Form, Group
from engine.settings.engine_settings import EngineSettings
from engine.settings.generation import GenerationSettings
from engine.settings.schema import (
    Kind,
    SettingInfo,
    allowed,
    changed,
    cost_of,
    info_for,
    problem_with,
    setting_infos,
    validated,
)
from engine.settings.stored import from_stored, to_stored

__all__ = [
    "AppSettings",
    "Cost",
    "EngineSettings",
    "Form",
    "GenerationSettings",
    "Group",
    "Kind",
    "SettingInfo",
    "allowed",
    "changed",
    "cost_of",
    "from_stored",
    "info_for",
    "problem_with",
    "setting_infos",
    "to_stored",
    "validated",
]

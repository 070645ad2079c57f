"""`leadline fit`: the best settings of a model for a goal on these devices."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from app.cli.plan import add_options as add_plan_options
from app.cli.plan import print_plan, replaced, wanted_settings
from engine.planning.client import BlockingPlanner
from engine.planning.facts import Scene
from engine.planning.plan import as_json
from engine.planning.protocol import Fit

if TYPE_CHECKING:
    import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--goal",
        choices=("context", "speed", "quality"),
        default="context",
        help="What matters most; speed and quality keep the context. Default: context.",
    )
    add_plan_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the settings that fit best."""
    settings = wanted_settings(options)
    scene = Scene(imagined=options.what_if)
    question = Fit(request_id=0, settings=settings, goal=options.goal, scene=scene)
    with BlockingPlanner() as planner:
        plan = planner.fit(question).plan
    changes = replaced(settings, plan)
    if options.json:
        json.dump({"settings": changes, "plan": as_json(plan)}, sys.stdout, indent=2)
        print()
        return 0
    words = " ".join(
        f"--{name.replace('_', '-')} {_text(value)}" for name, value in changes.items()
    )
    print(f"Settings: {words or 'as they are'}")
    print_plan(plan)
    return 0


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)

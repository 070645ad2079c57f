"""`python -m engine.telemetry`: one snapshot of this machine's instruments as JSON."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from engine.telemetry.sampler import Sampler


def main() -> int:
    """Print one snapshot; with ``--pids`` their share of RAM and VRAM is the app's own."""
    parser = argparse.ArgumentParser(prog="python -m engine.telemetry", description=__doc__)
    parser.add_argument("--pids", type=int, nargs="*", default=[], help="processes of this app")
    arguments = parser.parse_args()
    sampler = Sampler()
    sampler.set_own_pids(arguments.pids)
    sampler.sample()
    time.sleep(0.2)  # CPU load is a difference between two readings.
    snapshot = sampler.sample(all_slow=True)
    document = msgspec.to_builtins(snapshot)
    problem = snapshot.gpu_problem
    document["gpu_problem"] = problem.as_json() if problem else None
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

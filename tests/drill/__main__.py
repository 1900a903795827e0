"""`python -m tests.drill --placements N --seed S [--processes P] [--schedule K]`."""

import argparse
import sys

from tests.drill.logs import quiet
from tests.drill.report import lines, timed
from tests.drill.run import Run


def main() -> int:
    """Play, print, and return 0 only if all is zero that must be."""
    asked = _arguments()
    quiet()
    if asked.schedule is not None:
        story = Run(asked.seed, asked.schedule).play()
        sys.stdout.write("".join(f"{line}\n" for line in story.lines))
        return 1 if story.failures else 0
    total, seconds = timed(asked.seed, asked.placements, asked.processes)
    sys.stdout.write("".join(f"{line}\n" for line in lines(asked.seed, total, seconds)))
    return 1 if total.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.drill")
    parser.add_argument("--placements", type=int, default=2_000, help="that meet a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--schedule", type=int, help="plays this one alone and tells its story")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench`: measure what the product promises. Exit code 1 when a promise is missed."""

from __future__ import annotations

import argparse
import json
import sys
import time

from bench import calls, deciding, life, process, rehearsing
from bench.figures import Figure, print_figures
from connector import logging as our_logging

PARTS = {
    "calls": calls.measure,
    "life": life.measure,
    "deciding": deciding.measure,
    "process": process.measure,
    "rehearsing": rehearsing.measure,
}


SLOW = frozenset({"life"})
"""Takes some minutes: only when it is named."""


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the product promises.")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=f"only these of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    chosen = parser.parse_args()
    our_logging.set_up(as_json=False, level="ERROR")
    began = time.perf_counter()
    figures: list[Figure] = []
    for part in chosen.parts or [name for name in PARTS if name not in SLOW]:
        print(f"measuring: {part} …", file=sys.stderr)
        for figure in PARTS[part]():
            figures.append(figure)
            print(f"  {figure.subject}, {figure.what}: {figure.value:.4g} {figure.unit}", file=sys.stderr, flush=True)
    missed = [figure for figure in figures if not figure.kept]
    if chosen.json:
        print(json.dumps([figure.as_json() for figure in figures], ensure_ascii=False, indent=2))
    else:
        print_figures(figures)
        print(f"{len(missed)} promises missed; measured in {time.perf_counter() - began:.0f} s on this machine")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the story; see :mod:`demo.story`."""

from __future__ import annotations

import argparse
import sys

from demo.story import tell

parser = argparse.ArgumentParser(prog="make demo", description="Walk a deal through a whole goodbye, on both CRMs.")
parser.add_argument("--no-browser", action="store_true", help="run to the end without waiting for anyone")
arguments = parser.parse_args()
sys.exit(tell(wait=not arguments.no_browser and sys.stdin.isatty()))

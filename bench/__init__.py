"""`make bench`: figures that the product promises, measured on this machine against the sandboxes."""

import sys
from pathlib import Path

_RIGS = str(Path(__file__).parents[1] / "tests" / "conformance")
if _RIGS not in sys.path:  # the tests have it there already
    sys.path.insert(0, _RIGS)

"""`python -m bench.first_rehearsal`: from a clone to a finished rehearsal, by the clock and the steps of docs/admin.md.

The steps are read from the page ("Try it on a sandbox"), so that what is measured is what is told. The clone is made in
a folder of its own; the environment is set up there from nothing.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, print_figures

ROOT = Path(__file__).parents[1]
SUBJECT = "From a clone to a finished rehearsal"
MINUTES = 10
ALLOWED = {"check": 1}
"""Steps that end with another exit code, as the page says."""


def steps() -> tuple[list[str], list[str]]:
    """The lines of both terminals."""
    text = (ROOT / "docs/admin.md").read_text(encoding="utf-8")
    section = text.split("### Try it on a sandbox\n", 1)[1].split("\n### ", 1)[0]
    first, second = re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return first.splitlines(), second.splitlines()


def measure() -> list[Figure]:
    """Carry the steps out; raises RuntimeError for one that fails."""
    first, second = steps()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "aurevoir"
        began = time.perf_counter()
        _run(f"git clone --quiet {ROOT} {clone}", Path(folder))
        cloned = time.perf_counter()
        _run("\n".join(first[:-1]), clone)
        ready = time.perf_counter()
        sandbox = subprocess.Popen(
            ["bash", "-ec", f". .venv/bin/activate; exec {first[-1]}"],
            cwd=clone, env=_environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            if sandbox.stdout is None or not sandbox.stdout.readline():
                raise RuntimeError("the sandbox did not start")
            _run("\n".join(_tolerant(line) for line in second), clone)
        finally:
            sandbox.send_signal(signal.SIGINT)
            sandbox.wait(10)
        ended = time.perf_counter()
        if not (clone / "trial/rehearsal.html").stat().st_size:
            raise RuntimeError("the rehearsal left no page")
    return [
        Figure(SUBJECT, "git clone", cloned - began, "s"),
        Figure(SUBJECT, "make setup", ready - cloned, "s"),
        Figure(SUBJECT, "sandbox, init, check, rehearse", ended - ready, "s"),
        Figure(SUBJECT, "all of it", (ended - began) / 60, "min", MINUTES),
    ]


def _tolerant(line: str) -> str:
    code = next((code for name, code in ALLOWED.items() if line.startswith(f"aurevoir {name}")), None)
    return line if code is None else f"{line} || test $? = {code}"


def _run(script: str, folder: Path) -> None:
    ran = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{script}\nended with {ran.returncode}:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}


if __name__ == "__main__":
    found = measure()
    print_figures(found)
    sys.exit(0 if all(figure.kept for figure in found) else 1)

"""Writes docs/practice.md: each row of the practice, how it works, on which CRM, and which tests prove it.

Run by ``make practice``. Tests name the rows that they prove by ``@pytest.mark.row("P-01")``; the rest stands in
``practice.yaml`` beside this file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROWS_FILE = Path(__file__).with_suffix(".yaml")
PAGE = ROOT / "docs" / "practice.md"
CRMS = {"hubspot": "HubSpot", "salesforce": "Salesforce"}
HEAD = """\
# The practice

What a good goodbye is made of, row by row, and how each row works here. This page is written by `make practice`
from the tests; a test fails where it is out of date, or where a row has no test.

*CRM* says where the tests meet the row: in look-alikes of the CRMs, over HTTP, or by *rules* that no CRM has a part in.
"""


@dataclass(frozen=True, order=True)
class Proof:
    """One test that proves a row. ``crms`` are those on which it runs, by name."""

    file: str
    name: str
    crms: tuple[str, ...] = ()


Rows = Mapping[str, Iterable[tuple[str, str, Iterable[str]]]]
"""File, name and CRMs of each row's tests."""
COLLECTED = pytest.StashKey[Rows]()
"""Where a run of pytest that collected all tests leaves their rows."""


class RowsPlugin:
    """Notes the rows that each collected test is marked with."""

    def __init__(self) -> None:
        self.found: dict[str, dict[tuple[str, str], set[str]]] = {}

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Called by pytest when all is collected."""
        for item in items:
            file = item.path.relative_to(ROOT).as_posix()
            name = item.name.partition("[")[0]
            for mark in item.iter_markers("row"):
                for row in mark.args:
                    self.found.setdefault(row, {}).setdefault((file, name), set()).update(crms_of(item.name, file))

    def rows(self) -> Rows:
        """What was found."""
        return {row: [(*test, sorted(crms)) for test, crms in tests.items()] for row, tests in self.found.items()}


def crms_of(test: str, file: str) -> set[str]:
    """On which CRMs a test runs: as its parameters say, or its file's name."""
    said = test.partition("[")[2].rstrip("]").split("-")
    named = {crm for crm in CRMS if crm in said}
    return named or {crm for crm in CRMS if crm in Path(file).name}


def collect() -> Mapping[str, Sequence[Proof]]:
    """The tests of each row, from a process of its own, since pytest cannot run in itself."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        done = subprocess.run(
            [sys.executable, __file__, "--collect", out.name], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the tests cannot be collected:\n{done.stdout}\n{done.stderr}")
        found = json.load(out)
    return proofs(found)


def collects_all(config: pytest.Config) -> bool:
    """Whether this run of pytest begins with all tests, whatever it leaves out afterwards."""
    asked = [(config.rootpath / argument).resolve() for argument in config.args]
    fewer = ("ignore", "ignore_glob", "lf", "failedfirst", "newfirst")
    return asked == [ROOT / "tests"] and not any(config.getoption(name, None) for name in fewer)


def proofs(found: Rows) -> Mapping[str, Sequence[Proof]]:
    """Each row's tests, in order."""
    return {row: sorted(Proof(file, name, tuple(crms)) for file, name, crms in tests) for row, tests in found.items()}


def write_collected(path: str) -> int:
    """Collect in this process, and leave what was found in a file."""
    plugin = RowsPlugin()
    code = pytest.main(["-n", "0", "-p", "no:cacheprovider", "--collect-only", "-q", "-q", "tests"], plugins=[plugin])
    Path(path).write_text(json.dumps(plugin.rows()), encoding="utf-8")
    return int(code)


@cache
def sections() -> Sequence[Mapping[str, Any]]:
    """The rows as they are described, by section."""
    described: Sequence[Mapping[str, Any]] = yaml.safe_load(ROWS_FILE.read_text("utf-8"))["sections"]
    return described


def row_names() -> list[str]:
    """All rows, in order."""
    return [row for section in sections() for row in section["rows"]]


def page(found: Mapping[str, Sequence[Proof]]) -> str:
    """The whole page."""
    parts = [HEAD]
    for section in sections():
        parts.append(f"## {section['title']}\n")
        parts.append("| row | how it works | CRM | proved by |\n|---|---|---|---|")
        for row, words in section["rows"].items():
            proofs = found.get(row, ())
            about = f"**{row}** {words['title']}"
            parts.append(f"| {about} | {words['how']} | {_where(proofs)} | {'<br>'.join(map(_link, proofs))} |")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _where(proofs: Iterable[Proof]) -> str:
    met = {crm for proof in proofs for crm in proof.crms}
    return "both" if met == set(CRMS) else ", ".join(CRMS[crm] for crm in sorted(met)) or "rules"


def _link(proof: Proof) -> str:
    words = proof.name.removeprefix("test_").replace("_", " ")
    return f"[{words}](../{proof.file})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--collect"]:
        sys.exit(write_collected(sys.argv[2]))
    collected = collect()
    PAGE.write_text(page(collected), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written.")
    for missing in [row for row in row_names() if row not in collected]:
        print(f"{missing} has no test.")

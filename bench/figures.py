"""What a measurement gives: a figure beside what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

CRMS = {"hubspot": "HubSpot", "salesforce": "Salesforce"}


@dataclass(frozen=True)
class Figure:
    """``most`` is the promise: the value may reach it, not pass it. None: nothing was promised, it is only told."""

    subject: str
    what: str
    value: float
    unit: str
    most: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.most is None or self.value <= self.most

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "subject": self.subject,
            "what": self.what,
            "value": round(self.value, 4),
            "unit": self.unit,
            "at_most": self.most,
            "kept": self.kept,
        }


def spread(subject: str, what: str, values: Sequence[float], unit: str, median: float | None) -> list[Figure]:
    """Median (with its promise), 90th percentile and maximum."""
    told = f"{what}, {len(values)} times"
    return [
        Figure(subject, f"{told}: median", statistics.median(values), unit, median),
        Figure(subject, f"{told}: 9 of 10 within", percentile(values, 90), unit),
        Figure(subject, f"{told}: longest", max(values), unit),
    ]


def percentile(values: Sequence[float], share: int) -> float:
    """The value that ``share`` per cent of the values do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def print_figures(figures: Sequence[Figure]) -> None:
    """A table for each subject."""
    console = Console(width=110)
    for subject in dict.fromkeys(figure.subject for figure in figures):
        table = Table(title=subject, title_justify="left", title_style="bold", expand=True)
        table.add_column("what", ratio=1)
        for column in ("figure", "promise", ""):
            table.add_column(column, justify="right" if column else "left", no_wrap=True)
        for figure in (one for one in figures if one.subject == subject):
            promise = "" if figure.most is None else f"≤ {_number(figure.most)} {figure.unit}"
            verdict = "" if figure.most is None else "[green]ok[/]" if figure.kept else "[bold red]missed[/]"
            table.add_row(figure.what, f"{_number(figure.value)} {figure.unit}", promise, verdict)
        console.print(table)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.2f}"

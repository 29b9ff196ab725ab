"""The figures in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as Shown
from rich.text import Text

from workflows.figure_tables import tables
from workflows.figures import FEW, Figures


def print_figures(account: str, figures: Figures, language: str) -> None:
    """Every table that has something in it."""
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = 160  # a file or a pipe has no width of its own
    period = f" from {figures.since}" if figures.since else ""
    period += f" until {figures.until}" if figures.until else ""
    out.print(Text(f"{account}{period}", style="bold"))
    for table in tables(figures, language):
        if not table.rows:
            continue
        shown = Shown(title=table.title, title_justify="left", box=box.SIMPLE, pad_edge=False, show_edge=False)
        for number, header in enumerate(table.headers):
            texts = any(isinstance(row[number], str) for row in table.rows)
            shown.add_column(header, justify="left" if texts else "right", overflow="fold")
        for row in table.rows:
            shown.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        out.print()
        out.print(shown)
    out.print(Text(f"\nBelow {FEW} answers there are counts and no percentages.", style="dim"))

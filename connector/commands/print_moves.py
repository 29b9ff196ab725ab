"""How the command shows what moving a case to another version of a playbook changes."""

from __future__ import annotations

from typing import Any

import typer

from workflows.move import Move
from workflows.playbook_diff import Change

_SAID = (
    ("added", "New steps that will appear"),
    ("past", "New steps left out, since their moment lies far back (--with-past brings them)"),
    ("removed", "Steps that will not come any more"),
    ("kept", "Steps that the playbook no longer has; people keep their tasks"),
)


def print_move(seen: Move) -> None:
    """The difference between the versions, and what it means for this case."""
    case = seen.case
    typer.echo(f"Case {case.id[:8]} ({case.deal_name or case.deal_id}) → {case.playbook} {case.playbook_version}")
    for change in seen.differences:
        _print_change(change)
    typer.echo("")
    for name, words in _SAID:
        keys = getattr(seen, name)
        if keys:
            typer.echo(f"{words}: {', '.join(keys)}")
    if not (seen.added or seen.past or seen.removed or seen.kept):
        typer.echo(
            "No step comes or goes; texts and dates of steps that have not appeared yet are those of the new one."
        )


def _print_change(change: Change) -> None:
    place = " ".join(part for part in (f"step {change.step}" if change.step else "", change.key) if part)
    typer.echo(f"\n{change.kind} {place}")
    for line in change.lines():
        typer.secho(f"  {line}", fg="green" if line.startswith("+") else "red")


def move_as_json(seen: Move) -> dict[str, Any]:
    """The same as data."""
    told: dict[str, Any] = {name: list(getattr(seen, name)) for name, _ in _SAID}
    return {
        "case": seen.case.id,
        "playbook": seen.case.playbook,
        "version": seen.case.playbook_version,
        "differences": [one.model_dump() for one in seen.differences],
        **told,
    }

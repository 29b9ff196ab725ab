"""How the command shows a rehearsal: a bar while it works, then the summary and each ending in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.text import Text

from connector.commands.print import plain_table, terminal
from connector.rehearsal import Progress, Rehearsal
from connector.rehearsal_file import View, view
from workflows.rehearsal import Lack, LeftOut, Rehearsed

MOST_LINES = 200
_STEPS = {"finding": "Looking for deals that ended", "reading": "Reading what they were", "planning": "Planning"}
_LACKS = {
    Lack.CONTRACT_END: "no contract end",
    Lack.REASON: "no reason for leaving on the day",
    Lack.COMPANY: "no company",
    Lack.CONTACTS: "no contacts",
    Lack.EMAIL: "a contact without an e-mail address",
    Lack.OWNER: "tasks that nobody active could own",
    Lack.NEUTRAL: "nobody neutral for the conversation",
    Lack.CONDITION: "a condition that could not be told",
}
_LEFT_OUT = {
    LeftOut.BOUNCED: "went back before the settle time was over",
    LeftOut.CONDITION: "left out by only_if",
    LeftOut.REOPENED: "renewed or reopened before the plan started",
    LeftOut.WAITING: "ended so lately that the plan has not started yet",
    LeftOut.GONE: "no longer in the CRM, so nothing can be told",
    LeftOut.OTHER: "left out for another reason",
}


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on the terminal's error stream; nothing where that is no terminal."""
    out = terminal(err=True)
    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn())
    with bars.Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as shown:
        task = shown.add_task(_STEPS["finding"], total=None)

        def tell(now: Progress) -> None:
            shown.update(task, description=_STEPS[now.step], completed=now.done, total=now.total)

        yield tell


def print_rehearsal(made: Rehearsal) -> None:
    """The summary, and a line for each ending."""
    out = terminal()
    shown = view(made, "en")
    out.print(Text(f"{made.account}: deals that ended from {made.since} to {made.until}", style="bold"))
    if not made.deals:
        out.print("None did. Is the period right, and are the not_renewing stages? `aurevoir check` lists them.")
        return
    _print_endings(made, shown)
    for line in summary(made):
        out.print(Text(line))
    owners = [f"{name or 'nobody active'} {count}" for name, count in made.tasks_by_owner.items()]
    if owners:
        out.print(Text(f"Tasks for each: {', '.join(owners)}."))
    for name in sorted(made.untold):
        out.print(Text(f"Note: no change of {_FIELDS.get(name, name)} is on record, so today's was taken."))
    if not made.knows_involved:
        out.print("Note: with so many deals it was not read who else worked on them, so some may be less neutral.")
    out.print("Company, contacts and colleagues are those of today. Nothing was written to the CRM.")


_FIELDS = {"contract_end": "the contract end", "exit_reason": "the reason", "owner_id": "the deal's owner"}


def summary(made: Rehearsal) -> list[str]:
    """What came of it, in sentences."""
    count = len(made.deals)
    found = f"{count} {'deal' if count == 1 else 'deals'} ended."
    lines = [f"{found} {len(made.would_open)} would have opened an offboarding, with {made.tasks} tasks together."]
    lines += [f"  {len(ones)}: {_LEFT_OUT[kind]}" for kind, ones in made.left_out.items()]
    if made.lacking:
        lines.append("Of those that would have opened:")
    lines += [f"  {len(ones)}: {_LACKS[lack]}" for lack, ones in made.lacking.items()]
    return lines


def _print_endings(made: Rehearsal, shown: View) -> None:
    rows = plain_table(
        "ended", "deal", "plan starts", "contract end", "playbook", "tasks", "what would have been missing"
    )
    for one in made.deals[:MOST_LINES]:
        missing = _LEFT_OUT[one.left_out] if one.left_out is not None else ", ".join(_missing(one))
        rows.add_row(
            shown.day(one.ended_at),
            Text(one.deal_name or one.deal_id),
            shown.day(one.starts_at),
            one.contract_end or ("unknown" if one.opens else ""),
            one.playbook.partition("-")[0],
            str(len(one.tasks)) if one.opens else "",
            Text(missing, style="dim" if one.left_out is not None else "yellow"),
        )
    terminal().print(rows)
    if len(made.deals) > MOST_LINES:
        terminal().print(f"… and {len(made.deals) - MOST_LINES} more: `--out rehearsal.html` or `--json` has them all.")


def _missing(one: Rehearsed) -> list[str]:
    return list(dict.fromkeys(_LACKS[each.what] for each in one.lacks))

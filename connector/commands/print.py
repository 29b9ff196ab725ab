"""How the command shows things: tables for people, plain data for ``--json``."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapters.errors import ConfigError
from adapters.results import Level, SchemaReport
from connector.checkup import Checked
from connector.init import Written
from connector.preview import Preview
from connector.store.tables import EventRow, IntentRow
from connector.switch_on import Waiting
from connector.tokens import Rotated
from workflows.cases import Case, steps_over
from workflows.plan import PlannedStep, by_day

MOST_FIELDS = 8
_MARKS = {Level.OK: ("ok", "green"), Level.WARNING: ("note", "yellow"), Level.FAULT: ("MEND", "bold red")}


def terminal(*, err: bool = False) -> Console:
    """Where people read: a terminal, or a file or pipe that takes its place."""
    out = Console(stderr=err, highlight=False)
    if not out.is_terminal:
        out.width = 160  # a file or a pipe has no width of its own
    return out


def plain_table(*columns: str) -> Table:
    """An empty table with these headings, without a frame."""
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def moment_text(at: datetime | None) -> str:
    """To the minute, in the moment's own zone; empty when there is none."""
    return f"{at:%Y-%m-%d %H:%M}" if at is not None else ""


def print_faults(error: ConfigError) -> None:
    """The faults of a configuration, one below the other: key, value, cure."""
    out = terminal(err=True)
    count = len(error.faults)
    out.print(Text(f"The configuration cannot be used: {count} fault{'s' if count != 1 else ''}.", style="bold red"))
    for fault in error.faults:
        head = Text(f"\n{fault.key}", style="bold")
        if fault.value:
            head.append(f" = {fault.value}", style="not bold")
        out.print(head)
        out.print(Padding(Text(fault.cure), (0, 0, 0, 2)))


def print_written(written: Written) -> None:
    """What `init` wrote, and what to do next."""
    out = terminal()
    out.print(
        Text(f"Wrote {written.config} (the settings) and {written.env_file} (their secrets, for your eyes only).")
    )
    out.print("Next:")
    steps = [f"Fill in {written.env_file}: {', '.join(written.to_fill)}"] if written.to_fill else []
    if not written.accounts:
        _print_first_hour(out, written)
        return
    option = "" if written.config.name == str(written.config) == "config.yaml" else f" --config {written.config}"
    steps += [
        f"Put your address, pipeline, stages and people into {written.config}",
        f"aurevoir check{option}       what is still wrong, in plain words",
        f"aurevoir provision{option}   create our fields in the CRM, and switch on",
        f"aurevoir admin add you@example.com{option}   who may sign in to the console; nobody may before",
        f"aurevoir serve{option}       work; the console is at /console/",
    ]
    for number, step in enumerate(steps, start=1):
        out.print(Text(f"  {number}. {step}"))


def print_findings(findings: Sequence[Checked]) -> None:
    """The check-up as a table by account, and one line on the whole."""
    out = terminal()
    for account in dict.fromkeys(one.account for one in findings):
        table = plain_table("", "what", "how it stands")
        for one in findings:
            if one.account != account:
                continue
            mark, style = _MARKS[one.finding.level]
            text = Text(one.finding.text)
            if one.finding.remedy and one.finding.level is not Level.OK:
                text.append(f"\n→ {one.finding.remedy}", style="bold")
            table.add_row(Text(mark, style=style), Text(one.finding.subject), text)
        out.print(Text(f"\n{account or 'This installation'}", style="bold"))
        out.print(table)
    faults = sum(one.finding.level is Level.FAULT for one in findings)
    notes = sum(one.finding.level is Level.WARNING for one in findings)
    told = "All is well" if not faults else f"{faults} to mend"
    out.print(Text(f"\n{told}{f', {notes} to note' if notes else ''}.", style="bold"))


def findings_as_json(findings: Sequence[Checked]) -> dict[str, Any]:
    """The check-up as data."""
    return {
        "well": all(one.finding.level is not Level.FAULT for one in findings),
        "findings": [
            {
                "account": one.account or None,
                "subject": one.finding.subject,
                "level": one.finding.level.value,
                "text": one.finding.text,
                "remedy": one.finding.remedy,
            }
            for one in findings
        ],
    }


@contextmanager
def deployment_progress() -> Iterator[Callable[[str, int, int], None]]:
    """How a deployment goes, on the terminal's error stream; nothing where that is no terminal."""
    out = terminal(err=True)
    if not out.is_terminal:
        yield lambda _status, _done, _total: None
        return
    with out.status("Asking the CRM …") as shown:

        def tell(status: str, done: int, total: int) -> None:
            parts = f": {done} of {total} parts" if total else ""
            shown.update(f"Deploying, {status}{parts}")

        yield tell


def _print_first_hour(out: Console, written: Written) -> None:
    """What to do next where accounts are added in the console."""
    option = "" if str(written.config) == "config.yaml" else f" --config {written.config}"
    for number, step in enumerate(
        (
            f"Put the address under which this is reached into {written.config} (server.public_url)",
            f"aurevoir admin add you@example.com{option}   who may sign in; nobody may before",
            f"aurevoir serve{option}                       then open /console/ there, and add an account",
        ),
        start=1,
    ):
        out.print(Text(f"  {number}. {step}"))


def print_taken_in(older: Mapping[str, tuple[Waiting, int]], most: int, *, dry_run: bool) -> None:
    """Which endings from before the switch-on come in, of how many."""
    for account, (found, taken) in older.items():
        there = f"{len(found.deal_ids)}{' or more' if found.more else ''} deals without a case sit in such a stage"
        done = f"up to {most} would be taken in" if dry_run else f"{taken} are looked at, the latest endings first"
        terminal().print(Text(f"{account}: {there}; {done}"))


def print_provisioned(reports: Mapping[str, SchemaReport], *, dry_run: bool) -> None:
    """What was created where, and what the CRM refused."""
    out = terminal()
    for account, report in reports.items():
        out.print(Text(f"\n{account}", style="bold"))
        created = "would be created" if dry_run else "created"
        for what, names in (
            (created, report.created),
            ("brought up to date", report.extended),
            ("there already", report.present),
        ):
            if names:
                out.print(Text(f"  {what}: {_shorter(names)}"))
        if dry_run:
            _print_fields(out, report)
        for name, reason in report.refused.items():
            out.print(Text(f"  refused: {name}: {reason}", style="bold red"))
        for note in report.notes:
            out.print(Text(f"  note: {note}"))
        on = "switched on: `aurevoir serve` watches it; deals settle first, and `aurevoir cases` says until when"
        out.print(Text("  nothing was written" if dry_run else f"  {on}"))


def _print_fields(out: Console, report: SchemaReport) -> None:
    """The fields that would be created, by record: what people read of each, and its name."""
    records: dict[str, list[str]] = {}
    for one in report.created:
        record, _, name = one.partition(".")
        if one in report.labels:
            records.setdefault(record, []).append(f"{report.labels[one]} ({name})")
    for record, names in records.items():
        out.print(Text(f"    {record}", style="bold"))
        out.print(Padding(Text("; ".join(names)), (0, 0, 0, 6), expand=False))


def _shorter(names: Sequence[str]) -> str:
    """Names in a row; a long list of fields as their number, since `--json` has them all."""
    fields = [name for name in names if " " not in name]
    others = [name for name in names if " " in name]
    shown = fields if len(fields) <= MOST_FIELDS else [f"{len(fields)} fields of ours"]
    return ", ".join([*shown, *others])


def provisioned_as_json(reports: Mapping[str, SchemaReport], *, dry_run: bool) -> dict[str, Any]:
    """The same as data."""
    return {
        account: {
            "dry_run": dry_run,
            "created": list(report.created),
            "extended": list(report.extended),
            "present": list(report.present),
            "refused": dict(report.refused),
            "notes": list(report.notes),
        }
        for account, report in reports.items()
    }


def print_preview(seen: Preview) -> None:
    """A plan as a table, and what it lacks."""
    out = terminal()
    head = f"{seen.deal_name or seen.deal_id}: playbook {seen.playbook}, contract end {seen.contract_end or 'unknown'}"
    out.print(Text(head, style="bold"))
    if seen.case_id is not None:
        out.print(Text(f"This is the plan of its open case {seen.case_id[:8]}."))
    if seen.not_now is not None:
        out.print(Text(f"As things stand, no case would open: {seen.not_now}."))
    table = plain_table("appears", "due", "owner", "task", "why this owner")
    ends = date.fromisoformat(seen.contract_end) if seen.contract_end is not None else None
    plan = by_day((step for step in seen.steps if step.applies is not False), ends)
    for step in plan.before:
        table.add_row(*_planned(step))
    if ends is not None:
        table.add_row("", f"{ends}", "", Text("— the contract ends —", style="bold"), "")
    for step in (*plan.after, *plan.undated):
        table.add_row(*_planned(step))
    out.print(table)
    left_out = [f"{step.key} (only if {step.condition})" for step in seen.steps if step.applies is False]
    if left_out:
        out.print(Text(f"Left out: {', '.join(left_out)}"))
    for lack in seen.lacks:
        out.print(Text(f"Note: {lack}.", style="yellow"))
    estimated = any(step.estimated for step in seen.steps)
    out.print(f"{'~ depends on when an earlier step is done. ' if estimated else ''}Nothing was written.")


def _planned(step: PlannedStep) -> tuple[str, str, Text, Text, Text]:
    """A line of a plan: when the task appears and is due, whose it is, what, and why theirs."""
    due = f"{'~' if step.estimated else ''}{step.due_at:%Y-%m-%d}" if step.due_at else ""
    appears = f"{step.release_at:%Y-%m-%d}" if step.release_at else f"after: {step.waits_for or 'its condition'}"
    return appears, due, Text(step.owner_name or "nobody"), Text(step.title), Text(step.why)


def print_cases(
    found: Sequence[Case],
    held: Container[tuple[str, str]] = (),
    settles: Mapping[str, datetime] | None = None,
    resting: Container[str] = (),
) -> None:
    """Cases as a table. ``held``: account and playbook of those that wait with their playbook; ``resting``: accounts.

    ``settles``: until when the stage must hold, by the ids of cases that settle.
    """
    if not found:
        terminal().print("There are no cases.")
        return
    table = plain_table("case", "account", "kind", "deal", "status", "contract end", "steps", "opened (UTC)")
    for case in found:
        until = (settles or {}).get(case.id)
        status = f"{case.status.value.replace('_', ' ')}{f' until {moment_text(until)}' if until is not None else ''}"
        status += _pause(case, held, resting)
        ended = sum(step.status in steps_over(case.status) for step in case.steps)
        table.add_row(
            case.id[:8],
            Text(case.account),
            case.kind.value,
            Text(case.deal_name or case.deal_id),
            status,
            str(case.contract_end or ""),
            f"{ended}/{len(case.steps)}",
            moment_text(case.opened_at),
        )
    terminal().print(table)


def _pause(case: Case, held: Container[tuple[str, str]], resting: Container[str]) -> str:
    if case.paused:
        return " (paused)"
    if case.is_open and case.account in resting:
        return " (account paused)"
    return " (playbook paused)" if case.is_open and (case.account, case.playbook) in held else ""


def print_case(
    case: Case, events: Sequence[EventRow], refused: Sequence[IntentRow], names: Mapping[str, str] | None = None
) -> None:
    """One case with all that happened to it. ``names``: of users, by id; who is not among them shows as the id."""
    known = names or {}
    out = terminal()
    paused = ", paused" if case.paused else ""
    out.print(Text(f"Case {case.id}: {case.deal_name} (deal {case.deal_id} of {case.account})", style="bold"))
    out.print(
        Text(f"{case.status.value}{paused}; ending {case.number}; playbook {case.playbook} {case.playbook_version}")
    )
    ended = f"; ended: {case.outcome.replace('_', ' ')}" if case.outcome else ""
    out.print(Text(f"contract end {case.contract_end or 'unknown'}; reason {case.reason or 'unknown'}{ended}"))
    steps = plain_table("step", "status", "due (UTC)", "owner", "task in the CRM", "why this owner")
    for step in case.steps:
        why, owner = Text(step.why), known.get(step.owner_id or "") or step.owner_id or ""
        status = Text(step.status.value.replace("_", " ") + (f": {step.reason}" if step.reason else ""))
        steps.add_row(step.key, status, moment_text(step.due_at), Text(owner), step.task_id, why)
    out.print(steps)
    for intent in refused:
        out.print(Text(f"refused: {intent.kind} {intent.key}: {intent.reason}", style="bold red"))
    log = plain_table("at (UTC)", *_LOG)
    for event in events:
        log.add_row(moment_text(event.at), *_log_cells(event))
    out.print(log)


_LOG = ("what", "why", "signal or record")


def _log_cells(event: EventRow) -> tuple[Text, ...]:
    of = event.data.get("record") or event.data.get("signal") or ""
    return Text(event.what), Text(event.detail), Text(str(of))


def print_log(record: str, events: Sequence[EventRow]) -> None:
    """What was done to one record of the CRM."""
    if not events:
        terminal().print(Text(f"Nothing is known of {record}. `aurevoir cases` lists the deals that have a case."))
        return
    log = plain_table("at (UTC)", "account", "case", *_LOG)
    for event in events:
        log.add_row(moment_text(event.at), Text(event.account), (event.case_id or "")[:8], *_log_cells(event))
    terminal().print(log)


def log_as_json(event: EventRow) -> dict[str, Any]:
    """One line of the log as data."""
    return {"at": event.at.isoformat(), "what": event.what, "detail": event.detail, "data": event.data}


def case_as_json(case: Case, events: Sequence[EventRow], refused: Sequence[IntentRow]) -> dict[str, Any]:
    """The same as data."""
    return {
        "case": case.model_dump(mode="json", exclude={"written"}),
        "refused": [{"key": one.key, "kind": one.kind, "reason": one.reason} for one in refused],
        "events": [log_as_json(one) for one in events],
    }


def print_invitation(account: str, address: str, until: datetime) -> None:
    """Where to go to connect an account; the address on a line of its own, unbroken, to be copied."""
    out = terminal()
    out.print(Text(f"Open this address as an administrator of {account}'s CRM, before {moment_text(until)} UTC:"))
    out.print(Text(address), soft_wrap=True)
    out.print(Text("Keep it to yourself: whoever opens it can connect this account. `aurevoir serve` must be running."))


def rotated_as_json(rotated: Rotated) -> dict[str, Any]:
    """As a script wants it."""
    return {"sealed_anew": rotated.sealed_anew, "current": rotated.current, "failed": rotated.failed}


def print_rotated(rotated: Rotated) -> None:
    """What became of the tokens, and when older keys may go."""
    out = terminal()
    done, there = len(rotated.sealed_anew), len(rotated.current)
    out.print(f"Stored tokens: {done} sealed anew with the first secret key, {there} were already.")
    for account, reason in rotated.failed.items():
        out.print(Text(f"{account}: {reason}", style="bold red"))
    if not rotated.failed:
        out.print(
            Text("Tokens no longer need the older keys. Survey links do: keep a key as long as its links are to work.")
        )

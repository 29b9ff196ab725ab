"""How operations show on a terminal: standings of accounts, the failed list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from connector.commands.print import moment_text, plain_table, terminal
from connector.erase_by_hand import Foreseen
from connector.erasure import Receipt
from connector.operations import Standing
from connector.store.failed import Failed, FailedKind
from connector.store.mentions import MOST_PLACES
from connector.uninstall import Uninstalled


def print_standings(found: Sequence[Standing]) -> None:
    """Accounts as a table."""
    table = plain_table("account", "CRM", "stands", "last worked (UTC)", "open cases", "failed")
    for one in found:
        table.add_row(
            Text(one.account),
            one.crm,
            Text(_stands(one), style="" if one.well else "bold red"),
            moment_text(one.worked_at) or ("" if one.taken_out else "never"),
            f"{one.open_cases}{f' ({one.settling} settling)' if one.settling else ''}",
            str(one.failed),
        )
    terminal().print(table)


def _stands(one: Standing) -> str:
    if one.taken_out:
        return f"taken out: remove it from the settings, or aurevoir provision --account {one.account}"
    if one.started_at is None:
        return f"not switched on: aurevoir provision --account {one.account}"
    paused = f"; paused playbooks: {', '.join(one.paused_playbooks)}" if one.paused_playbooks else ""
    if one.paused_at is not None:
        return f"paused since {moment_text(one.paused_at)}{paused}"
    if one.trouble is not None:
        return f"{one.trouble}{paused}"
    return ("works" if one.well else "silent: is `aurevoir serve` running?") + paused


def print_failed(found: Sequence[Failed]) -> None:
    """The failed list, with what to do about each kind."""
    out = terminal()
    if not found:
        out.print("Nothing failed.")
        return
    table = plain_table("since (UTC)", "account", "deal", "case", "what", "why")
    for one in found:
        table.add_row(
            moment_text(one.since),
            Text(one.account),
            Text(one.deal_name or one.deal_id or ""),
            (one.case_id or "")[:8],
            Text(one.what),
            Text(one.reason + (" (tried again by itself)" if one.again else "")),
        )
    out.print(table)
    if any(one.kind is FailedKind.WRITE and one.case_id for one in found):
        out.print("When the reason is mended: aurevoir cases retry CASE (sends what was refused, and nothing else).")
        out.print("When it need not be written any more: aurevoir cases leave CASE")


def print_foreseen(found: Foreseen) -> None:
    """What an erasure would remove, and where to look: for the admin alone, since it quotes people."""
    out, receipt = terminal(), found.receipt
    counts = (
        (receipt.answers_removed, "answers"),
        (receipt.texts_emptied, "texts"),
        (receipt.writes_withdrawn, "planned writes"),
        (receipt.links_closed, "links"),
        (receipt.tasks_closed, "open tasks"),
        (receipt.raw_events_removed, "unreadable events"),
    )
    told = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing"
    out.print(Text(f"Found of this person in {receipt.account}: {told}", style="bold"))
    if receipt.crm_away:
        out.print("The CRM does not answer: contacts whom only it knows were not found.")
    for whole, what in ((True, "The name or address goes from:"), (False, "A part of the name stays, to look at:")):
        places = [one for one in found.places if one.whole is whole]
        if places:
            out.print(what)
        for place in places[:MOST_PLACES]:
            out.print(Text(f"  - {place}: {place.words}"))
        if len(places) > MOST_PLACES:
            out.print(f"  and {len(places) - MOST_PLACES} more")
    if receipt.forms_without_a_name:
        out.print("A name that fits no contact, and may be theirs, goes from forms of these cases:")
        out.print(Text(f"  {', '.join(one[:8] for one in receipt.forms_without_a_name)}"))
    if found.theirs:
        out.print("A part of the name stands in texts of the cases of contacts of this name, and stays:")
        for place in found.theirs[:MOST_PLACES]:
            out.print(Text(f"  - {place}: {place.words}"))
        if len(found.theirs) > MOST_PLACES:
            out.print(f"  and {len(found.theirs) - MOST_PLACES} more")
    if found.namesakes:
        out.print(Text(f"Contacts of this name, whose answers stay: {', '.join(found.namesakes)}"))
        out.print("If it is one of them, add --contact ID: then what is theirs goes as well.")


def print_receipt(receipt: Receipt) -> None:
    """The confirmation of an erasure: fit to be kept, and to be sent to whoever asked."""
    out = terminal()
    out.print(Text(f"Erasure {receipt.reference} in {receipt.account}, {receipt.at}", style="bold"))
    if receipt.already is not None:
        out.print(f"They were erased before, at {receipt.already}. This time:")
    elif not receipt.found:
        out.print("Nothing of this person was stored here: is it written as in the CRM, and is it the right account?")
        out.print("Whoever it stands for is recognised from now on, and not taken in.")
    for count, what in (
        (receipt.answers_removed, "answers removed"),
        (receipt.texts_emptied, "texts emptied, or the name taken out of them"),
        (receipt.writes_withdrawn, "planned writes withdrawn"),
        (receipt.links_closed, "links closed"),
        (receipt.tasks_closed, "open tasks in the CRM that are being closed"),
        (receipt.raw_events_removed, "unreadable events removed"),
    ):
        out.print(f"  {count} {what}")
    out.print("What stays:")
    for sentence in receipt.stays:
        out.print(Text(f"  - {sentence}"))
    for place in receipt.to_look_at:
        out.print(Text(f"  To look at: {place}"))
    for what, ids in (("Tasks", receipt.tasks_in_crm), ("Notes", receipt.notes_in_crm)):
        if ids:
            out.print(Text(f"  {what} in the CRM: {', '.join(ids)}"))


def print_uninstalled(done: Uninstalled) -> None:
    """What was taken out, or would be, and what stays."""
    out = terminal()
    would = "would be " if done.dry_run else ""
    tasks = "here; the CRM lets us in no more" if done.out_of_reach else "their tasks closed with a note"
    if done.paused and not done.out_of_reach:
        stands = "is" if done.dry_run else "was"
        out.print(Text(f"{done.account} {stands} paused. Leaving writes into its CRM all the same:"), style="bold")
        out.print("  the last note of each open case, the closing of its tasks, and what becomes of our fields")
    out.print(Text(f"{done.account}: {_many(done.cases_cancelled, 'open case')} {would}cancelled, {tasks}"))
    if done.cases_let_go and not done.out_of_reach:
        ended = _many(done.cases_let_go, "deal")
        tasks = _many(done.tasks_let_go, "task")
        out.print(Text(f"{ended} whose case had ended {would}tidied up too, with {tasks} that outlasted it"))
    out.print(Text(f"{_many(len(done.removed), 'part')} {would}removed"))
    for part in done.removed:
        out.print(Text(f"  {part}"))
    out.print("What stays:")
    for what, why in done.stays.items():
        out.print(Text(f"  - {what}: {why}"))
    if done.dry_run:
        out.print("Nothing was changed.")


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' if count != 1 else ''}"

"""``aurevoir wishes``: the ledger of what leavers asked for, and telling them once it is there (P-52)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from connector.commands.base import AccountName, AsJson, Config, chosen, print_json, short_runtime

if TYPE_CHECKING:
    from connector.bootstrap import Runtime
    from connector.door import Ledger
    from connector.store.door import Voice

wishes_app = typer.Typer(
    help="What leavers asked for, and telling them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
_SHOWN = 90

_Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Where to find it, or why it will not come.")]
_Wish = Annotated[int, typer.Argument(metavar="WISH", min=1, help="The wish, by its number.")]


@wishes_app.command("list")
def list_wishes(
    context: typer.Context, account: AccountName = None, as_json: AsJson = False, config: Config = None
) -> None:
    """Show all wishes, and words of leavers that belong to none yet.

    Words are numbered; `aurevoir wishes add` makes a wish of them.
    """
    with short_runtime(context, config) as runtime:
        found = {name: _ledger(runtime, name) for name in chosen(runtime, account)}
    if as_json:
        print_json({name: as_plain(one) for name, one in found.items()})
        return
    for name, one in found.items():
        typer.echo(f"{name}:")
        for line in one.lines:
            at = line.wish.delivered_at
            stand = f"delivered {at.date().isoformat()}" if at is not None else "open"
            if line.wish.declined_at is not None:
                stand = f"declined {(line.wish.settled_on or line.wish.declined_at.date()).isoformat()}"
            deals = len({voice.deal_id for voice in line.voices})
            typer.echo(f"  wish {line.wish.id} ({stand}, {deals} customers): {line.wish.text}")
        for number, voice in enumerate(one.unsorted, start=1):
            words = " ".join(voice.words.split())
            typer.echo(f"  {number}. {voice.deal_name}: {words[:_SHOWN]}{'…' if len(words) > _SHOWN else ''}")
        if not one.lines and not one.unsorted:
            typer.echo("  nobody has asked for anything yet")


@wishes_app.command("add")
def add_wish(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The wish, as customers will read it.")],
    voices: Annotated[list[int] | None, typer.Option("--voice", metavar="N", help="Words from the list.")] = None,
    account: AccountName = None,
    config: Config = None,
) -> None:
    """Write a wish into the ledger.

    --voice names words of the list that ask for it, and can be repeated.
    """
    from connector.door import add

    if not text.strip():
        raise typer.BadParameter("write what they asked for", param_hint="TEXT")
    with short_runtime(context, config) as runtime:
        name = _one(runtime, account)
        unsorted = _ledger(runtime, name).unsorted
        wanted = sorted(set(voices or ()))
        if wanted and not 1 <= wanted[0] <= wanted[-1] <= len(unsorted):
            raise typer.BadParameter(f"the list has {len(unsorted)} words without a wish", param_hint="--voice")
        number = add(runtime.store, name, text, [unsorted[one - 1] for one in wanted], runtime.clock.now())
    typer.echo(f"Wish {number} is in the ledger. Once it is there: aurevoir wishes deliver {number}")


@wishes_app.command("deliver")
def deliver_wish(
    context: typer.Context, wish: _Wish, note: _Note = "", account: AccountName = None, config: Config = None
) -> None:
    """Say that a wish is there: who asked for it is told.

    Each customer gets one task for their owner, unless they asked for peace. The note stands in it in brackets.
    """
    from connector.door import NoSuchWish, deliver

    with short_runtime(context, config) as runtime:
        name = _one(runtime, account)
        try:
            deals = deliver(runtime.store, name, wish, runtime.clock.now(), note=note)
        except NoSuchWish as error:
            raise typer.BadParameter(str(error), param_hint="WISH") from None
    if deals:
        typer.echo(f"{len(deals)} deals are on the agenda: their owners get a task at the next round of work.")
    else:
        typer.echo("Nobody is to be told: it was delivered before, or nobody asked for it.")


@wishes_app.command("decline")
def decline_wish(
    context: typer.Context, wish: _Wish, note: _Note = "", account: AccountName = None, config: Config = None
) -> None:
    """Note that a wish will not come, and why.

    Nobody is told. It may still be delivered one day.
    """
    from connector.door import NoSuchWish, decline

    with short_runtime(context, config) as runtime:
        name = _one(runtime, account)
        try:
            done = decline(runtime.store, name, wish, runtime.clock.now(), note=note)
        except NoSuchWish as error:
            raise typer.BadParameter(str(error), param_hint="WISH") from None
    typer.echo("It is noted; nobody is told." if done else "It was delivered before, and stays so.")


def as_plain(ledger: Ledger) -> dict[str, object]:
    """The ledger for scripts and pages."""
    return {
        "wishes": [
            {
                "id": line.wish.id,
                "text": line.wish.text,
                "delivered_at": line.wish.delivered_at.isoformat() if line.wish.delivered_at is not None else None,
                "declined_at": line.wish.declined_at.isoformat() if line.wish.declined_at is not None else None,
                "note": line.wish.note,
                "voices": [_plain(voice) for voice in line.voices],
            }
            for line in ledger.lines
        ],
        "unsorted": [_plain(voice) for voice in ledger.unsorted],
    }


def _plain(voice: Voice) -> dict[str, object]:
    return {
        "deal": voice.deal_id,
        "deal_name": voice.deal_name,
        "case": voice.case_id,
        "words": voice.words,
        "heard_at": voice.heard_at.isoformat(),
    }


def _ledger(runtime: Runtime, name: str) -> Ledger:
    from connector.door import ledger

    return ledger(runtime.store, name, runtime.library.questionnaires)


def _one(runtime: Runtime, account: str | None) -> str:
    """The one account that is meant."""
    names = list(chosen(runtime, account))
    if len(names) != 1:
        raise typer.BadParameter(f"say which account: {', '.join(names)}", param_hint="--account")
    return str(names[0])

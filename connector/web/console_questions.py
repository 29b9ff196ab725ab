"""What the questions of the set-up offer to choose from, and how what was chosen becomes lines of config.yaml."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from babel import Locale
from flask import request

from adapters.results import DataType, FieldInfo
from connector import setup
from connector.account import Account
from connector.account_settings import PeopleConfig
from connector.config_edit import at, literal
from connector.values import near
from connector.web import languages
from connector.web.console import Console
from workflows.records import Role, User
from workflows.rules import CaseKind
from workflows.survey import wording

Values = list[Any]
"""What a page writes: a value for each of the step's keys, None where it is not given."""
Offer = Callable[[Console, Account, setup.Raw], dict[str, Any]]
Read = Callable[[Account, setup.Raw], Values]

SPARE = 3
"""So many empty lines a page has for more of a list."""
MORE: Mapping[str, tuple[str, ...]] = {
    "fields": ("look_back", "signs", "early_signs", "fields.exit_rights"),
    "people": ("people.absences", "people.languages", "departments", "digest"),
    "playbooks": ("surveys", "door", "exit_rights"),
    "place": ("tell_troubles", "weekly_note", "poll_every"),
}
"""Keys of the account that belong to a page, and for which a form would be poorer than the file."""


def more(step: str, raw: setup.Raw) -> list[tuple[str, str]]:
    """Such keys of a page, each with what the file says there; empty where it says nothing."""
    found = []
    for key in MORE.get(step, ()):
        value = at(raw, tuple(key.split(".")))
        shown = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
        found.append((key, "" if value is None else shown.removesuffix("\n").removesuffix("\n...")))
    return found


def _rows(names: Sequence[str]) -> list[tuple[str, ...]]:
    """What was sent for a list: a tuple of its fields for each line in which anything stands."""
    columns = [[one.strip() for one in request.form.getlist(name)] for name in names]
    return [row for row in zip(*columns, strict=False) if any(row)]


def _as_written(text: str, written: Sequence[str]) -> str:
    """Text that was sent, as it stands in the file where it does."""
    return text if text in written else literal(text)


def _given(key: str) -> str | None:
    """A field's text; None when it is empty."""
    return request.form.get(key, "").strip() or None


# --- stages


_LIKELY = re.compile(r"renew|renouvel|reconduction|verl[äa]nger|contra[ct]t?", re.IGNORECASE)


def _offer_stages(_console: Console, account: Account, raw: setup.Raw) -> dict[str, Any]:
    """The first time, one pipeline is open, and what can only mean one thing is chosen in it; a lost stage is asked."""
    pipelines = setup.offered_pipelines(account)
    entries = setup.watched(raw, pipelines)
    likely = next((one for one in pipelines if _LIKELY.search(one.label)), pipelines[0]) if pipelines else None
    first = likely.id if likely is not None and not entries else None
    won = "renewed" if likely is not None and _LIKELY.search(likely.label) else "won"
    numbers = {id(entry): number for number, entry in enumerate(raw.get("watch") or ())}
    return {
        "pipelines": pipelines,
        "entries": entries,
        "number": {pipeline_id: numbers[id(entry)] for pipeline_id, entry in entries.items()},
        "unknown": setup.unknown_watches(raw, pipelines),
        "meaning": lambda entry, stage, pipeline: (
            setup.meaning(entry, stage, pipeline) or (won if pipeline.id == first and stage.won else "")
        ),
        "opened": lambda pipeline: pipeline.id in entries or len(pipelines) == 1 or pipeline.id == first,
        "nobody_leaves": bool(entries) and not any(entry.get("not_renewing") for entry in entries.values()),
        "groups": setup.GROUPS,
        "any": setup.ANY,
    }


def _read_stages(account: Account, raw: setup.Raw) -> Values:
    pipelines = setup.offered_pipelines(account)
    entries = setup.watched(raw, pipelines)
    made = []
    for pipeline in pipelines:
        chosen = {stage.id: request.form.get(f"stage:{pipeline.id}:{stage.id}", "") for stage in pipeline.stages}
        if any(group in setup.GROUPS for group in chosen.values()):
            entry = entries.get(pipeline.id, {})
            settle, only_if = _given(f"settle_for:{pipeline.id}"), _given(f"only_if:{pipeline.id}")
            made.append(setup.watch_entry(entry, pipeline, chosen, settle or "", only_if or ""))
    return [made]


# --- fields


def _offer_fields(console: Console, account: Account, raw: setup.Raw) -> dict[str, Any]:
    known = console.offers.deal_fields(account)
    written = raw.get("fields") or {}
    return {
        "dates": _choices(known, (DataType.DATE,), written.get("contract_end")),
        "reasons": _choices(known, (DataType.CHOICE, DataType.TEXT), written.get("exit_reason")),
        "written": written,
        "figures": setup.listed(written.get("figures")) + [""] * SPARE,
        "numbers": [f"deal.{one.name}" for one in known if one.type is DataType.NUMBER],
    }


def _choices(known: Sequence[FieldInfo], types: Sequence[DataType], chosen: str | None) -> list[tuple[str, str]]:
    """Names and labels to choose from; one that is chosen and no longer there is offered with a word on it."""
    fitting = [(one.name, one.label) for one in known if one.type in types]
    if chosen and chosen.casefold() not in {name.casefold() for name, _ in fitting}:
        hint = near(chosen, [name for name, _ in fitting])
        fitting.insert(
            0, (chosen, languages.say("%s: not there (any more)") % chosen + (f" ({hint.strip()})" if hint else ""))
        )
    return fitting


def _read_fields(_account: Account, raw: setup.Raw) -> Values:
    reason = _given("exit_reason")
    ask = None if reason is None or request.form.get("ask_reason") else "false"
    written = setup.listed((raw.get("fields") or {}).get("figures"))
    figures = [_as_written(one, written) for (one,) in _rows(["figure"])]
    return [
        _literal(_given("contract_end")),
        _literal(reason),
        ask,
        _literal(_given("reason_wait")),
        figures or None,
        _literal(_given("contact_language")),
    ]


def _literal(text: str | None) -> str | None:
    return None if text is None else literal(text)


# --- people


def _offer_people(_console: Console, account: Account, raw: setup.Raw) -> dict[str, Any]:
    users = sorted(account.users().values(), key=lambda user: (user.name or user.email).casefold())
    written = raw.get("people") or {}
    pool = {one.casefold() for one in setup.listed(written.get("neutral_pool"))}
    manager = str(written.get("manager") or "").casefold()
    director = str(written.get("director") or "").casefold()
    named = pool | {manager, director}
    offered = [user for user in users if user.email and (user.active or user.email.casefold() in named)]
    known = {user.email.casefold() for user in offered}
    strangers = [User(id="", name=mail, email=mail, active=False) for mail in sorted(named - known - {""})]
    default = PeopleConfig().fallback
    return {
        "users": [*offered, *strangers],
        "pool": pool,
        "manager": manager,
        "director": director,
        "fallback": [*(setup.listed(written.get("fallback")) or default), "", "", ""][:3],
        "links": default,
        "roles": [*(written.get("roles") or {}).items(), *[("", "")] * SPARE],
        "meanings": [role.value for role in Role],
    }


def _read_people(_account: Account, raw: setup.Raw) -> Values:
    written = {one.casefold(): one for one in setup.listed((raw.get("people") or {}).get("neutral_pool"))}
    chosen = [written.get(mail.casefold(), literal(mail)) for mail in request.form.getlist("pool")]
    order = [*written.values()]
    chosen.sort(key=lambda mail: order.index(mail) if mail in order else len(order))
    default = list(PeopleConfig().fallback)
    before = (raw.get("people") or {}).get("fallback")
    sent = [one if one in setup.listed(before) else literal(one) for one in request.form.getlist("fallback")]
    fallback = list(dict.fromkeys(one for one in sent if one))
    return [
        chosen or None,
        _literal(_given("manager")),
        _literal(_given("director")),
        None if fallback in ([], default) and before is None else fallback,
        {label: meaning for label, meaning in _rows(["role", "meaning"]) if label and meaning} or None,
    ]


# --- playbooks


def _offer_playbooks(console: Console, account: Account, raw: setup.Raw) -> dict[str, Any]:
    shown = [
        (one.key, wording(one.title, languages.current(), one.languages), one)
        for one in console.runtime.library.playbooks.values()
    ]
    return {
        "offered": {kind.value: [each for each in shown if each[2].kind is kind] for kind in CaseKind},
        "conditions": [*(raw.get("playbooks") or ()), *[{}] * SPARE],
        "chosen": {
            "playbook": raw.get("playbook") or account.config.playbook,
            "save_playbook": raw.get("save_playbook"),
            "baseline_playbook": raw.get("baseline_playbook"),
        },
    }


def _read_playbooks(_account: Account, raw: setup.Raw) -> Values:
    written = [str(one.get("when")) for one in raw.get("playbooks") or ()]
    choices = [
        {key: value for key, value in (("when", _as_written(when, written)), ("playbook", literal(playbook))) if value}
        for when, playbook in _rows(["when", "then"])
    ]
    return [*(_literal(_given(key)) for key in ("playbook", "save_playbook", "baseline_playbook")), choices or None]


# --- place


def _offer_place(_console: Console, account: Account, raw: setup.Raw) -> dict[str, Any]:
    config = account.config
    spoken = {code: Locale.parse(code).get_display_name(languages.current()) or code for code in languages.available()}
    language = str(raw.get("language") or config.language)
    return {
        "countries": countries(),
        "zones": _zones(),
        "spoken": {language: language} | spoken,
        "chosen": {key: str(raw.get(key) or getattr(config, key) or "") for key in ("calendar", "language")}
        | {"time_zone": _zone(account, raw)},
        "company": str(raw.get("company") or ""),
    }


def _read_place(account: Account, raw: setup.Raw) -> Values:
    """A zone that was left as offered goes with the country, if that is another now."""
    sent = {key: _given(key) for key in ("company", "calendar", "language", "time_zone")}
    if not raw.get("time_zone") and sent["time_zone"] == _zone(account, raw):
        sent["time_zone"] = _zone(account, raw | {"calendar": sent["calendar"]})
    return [_literal(one) for one in sent.values()]


def _zone(account: Account, raw: setup.Raw) -> str:
    """The time zone as the file says it; while the account is set up, else the one that is usual in its country."""
    if raw.get("time_zone") or account.is_switched_on():
        return str(raw.get("time_zone") or account.config.time_zone)
    return setup.usual_zone(str(raw.get("calendar") or "")) or account.config.time_zone


def _zones() -> list[str]:
    from zoneinfo import available_timezones

    places = (one for one in available_timezones() if "/" in one and not one.startswith(("Etc/", "posix/", "right/")))
    return ["UTC", *sorted(places)]


def countries() -> list[tuple[str, str]]:
    """Countries whose public holidays are known, by their name in the page's language."""
    import holidays  # only where a calendar is chosen

    names = Locale.parse(languages.current()).territories
    known = [code for code in holidays.list_supported_countries() if code in names]  # a second code of one has no name
    return sorted(((code, names[code]) for code in known), key=lambda pair: _without_accents(pair[1]))


def _without_accents(name: str) -> str:
    """As people look it up: in small letters, accented ones beside their plain ones."""
    apart = unicodedata.normalize("NFKD", name)
    return "".join(one for one in apart if not unicodedata.combining(one)).casefold()


QUESTIONS: Sequence[tuple[str, Offer, Read]] = (
    ("stages", _offer_stages, _read_stages),
    ("fields", _offer_fields, _read_fields),
    ("people", _offer_people, _read_people),
    ("playbooks", _offer_playbooks, _read_playbooks),
    ("place", _offer_place, _read_place),
)
"""The pages in their order: the step, what it offers, and what its form says."""

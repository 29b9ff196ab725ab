"""What a key of an account is called on the page of the set-up that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connector.web.languages import say

_INDEX = re.compile(r"\[(\d+)\]")


def label(key: str, raw: Mapping[str, Any]) -> str:
    """The words above the field that ``key`` stands for, such as ``watch[0].settle_for``; the key where none does.

    ``raw`` is the account as the page shows it: which pipeline ``watch[0]`` is, stands there.
    """
    number = next((int(found) for found in _INDEX.findall(key)), None)
    known = _words()
    plain = _INDEX.sub("", key)
    while plain and plain not in known:
        plain = plain.rpartition(".")[0]
    if not plain:
        return key
    if plain.startswith("watch"):
        return f"{_pipeline(raw.get('watch') or (), number)}{known[plain]}"
    return known[plain] if number is None else f"{known[plain]} ({number + 1})"


def _pipeline(watch: Sequence[Mapping[str, Any]], number: int | None) -> str:
    """Whose stages are meant; nothing where all pipelines are."""
    named = watch[number].get("pipeline") if number is not None and number < len(watch) else None
    return f"{named} – " if named else ""


def _words() -> Mapping[str, str]:
    return {
        "watch": say("Stages"),
        "watch.settle_for": say("How long the stage must hold before a case opens"),
        "watch.only_if": say("Only deals for which this holds"),
        "fields.contract_end": say("End of the contract"),
        "fields.exit_reason": say("Reason for leaving, as your team fills it"),
        "fields.figures": say("Key figures"),
        "fields.language": say("Contact field with the language"),
        "ask_reason": say("Ask the owner for a missing reason before the plan starts"),
        "reason_wait": say("How long a missing reason holds the plan back"),
        "people.neutral_pool": say("Who may hold exit conversations"),
        "people.manager": say("Manager"),
        "people.director": say("Director"),
        "people.fallback": say("Who gets a task when its owner is missing or inactive"),
        "people.roles": say("What contacts' roles and labels mean"),
        "playbook": say("The plan of an offboarding"),
        "playbooks": say("Endings with a plan of their own"),
        "save_playbook": say("While a renewal is being negotiated"),
        "baseline_playbook": say("When a customer was won or has renewed"),
        "company": say("Your company's name as customers know it"),
        "calendar": say("Business days and public holidays"),
        "language": say("Language of tasks and pages"),
        "time_zone": say("Time zone"),
    }

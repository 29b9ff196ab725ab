"""The check-up: what an admin should know of an org, with the remedy (P-73)."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.errors import AdapterError
from adapters.port import FieldMap, Finding, Level
from adapters.salesforce.client import Client
from adapters.salesforce.mapping import OBJECTS, our_field
from adapters.salesforce.settings import SalesforceSettings
from adapters.salesforce.shape import Describes, describe, fields_of
from workflows.fields import FIELDS
from workflows.model import RecordKind

RUN_PROVISION = "run `aurevoir provision`"


def check(client: Client, settings: SalesforceSettings, fields: FieldMap) -> Iterator[Finding]:
    """Findings; four reads. The first that cannot be made ends the check-up."""
    try:
        bearer = client.tokens.current()
        described = describe(client)
    except AdapterError as error:
        yield Finding("connection", Level.FAULT, error.message, "mend this first; nothing else can be checked")
        return
    yield Finding("connection", Level.OK, f"logged in at {bearer.instance_url} with API version {client.version}")
    yield from _usage(client, settings)
    yield from _ours(described)
    yield from _mapped(described, fields)
    yield _push(settings)


def _usage(client: Client, settings: SalesforceSettings) -> Iterator[Finding]:
    if client.usage is None:
        return
    used, allowed = client.usage
    text = f"{used:,} of {allowed:,} API calls of the last 24 hours used, by all programs together"
    if used >= allowed * settings.daily_call_share:
        remedy = "find out which program calls so often (Setup > System Overview), or buy more API calls"
        yield Finding("API calls", Level.WARNING, text, remedy)
    else:
        yield Finding("API calls", Level.OK, text)


def _ours(described: Describes) -> Iterator[Finding]:
    known = {name: fields_of(each) for name, each in described.items()}
    missing = [
        f"{OBJECTS[spec.record]}.{our_field(spec.name)}"
        for spec in FIELDS
        if our_field(spec.name).lower() not in known[OBJECTS[spec.record]]
    ]
    if missing:
        text = f"missing, or hidden from the connector's user: {', '.join(missing)}"
        yield Finding("our fields", Level.FAULT, text, RUN_PROVISION)
    else:
        yield Finding("our fields", Level.OK, f"all {len(FIELDS)} there")
    key = known["Task"].get(our_field("key").lower())
    if key is not None and not key.get("unique"):
        text = "the org does not keep the key of tasks unique, so unclear answers cost an extra look"
        yield Finding("task key", Level.WARNING, text, "make Activity.Aurevoir_Key__c unique, then " + RUN_PROVISION)


def _mapped(described: Describes, fields: FieldMap) -> Iterator[Finding]:
    wanted = [
        ("contract_end", RecordKind.DEAL, fields.contract_end),
        ("exit_reason", RecordKind.DEAL, fields.exit_reason),
    ]
    wanted.append(("language", RecordKind.CONTACT, fields.language))
    wanted += [("figures", RecordKind(kind), name) for kind, name in fields.figures]
    for setting, kind, name in wanted:
        if name is None:
            continue
        shown = f"{OBJECTS[kind]}.{name}"
        if name.lower() in fields_of(described[OBJECTS[kind]]):
            yield Finding(f"fields.{setting}", Level.OK, f"{shown} is there")
        else:
            remedy = "correct the name in the settings, or let the connector's user see the field"
            yield Finding(f"fields.{setting}", Level.FAULT, f"{shown} is missing, or hidden from our user", remedy)


def _push(settings: SalesforceSettings) -> Finding:
    if settings.webhook_secret:
        text = "outbound messages are taken; whether the org sends them cannot be seen from here"
        return Finding("outbound messages", Level.WARNING, text, "move a deal in the org and watch it arrive")
    remedy = "set webhook_secret and point an outbound message at /webhooks/salesforce/<secret>"
    return Finding("outbound messages", Level.WARNING, "not set up; changes are found by polling alone", remedy)

"""The check-up: what an admin should know of an org, with the remedy (P-73)."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.errors import AdapterError, ConsentEnded
from adapters.findings import clock, some
from adapters.results import Finding, Level, Said
from adapters.salesforce.client import Client
from adapters.salesforce.install import FLOWS, PushParts
from adapters.salesforce.mapping import OBJECTS, our_field
from adapters.salesforce.metadata import PERMISSION_SET
from adapters.salesforce.parts import MESSAGE
from adapters.salesforce.schema import permission_set_assigned
from adapters.salesforce.settings import SalesforceSettings
from adapters.salesforce.shape import Describes, describe, fields_of
from adapters.services import FieldMap, Services
from workflows.fields import FIELDS
from workflows.records import RecordKind

RUN_PROVISION = Said("run `aurevoir provision`")


def check(client: Client, settings: SalesforceSettings, fields: FieldMap, services: Services) -> Iterator[Finding]:
    """Findings; about eight reads. The first that cannot be made ends the check-up."""
    try:
        bearer = client.tokens.current()
        described = describe(client)
    except ConsentEnded as error:
        remedy = Said("an administrator of the account has to agree in the browser")
        yield Finding("connection", Level.FAULT, error.message, remedy)
        return
    except AdapterError as error:
        yield Finding("connection", Level.FAULT, error.message, Said("mend this first; nothing else can be checked"))
        return
    text = Said("logged in at %(url)s with API version %(version)s", url=bearer.instance_url, version=client.version)
    yield Finding("connection", Level.OK, text)
    if client.heard_at is not None:
        yield clock(client.heard_at, services.now(), "Salesforce")
    yield from _usage(client, settings)
    yield from _ours(described)
    yield from _rights(client, described)
    yield from _mapped(described, fields)
    yield from _push(client, settings)


def _usage(client: Client, settings: SalesforceSettings) -> Iterator[Finding]:
    if client.usage is None:
        return
    used, allowed = client.usage
    text = Said(
        "%(used)s of %(allowed)s API calls of the last 24 hours used, by all programs together",
        used=f"{used:,}",
        allowed=f"{allowed:,}",
    )
    if used >= allowed * settings.daily_call_share:
        remedy = Said("find out which program calls so often (Setup > System Overview), or buy more API calls")
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
        text = Said("missing, or hidden from the connector's user: %(names)s", names=some(missing))
        yield Finding("our fields", Level.FAULT, text, RUN_PROVISION)
    else:
        yield Finding("our fields", Level.OK, Said("all %(count)d there", count=len(FIELDS)))
    key = known["Task"].get(our_field("key").lower())
    if key is not None and not key.get("unique"):
        text = Said("the org does not keep the key of tasks unique, so unclear answers cost an extra look")
        remedy = Said("make Activity.Aurevoir_Key__c unique, then run `aurevoir provision`")
        yield Finding("task key", Level.WARNING, text, remedy)


def _mapped(described: Describes, fields: FieldMap) -> Iterator[Finding]:
    wanted = [
        ("contract_end", RecordKind.DEAL, fields.contract_end),
        ("exit_reason", RecordKind.DEAL, fields.exit_reason),
        ("exit_rights", RecordKind.DEAL, fields.exit_rights),
    ]
    wanted.append(("language", RecordKind.CONTACT, fields.language))
    wanted += [("figures", RecordKind(kind), name) for kind, name in fields.figures]
    for setting, kind, name in wanted:
        if name is None:
            continue
        shown = f"{OBJECTS[kind]}.{name}"
        if name.lower() in fields_of(described[OBJECTS[kind]]):
            yield Finding(f"fields.{setting}", Level.OK, Said("%(name)s is there", name=shown))
        else:
            remedy = Said("correct the name in the settings, or let the connector's user see the field")
            text = Said("%(name)s is missing, or hidden from our user", name=shown)
            yield Finding(f"fields.{setting}", Level.FAULT, text, remedy)


_RIGHTS = {
    ("Task", "createable"): Said("create task records"),
    ("Task", "updateable"): Said("change task records"),
    ("Opportunity", "updateable"): Said("change opportunity records"),
}
"""What the connector's user must be able to do: object, and the right as a describe calls it."""


def _rights(client: Client, described: Describes) -> Iterator[Finding]:
    """What the connector's user may do with the records that we write, and whether it has our permission set."""
    unable = [words for (name, verb), words in _RIGHTS.items() if described[name].get(verb) is False]
    if unable:
        rights = unable[0]
        for other in unable[1:]:
            rights = Said("%(one)s, nor %(other)s", one=rights, other=other)
        text = Said("the connector's user may not %(rights)s", rights=rights)
        remedy = Said("give it the permission set %(name)s, and a profile that may", name=PERMISSION_SET)
        yield Finding("rights", Level.FAULT, text, remedy)
    try:
        assigned = permission_set_assigned(client)
    except AdapterError as error:
        yield Finding("permission set", Level.WARNING, Said("could not be looked at: %(why)s", why=error.message))
        return
    if assigned:
        text = Said("%(name)s is given to the connector's user", name=PERMISSION_SET)
        yield Finding("permission set", Level.OK, text)
    elif assigned is None:
        text = Said("the org has no %(name)s", name=PERMISSION_SET)
        yield Finding("permission set", Level.FAULT, text, RUN_PROVISION)
    else:
        text = Said("%(name)s is not given to the connector's user, so our fields stay hidden", name=PERMISSION_SET)
        yield Finding("permission set", Level.FAULT, text, RUN_PROVISION)


def _push(client: Client, settings: SalesforceSettings) -> Iterator[Finding]:
    """Whether the message and the flows that tell us of moves are in the org, and awake."""
    if not settings.webhook_secret:
        remedy = Said("set webhook_secret and a public_url that Salesforce reaches, then run `aurevoir provision`")
        text = Said("not set up: changes are found by polling alone")
        yield Finding("outbound messages", Level.WARNING, text, remedy)
        return
    there = PushParts(client)
    try:
        message, flows = bool(there.messages()), there.flows()
    except AdapterError as error:
        text = Said("whether the message and its flows are in the org cannot be seen: %(why)s", why=error.message)
        remedy = Said("let the connector's user view setup and configuration")
        yield Finding("outbound messages", Level.WARNING, text, remedy)
        return
    missing = [name for name in FLOWS if name not in flows]
    asleep = [name for name in FLOWS if flows.get(name) is False]
    if not message or missing:
        lacking = ", ".join([*([MESSAGE] if not message else []), *missing])
        text = Said("not in the org: %(names)s; changes are found by polling", names=lacking)
        remedy = Said("run `aurevoir provision`, and read why if it leaves them out")
        yield Finding("outbound messages", Level.WARNING, text, remedy)
    elif asleep:
        text = Said("flows that sleep: %(names)s; changes are found by polling", names=", ".join(asleep))
        yield Finding("outbound messages", Level.WARNING, text, Said("activate them in Setup > Flows"))
    else:
        yield Finding("outbound messages", Level.OK, Said("the message and its flows are in the org, and active"))

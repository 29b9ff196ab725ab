"""The check-up of one account (P-73): one line for each thing, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.errors import AdapterError, ConsentEnded, CredentialsInvalid, NotFound, Rejected, ScopeMissing
from adapters.findings import clock, scopes, some
from adapters.hubspot.changes import SEARCH_DEALS, search
from adapters.hubspot.client import Client
from adapters.hubspot.oauth import SCOPES
from adapters.hubspot.reads import Reader
from adapters.hubspot.schema import missing_properties
from adapters.hubspot.values import TaskKeys, own
from adapters.results import Finding, Level, Said
from adapters.services import FieldMap
from workflows.fields import FIELDS
from workflows.records import RecordKind

ACCOUNT = "/account-info/v3/details"

HARMLESS = frozenset(name for name in SCOPES if name.startswith("crm.schemas.") or name == "files")
"""Scopes that only provisioning and documents need."""

Steps = Sequence[tuple[str, Callable[[], object]]]


@dataclass(frozen=True)
class Checkup:
    """What the check-up looks at."""

    client: Client
    reader: Reader
    account_id: str
    fields: FieldMap
    keys: TaskKeys
    has_secret: bool
    now: Callable[[], datetime]
    gone: set[str] = field(default_factory=set)
    """Properties of tasks that were there when the account was provisioned."""

    def run(self) -> Iterator[Finding]:
        """All findings; stops early only where HubSpot refuses the token."""
        try:
            yield from self._portal()
            yield from self._scopes()
            yield from self._reading()
            for kind in (RecordKind.DEAL, RecordKind.COMPANY, RecordKind.CONTACT, RecordKind.TASK):
                yield from self._properties(kind)
        except ConsentEnded as error:
            remedy = Said("an administrator of the account has to agree in the browser")
            yield Finding("token", Level.FAULT, error.message, remedy)
            return
        except CredentialsInvalid as error:
            remedy = Said("put a valid access_token into the configuration")
            yield Finding("token", Level.FAULT, error.message, remedy)
            return
        yield self._secret()
        yield self._key()

    def _portal(self) -> Iterator[Finding]:
        try:
            answer = self.client.get(ACCOUNT)
        except (NotFound, Rejected, ScopeMissing) as error:
            yield Finding(
                "account", Level.WARNING, Said("HubSpot does not tell the account's number: %(why)s", why=error.message)
            )
            return
        except CredentialsInvalid:
            raise
        except AdapterError as error:
            remedy = Said("check the network, api_url and HubSpot's status page")
            yield Finding("account", Level.FAULT, error.message, remedy)
            return
        portal = str(answer.body.get("portalId", ""))
        if portal == self.account_id:
            yield Finding("account", Level.OK, Said("the token is for HubSpot account %(account)s", account=portal))
        else:
            text = Said(
                "the token is for HubSpot account %(account)s, and account_id is %(named)s",
                account=portal,
                named=self.account_id,
            )
            remedy = Said("set account_id to that number, or use a token of the right account")
            yield Finding("account", Level.FAULT, text, remedy)
        yield clock(answer.date, self.now(), "HubSpot")

    def _scopes(self) -> Iterator[Finding]:
        """Granted against needed, where HubSpot tells; calls that fail for want of one say so as well."""
        try:
            granted = self.client.granted_scopes()
        except CredentialsInvalid:
            raise
        except AdapterError as error:
            text = Said("HubSpot does not tell what the token may do: %(why)s", why=error.message)
            yield Finding("scopes", Level.WARNING, text)
            return
        if granted is None:
            yield Finding("scopes", Level.WARNING, Said("HubSpot does not tell what the token may do"))
            return
        needed = {name: what for name, what in SCOPES.items() if name != "oauth"}
        remedy = Said("add them to the app (Scopes), then install or connect it again")
        yield from scopes(granted, needed, HARMLESS, remedy)

    def _reading(self) -> Iterator[Finding]:
        steps: Steps = (
            ("read deals", lambda: search(self.client, SEARCH_DEALS, [], "hs_object_id", ["dealname"])),
            ("read pipelines", self.reader.pipelines),
            ("read owners", self.reader.users),
        )
        for subject, step in steps:
            yield _try(subject, step)

    def _properties(self, kind: RecordKind) -> Iterator[Finding]:
        ours = [own(spec.name) for spec in FIELDS if spec.record == kind]
        mapped = self._mapped(kind)
        try:
            missing = missing_properties(self.client, kind, [*ours, *mapped])
        except CredentialsInvalid:
            raise
        except AdapterError as error:
            yield Finding(f"{kind} properties", Level.FAULT, error.message, _remedy(error))
            return
        lost = [name for name in ours if name in missing]
        if kind == RecordKind.TASK:  # some accounts take none of them; what was there once is missed
            self.gone.update(name for name in lost if self._remembered(name))
        if lost and (kind != RecordKind.TASK or self.gone):
            text = Said("HubSpot does not have our properties here: %(names)s", names=some(lost))
            yield Finding(f"{kind} properties", Level.FAULT, text, Said("run `aurevoir provision`"))
        elif not lost:
            yield Finding(f"{kind} properties", Level.OK, Said("our properties are there"))
        for name in mapped:
            if name in missing:
                yield Finding(
                    f"fields.{name}",
                    Level.FAULT,
                    Said("HubSpot has no %(kind)s property %(name)s", kind=kind.value, name=name),
                    Said("use the property's internal name, from Settings > Properties"),
                )

    def _mapped(self, kind: RecordKind) -> list[str]:
        names = [name for record, name in self.fields.figures if record == kind]
        if kind == RecordKind.DEAL:
            names += self.fields.of_deal()
        if kind == RecordKind.CONTACT and self.fields.language:
            names.append(self.fields.language)
        return names

    def _secret(self) -> Finding:
        if self.has_secret:
            return Finding("client_secret", Level.OK, Said("webhooks can be proven"))
        return Finding(
            "client_secret",
            Level.WARNING,
            Said("there is no client_secret, so changes are found by polling alone"),
            Said("set client_secret to the app's, from its Auth page, if the app sends webhooks"),
        )

    def _remembered(self, name: str) -> bool:
        return self.keys.property if name == own("key") else self.keys.link

    def _key(self) -> Finding:
        if self.keys.property and own("key") not in self.gone:
            return Finding("task key", Level.OK, Said("tasks carry their key in a property"))
        return Finding(
            "task key",
            Level.WARNING,
            Said("tasks carry their key as a line at the end of their text"),
            Said("run `aurevoir provision`; where HubSpot takes no property on tasks, this is how it stays"),
        )


def _try(subject: str, step: Callable[[], object]) -> Finding:
    try:
        step()
    except CredentialsInvalid:
        raise
    except AdapterError as error:
        return Finding(subject, Level.FAULT, error.message, _remedy(error))
    return Finding(subject, Level.OK, Said("the token may"))


def _remedy(error: AdapterError) -> str:
    if isinstance(error, ScopeMissing):
        return Said("add the missing scopes to the app and install it again")
    return Said("try again later; if it stays, look at HubSpot's status page")

"""Salesforce held to the conformance suite, against its sandbox over HTTP."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from conformance_kit import Limits, MemoryTokens, SeenNote, SeenTask, Trouble, Where
from lxml import etree, html

from adapters.salesforce import ADAPTER
from adapters.salesforce.mapping import COUNTERPART_FIELD, PREFIXES, our_field, to18
from adapters.signals import WebhookRequest
from sandbox.kit import Clock, Fault, Server
from sandbox.salesforce import SalesforceSandbox
from sandbox.salesforce.metadata import metadata_schema
from sandbox.salesforce.schema import Field
from workflows.records import RecordKind

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TARGETS = {
    Where.READ_DEAL: "GET /services/data/v66.0/query",
    Where.CREATE_TASK: "POST /services/data/v66.0/composite",
    Where.UPDATE: "POST /services/data/v66.0/composite",
}
PROVISIONED = ("PermissionSet", "PermissionSetAssignment", "FieldPermissions")
OBJECTS = {RecordKind.DEAL: "Opportunity", RecordKind.COMPANY: "Account", RecordKind.CONTACT: "Contact"}


def _error(code: str, message: str) -> list[dict[str, str]]:
    return [{"message": message, "errorCode": code}]


TROUBLES: Mapping[Trouble, Mapping[str, Any]] = {
    Trouble.UNAUTHORISED: {"status": 401},
    Trouble.FORBIDDEN: {"status": 403, "body": _error("API_DISABLED_FOR_ORG", "The REST API is not enabled.")},
    Trouble.NOT_FOUND: {"status": 404},
    Trouble.CONFLICT: {"status": 409, "body": _error("CONFLICT", "The request conflicts with the state of the org")},
    Trouble.INVALID: {"status": 400, "body": _error("JSON_PARSER_ERROR", "Unexpected character ('x')")},
    Trouble.RATE_SHORT: {
        "status": 403,
        "body": _error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
        "headers": {"Retry-After": "1"},
    },
    Trouble.RATE_LONG: {"status": 403, "body": _error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")},
    Trouble.SERVER_ERROR: {"status": 500},
    Trouble.TIME_OUT: {"delay": 1.8, "cut": "before"},
    Trouble.RESET_BEFORE: {"cut": "before"},
    Trouble.RESET_AFTER: {"cut": "after"},
    Trouble.TRUNCATED: {"cut": "truncate"},
    Trouble.BROKEN_JSON: {"status": 200, "body": "<html><body>Back in a moment</body></html>"},
}

NO_PERMISSION = {
    "status": 200,
    "body": {
        "compositeResponse": [
            {
                "body": _error("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
                "httpHeaders": {},
                "httpStatusCode": 403,
                "referenceId": "p0",
            }
        ]
    },
}
"""A user who may not make tasks is told so for the part that makes them, not for the whole request."""


class SalesforceRig:
    """One organisation with provisioning rights, two people beside its admin, and one who left."""

    name = "salesforce"
    adapter = ADAPTER
    account_id = "00D5g00000ABCDE"
    limits = Limits(
        observe_one=1,
        people_one=1,
        observe_hundred=1,
        people_hundred=1,
        task_batch=1000,
        write_single_case=1,
    )
    client_secret = "a-client-secret-of-the-rig"
    webhook_secret = "a-path-secret-of-the-rig-1234"
    secrets = (client_secret, webhook_secret, "00D5g00000ABCDE!")
    signs_time = False
    negotiating = "Negotiation/Review"
    not_renewing = "Closed Lost"
    contract_end_field = "Contract_End__c"
    exit_reason_field = "Exit_Reason__c"
    exit_reason_value = "Price"
    stage_field = "StageName"
    bad_owner_id = "0055g00000ZZZZZAAA"
    figure = ("deal", "Nps_Start__c")

    def __init__(self) -> None:
        metadata_schema()  # compiled once; a deployment would wait longer for it than the short time-outs allow
        self.slow = False
        self.sandbox = SalesforceSandbox(
            clock=Clock(START), org_id=self.account_id, client_secret=self.client_secret, deploy_seconds=0
        )
        for name, kind in (("Contract_End__c", "date"), ("Exit_Reason__c", "string"), ("Nps_Start__c", "double")):
            self.sandbox.world.schema.add_field(
                "Opportunity",
                Field(name, kind, name, length=255, precision=18, createable=True, updateable=True, custom=True),
            )
        self.pipeline_id: str | None = self.sandbox.add_record_type("Renewal")
        self.users = (
            self.sandbox.add_user("Claire", "Martin", "claire@globex.example"),
            self.sandbox.add_user("Sam", "Taylor", "sam@globex.example", TimeZoneSidKey="America/New_York"),
        )
        self.inactive_user = self.sandbox.add_user("Left", "Already", "left@globex.example", IsActive=False)
        self.server = Server(self.sandbox.app).start()

    # --- the connection ---------------------------------------------------------------------------------------------

    def settings(self) -> Any:
        return ADAPTER.settings_model.model_validate(self.bare_settings())

    def bare_settings(self) -> Mapping[str, Any]:
        return {
            "login_url": self.server.url,
            "client_id": self.sandbox.client.id,
            "client_secret": self.client_secret,
            "webhook_secret": self.webhook_secret,
            "connect_timeout": 1.0,
            "read_timeout": 1.5,
            "total_timeout": 5.0,
        }

    def browser_settings(self) -> Mapping[str, Any]:
        """Without credentials; the app is the shared one."""
        bare = dict(self.bare_settings())
        del bare["client_id"], bare["client_secret"]
        return bare

    @property
    def shared_app(self) -> Mapping[str, str]:
        return {"client_id": self.sandbox.client.id, "client_secret": self.client_secret}

    def consent(self, address: str, *, agree: bool = True) -> str:
        """What the person at the browser does; where the browser is sent back to."""
        callback = parse_qs(urlsplit(address).query)["redirect_uri"][0]
        self.sandbox.client.redirect_uris = (callback,)
        page = requests.get(address, allow_redirects=False, timeout=10)
        if page.is_redirect:
            return page.headers["Location"]
        form = {"user": self.sandbox.world.admin_id, "answer": "allow" if agree else "deny"}
        answer = requests.post(address, data=form, allow_redirects=False, timeout=10)
        return answer.headers["Location"]

    def rotate(self, on: bool) -> None:
        self.sandbox.client.rotation = on

    def refreshes(self) -> int:
        """Calls to the token endpoint since :meth:`forget_calls`."""
        return len(self.sandbox.ledger.token_calls)

    def end_sessions(self) -> None:
        """Access tokens come to their end; consents stay."""
        self.sandbox.oauth.sessions.clear()

    def uninstall(self) -> None:
        self.sandbox.oauth.grants.clear()
        self.sandbox.oauth.sessions.clear()

    def seed_token(self, tokens: MemoryTokens) -> None:
        """Nothing: the adapter asks for a token itself."""

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def advance(self, by: timedelta) -> None:
        self.sandbox.clock.advance(by)

    def close(self) -> None:
        self.sandbox.hooks.stop()
        self.server.stop()

    def snapshot(self) -> Any:
        """Our fields and permission set, so that not every test has to deploy them again."""
        world = self.sandbox.world
        fields = {name: dict(each.fields) for name, each in world.schema.objects.items()}
        return fields, {name: dict(world.tables[name]) for name in PROVISIONED}

    def restore(self, taken: Any) -> None:
        fields, tables = taken
        for name, each in self.sandbox.world.schema.objects.items():
            each.fields = dict(fields[name])
        for name, rows in tables.items():
            self.sandbox.world.tables[name] = dict(rows)

    # --- records ----------------------------------------------------------------------------------------------------

    def add_company(self, name: str, *, owner_id: str | None = None) -> str:
        return self._add("Account", Name=name, OwnerId=owner_id)

    def add_contact(self, name: str, *, email: str | None, decider: bool = False) -> str:
        first, _, last = name.rpartition(" ")
        made = self._add("Contact", FirstName=first or None, LastName=last, Email=email)
        if decider:
            self._deciders().add(made)
        return made

    def _deciders(self) -> set[str]:
        found: set[str] = self.__dict__.setdefault("deciders", set())
        return found

    def add_deal(
        self,
        name: str,
        *,
        stage: str | None = None,
        owner_id: str | None = None,
        amount: Decimal | None = None,
        contract_end: date | None = None,
        exit_reason: str | None = None,
        figure: str | None = None,
        company_id: str | None = None,
        contact_ids: Sequence[str] = (),
    ) -> str:
        deal_id = self._add(
            "Opportunity",
            Name=name,
            StageName=stage or self.negotiating,
            CloseDate="2027-01-31",
            RecordTypeId=self.pipeline_id,
            OwnerId=owner_id,
            Amount=None if amount is None else float(amount),
            Contract_End__c=contract_end.isoformat() if contract_end else None,
            Exit_Reason__c=exit_reason,
            Nps_Start__c=float(figure) if figure is not None else None,
            AccountId=company_id,
        )
        for contact_id in contact_ids:
            role = "Decision Maker" if contact_id in self._deciders() else "Business User"
            self._add("OpportunityContactRole", OpportunityId=deal_id, ContactId=contact_id, Role=role)
        return deal_id

    def _add(self, object_name: str, **values: Any) -> str:
        return self.sandbox.world.insert(
            object_name, {key: value for key, value in values.items() if value is not None}
        )

    def move_deal(self, deal_id: str, stage_id: str) -> None:
        self.sandbox.set_stage(deal_id, stage_id)

    def employ(self, contact_id: str, company_id: str) -> None:
        """The contact works for this company now."""
        self.sandbox.world.update(contact_id, {"AccountId": company_id})

    def give_number(self, contact_id: str, number: str) -> None:
        """The contact's mobile number, as a person enters it."""
        self.sandbox.world.update(contact_id, {"MobilePhone": number})

    def give_deal(self, deal_id: str, owner_id: str) -> None:
        self.sandbox.world.update(deal_id, {"OwnerId": owner_id})

    def delete_deal(self, deal_id: str) -> None:
        self.sandbox.world.delete(deal_id)

    def complete_task(self, task_id: str) -> None:
        self.sandbox.world.update(task_id, {"Status": "Completed"})

    def set_aside(self, task_id: str, line: str) -> None:
        body = (self.sandbox.world.live(task_id) or {})["Description"]
        self.sandbox.world.update(task_id, {"Status": "Deferred", "Description": f"{body}\n{line}"})

    def act_on(self, deal_id: str, user_id: str, what: str) -> None:
        if what == "meeting":
            self._add("Event", WhatId=deal_id, OwnerId=user_id, Subject="Meeting", ActivityDate="2026-03-02")
        else:
            kind = "Call" if what == "call" else None
            self._add("Task", WhatId=deal_id, OwnerId=user_id, Subject="Theirs", Type=kind)

    def join_team(self, deal_id: str, user_id: str) -> None:
        self._add("OpportunityTeamMember", OpportunityId=deal_id, UserId=user_id, TeamMemberRole="Sales Rep")

    def give_role(self, deal_id: str, contact_id: str, role: str) -> None:
        for row in self.sandbox.world.rows("OpportunityContactRole"):
            if (row["OpportunityId"], row["ContactId"]) == (deal_id, contact_id):
                self.sandbox.world.update(row["Id"], {"Role": role})

    def bounce(self, contact_id: str) -> None:
        self.sandbox.world.update(contact_id, {"EmailBouncedDate": self.now().isoformat()})

    def tick_counterpart(self, contact_id: str) -> None:
        self.sandbox.world.update(contact_id, {COUNTERPART_FIELD: True})

    def delete_task(self, task_id: str) -> None:
        self.sandbox.world.delete(task_id)

    def tasks(self, deal_id: str) -> Sequence[SeenTask]:
        return [
            SeenTask(
                id=row["Id"],
                subject=row["Subject"],
                body=row["Description"] or "",
                due=row["ActivityDate"],
                owner_id=row["OwnerId"],
                done=row["IsClosed"],
                company_id=row["AccountId"],
                contact_ids=frozenset([row["WhoId"]] if row["WhoId"] else []),
            )
            for row in self.sandbox.world.rows("Task")
            if row["WhatId"] == deal_id
        ]

    def notes(self, deal_id: str) -> Sequence[SeenNote]:
        return [
            SeenNote(id=row["ContentDocumentId"], body=f"{row['Title']}\n{_text(row['VersionData'])}")
            for row in self._versions(deal_id)
            if row["FileType"] == "SNOTE"
        ]

    def files(self, deal_id: str) -> Sequence[SeenNote]:
        return [
            SeenNote(id=row["Id"], name=row["PathOnClient"], content=base64.b64decode(row["VersionData"]))
            for row in self._versions(deal_id)
            if row["FileType"] != "SNOTE"
        ]

    def _versions(self, deal_id: str) -> list[Mapping[str, Any]]:
        links = self.sandbox.world.rows("ContentDocumentLink")
        documents = {row["ContentDocumentId"] for row in links if row["LinkedEntityId"] == deal_id}
        versions = self.sandbox.world.rows("ContentVersion")
        return [row for row in versions if row["ContentDocumentId"] in documents]

    def value(self, kind: RecordKind, record_id: str, name: str) -> str | None:
        row = self.sandbox.world.live(record_id) or {}
        found = row.get(our_field(name))
        if isinstance(found, datetime):
            return found.isoformat()
        if isinstance(found, float | Decimal) and found == int(found):
            return str(int(found))
        return None if found is None else str(found)

    # --- trouble ----------------------------------------------------------------------------------------------------

    def missing_id(self, kind: RecordKind) -> str:
        prefix = {**PREFIXES, "Task": "00T"}[OBJECTS.get(kind, "Task")]
        return to18(f"{prefix}5g00000zzzzz")

    def trouble(self, what: Trouble, where: Where, *, times: int | None = 1) -> None:
        # One refused token is answered with a fresh one; credentials are refused when that does not help either.
        count = 2 if what is Trouble.UNAUTHORISED and times == 1 else times
        plan = NO_PERMISSION if what is Trouble.FORBIDDEN and where is not Where.READ_DEAL else TROUBLES[what]
        self.slow = what is Trouble.TIME_OUT
        self.sandbox.faults.set(Fault(match=f"^{TARGETS[where]}", times=count, **plan))

    def calm(self) -> None:
        self.sandbox.faults.clear()

    def calls(self) -> int:
        if self.slow:
            time.sleep(0.5)  # the sandbox writes a call down when it ends, after its caller has given up
        return self.sandbox.ledger.count()

    def forget_calls(self) -> None:
        self.sandbox.ledger.reset()

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def delivery(
        self,
        deal_ids: Sequence[str],
        *,
        at: datetime,
        secret: str | None = None,
        account_id: str | None = None,
        received_at: datetime | None = None,
    ) -> WebhookRequest:
        secret = self.webhook_secret if secret is None else secret
        org = account_id or self.sandbox.world.org_id
        records = "".join(self._notification(number, each, at) for number, each in enumerate(deal_ids))
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
            '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
            f"<OrganizationId>{org}</OrganizationId><ActionId>04k5g0000000001AAA</ActionId>"
            '<SessionId xsi:nil="true"/><EnterpriseUrl>https://globex.my.salesforce.com/c</EnterpriseUrl>'
            f"<PartnerUrl>https://globex.my.salesforce.com/u</PartnerUrl>{records}"
            "</notifications></soapenv:Body></soapenv:Envelope>"
        )
        return WebhookRequest(
            method="POST",
            url="https://goodbye.example.com/webhooks/salesforce/…",
            headers={"content-type": "text/xml; charset=utf-8"},
            body=body.encode(),
            received_at=received_at or at,
            secret=secret,
        )

    def _notification(self, number: int, deal_id: str, at: datetime) -> str:
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return (
            f"<Notification><Id>04l5g00000{number:05}</Id>"
            '<sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
            f"<sf:Id>{deal_id}</sf:Id><sf:StageName>{self.not_renewing}</sf:StageName>"
            f"<sf:SystemModstamp>{stamp}</sf:SystemModstamp></sObject></Notification>"
        )


def _text(content: str) -> str:
    """A note's HTML as its reader sees it."""
    marked_up = base64.b64decode(content).decode()
    root = html.fragment_fromstring(marked_up.replace("<br>", "\n").replace("</p>", "</p>\n"), create_parent="div")
    return str(etree.tostring(root, method="text", encoding="unicode")).strip()


RIG = SalesforceRig

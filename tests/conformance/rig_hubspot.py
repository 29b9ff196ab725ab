"""HubSpot's adapter with its sandbox, for the conformance suite."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from conformance_kit import Limits, MemoryTokens, SeenNote, SeenTask, Trouble, Where

from adapters.hubspot import ADAPTER
from adapters.hubspot.settings import HubSpotSettings
from adapters.signals import WebhookRequest
from sandbox.hubspot import SECRET, TOKEN, HubSpotSandbox
from sandbox.hubspot.definitions import COMPANY, CONTACT, DEAL, NOTE, TASK, ObjectType
from sandbox.hubspot.errors import ApiError, invalid, missing_scopes, rate_limited
from sandbox.hubspot.hooks import sign_v3
from sandbox.hubspot.world import Record
from sandbox.kit import Clock, Fault, Server
from workflows.records import RecordKind

START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
URL = "https://goodbye.northwind.test/webhooks/hubspot"
KINDS = {RecordKind.DEAL: DEAL, RecordKind.COMPANY: COMPANY, RecordKind.CONTACT: CONTACT, RecordKind.TASK: TASK}
PATHS = {
    Where.READ_DEAL: r"^GET .*/(0-3|deals)/\d+$|^POST .*/(0-3|deals)/batch/read$",
    Where.CREATE_TASK: r"^POST .*/tasks/batch/create$",
    Where.UPDATE: r"^POST .*/(0-3|deals|companies|contacts)/batch/update$",
}
ANSWERS = {
    Trouble.UNAUTHORISED: ApiError(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION"),
    Trouble.FORBIDDEN: missing_scopes(["crm.objects.deals.read"]),
    Trouble.NOT_FOUND: ApiError(404, "resource not found", "OBJECT_NOT_FOUND"),
    Trouble.CONFLICT: ApiError(409, "conflict", "CONFLICT"),
    Trouble.INVALID: invalid("secret-looking value someone@example.com was not valid"),
    Trouble.RATE_SHORT: rate_limited("SECONDLY", "publicapi"),
    Trouble.RATE_LONG: rate_limited("DAILY", "publicapi"),
    Trouble.SERVER_ERROR: ApiError(500, "internal error", "INTERNAL_ERROR"),
}


def _fault(what: Trouble, match: str, times: int | None) -> Fault:
    if what in ANSWERS:
        error = ANSWERS[what]
        return Fault(match, times, status=error.status, body=error.body())
    if what == Trouble.TIME_OUT:
        return Fault(match, times, delay=0.9, status=503)
    if what == Trouble.BROKEN_JSON:
        return Fault(match, times, status=200, body="<html>Bad gateway</html>", done=True)
    cuts = {Trouble.RESET_BEFORE: "before", Trouble.RESET_AFTER: "after", Trouble.TRUNCATED: "truncate"}
    return Fault(match, times, cut=cuts[what])  # type: ignore[arg-type]


class RIG:
    """See conformance_kit.Rig."""

    name = "hubspot"
    adapter = ADAPTER
    account_id = "4242"
    limits = Limits(
        observe_one=1,
        people_one=2,
        observe_hundred=4,
        people_hundred=4,
        task_batch=100,
        write_single_case=2,
    )
    secrets = (TOKEN, SECRET)
    negotiating, not_renewing, pipeline_id = "1002", "1004", "renewals"
    users, inactive_user = ("101", "103"), "106"
    contract_end_field, exit_reason_field, figure = "contract_end_date", "exit_reason", ("deal", "nps_start")
    exit_reason_value, stage_field, bad_owner_id = "Price", "dealstage", "999999"
    signs_time, webhook_secret = True, SECRET

    def __init__(self) -> None:
        self.sandbox = HubSpotSandbox(Clock(START), self.account_id)
        self.world = self.sandbox.world
        self.server = Server(self.sandbox.app).start()
        self.api_version = "2026-03"
        self.read_timeout = 15.0

    # --- the connection ---

    def bare_settings(self) -> Mapping[str, Any]:
        return {
            "access_token": TOKEN,
            "client_secret": SECRET,
            "api_url": self.server.url,
            "api_version": self.api_version,
            "connect_timeout": 5,
            "read_timeout": self.read_timeout,
        }

    def settings(self) -> HubSpotSettings:
        return HubSpotSettings.model_validate(self.bare_settings())

    def browser_settings(self) -> Mapping[str, Any]:
        """Without a token; the app is the shared one."""
        bare = dict(self.bare_settings())
        del bare["access_token"], bare["client_secret"]
        return {**bare, "app_url": self.server.url}

    @property
    def shared_app(self) -> Mapping[str, str]:
        app = self.sandbox.oauth.app
        return {"client_id": app.client_id, "client_secret": app.client_secret}

    def consent(self, address: str, *, agree: bool = True) -> str:
        """What the person at the browser does; where the browser is sent back to."""
        self.sandbox.oauth.app.redirect_urls = (parse_qs(urlsplit(address).query)["redirect_uri"][0],)
        page = requests.get(address, timeout=10)
        assert page.status_code == 200, page.text
        answer = requests.post(address, data={"allow": "1" if agree else "0"}, allow_redirects=False, timeout=10)
        return answer.headers["Location"]

    def rotate(self, on: bool) -> None:
        self.sandbox.oauth.app.rotate = on

    def refreshes(self) -> int:
        """Calls to the token endpoint since :meth:`forget_calls`."""
        return len(self.sandbox.ledger.token_calls)

    def end_sessions(self) -> None:
        """Access tokens come to their end; consents stay."""
        self.advance(timedelta(minutes=30))

    def uninstall(self) -> None:
        self.sandbox.oauth.uninstall()

    def seed_token(self, tokens: MemoryTokens) -> None:
        """The token is in the settings."""

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def advance(self, by: timedelta) -> None:
        self.sandbox.clock.advance(by)

    def close(self) -> None:
        self.sandbox.hooks.stop()
        self.server.stop()

    def snapshot(self) -> Any:
        """The portal's property definitions, so that not every test has to provision them again."""
        return copy.deepcopy((self.world.schema.properties, self.world.schema.groups))

    def restore(self, taken: Any) -> None:
        self.world.schema.properties, self.world.schema.groups = copy.deepcopy(taken)

    # --- records ---

    def _seed(self, kind: str, properties: Mapping[str, str | None], *links: tuple[str, str]) -> str:
        filled = {name: value for name, value in properties.items() if value}
        ends = [{"type": end, "id": record_id} for end, record_id in links]
        with self.world.lock:
            made = self.sandbox.seed([{"type": kind, "properties": filled, "associations": ends}])
        return str(made["ids"][0])

    def add_company(self, name: str, *, owner_id: str | None = None) -> str:
        return self._seed("companies", {"name": name, "hubspot_owner_id": owner_id})

    def add_contact(self, name: str, *, email: str | None, decider: bool = False) -> str:
        first, _, last = name.partition(" ")
        role = "DECISION_MAKER" if decider else None
        return self._seed("contacts", {"firstname": first, "lastname": last, "email": email, "hs_buying_role": role})

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
        companies = [("companies", company_id)] if company_id else []
        return self._seed(
            "deals",
            {
                "dealname": name,
                "pipeline": "renewals",
                "dealstage": stage or self.negotiating,
                "hubspot_owner_id": owner_id,
                "amount": None if amount is None else str(amount),
                "deal_currency_code": "EUR",
                "contract_end_date": contract_end and contract_end.isoformat(),
                "exit_reason": exit_reason,
                "nps_start": figure,
            },
            *companies,
            *(("contacts", each) for each in contact_ids),
        )

    def employ(self, contact_id: str, company_id: str) -> None:
        """The contact works for this company now."""
        with self.world.lock:
            types = self.world.associations.between(CONTACT, COMPANY)
            primary = next(each for each in types if each.label == "Primary")
            ends = (CONTACT.id, contact_id), (COMPANY.id, company_id)
            self.world.associations.link(*ends, primary, self.now())

    def give_number(self, contact_id: str, number: str) -> None:
        """The contact's mobile number, as a person enters it."""
        self._change(CONTACT, contact_id, {"mobilephone": number})

    def _change(self, kind: ObjectType, record_id: str, values: Mapping[str, str]) -> None:
        from sandbox.hubspot.control import PERSON

        with self.world.lock:
            record = self._get(kind, record_id)
            self.world.update(record, self.world.check(kind, values, record), source=PERSON)

    def _get(self, kind: ObjectType, record_id: str) -> Record:
        found = self.world.get(kind, record_id)
        assert found is not None
        return found

    def _bin(self, kind: ObjectType, record_id: str) -> None:
        from sandbox.hubspot.control import PERSON

        with self.world.lock:
            self.world.archive(self._get(kind, record_id), source=PERSON)

    def missing_id(self, kind: RecordKind) -> str:
        return "98765432109"

    def move_deal(self, deal_id: str, stage_id: str) -> None:
        self._change(DEAL, deal_id, {"dealstage": stage_id})

    def give_deal(self, deal_id: str, owner_id: str) -> None:
        self._change(DEAL, deal_id, {"hubspot_owner_id": owner_id})

    def delete_deal(self, deal_id: str) -> None:
        self._bin(DEAL, deal_id)

    def complete_task(self, task_id: str) -> None:
        self._change(TASK, task_id, {"hs_task_status": "COMPLETED"})

    def set_aside(self, task_id: str, line: str) -> None:
        body = self._get(TASK, task_id).value("hs_task_body") or ""
        self._change(TASK, task_id, {"hs_task_status": "DEFERRED", "hs_task_body": f"{body}<p>{line}</p>"})

    def act_on(self, deal_id: str, user_id: str, what: str) -> None:
        stamp = str(int(self.now().timestamp() * 1000))
        self._seed(f"{what}s", {"hs_timestamp": stamp, "hubspot_owner_id": user_id}, ("deals", deal_id))

    def join_team(self, deal_id: str, user_id: str) -> None:
        self._change(DEAL, deal_id, {"hs_all_collaborator_owner_ids": user_id})

    def give_role(self, deal_id: str, contact_id: str, role: str) -> None:
        self._change(CONTACT, contact_id, {"hs_buying_role": role.upper().replace(" ", "_")})

    def bounce(self, contact_id: str) -> None:
        self._change(CONTACT, contact_id, {"hs_email_hard_bounce_reason_enum": "UNKNOWN_USER"})

    def tick_counterpart(self, contact_id: str) -> None:
        self._change(CONTACT, contact_id, {"aurevoir_counterpart": "true"})

    def delete_task(self, task_id: str) -> None:
        self._bin(TASK, task_id)

    def _linked(self, kind: ObjectType, record_id: str, end: ObjectType) -> list[str]:
        return [other for other, _ in self.world.associations.of((kind.id, record_id), end.id)]

    def tasks(self, deal_id: str) -> list[SeenTask]:
        with self.world.lock:
            found = [self.world.get(TASK, each) for each in self._linked(DEAL, deal_id, TASK)]
            return [self._seen_task(each) for each in found if each is not None]

    def _seen_task(self, task: Record) -> SeenTask:
        companies = self._linked(TASK, task.id, COMPANY)
        return SeenTask(
            id=task.id,
            subject=task.value("hs_task_subject") or "",
            body=task.value("hs_task_body") or "",
            due=datetime.fromisoformat(task.value("hs_timestamp") or ""),
            owner_id=task.value("hubspot_owner_id") or "",
            done=task.value("hs_task_status") == "COMPLETED",
            company_id=companies[0] if companies else None,
            contact_ids=frozenset(self._linked(TASK, task.id, CONTACT)),
        )

    def _notes(self, deal_id: str) -> list[Record]:
        found = [self.world.get(NOTE, each) for each in self._linked(DEAL, deal_id, NOTE)]
        return [each for each in found if each is not None]

    def notes(self, deal_id: str) -> list[SeenNote]:
        with self.world.lock:
            return [
                SeenNote(each.id, each.value("hs_note_body") or "")
                for each in self._notes(deal_id)
                if not each.value("hs_attachment_ids")
            ]

    def files(self, deal_id: str) -> list[SeenNote]:
        with self.world.lock:
            found = []
            for each in self._notes(deal_id):
                for file_id in (each.value("hs_attachment_ids") or "").split(";"):
                    if file_id:
                        stored = self.sandbox.files[file_id]
                        found.append(SeenNote(each.id, "", stored.full_name, stored.content))
            return found

    def value(self, kind: RecordKind, record_id: str, name: str) -> str | None:
        return self._get(KINDS[kind], record_id).value(f"aurevoir_{name}")

    # --- trouble ---

    def trouble(self, what: Trouble, where: Where, *, times: int | None = 1) -> None:
        self.sandbox.faults.set(_fault(what, PATHS[where], times))

    def calm(self) -> None:
        self.sandbox.faults.clear()

    def calls(self) -> int:
        return self.sandbox.ledger.count()

    def forget_calls(self) -> None:
        self.sandbox.ledger.reset()

    # --- webhooks ---

    def delivery(
        self,
        deal_ids: Sequence[str],
        *,
        at: datetime,
        secret: str | None = None,
        account_id: str | None = None,
        received_at: datetime | None = None,
    ) -> WebhookRequest:
        events = [
            {
                "eventId": number,
                "subscriptionId": 25,
                "portalId": int(account_id or self.account_id),
                "appId": 1160452,
                "occurredAt": int(at.timestamp() * 1000),
                "subscriptionType": "object.propertyChange",
                "objectTypeId": "0-3",
                "attemptNumber": 0,
                "objectId": int(deal_id),
                "propertyName": "dealstage",
                "propertyValue": self.not_renewing,
                "changeSource": "CRM_UI",
                "sourceId": "userId:9586504",
                "isSensitive": False,
            }
            for number, deal_id in enumerate(deal_ids, 3816279340)
        ]
        body = json.dumps(events).encode()
        stamp = str(int(at.timestamp() * 1000))
        headers = {
            "content-type": "application/json",
            "x-hubspot-signature-v3": sign_v3(secret or self.webhook_secret, "POST", URL, body, stamp),
            "x-hubspot-request-timestamp": stamp,
        }
        return WebhookRequest("POST", URL, headers, body, received_at or at)

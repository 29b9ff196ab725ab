"""The plan that one deal has, or would get (P-72); nothing is written anywhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.errors import NotFound
from connector.account_settings import AccountConfig
from connector.bootstrap import Runtime
from connector.links import LinkSigner
from connector.readonly import ReadOnly
from connector.store import cases
from connector.survey_links import address
from workflows.guard import occasion, refusal
from workflows.look import Look
from workflows.plan import PlannedStep, followed, preview
from workflows.records import Deal, DealState, People
from workflows.rules import LinkKind


@dataclass(frozen=True)
class Preview:
    """A plan. ``case_id`` is set when the deal has an open case already; ``not_now`` says why none would open now."""

    account: str
    deal_id: str
    deal_name: str
    playbook: str
    contract_end: str | None
    case_id: str | None
    not_now: str | None
    steps: Sequence[PlannedStep]
    lacks: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return vars(self) | {"steps": [step.model_dump(mode="json") for step in self.steps], "lacks": list(self.lacks)}


def preview_deal(runtime: Runtime, name: str, deal_id: str) -> Preview:
    """The plan of the deal's open case, or the one that it would get if it were lost now.

    Raises :class:`~adapters.errors.NotFound` for a deal that is not there.
    """
    account = runtime.accounts[name]
    crm = ReadOnly(account.crm())
    observed = crm.observe([deal_id])[deal_id]
    deal, rules = observed.deal, account.rules()
    if deal.state is not DealState.LIVE:
        raise NotFound(_gone(runtime, name, deal), account=name)
    people = observed.people or crm.people([deal]).get(deal.id, People())
    newest = runtime.library.playbook(rules.playbook)
    with runtime.store.read() as session:
        case = cases.open_by_deal(session, name, [deal_id]).get(deal_id)
        last = cases.last_by_deal(session, name, [deal_id]).get(deal_id)
        load = cases.load_by_owner(session, name)
        frozen = cases.playbook(session, case.playbook, case.playbook_version) if case is not None else None
    look = Look(
        now=runtime.clock.now(),
        rules=rules,
        deal=deal,
        people=people,
        involved=crm.involved([deal]).get(deal.id, ()) if len(rules.people.neutral_pool) > 1 else (),
        case=case,
        last=last,
        playbook=frozen or newest,
        playbooks=runtime.library.playbooks,
        questionnaires=runtime.library.questionnaires,
        users=account.users(),
        load=load,
        new_case_id=uuid.uuid4().hex,
    )
    book = followed(look)
    return Preview(
        account=name,
        deal_id=deal_id,
        deal_name=deal.name,
        playbook=f"{book.key} {book.version}",
        contract_end=deal.contract_end.isoformat() if deal.contract_end is not None else None,
        case_id=case.id if case is not None else None,
        not_now=refusal(look, occasion(rules, deal)) if case is None else None,
        steps=preview(look, _Addresses(runtime.links, account.config)),
        lacks=_lacks(deal, people),
    )


def _gone(runtime: Runtime, name: str, deal: Deal) -> str:
    """Why there is nothing to plan. A CRM does not say whether a deal was deleted or never there; our cases may."""
    if deal.state is DealState.MERGED:
        survivor = f" into {deal.merged_into}: name that one" if deal.merged_into else ""
        return f"deal {deal.id} was merged{survivor}"
    with runtime.store.read() as session:
        known = cases.last_by_deal(session, name, [deal.id]) or cases.open_by_deal(session, name, [deal.id])
    if deal.state is DealState.DELETED and not known:
        return f"there is no deal {deal.id} in the CRM: the id is in the address of the deal's page"
    return f"deal {deal.id} is {deal.state.value} in the CRM"


class _Addresses:
    """Real addresses, remembered nowhere, so that those of a case that does not exist lead nowhere."""

    def __init__(self, links: LinkSigner, config: AccountConfig) -> None:
        self._links = links
        self._config = config

    def __call__(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        return address(self._links, self._config, kind, case_id, contact_id, questionnaire)


def _lacks(deal: Deal, people: People) -> list[str]:
    lacks = []
    if deal.contract_end is None:
        lacks.append("the deal has no contract end")
    if people.company is None:
        lacks.append("the deal has no company")
    if not people.contacts:
        lacks.append("the deal has no contacts")
    lacks += [
        f"{contact.name or contact.id} has no e-mail address: a call takes the place of a link"
        for contact in people.contacts
        if contact.email is None
    ]
    return lacks

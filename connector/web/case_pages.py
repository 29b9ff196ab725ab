"""What pages about a case have in common: the inventory, the customer's timeline, documents to read.

Like all our pages they open by a signed link alone, and opening one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue

from connector.account import Account
from connector.resolve import exit_clock
from connector.store import cases, intake
from connector.store.tables import LinkRow
from connector.web import languages
from connector.web.runtime import Runtime
from workflows.cases import Case, CaseStatus
from workflows.records import User
from workflows.rules import AccountRules, LinkKind, PeopleRule, Playbook


@dataclass(frozen=True)
class CasePage:
    """All that such a page rests on. ``playbook`` is the version that the case follows."""

    link: LinkRow
    case: Case
    account: Account | None
    playbook: Playbook
    token: str
    languages: tuple[str, ...]
    users: dict[str, User] = field(default_factory=dict)

    @property
    def company(self) -> str | None:
        """Our company's name, for the head of the page."""
        return self.account.config.company if self.account is not None else None

    @property
    def questionnaire(self) -> CasePage:
        """What the common layout asks for the languages to offer: these pages have no questions."""
        return self

    @property
    def is_over(self) -> bool:
        """Whether the plan was given up, so that the page no longer tells the truth."""
        gone = (CaseStatus.CANCELLED, CaseStatus.STOPPED, CaseStatus.DISMISSED)
        return self.link.closed_at is not None or self.case.status in gone


def open_page(runtime: Runtime, kind: LinkKind, token: str) -> CasePage:
    """The page behind a token; one and the same 404 for everything that is no link of ours."""
    link_id = runtime.links.read(kind, token)
    if link_id is None:
        abort(404)
    with runtime.store.read() as session:
        link = intake.link(session, link_id)
        case = cases.by_id(session, link.case_id) if link is not None else None
        frozen = cases.playbook(session, case.playbook, case.playbook_version) if case is not None else None
    if link is None or case is None:
        abort(404)
    playbook = frozen or runtime.library.playbooks.get(case.playbook)
    if playbook is None:
        abort(503)
    offered = languages.available()
    languages.choose(offered, (request.args.get("lang"), link.language))
    account = runtime.accounts.get(link.account)
    users = dict(account.users_at_hand()) if account is not None else {}
    return CasePage(link, case, account, playbook, token, offered, users)


def stored_rules(account: Account, playbook: str) -> AccountRules:
    """What dates need of the account's rules; names that only the CRM could resolve are left out."""
    config = account.config
    return AccountRules(
        account=account.name,
        time_zone=config.time_zone,
        language=config.language,
        calendar=config.calendar,
        watch=(),
        people=PeopleRule(),
        playbook=playbook,
        our_name=config.company or "",
        exit_rights=exit_clock(config),
    )


def closed(page: CasePage, render: Any, **more: Any) -> ResponseReturnValue:
    """What is said of a plan that no longer applies."""
    return render("plan_closed.html", page=page, for_us=page.link.kind != LinkKind.TIMELINE, **more), 410

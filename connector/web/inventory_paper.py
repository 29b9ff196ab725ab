"""The list of what is the customer's as a Word file to sign, as it stands now (P-22).

The file on the deal is made when its step appears. The list goes on changing; this is how to have the newest one.
"""

from __future__ import annotations

from connector.store import intents
from connector.store import inventory as items
from connector.web.case_pages import CasePage, stored_rules
from connector.web.runtime import Runtime
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.handover import document_values, file_name
from workflows.records import Company, People
from workflows.rules import LinkKind
from workflows.timeline import stored_look
from workflows.writes import DocumentKind


def list_to_sign(runtime: Runtime, page: CasePage) -> tuple[str, bytes]:
    """The file's name and content. Raises :class:`~connector.documents.DocumentError` when it cannot be made."""
    assert page.account is not None  # noqa: S101  the caller has looked
    with runtime.store.read() as session:
        listed = tuple(items.to_item(row) for row in items.rows(session, page.case.id))
        made = [one.content for one in intents.of_case(session, page.case.id) if one.kind == "document"]
    named = [values["customer"] for one in made if (values := one.get("values")) and values.get("customer")]
    customer = Company(id=page.case.company_id or "", name=named[-1] if named else page.case.deal_name)
    rules = stored_rules(page.account, page.case.playbook)
    look = stored_look(page.case, page.playbook, rules, page.users, runtime.clock.now())
    look = look.model_copy(update={"inventory": listed, "people": People(company=customer)})
    kind = DocumentKind.INVENTORY
    values = document_values(Desk(Draft(look, page.case), _no_links), kind, "")
    documents = runtime.library.documents
    layout = documents.layout(kind, values["language"], values["layout"])
    return file_name(kind, values["customer"], values["language"]), documents.fill(layout, values)


def _no_links(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:  # noqa: ARG001
    return ""

"""The console in French: no page speaks English to an admin who chose French, whatever happened before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import console_kit as kit
import pytest

import connector
from adapters.errors import ScopeMissing
from adapters.hubspot.problems import Circumstances, from_status
from connector.store import accounts, agenda, cases, intents
from connector.store.tables import IntentState
from connector.web import event_words, languages
from workflows.cases import Case, CaseStatus, Event, Step, StepStatus
from workflows.records import RecordKind, Ref
from workflows.writes import CreateTask, UpdateFields

COMMON = """
    the and are was were has have had this that these those there their they them with without from which where when
    what who nothing nobody again already only does did been being its your you please should would could because
    refused written changed
"""
ENGLISH = frozenset(COMMON.split())
"""Words that no French page has, short and common enough to stand in most English sentences."""
PAGES = (
    "/console/",
    "/console/accounts/new",
    "/console/accounts/new?crm=hubspot",
    "/console/accounts/new?crm=salesforce",
    "/console/cases?status=",
    "/console/cases/" + "c" * 32,
    "/console/failed",
    "/console/log",
    "/console/playbooks",
    "/console/figures/",
    "/console/wishes/",
    "/console/check",
    "/console/nowhere",
)
STEPS = ("connect", "stages", "fields", "people", "playbooks", "place", "rehearsal", "switch-on")


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Desk]:
    """A console with one account to which much has happened, and an admin who reads French."""
    rig = kit.make_rig("hubspot")
    made = kit.build_desk(rig, tmp_path_factory.mktemp("french"))
    made.sign_in()
    made.get("/console/?lang=fr")
    yield made
    made.runtime.close()
    rig.close()


def shown(page: Any) -> str:
    """What people read on a page: no code, no field values, no names that the CRM gave."""
    html = re.sub(r"<(code|option|datalist|script|style|head)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    html = re.sub(r'<[^>]+lang="en"[^>]*>.*?</\w+>', " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def english(text: str) -> list[str]:
    """Where a text speaks English: a few words around each that is."""
    text = re.sub(r"`[^`]*`|https?://\S+|\S+@\S+", " ", text)
    words = text.split()
    return [
        " ".join(words[max(0, at - 4) : at + 5])
        for at, word in enumerate(words)
        if word.strip(".,;:!?()«»“”…").casefold() in ENGLISH
    ]


def much_happened(desk: kit.Desk) -> Case:
    now, user = desk.rig.now(), next(iter(desk.runtime.accounts["acme"].users().values()))
    case = Case.model_validate(
        {
            "id": "c" * 32,
            "account": "acme",
            "deal_id": "500",
            "deal_name": "Northwind",
            "status": CaseStatus.CANCELLED,
            "outcome": "taken_out",
            "playbook": "saas",
            "language": "fr",
            "stage_id": "20",
            "entered_at": now,
            "opened_at": now,
            "closed_at": now,
            "steps": (
                Step(key="thank", rule="thank", status=StepStatus.FAILED),
                Step(key="_contract_end", rule="_contract_end", status=StepStatus.OPEN),
            ),
        }
    )
    task = CreateTask(key=f"{case.id}:thank", deal_id="500", subject="Merci", body="", due_at=now, owner_id="1")
    fields = UpdateFields(key=f"{case.id}:f:1", deal_id="500", target=Ref(kind=RecordKind.DEAL, id="500"), values={})
    at = Circumstances("acme", "search deals", writes=False, search=True, now=now, time_zone="UTC")
    scopes = from_status(403, {"category": "MISSING_SCOPES", "correlationId": "c-1"}, {}, at)
    assert isinstance(scopes, ScopeMissing)
    with desk.runtime.store.write() as db:
        cases.save(db, case)
        cases.log(db, "acme", [Event(what=what, detail=detail) for what, detail in LOG], now, case_id=case.id)
        cases.log(db, "acme", [Event(what="released", data=DATA | {"owner": user.id})], now, case_id=case.id)
        cases.log(db, "acme", [Event(what=what, detail=detail) for what, detail in OF_THE_ACCOUNT], now)
        intents.plan(db, "acme", case.id, [task, fields], now)
        refusal = "HubSpot refused it (hubspot_owner_id: HubSpot knows no such owner: choose an active user)"
        intents.ended(db, "acme", task.key, IntentState.REFUSED, now, reason=refusal)
        gone = "HubSpot no longer has aurevoir_status: run `aurevoir provision`. The other values were written"
        intents.ended(db, "acme", fields.key, IntentState.REFUSED, now, reason=gone)
        agenda.put(db, "acme", [agenda.Entry("501", now - timedelta(hours=1), "poll")])
        row = agenda.of_deal(db, "acme", "501")
        assert row is not None
        agenda.failed(db, row, now, str(from_status(401, {}, {}, at)), now)
        accounts.change(db, "acme", trouble=str(scopes), trouble_at=now)
    return case


LOG: tuple[tuple[str, str], ...] = (
    ("plan started", "playbook saas 3f2a"),
    ("released", "due 2026-02-28"),
    ("left out", "its condition does not hold: case.reason == 'price'"),
    ("left out", "they were sent a survey for another case on 2026-02-01, and the rest period is not over"),
    ("contract end moved", "from 2026-02-28 to 2026-03-31"),
    ("due date moved", "to 2026-03-31, with the contract end"),
    ("task refused", "NUMBER_OUTSIDE_VALID_RANGE (Amount__c); the number does not fit the field"),
    ("task again", "HubSpot asks to wait"),
    ("cancelled", "the connector was taken out."),
    ("asked", "a task asks for contract end"),
    ("contract end left aside", "Acme: 2026-11-06"),
)
OF_THE_ACCOUNT: tuple[tuple[str, str], ...] = (
    ("playbook saas paused", "by hand"),
    ("account resumed", "by hand"),
    ("person erased", "reference 9e7b22bf8f51"),
)
DATA = {"signal": "poll of tasks", "due": "2026-11-05"}


def test_pages_of_an_account_in_trouble_speak_french_alone(french: kit.Desk) -> None:
    switched_on = french.post("/console/accounts/acme/switch-on")
    outcome = french.get(switched_on.location)
    assert english(shown(outcome)) == []
    assert "Le compte est en service : désormais" in shown(outcome)
    much_happened(french)
    french.post("/console/check")
    for path in (*PAGES, *(f"/console/accounts/acme/{step}" for step in STEPS)):
        page = french.get(path)
        assert page.status_code in (200, 404), path
        assert '<html lang="fr"' in page.text
        assert (path, english(shown(page))) == (path, [])


def test_what_happened_and_why_is_told_in_french_on_each_page(french: kit.Desk) -> None:
    case, failed = (shown(french.get(path)) for path in ("/console/cases/" + "c" * 32, "/console/failed"))
    name = next(iter(french.runtime.accounts["acme"].users().values())).name
    log = shown(french.get("/console/log"))
    for words in ("playbook saas mis en pause", "compte remis en marche", "référence 9e7b22bf8f51"):
        assert words in log
    for words in (
        "Le connecteur a été retiré.",
        "du 28 févr. 2026 au 31 mars 2026",
        "cette personne a reçu un questionnaire pour un autre dossier le 1er févr. 2026",
        "le nombre n’entre pas dans le champ",
        "une tâche demande la fin du contrat",
        "Demander la fin du contrat",
        "Acme: 6 nov. 2026",
        "5 nov. 2026",
        "remarqué par : l’examen régulier des tâches",
        f"responsable : {name}",
        "HubSpot a refusé (hubspot_owner_id : HubSpot ne connaît pas ce propriétaire : choisissez",
    ):
        assert words in case
    assert "HubSpot n’a plus aurevoir_status : lancez `aurevoir provision`." in failed
    assert "HubSpot n’accepte plus le jeton d’accès" in failed
    trouble = "HubSpot does not let this app do that, operation search deals, status 403, correlation id c-1"
    with french.runtime.store.write() as db:
        accounts.change(db, "acme", trouble=trouble, trouble_at=french.rig.now())
    overview = shown(french.get("/console/"))
    assert "HubSpot ne permet pas cela à cette application, opération search deals, état 403" in overview


def test_what_stands_in_the_way_is_said_in_french_where_it_is(french: kit.Desk) -> None:
    setup = "/console/accounts/acme"
    pipeline, lost = french.rig.pipeline_id, french.rig.not_renewing
    wrong = {
        f"stage:{pipeline}:{lost}": "not_renewing",
        f"settle_for:{pipeline}": "soon",
        f"only_if:{pipeline}": "deal.x +",
    }
    stages = french.post(f"{setup}/stages", wrong)
    place = french.post(f"{setup}/place", {"calendar": "XX", "time_zone": "Europe/Pari", "language": "fr"})
    new = french.post(
        "/console/accounts/new?crm=hubspot", {"name": "No such", "account_id": "1", "calendar": "FR", "how": "x"}
    )
    for page in (stages, place, new):
        assert page.status_code == 422
        assert english(shown(page)) == []
    assert "fuseau horaire inconnu ; vouliez-vous dire Europe/Paris" in " ".join(shown(place).split())


def test_every_name_of_an_event_has_words(french: kit.Desk) -> None:
    logged = re.compile(r"""(?:draft\.log|console\.note|Event)\(\s*(?:what=)?"([^"]+)\"""")
    names = {
        name
        for folder in ("workflows", "connector")
        for path in (Path(connector.__file__).parents[1] / folder).rglob("*.py")
        for name in logged.findall(path.read_text(encoding="utf-8"))
    }
    assert len(names) > 40
    with french.app.test_request_context():
        languages.choose(("fr",), ())
        assert {name for name in names if event_words.happened(name) == name} == set()


def test_the_french_pages_are_looked_at_by_more_than_their_titles() -> None:
    assert english("cette étape n’existe pas. There are: Won") != []
    assert english("il faut `run the thing` et https://the.example.com/with") == []

from __future__ import annotations

import contextlib
import re
import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.exc import IntegrityError

from connector.presence import present
from connector.store import Store, accounts, agenda, cases, door, intake, intents, shown
from connector.store.agenda import Entry
from connector.store.database import _MIGRATIONS as MIGRATIONS
from connector.store.database import Busy, NoBackUp, NotYours, SchemaOutdated
from connector.store.tables import AnswerRow, Base, IntentState, LinkRow
from workflows.cases import OPEN_STATUSES, Case, CaseStatus, Event, Step, StepStatus
from workflows.questions import Answer
from workflows.records import RecordKind, Ref
from workflows.writes import CreateNote, CreateTask, UpdateFields

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def case(**values: object) -> Case:
    defaults: dict[str, object] = {
        "id": "c1",
        "account": "acme",
        "deal_id": "7",
        "deal_name": "Renewal",
        "status": CaseStatus.ACTIVE,
        "playbook": "saas",
        "language": "en",
        "stage_id": "lost",
        "entered_at": NOW,
        "opened_at": NOW,
        "contract_end": date(2026, 6, 30),
        "contact_ids": ("c-1", "c-2"),
        "written": {"deal": "abc"},
        "steps": (
            Step(key="hear", rule="hear", status=StepStatus.OPEN, owner_id="u1", task_id="t1", due_at=LATER),
            Step(key="ask@c-1", rule="ask", contact_id="c-1"),
        ),
    }
    return Case.model_validate(defaults | values)


def _migrate(store: Store, revision: str, *, down: bool = False) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        (alembic.command.downgrade if down else alembic.command.upgrade)(config, revision)


def task(key: str) -> CreateTask:
    return CreateTask(key=key, deal_id="7", subject="Call", due_at=LATER, owner_id="u1")


@pytest.mark.in_service
def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    found = inspect(store.engine)
    for table in Base.metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
        assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes}
    assert set(found.get_table_names()) == set(Base.metadata.tables) | {"alembic_version"}
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        different = compare_metadata(context, Base.metadata)
    named = [one[1].name for one in different if isinstance(one, tuple) and one[0] == "remove_index"]
    assert (len(different), named) == (1, ["uq_cases_open"]), different


@pytest.mark.in_service
def test_the_database_and_the_domain_agree_on_which_cases_are_open(store: Store) -> None:
    (one_a_deal,) = [one for one in inspect(store.engine).get_indexes("cases") if one["name"] == "uq_cases_open"]
    where = str(one_a_deal["dialect_options"][f"{store.engine.dialect.name}_where"])
    assert one_a_deal["unique"]
    assert sorted(re.findall(r"'(\w+)'", where)) == sorted(status.value for status in OPEN_STATUSES)


def test_a_schema_newer_than_the_program_is_told_in_words_and_left_alone(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    for refused in (store.require_current, lambda: store.upgrade(now=NOW)):
        with pytest.raises(SchemaOutdated, match=r"schema 9999.*run the newer version"):
            refused()
    assert store.schema_version() == "9999"


@pytest.mark.in_service
def test_an_old_schema_is_refused_by_name_of_the_cure(database_url: str) -> None:
    store = Store(database_url)
    with pytest.raises(SchemaOutdated, match="aurevoir db upgrade"):
        store.require_current()
    store.upgrade(now=NOW)
    store.require_current()
    store.close()


@pytest.mark.in_service
def test_an_upgrade_of_sqlite_keeps_a_copy_first(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    assert store.upgrade(now=NOW) is None, "nothing to copy yet"
    with store.write() as session:
        accounts.ensure(session, "acme", "hubspot", "42")
        session.execute(text("update alembic_version set version_num = version_num"))
    with store.engine.begin() as connection:
        connection.execute(text("delete from alembic_version"))
        connection.execute(text("insert into alembic_version values ('0000')"))
    with pytest.raises(Exception, match="0000"):
        store.upgrade(now=NOW)
    [copy] = tmp_path.glob("*.bak")
    with sqlite3.connect(copy) as connection:
        assert connection.execute("select account_id from accounts").fetchall() == [("42",)]
    assert copy.stat().st_mode & 0o077 == 0, "it holds what the database holds: only its owner may read it"
    store.close()


def test_files_of_another_user_are_refused_before_any_is_written_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    store = Store(url)
    store.upgrade(now=NOW)
    store.close()
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "a.db").stat().st_uid + 1)
    with pytest.raises(NotYours, match="sudo -u"):
        Store(url)
    assert not list(tmp_path.glob("*.lock"))


def test_a_lock_file_of_another_user_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # root, who runs this in some places, is refused nothing

    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(NotYours, match=r"a\.db\.serve\.lock .* remove that file"), present(store, "serve"):
        pass
    store.close()


def test_a_start_hears_at_once_what_keeps_it_from_its_lock(tmp_path: Path) -> None:
    (tmp_path / "a.db.serve.lock").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(OSError, match=r"serve\.lock"), present(store, "serve"):
        pass
    store.close()


def test_a_back_up_is_whole_and_private_and_never_of_nothing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(NoBackUp, match="there is no database"):
        store.back_up(tmp_path / "copy.db")
    store.upgrade(now=NOW)
    with store.write() as session:
        accounts.ensure(session, "acme", "hubspot", "42")
    store.back_up(tmp_path / "copy.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("select account_id from accounts").fetchall() == [("42",)]
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    with pytest.raises(NoBackUp, match="nothing was copied"):
        store.back_up(tmp_path / "copy.db")
    store.close()


_OLD_ROWS: dict[str, dict[str, object]] = {
    "cases": {
        "id": "c1", "account": "acme", "deal_id": "7", "deal_name": "Renewal", "number": 1, "kind": "offboarding",
        "status": "active", "paused": False, "playbook": "saas", "playbook_version": "1-a", "language": "en",
        "stage_id": "lost", "entered_at": NOW, "opened_at": NOW, "outcome": "", "contact_ids": ["p1"],
        "written": {"deal": "x"},
    },
    "links": {
        "id": "l1", "account": "acme", "case_id": "c1", "kind": "survey", "contact_id": "p1", "questionnaire": "exit",
        "language": "en", "made_at": NOW,
    },
    "answers": {
        "link_id": "l1", "account": "acme", "case_id": "c1", "contact_id": "p1", "questionnaire": "exit",
        "by": "customer", "language": "en", "at": NOW, "version": 1, "given": {"recommend": 7}, "playbook": "saas 1-a",
    },
    "wishes": {"id": 1, "account": "acme", "text": "an export", "made_at": NOW},
    "voices": {
        "link_id": "l1", "question": "wish", "account": "acme", "case_id": "c1", "contact_id": "p1", "heard_at": NOW,
        "wish_id": 1,
    },
}  # fmt: skip


@pytest.mark.in_service
@pytest.mark.row("P-3A")
def test_an_upgrade_keeps_what_an_earlier_version_wrote_and_knows_whom_it_asked_in_writing(database_url: str) -> None:
    store = Store(database_url)
    _migrate(store, "0010")
    steps = [("survey@p1", "p1", "t1"), ("call@p1", "p1", "t2"), ("other@p1", "p1", "t3"), ("hear", None, "t4")]
    tasks = {"t1": ("todo", "https://x/s/l1abc"), "t2": ("call", "https://x/s/l1abc"), "t3": ("todo", "https://x/t/q")}
    with store.engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for name, row in _OLD_ROWS.items():
            connection.execute(tables.tables[name].insert(), [row])
        for position, (key, contact, task_id) in enumerate(steps):
            step = {"case_id": "c1", "key": key, "account": "acme", "position": position, "rule": key, "why": ""}
            more = {"contact_id": contact, "status": "open", "task_id": task_id, "reason": ""}
            connection.execute(tables.tables["steps"].insert(), [step | more])
            kind, link = tasks.get(task_id, ("todo", None))
            intent = {
                "account": "acme", "key": f"c1:{key}", "case_id": "c1", "deal_id": "7", "kind": "task", "state": "done",
                "content": {"type": kind, "link": link}, "position": position, "planned_at": NOW,
                "record_id": task_id, "reason": "", "attempts": 1,
            }  # fmt: skip
            connection.execute(tables.tables["intents"].insert(), [intent])
    store.upgrade(now=NOW)
    with store.read() as session:
        (answer,) = session.query(AnswerRow)
        assert (answer.received_at, answer.author, answer.heard, answer.given) == (NOW, "", False, {"recommend": 7})
        assert [(one.text, one.note) for one in door.wishes(session, "acme")] == [("an export", "")]
        assert [voice.wish_id for voice in door.voices(session, "acme")] == [1]
        known = cases.by_id(session, "c1")
        assert known is not None
        assert dict(known.written) == {"deal": "x", "mailed:survey@p1": "yes"}
    store.close()


def test_customers_left_quiet_before_quiet_had_an_end_are_looked_at_once_more(store: Store) -> None:
    ended = {"status": CaseStatus.COMPLETED, "closed_at": NOW}
    quiet = {"_quiet:company:c1": "c1|quiet=True"}
    with store.write() as session:
        cases.save(session, case(**ended, id="1", deal_id="1", written=quiet))
        cases.save(session, case(**ended, id="2", deal_id="2", written={**quiet, "quiet_until": "2027-03-02"}))
        cases.save(session, case(**ended, id="3", deal_id="3", written={}))
        cases.save(session, case(id="4", deal_id="4", written=quiet))
    _migrate(store, "0014", down=True)
    store.upgrade(now=NOW)
    with store.read() as session:
        assert [(row.deal_id, row.due_at) for row in agenda.due(session, "acme", LATER, 10)] == [("1", NOW)]


def test_deals_that_were_told_of_a_former_customer_before_it_was_kept_are_not_told_again(store: Store) -> None:
    former = {"title": "They were a customer before", "body": "Price", "at": NOW}
    notes = [
        CreateNote(key=f"acme:former:{key}", deal_id=key.partition(":")[0], **former) for key in ("7", "8", "8:fit")
    ]
    with store.write() as session:
        for write in (*notes, CreateNote(key="c1:formal:9", deal_id="9", **former)):
            intents.plan(session, "acme", "c1", [write], NOW)
    _migrate(store, "0017", down=True)
    store.upgrade(now=NOW)
    with store.read() as session:
        found = door.told(session, "acme", ["7", "8", "9"])
    assert {deal: (row.fit, row.at) for deal, row in found.items()} == {"7": (False, NOW), "8": (True, NOW)}


def test_an_account_that_took_how_far_a_case_is_has_the_fields_for_it(store: Store) -> None:
    deal = Ref(kind=RecordKind.DEAL, id="7")
    told = [
        UpdateFields(key=name, deal_id="7", target=deal, values={"steps_all": 3, "status": "active"})
        for name in ("taken", "refused")
    ]
    with store.write() as session:
        for write in told:
            accounts.ensure(session, write.key, "hubspot", write.key)
            intents.plan(session, write.key, "c1", [write], NOW)
            intents.ended(session, write.key, write.key, IntentState[write.key.replace("taken", "done").upper()], NOW)
    _migrate(store, "0018", down=True)
    store.upgrade(now=NOW)
    with store.read() as session:
        assert [shown.may_be_told(session, name) for name in ("taken", "refused", "unknown")] == [True, False, False]


@pytest.mark.in_service
def test_sqlite_keeps_what_was_committed_through_a_power_cut(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'a.db'}")
    with store.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2, "FULL"
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    store.close()


def test_reading_then_writing_never_meets_a_locked_database(store: Store) -> None:
    """Deferred transactions fail at once with "database is locked" when another one wrote meanwhile."""

    def add(worker: int) -> None:
        for n in range(20):
            with store.write() as session:
                accounts.get(session, "acme")
                agenda.put(session, "acme", [Entry(f"{worker}-{n}", NOW, "test")])

    workers = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with store.read() as session:
        assert len(agenda.due(session, "acme", NOW, 1000)) == 80


def test_a_hundred_signals_for_a_deal_are_one_row(store: Store) -> None:
    with store.write() as session:
        agenda.put(session, "acme", [Entry("7", LATER, "timer")])
        agenda.put(session, "acme", [Entry("7", NOW, "webhook", tasks=True) for _ in range(100)])
    with store.read() as session:
        [row] = agenda.due(session, "acme", NOW, 10)
    assert (row.due_at, row.tasks, row.version) == (NOW, True, 2)


def test_a_signal_that_comes_during_a_look_is_not_lost(store: Store) -> None:
    with store.write() as session:
        agenda.put(session, "acme", [Entry("7", NOW, "webhook")])
    with store.read() as session:
        [row] = agenda.due(session, "acme", NOW, 10)
    with store.write() as session:
        agenda.put(session, "acme", [Entry("7", NOW, "webhook")])
    with store.write() as session:
        agenda.looked(session, row, None)
    with store.read() as session:
        assert len(agenda.due(session, "acme", NOW, 10)) == 1
        [row] = agenda.due(session, "acme", NOW, 10)
    with store.write() as session:
        agenda.looked(session, row, LATER)
    with store.read() as session:
        assert agenda.due(session, "acme", NOW, 10) == []
        assert [row.due_at for row in agenda.due(session, "acme", LATER, 10)] == [LATER]


def test_a_case_comes_back_as_it_was_kept(store: Store) -> None:
    with store.write() as session:
        cases.save(session, case())
        cases.save(session, case(reason="price"))
        cases.log(session, "acme", [Event(what="opened", data={"deal": "7"})], NOW, case_id="c1")
    with store.read() as session:
        assert cases.by_id(session, "c1") == case(reason="price")
        assert cases.open_by_deal(session, "acme", ["7", "8"]) == {"7": case(reason="price")}
        assert cases.deals_of_tasks(session, "acme", ["t1", "t2"]) == {"t1": "7"}
        assert cases.load_by_owner(session, "acme") == {"u1": 1}
        assert [event.what for event in cases.events(session, "c1")] == ["opened"]
        assert cases.open_by_deal(session, "globex", ["7"]) == {}, "another account's deal may have the same id"


def test_a_case_is_known_by_its_whole_id_and_found_by_a_beginning_that_fits_one(store: Store) -> None:
    with store.write() as session:
        for number, case_id in enumerate(("abc1", "abc12", "ab_9", "abx9"), start=1):
            cases.save(session, case(id=case_id, deal_id=str(number), steps=()))
    with store.read() as session:
        found = {
            beginning: cases.starting_with(session, beginning) for beginning in ("abc1", "abc12", "abc", "ab_", "z")
        }
        assert cases.by_id(session, "abc") is None
        assert cases.by_id(session, "abx") is None, "a beginning is not an id"
        assert cases.by_id(session, "abc1") == found["abc1"]
    ids = {beginning: one.id if one is not None else None for beginning, one in found.items()}
    assert ids == {"abc1": "abc1", "abc12": "abc12", "abc": None, "ab_": "ab_9", "z": None}


def test_what_cases_wrote_on_a_company_or_for_who_answered_them_is_known_to_others(store: Store) -> None:
    asked = {"case_id": "by-contact", "contact_id": "c-9", "questionnaire": "exit", "language": "en"}
    link = LinkRow(id="l1", account="acme", kind="survey", made_at=NOW, **asked)
    given = Answer.model_validate(asked | {"by": "customer", "at": NOW, "values": {"nps": 3}})
    with store.write() as session:
        for key, company in (("ended", "n1"), ("by-contact", None), ("another", "n2")):
            status = CaseStatus.COMPLETED if key == "ended" else CaseStatus.ACTIVE
            marks = {"_ours:company:n1": key, "deal": "abc"}
            cases.save(session, case(id=key, deal_id=key, company_id=company, status=status, written=marks, steps=()))
        intake.keep_link(session, link)
        intake.save_answer(session, intake.link(session, "l1"), given)  # type: ignore[arg-type]
    with store.read() as session:
        known = cases.answered_elsewhere(session, "acme", {"n1"}, {"c-9"})
        assert cases.answered_elsewhere(session, "other", {"n1"}, {"c-9"}) == ()
    assert sorted(one["_ours:company:n1"] for one in known) == ["by-contact", "ended"]
    assert all("deal" not in one for one in known)


def test_the_database_itself_refuses_a_second_open_case_of_a_deal(store: Store) -> None:
    with store.write() as session:
        cases.save(session, case())
    with pytest.raises(IntegrityError), store.write() as session:
        cases.save(session, case(id="c2", number=2))
    with store.write() as session:
        cases.save(session, case(status=CaseStatus.CANCELLED))
        cases.save(session, case(id="c2", number=2))
    with store.read() as session:
        assert cases.last_by_deal(session, "acme", ["7"])["7"].id == "c1"


def test_an_intent_is_planned_once_and_sent_as_it_was_planned(store: Store) -> None:
    fields = UpdateFields(
        key="c1:fields",
        deal_id="7",
        target=Ref(kind=RecordKind.DEAL, id="7"),
        values={"status": "active", "exit_score": 9, "exit_feedback_at": NOW, "case_id": None},
    )
    with store.write() as session:
        intents.plan(session, "acme", "c1", [task("c1:hear"), fields], NOW)
        intents.plan(session, "acme", "c1", [task("c1:hear").model_copy(update={"subject": "Other"})], LATER)
        planned = intents.open_for(session, "acme", ["7"])
        assert [intents.content(row) for row in planned] == [task("c1:hear"), fields]
        intents.sent(session, "acme", ["c1:hear"], NOW)
        intents.withdraw(session, "acme", ["c1:hear", "c1:fields"], NOW)
    with store.read() as session:
        [row] = intents.open_for(session, "acme", ["7"])
        assert (row.key, row.state, row.sent_at) == ("c1:hear", IntentState.SENT, NOW), "what was sent is not withdrawn"


def test_only_what_was_refused_is_tried_again(store: Store) -> None:
    with store.write() as session:
        intents.plan(session, "acme", "c1", [task("a"), task("b")], NOW)
        intents.ended(session, "acme", "a", IntentState.DONE, NOW, record_id="t1")
        intents.ended(session, "acme", "b", IntentState.REFUSED, NOW, reason="no such owner")
    with store.write() as session:
        assert [row.key for row in intents.retry(session, "c1", LATER)] == ["b"]
    with store.read() as session:
        assert [row.key for row in intents.open_for(session, "acme", ["7"])] == ["b"]


def test_values_that_newer_ones_have_followed_are_never_sent_again(store: Store) -> None:
    def on_deal(key: str, **values: Any) -> UpdateFields:
        return UpdateFields(key=key, deal_id="7", target=Ref(kind=RecordKind.DEAL, id="7"), values=values)

    old, both, alone = (
        on_deal("c1:_deal:1", status="active"),
        on_deal("c1:x:1", status="active", exit_score=9),
        "c1:y:1",
    )
    with store.write() as session:
        intents.plan(session, "acme", "c1", [old, both, on_deal(alone, returned=True)], NOW)
        for key in (old.key, both.key, alone):
            intents.ended(session, "acme", key, IntentState.REFUSED, NOW, reason="no such field")
        intents.plan(session, "acme", "c2", [on_deal("c2:_deal:1", status="completed")], LATER)
        intents.plan(session, "acme", "c3", [on_deal("c3:_deal:1", returned=False)], LATER)
        intents.withdraw(session, "acme", ["c3:_deal:1"], LATER)
        found = {row.key: row.state for row in intents.retry(session, "c1", LATER)}
    assert found == {old.key: "withdrawn", both.key: "planned", alone: "planned"}
    with store.read() as session:
        rows = {row.key: intents.content(row) for row in intents.open_for(session, "acme", ["7"])}
        assert intents.refused(session) == []
    assert rows[both.key] == on_deal(both.key, exit_score=9), "what nothing newer has followed is sent all the same"


def test_the_call_budget_is_a_true_sliding_window_shared_by_all(store: Store) -> None:
    window = timedelta(seconds=10)

    def take(at: datetime) -> datetime | None:
        with store.write() as session:
            return accounts.take_call(session, "acme", "general", limit=3, window=window, now=at)

    assert [take(NOW + timedelta(seconds=s)) for s in (0, 4, 8)] == [None] * 3
    assert take(NOW + timedelta(seconds=9)) == NOW + timedelta(seconds=10)
    assert take(NOW + timedelta(seconds=10)) is None
    assert take(NOW + timedelta(seconds=11)) == NOW + timedelta(seconds=14)
    with store.write() as session:
        accounts.hold(session, "acme", "general", NOW + timedelta(hours=1))
        accounts.hold(session, "acme", "general", NOW + timedelta(minutes=1))
    assert take(NOW + timedelta(seconds=30)) == NOW + timedelta(hours=1), "the longer wait counts"


def test_an_answer_replaces_the_same_persons_earlier_one(store: Store) -> None:
    link = LinkRow(
        id="l1",
        account="acme",
        case_id="c1",
        kind="survey",
        contact_id="c-1",
        questionnaire="exit",
        language="fr",
        made_at=NOW,
        closed_at=None,
    )

    def answer(score: int) -> Answer:
        return Answer(
            case_id="c1",
            contact_id="c-1",
            questionnaire="exit",
            by="customer",
            language="fr",
            at=NOW,
            values={"nps": score, "wishes": ("a", "b"), "text": "Merci 👋"},
        )

    with store.write() as session:
        cases.save(session, case())
        intake.keep_link(session, link)
        intake.keep_link(session, link)
        intake.save_answer(session, intake.link(session, "l1"), answer(3))  # type: ignore[arg-type]
        intake.save_answer(session, intake.link(session, "l1"), answer(9))  # type: ignore[arg-type]
    with store.read() as session:
        assert intake.answers(session, ["c1"]) == {"c1": (answer(9),)}
        row = intake.answer(session, "l1")
        assert row is not None
        assert row.version == 2


def test_what_one_process_holds_another_cannot(store: Store) -> None:
    with store.exclusive("serve"):
        with pytest.raises(Busy), store.exclusive("serve"):
            pass
        with store.exclusive("work-acme"):
            pass
    with store.exclusive("serve"):
        pass


def test_naive_times_are_refused(store: Store) -> None:
    with pytest.raises(Exception, match="naive"), store.write() as session:
        agenda.put(session, "acme", [Entry("7", datetime(2026, 1, 1), "test")])  # noqa: DTZ001  the point

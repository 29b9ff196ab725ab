"""Setting an account up in the console: what is chosen stands in config.yaml, with everything else as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import conformance_kit
import console_kit as kit
import pytest
import yaml

from adapters.results import DataType
from connector.config import load
from connector.store import agenda, cases
from connector.store.tables import EventRow
from connector.switch_on import waiting
from sandbox.kit import Fault


@pytest.fixture(params=conformance_kit.RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = kit.make_rig(request.param)
    yield made
    made.close()


@pytest.fixture
def desk(rig: Any, tmp_path: Path) -> Iterator[kit.Desk]:
    made = kit.build_desk(rig, tmp_path)
    made.sign_in()
    yield made
    made.runtime.close()


def fields(html: str) -> dict[str, Any]:
    """What a browser would send of the page's last form, as it stands."""
    form = html.rpartition("<form")[2]
    sent: dict[str, Any] = {}
    for tag, name, body in re.findall(r'<(select)[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r"<option([^>]*) selected[^>]*>\s*([^<]*)", body)
        first = re.search(r"<option([^>]*)>\s*([^<]*)", body)
        value = _value(*(chosen or first).groups())  # type: ignore[union-attr]
        sent[unescape(name)] = [*sent[name], value] if name in sent and tag else [value]
    for attributes in re.findall(r"<input ([^>]*)>", form):
        given = {key: unescape(value) for key, value in re.findall(r'([\w-]+)="([^"]*)"', attributes)}
        if given.get("type") not in ("checkbox", "radio") or " checked" in attributes:
            sent.setdefault(given["name"], []).append(given.get("value", ""))
    return sent


def _value(attributes: str, text: str) -> str:
    found = re.search(r'value="([^"]*)"', attributes)
    return unescape(found[1] if found else text.strip())


def send(desk: kit.Desk, path: str, **changes: Any) -> Any:
    """Fill a page's form and send it."""
    form = fields(desk.get(path).text) | {
        key: value if isinstance(value, list) else [value] for key, value in changes.items()
    }
    return desk.browser.post(path, base_url=kit.PUBLIC, data=form)


def stage(rig: Any, stage_id: str) -> str:
    """The form's field for a stage of the rig's pipeline."""
    return f"stage:{rig.pipeline_id or ''}:{stage_id}"


STEPS = ("stages", "fields", "people", "playbooks", "place")


# --- the file -------------------------------------------------------------------------------------------------------


def test_keeping_a_page_unchanged_leaves_the_file_as_it_is_to_the_letter(desk: kit.Desk) -> None:
    before = yaml.safe_load(desk.file.read_text())
    for step in STEPS:
        answer = send(desk, f"/console/accounts/acme/{step}")
        assert answer.status_code == 303, (step, answer.text)
    after = yaml.safe_load(desk.file.read_text())
    assert desk.file.read_text().startswith("# Mine, and it stays.\n")
    for key in ("time_zone", "language", "playbook"):
        assert after["accounts"]["acme"].pop(key) in ("Europe/Paris", "en", "saas"), (
            "a default that the page shows is written out"
        )
    assert after == before


def test_a_whole_set_up_ends_in_a_file_that_works_and_an_account_that_is_switched_on(desk: kit.Desk) -> None:
    rig, base = desk.rig, "/console/accounts/acme"
    users = [user for user in desk.runtime.accounts["acme"].users().values() if user.active and user.email]
    known = desk.runtime.accounts["acme"].crm().deal_fields()
    figure = next(f"deal.{one.name}" for one in known if one.type is DataType.NUMBER)
    stages = send(desk, f"{base}/stages", **{f"settle_for:{rig.pipeline_id or ''}": "12h"})
    assert stages.location == f"{base}/fields"
    assert (
        send(
            desk,
            f"{base}/fields",
            contract_end=rig.contract_end_field,
            exit_reason=rig.exit_reason_field,
            reason_wait="3d",
            figure=[figure, "", "", ""],
        ).location
        == f"{base}/people"
    )
    pool = [users[0].email, users[1].email]
    roles = {"role": ["Acheteur ${X}", "Left alone", ""], "meaning": ["decider", "", ""]}
    others = {"director": users[1].email, **roles}
    assert send(desk, f"{base}/people", pool=pool, manager=users[0].email, **others).location == f"{base}/playbooks"
    chosen = {"playbook": "light", "save_playbook": "save-plan"}
    own = {"when": ["deal.amount >= 50000", ""], "then": ["saas", ""]}
    assert send(desk, f"{base}/playbooks", **chosen, **own).location == f"{base}/place"
    where = {"company": "Café “L’été” ${HOME}", "calendar": "DE-BY", "time_zone": "Europe/Berlin", "language": "fr"}
    assert send(desk, f"{base}/place", **where).location == f"{base}/rehearsal"
    config = desk.runtime.accounts["acme"].config
    assert (config.watch[0].settle_for, config.reason_wait) == (timedelta(hours=12), timedelta(days=3))
    assert (config.fields.contract_end, config.fields.exit_reason) == (rig.contract_end_field, rig.exit_reason_field)
    assert (sorted(config.people.neutral_pool), config.people.manager) == (sorted(pool), users[0].email)
    assert config.people.director == users[1].email
    assert (config.playbook, config.save_playbook, config.baseline_playbook) == ("light", "save-plan", None)
    assert [(one.when, one.playbook) for one in config.playbooks] == [("deal.amount >= 50000", "saas")]
    assert (config.fields.figures, config.people.roles) == ((figure,), {"Acheteur ${X}": "decider"})
    for step in ("fields", "people", "playbooks"):  # as they stand in the file, they stay
        assert send(desk, f"{base}/{step}").status_code == 303
    assert desk.runtime.accounts["acme"].config == config
    assert (config.company, config.calendar, config.time_zone) == ("Café “L’été” ${HOME}", "DE-BY", "Europe/Berlin")
    again = load(desk.file, {}, desk.runtime.adapters)
    assert again.accounts["acme"] == config, "the same from the file as in the running program"
    assert "# Mine, and it stays." in desk.file.read_text()
    shown = desk.get(f"{base}/switch-on").text
    assert "Create the fields, and switch on" in shown
    begun = send(desk, f"{base}/switch-on")
    assert "The account is switched on" in desk.get(begun.location).text
    assert desk.runtime.accounts["acme"].is_switched_on()
    with desk.runtime.store.read() as session:
        noted = [row.detail for row in session.query(EventRow) if row.what == "settings changed in the console"]
    assert noted == [*STEPS, "fields", "people", "playbooks"]


def test_a_stage_is_given_another_meaning_by_its_name(desk: kit.Desk) -> None:
    rig, base = desk.rig, "/console/accounts/acme"
    send(desk, f"{base}/stages", **{stage(rig, rig.negotiating): "", stage(rig, rig.not_renewing): "not_renewing"})
    (entry,) = desk.raw()["watch"]
    assert "negotiating" not in entry or entry["negotiating"] is None
    assert entry["not_renewing"] == [rig.not_renewing], "as it was written"
    send(desk, f"{base}/stages", **{stage(rig, rig.negotiating): "negotiating"})
    (entry,) = desk.raw()["watch"]
    (pipeline,) = [one for one in desk.runtime.accounts["acme"].pipelines() if one.id == (rig.pipeline_id or "")]
    assert entry["negotiating"] == [one.label for one in pipeline.stages if one.id == rig.negotiating]


def test_what_cannot_be_used_is_told_at_its_field_and_nothing_is_written(desk: kit.Desk) -> None:
    rig, base = desk.rig, "/console/accounts/acme"
    before = desk.file.read_text()
    wrong = {
        "stages": (
            {f"settle_for:{rig.pipeline_id or ''}": "soon", f"only_if:{rig.pipeline_id or ''}": "deal.amount >"},
            2,
        ),
        "fields": ({"exit_reason": rig.exit_reason_field, "reason_wait": "a while"}, 1),
        "people": ({"manager": "nobody"}, 1),
        "playbooks": ({"playbook": "nosuch", "when": ["deal.amount >", ""], "then": ["light", ""]}, 2),
        "place": ({"calendar": "Atlantis", "time_zone": "Mars/Olympus"}, 2),
    }
    for step, (changes, faults) in wrong.items():
        answer = send(desk, f"{base}/{step}", **changes)
        assert answer.status_code == 422, step
        assert answer.text.count('class="problem"') == faults, (step, answer.text)
        summary = answer.text.partition('role="alert"')[2].partition("</div>")[0]
        assert "<code>" not in summary, "faults are named as the page names the fields"
        assert summary.count('<a href="#wrong-') == faults
        for value in changes.values():
            if step in ("place", "stages") and value != "Mars/Olympus":
                assert f'value="{value.replace(">", "&gt;")}"' in answer.text, "still in the form"
    assert desk.file.read_text() == before
    assert not list(desk.file.parent.glob(".config*")), "no draft left over"


def test_of_two_admins_who_save_at_once_the_second_sees_what_changed_and_nothing_is_lost(desk: kit.Desk) -> None:
    path = "/console/accounts/acme/place"
    mine = fields(desk.get(path).text)
    assert send(desk, path, company="Theirs", calendar="BE").status_code == 303
    mine["company"] = ["Mine"]
    refused = desk.browser.post(path, base_url=kit.PUBLIC, data=mine)
    assert refused.status_code == 409
    assert "Someone else has changed this meanwhile" in refused.text
    assert "Theirs" in refused.text, "what it is now"
    assert 'value="Mine"' in refused.text, "still in the form"
    assert desk.raw()["company"] == "Theirs", "nothing was written"
    again = fields(refused.text)
    assert desk.browser.post(path, base_url=kit.PUBLIC, data=again).status_code == 303
    assert desk.raw()["company"] == "Mine"


def test_two_admins_on_two_pages_are_not_in_each_others_way(desk: kit.Desk) -> None:
    mine = fields(desk.get("/console/accounts/acme/place").text) | {"company": ["Mine"]}
    assert send(desk, "/console/accounts/acme/playbooks", playbook="light").status_code == 303
    assert desk.browser.post("/console/accounts/acme/place", base_url=kit.PUBLIC, data=mine).status_code == 303
    assert (desk.raw()["company"], desk.raw()["playbook"]) == ("Mine", "light")


def test_a_choice_that_the_crm_no_longer_has_is_shown_and_not_dropped(rig: Any, tmp_path: Path) -> None:
    users = {"neutral_pool": ["gone@example.com"]}
    fields_ = {"contract_end": "gone_field"}
    desk = kit.build_desk(rig, tmp_path, accounts={"acme": kit.account(rig, people=users, fields=fields_)})
    desk.sign_in()
    assert "no user of the CRM" in desk.get("/console/accounts/acme/people").text
    assert "gone_field: not there (any more)" in desk.get("/console/accounts/acme/fields").text
    assert send(desk, "/console/accounts/acme/fields").status_code == 303
    assert desk.raw()["fields"]["contract_end"] == "gone_field"
    desk.runtime.close()


def test_a_crm_that_is_away_is_told_on_the_page(rig: Any, tmp_path: Path) -> None:
    desk = kit.build_desk(rig, tmp_path)
    desk.sign_in()
    rig.close()
    answer = desk.get("/console/accounts/acme/fields")
    assert answer.status_code == 503
    assert "could not be asked" in answer.text
    desk.runtime.close()


# --- new accounts ---------------------------------------------------------------------------------------------------


@pytest.fixture
def empty(rig: Any, tmp_path: Path) -> Iterator[kit.Desk]:
    made = kit.build_desk(rig, tmp_path, accounts={})
    made.sign_in()
    yield made
    made.runtime.close()


def credentials(rig: Any) -> dict[str, Any]:
    settings = {**rig.bare_settings()}
    keys = ("access_token", "client_secret", "client_id", "login_url", "webhook_secret")
    return {key: value for key, value in settings.items() if key in keys}


def test_an_account_is_added_with_its_credentials_in_a_file_for_its_owner_alone(empty: kit.Desk) -> None:
    rig = empty.rig
    path = f"/console/accounts/new?crm={rig.name}&how=credentials"
    given = credentials(rig) | {"name": "new-one", "account_id": rig.account_id, "calendar": "FR"}
    answer = send(empty, path, **given)
    assert answer.location == "/console/accounts/new-one/connect", answer.text
    text = empty.file.read_text()
    secrets = [value for key, value in given.items() if "secret" in key or "token" in key]
    assert secrets
    assert not [secret for secret in secrets if secret in text]
    env = empty.file.parent / "aurevoir.env"
    assert env.stat().st_mode & 0o077 == 0
    assert all(secret in env.read_text() for secret in secrets)
    assert empty.raw("new-one")["account_id"] == rig.account_id
    assert empty.runtime.accounts["new-one"].config.watch == ()
    assert "No stages are chosen yet" in empty.post("/console/accounts/new-one/switch-on", page="/console/").text
    place = "/console/accounts/new-one/place"
    assert fields(empty.get(place).text)["time_zone"] == ["Europe/Paris"], "as usual in the country chosen"
    assert send(empty, place, calendar="DE-BY").status_code == 303
    assert empty.raw("new-one")["time_zone"] == "Europe/Berlin", "it went with the country"
    assert send(empty, place, calendar="FR").status_code == 303
    assert empty.raw("new-one")["time_zone"] == "Europe/Berlin", "a zone that was chosen stays"


def test_what_is_wrong_with_a_new_account_is_told_and_nothing_is_written(empty: kit.Desk) -> None:
    rig = empty.rig
    before = empty.file.read_text()
    path = f"/console/accounts/new?crm={rig.name}&how=credentials"
    good = credentials(rig) | {"name": "new-one", "account_id": rig.account_id, "calendar": "FR"}
    for wrong in ({"name": "Not A Name"}, {"account_id": ""}, {"calendar": "ZZ"}):
        answer = send(empty, path, **(good | wrong))
        assert answer.status_code == 422, wrong
        assert "nothing was written" in answer.text
    assert empty.file.read_text() == before
    assert not (empty.file.parent / "aurevoir.env").exists()
    assert send(empty, path, **good).status_code == 303
    again = send(empty, path, **good)
    assert again.status_code == 422
    assert "take another" in again.text


def test_names_that_differ_by_a_dash_alone_do_not_take_each_others_secrets(empty: kit.Desk) -> None:
    rig = empty.rig
    path = f"/console/accounts/new?crm={rig.name}&how=credentials"
    first = credentials(rig) | {"name": "acme-eu", "account_id": rig.account_id, "calendar": "FR"}
    assert send(empty, path, **first).status_code == 303
    kept = (empty.file.parent / "aurevoir.env").read_text()
    other = "00D5g00000ABCDF" if rig.name == "salesforce" else "777"
    answer = send(empty, path, **(first | {"name": "acme_eu", "account_id": other}))
    assert answer.status_code == 422
    assert "which something else uses: take another name" in answer.text
    assert (empty.file.parent / "aurevoir.env").read_text() == kept
    assert set(empty.runtime.accounts) == {"acme-eu"}


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0b", "\x1e", "\n"])
def test_a_secret_sets_nothing_but_itself(empty: kit.Desk, end: str) -> None:
    rig = empty.rig
    path = f"/console/accounts/new?crm={rig.name}&how=credentials"
    given = credentials(rig) | {"name": "new-one", "account_id": rig.account_id, "calendar": "FR"}
    secret = next(key for key in given if "secret" in key)
    answer = send(empty, path, **(given | {secret: f"a-good-start-16-long{end}AUREVOIR_SECRET_KEY=mine"}))
    assert answer.status_code == 422
    assert "a quote or a line break" in unescape(answer.text)
    assert not (empty.file.parent / "aurevoir.env").exists()


def test_what_is_chosen_is_never_filled_in_from_the_environment(desk: kit.Desk) -> None:
    form = fields(desk.get("/console/accounts/acme/people").text) | {"fallback": ["${PATH}"]}
    answer = desk.browser.post("/console/accounts/acme/people", base_url=kit.PUBLIC, data=form)
    assert answer.status_code in (303, 422)
    assert "is not set" not in answer.text, "it was not looked up"


def test_an_account_connected_in_the_browser_comes_back_into_the_set_up(empty: kit.Desk) -> None:
    rig = empty.rig
    base = f"/console/accounts/new?crm={rig.name}&how=browser"
    asked = empty.get(base).text
    assert f"{kit.PUBLIC}/oauth/{rig.name}/callback" in asked
    given = {"name": "acme", "account_id": rig.account_id, "calendar": "FR"}
    given |= {key: str(value) for key, value in rig.browser_settings().items() if key == "login_url"}
    app = {f"app_{key}": value for key, value in rig.shared_app.items()}
    answer = send(empty, base, **given, **app)
    if rig.name == "hubspot":  # its look-alike is at another address than the real one
        assert answer.status_code == 303, answer.text
        there = rig.browser_settings()
        addresses = f"    api_url: {there['api_url']}\n    app_url: {there['app_url']}\n    calendar: FR"
        text = empty.file.read_text().replace("    calendar: FR", addresses)
        empty.file.write_text(text)
        assert empty.runtime.reloader.look()
    assert rig.shared_app["client_secret"] not in empty.file.read_text()
    page = empty.get("/console/accounts/acme/connect").text
    address = unescape(re.search(r'href="([^"]*/oauth/[^"]*)"', page)[1])  # type: ignore[index]
    begun = empty.browser.get(address.removeprefix(kit.PUBLIC), base_url=kit.PUBLIC)
    back = rig.consent(begun.location).removeprefix(kit.PUBLIC)
    connected = empty.get(back)
    assert connected.status_code == 200, connected.text
    assert "/console/accounts/acme/stages" in connected.text
    stages = empty.get("/console/accounts/acme/stages").text
    assert "ended without a renewal" in stages


# --- switching on ---------------------------------------------------------------------------------------------------


def lost_before(desk: kit.Desk, count: int) -> list[str]:
    """Deals that ended one after the other before the switch-on."""
    rig = desk.rig
    made = []
    for number in range(count):
        deal = rig.add_deal(f"Older {number}", owner_id=rig.users[0])
        rig.advance(timedelta(hours=1))
        rig.move_deal(deal, rig.not_renewing)
        made.append(deal)
    rig.advance(timedelta(minutes=5))
    return made


@pytest.mark.row("P-71")
def test_deals_that_already_sit_in_the_stage_come_in_only_when_asked_and_up_to_the_cap(desk: kit.Desk) -> None:
    older = lost_before(desk, 3)
    desk.sign_in()  # hours have passed
    shown = desk.get("/console/accounts/acme/switch-on").text
    count = len(waiting(desk.runtime, desk.runtime.accounts["acme"]).deal_ids)
    assert count >= 3
    assert re.search(rf"never had a case</dt><dd>{count}<", shown), shown
    switch = "/console/accounts/acme/switch-on"
    assert "is switched on" in desk.get(send(desk, switch, older="leave").location).text
    desk.runtime.rounds["acme"].run(poll=True)
    with desk.runtime.store.read() as session:
        assert cases.listing(session) == []
    assert "2 older endings are looked at" in desk.get(send(desk, switch, older="take", most="2").location).text
    with desk.runtime.store.read() as session:
        asked = {row.deal_id for row in agenda.due(session, "acme", desk.rig.now(), 100) if row.asked}
    desk.runtime.rounds["acme"].run()
    with desk.runtime.store.read() as session:
        opened = {case.deal_id for case in cases.listing(session)}
    assert len(asked) == 2
    assert opened == asked
    assert opened == set(older[-2:]), "the latest endings"


def test_the_switch_on_installs_the_whole_app_and_says_what_is_left_to_the_admin(desk: kit.Desk) -> None:
    rig, path = desk.rig, "/console/accounts/acme/switch-on"
    if rig.name == "salesforce":
        rig.sandbox.world.settings.flows_deploy_active = False  # as in production
    assert "the rest of our app" in desk.get(path).text
    html = unescape(desk.get(send(desk, path).location).text)
    assert desk.runtime.accounts["acme"].is_switched_on()
    assert "What the CRM refused" not in html
    left = html.partition("What is left to you")[2]
    if rig.name == "salesforce":
        assert {rig.not_renewing} <= {one.value for flow in rig.sandbox.hooks.flows.values() for one in flow.filters}
        for part in ("the outbound message", "the flow", "the report", "the list view", "the part for the record page"):
            assert f"<li>{part} " in html
        assert "activate Aurevoir_Deal_Created, Aurevoir_Stage_Moved" in left
    else:
        assert "hs project upload" in left
    desk.sign_in()
    send(desk, path)
    again = desk.get(f"{path}?begun=1").text
    assert "The account is switched on" in again
    assert "created in the CRM" not in again, "a second run finds all of it there"


def test_the_page_follows_the_switch_on_while_it_goes_on(desk: kit.Desk) -> None:
    slow = "^GET .*/metadata/deployRequest" if desk.rig.name == "salesforce" else "^POST .*/crm/.*propert"
    desk.rig.sandbox.faults.set(Fault(match=slow, times=3, delay=0.6))
    begun = send(desk, "/console/accounts/acme/switch-on")
    log = desk.get(begun.location).text.partition('role="log"')[2]
    told = [log.find(words) for words in ("Creating our fields", "takes it: ", "The account is switched on")]
    if desk.rig.name == "hubspot":
        del told[1]  # its app is installed by hand
    assert told == sorted(told)
    assert min(told) > 0, log


def test_an_app_that_is_refused_is_told_and_the_account_is_switched_on_all_the_same(desk: kit.Desk) -> None:
    desk.runtime.accounts["acme"].provision()
    desk.rig.sandbox.faults.set(Fault(match="^POST .*/metadata/deployRequest", times=None, status=500))
    path = "/console/accounts/acme/switch-on"
    html = desk.get(send(desk, path).location).text
    assert "The account is switched on" in html
    installs = desk.rig.name == "salesforce"  # the other CRM takes no app through its API
    assert ("<code>the app</code>" in html.partition("What the CRM refused")[2]) == installs
    desk.rig.sandbox.faults.clear()
    desk.sign_in()
    send(desk, path)
    assert "What the CRM refused" not in desk.get(f"{path}?begun=1").text
    assert not installs or desk.rig.sandbox.hooks.flows


def test_the_connection_is_tried_by_a_form_alone_and_a_link_asks_the_crm_nothing(desk: kit.Desk) -> None:
    path = "/console/accounts/acme/connect"
    tried = send(desk, path)
    assert (tried.status_code, tried.location) == (303, path)
    desk.rig.forget_calls()
    assert "Connected." in desk.get(f"{path}?try=1").text
    assert desk.rig.calls() == 0
    assert "was read from the CRM" in desk.get("/console/accounts/acme/fields").text
    asked = desk.rig.calls()
    for step in ("stages", "fields", "people"):
        assert "was read from the CRM just now" in desk.get(f"/console/accounts/acme/{step}").text
    assert desk.rig.calls() == asked, "what there is to choose from is not read for each page"
    again = desk.post("/console/accounts/acme/fields/read-again", page="/console/accounts/acme/fields")
    assert again.location == "/console/accounts/acme/fields"
    desk.get(again.location)
    assert desk.rig.calls() > asked
    desk.rig.sandbox.faults.set(Fault(match=".", times=None, status=503))
    away = send(desk, path)
    assert away.status_code == 503
    assert "does not let us in" in away.text


def test_a_crm_that_goes_away_while_switching_on_is_told_for_what_it_is(desk: kit.Desk) -> None:
    path = "/console/accounts/acme/switch-on"
    form = fields(desk.get(path).text)
    desk.rig.sandbox.faults.set(Fault(match=".", times=None, status=503))
    begun = desk.browser.post(path, base_url=kit.PUBLIC, data=form)
    assert "It could not be switched on" in desk.get(begun.location).text
    assert not desk.runtime.accounts["acme"].is_switched_on()


def test_an_account_without_stages_is_not_switched_on(rig: Any, tmp_path: Path) -> None:
    desk = kit.build_desk(rig, tmp_path, accounts={"acme": kit.account(rig, watch=[])})
    desk.sign_in()
    assert "being set up" in desk.get("/console/").text
    answer = desk.post("/console/accounts/acme/switch-on", page="/console/")
    assert answer.status_code == 422
    assert "No stages are chosen yet" in answer.text
    assert '<a href="/console/accounts/acme/stages">' in answer.text, "the way to choose them"
    assert "accounts.acme.watch" not in answer.text
    done = re.findall(r'/accounts/acme/(\w[\w-]*)"(?: aria-current="step")? class="kept"', answer.text)
    assert set(done) == {"connect"}, "of the calendar nobody was asked but when the account was added"
    first = desk.get("/console/accounts/acme/stages").text
    (pipeline,) = [one for one in desk.runtime.accounts["acme"].pipelines() if f'id="card-{one.id}" open' in first]
    won = [stage.id for stage in pipeline.stages if stage.won]
    chosen = {name for name, value in fields(first).items() if name.startswith("stage:") and value == ["renewed"]}
    assert chosen == {f"stage:{pipeline.id}:{stage}" for stage in won} != set()
    assert "does a customer leave?" in first
    asked = unescape(desk.get(f"/console/accounts/new?crm={rig.name}").text)
    assert desk.runtime.adapters[rig.name].where_account_id in asked, "where the id is found"
    assert not desk.runtime.accounts["acme"].is_switched_on()
    desk.runtime.close()


@pytest.mark.row("P-70")
def test_a_rehearsal_shows_its_progress_then_the_plans_and_writes_nothing(desk: kit.Desk) -> None:
    lost_before(desk, 2)
    desk.sign_in()
    path = "/console/accounts/acme/rehearsal"
    assert "Write both days" in send(desk, path, since="some day").text
    begun = send(desk, path, since=(desk.rig.now() - timedelta(days=300)).date().isoformat())
    assert begun.location == path, begun.text
    html = desk.get(path).text
    assert "Older 1" in html
    assert "was chosen because" in html
    assert '/accounts/acme/rehearsal" aria-current="step" class="kept"' in desk.get(path).text, "it was done"
    for kind, word in (("csv", "deal_id"), ("json", '"deals"'), ("html", "<!doctype html>")):
        answer = desk.get(f"{path}.{kind}")
        assert word in answer.text
        assert f'filename="rehearsal-acme.{kind}"' in answer.headers["Content-Disposition"]
    assert all(desk.rig.tasks(deal) == [] for deal in lost_before(desk, 1))
    with desk.runtime.store.read() as session:
        assert cases.listing(session) == []


def test_an_account_that_works_is_not_given_names_that_its_crm_does_not_have(desk: kit.Desk) -> None:
    desk.runtime.accounts["acme"].provision()
    answer = send(desk, "/console/accounts/acme/people", manager="stranger@example.com")
    assert answer.status_code == 422
    assert "no user has this address" in answer.text
    assert "people" not in desk.raw()
    assert desk.runtime.reloader.trouble is None


def test_what_was_written_and_cannot_be_used_is_told_as_such(desk: kit.Desk) -> None:
    form = fields(desk.get("/console/accounts/acme/place").text) | {"company": ["Mine"]}
    known = desk.runtime.reloader.look

    def troubled(**more: Any) -> bool:
        desk.file.write_text(desk.file.read_text().replace("settle_for: 0s", "settle_for: soon"))
        return known(**more)

    desk.runtime.reloader.look = troubled  # type: ignore[method-assign]  # someone saves a fault at this very moment
    answer = desk.browser.post("/console/accounts/acme/place", base_url=kit.PUBLIC, data=form)
    assert answer.status_code == 422
    assert "It was written, but something else" in answer.text
    assert desk.raw()["company"] == "Mine"

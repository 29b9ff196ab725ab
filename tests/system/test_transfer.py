"""One file for the whole set-up (P-78): from one account to another, on every CRM, with names in place of ids."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import conformance_kit as kit
import pytest
import yaml

from adapters.errors import ConfigError
from connector import transfer
from connector.bootstrap import Adapters, Runtime, build
from connector.config_edit import ChangedMeanwhile
from connector.source import Source

pytestmark = pytest.mark.row("P-78")
SHIPPED = Path(str(importlib.util.find_spec("workflows").submodule_search_locations[0]))  # type: ignore[union-attr, index]


class Place:
    """An installation of its own beside a CRM of its own."""

    def __init__(self, crm: str, folder: Path, **account: Any) -> None:
        self.rig: Any = kit.make_rig(crm)
        self.folder = folder
        folder.mkdir()
        config: dict[str, Any] = {
            "server": {"listen": "127.0.0.1:0", "public_url": "https://goodbye.northwind.test"},
            "database_url": "sqlite:///aurevoir.db",
            "secret_key": f"kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA-{folder.name}",
            **account.pop("whole", {}),
            "accounts": {
                "acme": {"crm": crm, "account_id": self.rig.account_id, **account, **self.rig.bare_settings()}
            },
        }
        (folder / "config.yaml").write_text("# Kept by the team.\n" + yaml.safe_dump(config, sort_keys=False))
        self.source = Source(folder / "config.yaml", Adapters(), {})
        self.runtime: Runtime = self._build()

    def _build(self) -> Runtime:
        runtime = build(self.source.load(), adapters=self.source.adapters, source=self.source)
        runtime.store.upgrade(now=runtime.clock.now())
        return runtime

    def again(self) -> Runtime:
        """As after a restart."""
        self.runtime.close()
        self.runtime = self._build()
        return self.runtime

    def close(self) -> None:
        self.runtime.close()
        self.rig.close()


@pytest.fixture(params=kit.RIGS)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """A trial that is set up with ids and a playbook of its own, and a production that is not yet."""
    trial = tmp_path / "trial"
    rig: Any = kit.make_rig(request.param)
    ids = {"pipeline": rig.pipeline_id} if rig.pipeline_id else {}
    watch = {**ids, "negotiating": [rig.negotiating], "not_renewing": [rig.not_renewing], "settle_for": "3d"}
    manager = rig.world.owners[rig.users[0]].email if rig.name == "hubspot" else "claire@globex.example"
    fields = {"contract_end": rig.contract_end_field, "exit_reason": rig.exit_reason_field}
    rig.close()
    (tmp_path / "own").mkdir()
    text = (SHIPPED / "playbooks" / "light.yaml").read_text().replace("playbook: light", "playbook: ours", 1)
    (tmp_path / "own" / "ours.yaml").write_text(text)
    first = Place(
        request.param, trial, calendar="FR", language="fr", watch=[watch], fields=fields, playbook="ours",
        people={"manager": manager}, whole={"playbooks_dir": "../own", "retention": {"answers": "30d"}},
    )  # fmt: skip
    second = Place(request.param, tmp_path / "production", calendar="US", company="Northwind", watch=[{**watch, **ids}])
    if request.param == "hubspot":  # in another account, the same names stand for other ids
        schema = second.rig.world.schema
        schema.pipelines = [
            replace(one, id=f"9{one.id}", stages=[replace(stage, id=f"9{stage.id}") for stage in one.stages])
            for one in schema.pipelines
        ]
    yield first, second
    first.close()
    second.close()


def test_a_set_up_goes_from_trial_to_production_by_names(places: tuple[Place, Place]) -> None:
    trial, production = places
    text = transfer.export(trial.runtime, ["acme"])
    told = yaml.safe_load(text)
    assert trial.rig.account_id not in text
    theirs = [str(value) for key, value in trial.rig.bare_settings().items() if re.search("secret|token|url|_id", key)]
    assert theirs
    for secret in ("kJ8vQ2mX7nR4tW9zB3cF6hL1pS5yD0gA", "http://", *theirs):
        assert secret not in text
    label = "Not renewing" if trial.rig.name == "hubspot" else "Closed Lost"
    assert told["accounts"]["acme"]["watch"][0]["not_renewing"] == [label]

    planned = transfer.plan(production.runtime, production.source, text, "acme")
    assert "-calendar: US" in planned.difference
    assert "+calendar: FR" in planned.difference
    assert production.source.load().accounts["acme"].calendar == "US", "so far it was only shown"

    transfer.apply(production.runtime, production.source, planned)
    runtime = production.again()
    account = runtime.accounts["acme"]
    assert account.config.playbook == "ours"
    assert account.config.language == "fr"
    assert account.config.company is None, "afterwards both are set up alike"
    assert account.account_id == production.rig.account_id
    assert runtime.settings.retention.answers.days == 30
    assert "ours" in runtime.library.playbooks
    rules = account.rules()
    stage = next(
        s for p in account.pipelines() for s in p.stages if s.label == label and s.id in rules.watch[0].not_renewing
    )
    assert stage.id.startswith("9") or trial.rig.name != "hubspot"
    assert (production.folder / "config.yaml").read_text().startswith("# Kept by the team.")
    assert transfer.plan(runtime, production.source, text, "acme").changes == (), "and a second time nothing is left"
    assert yaml.safe_load(transfer.export(runtime, ["acme"]))["accounts"] == told["accounts"], "a round trip"


def test_secrets_below_an_accounts_keys_stay_where_they_are(places: tuple[Place, Place]) -> None:
    trial, production = places
    tool = {"link": "https://forms.example.com/?c={{ case_key }}", "format": "typeform"}
    for place, secret in ((trial, "the-trials-own-secret"), (production, "productions-own-secret")):
        file = place.folder / "config.yaml"
        whole = yaml.safe_load(file.read_text())
        whole["accounts"]["acme"]["surveys"] = {"own_tool": tool | {"secret": secret}}
        whole["accounts"]["acme"]["company"] = "Plain $${HOME}"
        file.write_text("# Kept by the team.\n" + yaml.safe_dump(whole))
        place.again()
    told = yaml.safe_load(transfer.export(trial.runtime, ["acme"]))
    assert told["accounts"]["acme"]["surveys"]["own_tool"] == tool
    told["accounts"]["acme"]["surveys"] = {
        "own_tool": tool | {"link": f"{tool['link']}&v=2", "secret": "known-to-others"}
    }
    told["accounts"]["acme"]["company"] = "Told ${AUREVOIR_SECRET_KEY}"
    planned = transfer.plan(production.runtime, production.source, yaml.safe_dump(told), "acme")
    transfer.apply(production.runtime, production.source, planned)
    config = production.again().accounts["acme"].config
    assert config.surveys.own_tool is not None
    assert config.surveys.own_tool.secrets == ("productions-own-secret",)
    assert config.surveys.own_tool.link.endswith("&v=2")
    assert config.company == "Told ${AUREVOIR_SECRET_KEY}", "word for word"


def test_a_file_leads_no_token_elsewhere(places: tuple[Place, Place]) -> None:
    trial, production = places
    told = yaml.safe_load(transfer.export(trial.runtime, ["acme"]))
    address = "api_url" if trial.rig.name == "hubspot" else "login_url"
    told["accounts"]["acme"] |= {address: "https://elsewhere.example", "client_secret": "theirs-and-not-ours"}
    planned = transfer.plan(production.runtime, production.source, yaml.safe_dump(told), "acme")
    assert not [one for one in planned.changes if one.place[-1] in (address, "client_secret")]
    assert any(note.startswith(f"{address} stays as it is here") for note in planned.notes)


def test_settings_that_cannot_be_written_leave_the_playbooks_as_they_were(places: tuple[Place, Place]) -> None:
    trial, production = places
    text = transfer.export(trial.runtime, ["acme"])
    planned = transfer.plan(production.runtime, production.source, text, "acme")
    assert planned.files
    file = production.folder / "config.yaml"
    file.write_text(file.read_text().replace("calendar: US", "calendar: BE"))
    with pytest.raises(ChangedMeanwhile):
        transfer.apply(production.runtime, production.source, planned)
    assert not [path for path in planned.files if path.exists()]


def test_names_that_do_not_exist_there_are_told_all_at_once_with_those_that_do(places: tuple[Place, Place]) -> None:
    trial, production = places
    told = yaml.safe_load(transfer.export(trial.runtime, ["acme"]))
    account = told["accounts"]["acme"]
    account["watch"][0]["not_renewing"] = ["Verloren"]
    account["people"]["manager"] = "gone@example.com"
    account["fields"]["exit_reason"] = "why_they_left"
    before = (production.folder / "config.yaml").read_text()
    with pytest.raises(ConfigError) as refused:
        transfer.plan(production.runtime, production.source, yaml.safe_dump(told), "acme")
    seen = {fault.value: fault.cure for fault in refused.value.faults}
    assert set(seen) == {"Verloren", "gone@example.com", "why_they_left"}
    assert ("Not renewing" if trial.rig.name == "hubspot" else "Closed Lost") in seen["Verloren"]
    assert (production.folder / "config.yaml").read_text() == before


def test_a_file_that_is_no_set_up_changes_nothing(places: tuple[Place, Place]) -> None:
    _, production = places
    for text in ("- a list", "aurevoir: 99", "a: [", "aurevoir: 1\naccounts: {one: {crm: x}, two: {crm: x}}"):
        with pytest.raises(ConfigError):
            transfer.plan(production.runtime, production.source, text, "acme")

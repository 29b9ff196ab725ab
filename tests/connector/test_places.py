"""Countries to choose from, and the time zone that goes with one."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from connector.setup import usual_zone
from connector.web import languages
from connector.web.console_questions import countries


def test_countries_stand_where_people_look_them_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "current", lambda: "fr")
    names = [name for _, name in countries()]
    assert names.index("Danemark") < names.index("Égypte") < names.index("États-Unis") < names.index("France")
    assert names.index("Hongrie") < names.index("Îles Caïmans") < names.index("Jamaïque")
    assert names[-1] == "Zimbabwe"


def test_a_country_has_its_usual_time_zone_and_one_of_many_has_none() -> None:
    places = {"FR": "Europe/Paris", "DE-BY": "Europe/Berlin", "ES": "Europe/Madrid", "pt": "Europe/Lisbon"}
    assert {calendar: usual_zone(calendar) for calendar in places} == places
    assert all(ZoneInfo(zone) for zone in places.values())
    assert (usual_zone("US"), usual_zone("Atlantis"), usual_zone("")) == (None, None, None)

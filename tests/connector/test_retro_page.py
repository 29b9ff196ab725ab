"""The page that everybody who worked on an account fills in: several may have it open at once (P-42)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from workflows.rules import LinkKind


def opened(house: Any, path: str) -> dict[str, str]:
    """What a browser would send back unseen."""
    html = house.client.get(path).text
    return {name: unescape(value) for name, value in re.findall(r'name="(form-[a-z]+)" value="([^"]*)"', html)}


@pytest.fixture
def page(house: Any) -> str:
    path: str = house.give_link(LinkKind.TEAM, contact_id=None, questionnaire="retro")
    return path


@pytest.mark.row("P-42")
def test_of_two_colleagues_who_write_at_once_neither_loses_a_word(house: Any, page: str) -> None:
    ana, ben = opened(house, page), opened(house, page)
    assert house.client.post(page, data={**ana, "well": "The start. (A.)", "paid": "yes"}).status_code == 303
    late = house.client.post(page, data={**ben, "well": "The support. (B.)", "faults": "Slow <b>answers</b>"})
    assert late.status_code == 409
    html = unescape(late.text)
    assert "The start. (A.)\n\nThe support. (B.)" in html
    assert "Slow <b>answers</b>" in html
    assert "&lt;b&gt;" in late.text, "escaped"
    assert "quelqu’un de l’équipe" in html
    (kept,) = house.answers()
    assert kept.given == {"well": "The start. (A.)", "paid": "yes"}, "nothing is overwritten"
    again = {name: unescape(value) for name, value in re.findall(r'name="(form-[a-z]+)" value="([^"]*)"', late.text)}
    both = {"well": "The start. (A.)\n\nThe support. (B.)", "paid": "yes", "faults": "Slow"}
    assert house.client.post(page, data={**again, **both}).status_code == 303
    (kept,) = house.answers()
    assert kept.given == both


def test_who_comes_later_sees_what_stands_there_and_adds_to_it(house: Any, page: str) -> None:
    house.client.post(page, data={**opened(house, page), "well": "The start."})
    assert "The start." in house.client.get(page).text
    added = house.client.post(page, data={**opened(house, page), "well": "The start. And the end."})
    assert added.status_code == 303

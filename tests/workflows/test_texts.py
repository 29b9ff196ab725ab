from __future__ import annotations

import contextlib
import time
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workflows.texts import (
    CONDITION_NAMES,
    MAX_OUTPUT,
    TEXT_NAMES,
    TextError,
    check_expression,
    check_text,
    holds,
    render,
    render_anyway,
    shorten,
)

VALUES: dict[str, object] = {
    "deal": {"name": "Aurora", "amount": Decimal("1234567.5"), "items": "six", "contract_end": date(2026, 3, 31)},
    "company": {"name": "Hotel <Aurora>", "figures": {"active_users": "12"}},
    "contacts": [{"name": "Zoe", "roles": ["decider"]}, {"name": "Max", "roles": []}],
    "case": {"language": "fr"},
    "days_left": None,
}


def test_a_text_shows_values_as_people_of_the_language_write_them() -> None:
    text = "{{ deal.name }}, {{ deal.contract_end }}, {{ deal.amount }}"
    assert render(text, VALUES) == "Aurora, 31 mars 2026, 1\u202f234\u202f567,5"


def test_a_text_stays_plain_text() -> None:
    assert render("{{ company.name }} & co", VALUES) == "Hotel <Aurora> & co"


def test_a_field_may_be_called_like_a_method() -> None:
    assert render("{{ deal.items }}", VALUES) == "six"


def test_a_text_chooses_and_goes_through_a_list() -> None:
    text = "{% for one in contacts %}{{ one.name }}{% if not loop.last %}, {% endif %}{% endfor %}"
    assert render(text, VALUES) == "Zoe, Max"
    assert render("{{ contacts | map(attribute='name') | join(' + ') }}", VALUES) == "Zoe + Max"


def test_what_is_missing_is_an_error_that_names_it_or_a_gap_that_shows() -> None:
    text = "NPS {{ company.figures.nps }} of {{ company.figures.nps.best }}, {{ company.figures.nps + 1 }}"
    with pytest.raises(TextError, match="nps"):
        render(text, VALUES)
    assert render_anyway(text, VALUES) == "NPS … of …, …"
    assert render("{{ days_left }}", VALUES) == "…"
    assert render_anyway("{% if days_left > 5 %}In {{ days_left }} days{% endif %}", VALUES) == "In … days"


@pytest.mark.parametrize(
    "text",
    [
        "{{ deal.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ deal['name'].upper() }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{% set x = 1 %}",
        "{% include 'secret' %}",
        "{% macro x() %}{% endmacro %}",
        "{% for a in contacts %}{% for b in contacts %}{% endfor %}{% endfor %}",
        "{% for a in contacts recursive %}{% endfor %}",
        "{{ deal.name | replace('a', 'aaaa') }}",
        "{{ deal.name | attr('__class__') }}",
        "{{ 'a' | list | join('b') | list | join('c') }}",
        "{{ 2 ** 100 }}",
        "{{ nobody.name }}",
        "{{ deal.name",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "1+" * 3000 + "1 }}",
        "x" * 20_001,
    ],
)
def test_a_text_that_reaches_too_far_is_refused_with_a_reason(text: str) -> None:
    assert check_text(text, TEXT_NAMES)
    if "nobody" not in text:
        with pytest.raises(TextError):
            render(text, VALUES)


@pytest.mark.parametrize("text", ["{{ 'a' * 10 ** 9 }}", "{{ 'a' * 999999999 }}", "{{ '%999999999d' % 1 }}"])
def test_multiplying_texts_is_refused_when_it_happens(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TextError):
        render(text, VALUES)
    assert time.perf_counter() - began < 1


def test_a_text_cannot_grow_without_end() -> None:
    many = {**VALUES, "contacts": [{"name": "x" * 1000}] * 1000}
    assert len(render("{% for c in contacts %}{{ c.name }}{% endfor %}", many)) <= MAX_OUTPUT
    assert len(render("{{ deal.name }}", {"deal": {"name": "x" * 60_000}})) == MAX_OUTPUT
    with pytest.raises(TextError):
        render("{{ contacts | map(attribute='name') | join('" + "x" * 5000 + "') }}", many)


@pytest.mark.parametrize(
    "condition",
    [
        "days_left is none or days_left < 30",
        "contacts | length == 1",
        "'decider' in contact.roles",
        "contacts | selectattr('email') | list | length > 0",
        "45 <= days_left < 75",
    ],
)
def test_useful_conditions_pass_the_check(condition: str) -> None:
    assert check_expression(condition, CONDITION_NAMES) is None


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("deal.amount >", "not understood"),
        ("deal.amount 5", "5"),
        ("link", "there are: case, company"),
        ("deal.name.upper() == 'X'", "brackets"),
        ("", "not understood"),
    ],
)
def test_a_wrong_condition_says_what_is_wrong(condition: str, hint: str) -> None:
    assert hint in (check_expression(condition, CONDITION_NAMES) or "")


def test_a_condition_holds_fails_or_cannot_be_told() -> None:
    assert holds("deal.amount > 5", VALUES)
    assert not holds("company.figures.active_users | int > 100", VALUES)
    for condition in ("days_left > 5", "company.figures.nps | int > 3", "deal.nope.nope"):
        with pytest.raises(TextError, match="cannot be told"):
            holds(condition, VALUES)


def test_long_titles_are_cut_in_one_line() -> None:
    assert shorten("a\n b", 10) == "a b"
    assert shorten("x" * 300, 255) == "x" * 254 + "…"


@example("0''")  # an empty string after an expression
@given(st.text(alphabet="{}%|()[]'\".,+-*/<>= abnd0123456789_\n", max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_at_all_is_shown_or_refused_and_nothing_else(text: str) -> None:
    assert isinstance(render_anyway(text, VALUES), str)
    for use in (lambda: render(text, VALUES), lambda: str(holds(text, VALUES))):
        with contextlib.suppress(TextError):
            assert isinstance(use(), str)

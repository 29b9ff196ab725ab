"""The page that says which tests prove which row of the practice tells the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import practice
import pytest


@pytest.fixture(scope="module")
def found(pytestconfig: pytest.Config) -> Mapping[str, Sequence[Any]]:
    """From this run where it began with all tests, else collected anew."""
    rows = pytestconfig.stash.get(practice.COLLECTED, None)
    return practice.collect() if rows is None else practice.proofs(rows)


@pytest.mark.timeout(300)
def test_every_row_has_a_test(found: Mapping[str, Sequence[Any]]) -> None:
    assert [row for row in practice.row_names() if row not in found] == []


def test_no_marker_names_a_row_that_there_is_not(found: Mapping[str, Sequence[Any]]) -> None:
    strangers = {row: [proof.name for proof in proofs] for row, proofs in found.items()}
    assert {row: names for row, names in strangers.items() if row not in practice.row_names()} == {}


def test_the_page_is_up_to_date(found: Mapping[str, Sequence[Any]]) -> None:
    assert practice.PAGE.read_text("utf-8") == practice.page(found), "run `make practice`"

"""What our CRM fields are called, in each language that we have words of."""

from __future__ import annotations

import pytest

from workflows.field_words import FIELD_WORDS
from workflows.fields import FIELDS, named_in

ROOM = 40
"""Characters that the narrowest CRM gives a label."""


@pytest.mark.parametrize("language", sorted(FIELD_WORDS))
def test_every_field_has_a_name_of_its_own_that_fits_in_every_language(language: str) -> None:
    assert set(FIELD_WORDS[language]) == {spec.name for spec in FIELDS}
    named = named_in(f"{language}-XX")
    assert len({(spec.record, spec.label) for spec in named}) == len(FIELDS)
    assert [spec.label for spec in named if len(spec.label) > ROOM] == []
    assert all(language in option.text for spec in named for option in spec.options)
    assert {spec.label for spec in named}.isdisjoint({spec.label for spec in FIELDS})


def test_a_language_that_we_have_no_words_of_gets_english_ones() -> None:
    assert named_in("de") == FIELDS

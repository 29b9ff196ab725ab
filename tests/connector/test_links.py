"""Links cannot be guessed, forged, or used for another page; they stay the same and survive a change of keys."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.links import LinkSigner
from workflows.rules import LinkKind

NEW, OLD = "a-new-key-" * 4, "an-old-key-" * 4
SIGNER = LinkSigner("https://goodbye.example.com/", [NEW, OLD])
TOKEN = SIGNER.address(LinkKind.SURVEY, "case-1", "901", "exit").rpartition("/")[2]


def test_the_same_arguments_always_give_the_same_short_address() -> None:
    address = SIGNER(LinkKind.SURVEY, "case-1", "901", "exit")
    assert address == SIGNER.address(LinkKind.SURVEY, "case-1", "901", "exit")
    assert re.fullmatch(r"https://goodbye\.example\.com/s/[a-z2-7]{52}", address)
    interview = SIGNER(LinkKind.INTERVIEW, "case-1", None, "talk")
    assert re.fullmatch(r"https://goodbye\.example\.com/interview/[a-z2-7]{52}", interview)


def test_each_argument_makes_another_link() -> None:
    one = SIGNER.link_id(LinkKind.SURVEY, "case-1", "901", "exit")
    others = {
        SIGNER.link_id(LinkKind.INTERVIEW, "case-1", "901", "exit"),
        SIGNER.link_id(LinkKind.SURVEY, "case-2", "901", "exit"),
        SIGNER.link_id(LinkKind.SURVEY, "case-1", "902", "exit"),
        SIGNER.link_id(LinkKind.SURVEY, "case-1", None, "exit"),
        SIGNER.link_id(LinkKind.SURVEY, "case-1", "901", "long"),
    }
    assert len(others) == 5
    assert one not in others


def test_a_link_tells_nothing_of_the_case_or_the_contact() -> None:
    assert "901" not in TOKEN
    assert "case" not in TOKEN


def test_a_token_is_read_back_for_its_own_kind_of_page_only() -> None:
    assert SIGNER.read(LinkKind.SURVEY, TOKEN) == SIGNER.link_id(LinkKind.SURVEY, "case-1", "901", "exit")
    assert SIGNER.read(LinkKind.INTERVIEW, TOKEN) is None


@pytest.mark.parametrize("position", range(52))
def test_no_character_of_a_token_can_be_changed(position: int) -> None:
    for other in "abcdefghijklmnopqrstuvwxyz234567ABCZ=. -_é":
        if other != TOKEN[position]:
            assert SIGNER.read(LinkKind.SURVEY, TOKEN[:position] + other + TOKEN[position + 1 :]) is None


@given(st.one_of(st.text(max_size=80), st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=52, max_size=52)))
def test_nothing_made_up_is_a_token(text: str) -> None:
    assert SIGNER.read(LinkKind.SURVEY, text) is None


def test_a_token_cut_short_or_made_longer_is_none() -> None:
    for text in ("", TOKEN[:-1], TOKEN + "a", TOKEN[:26], TOKEN[26:]):
        assert SIGNER.read(LinkKind.SURVEY, text) is None


def test_links_signed_with_a_former_key_still_open_and_those_of_a_dropped_key_do_not() -> None:
    before = LinkSigner("https://goodbye.example.com", [OLD])
    token = before(LinkKind.SURVEY, "case-1", "901", "exit").rpartition("/")[2]
    assert SIGNER.read(LinkKind.SURVEY, token) is not None
    assert LinkSigner("https://goodbye.example.com", [NEW]).read(LinkKind.SURVEY, token) is None


def test_new_links_are_signed_with_the_first_key() -> None:
    assert LinkSigner("https://goodbye.example.com", [NEW]).read(LinkKind.SURVEY, TOKEN) is not None


def test_a_form_seal_fits_one_link_and_is_not_a_link_signature() -> None:
    seal = SIGNER.form_seal("one")
    assert SIGNER.is_form_seal("one", seal)
    assert not SIGNER.is_form_seal("two", seal)
    for other in ("", "é", seal[:-1], TOKEN[26:], "A" * 22):
        assert not SIGNER.is_form_seal("one", other)

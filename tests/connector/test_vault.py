"""Secrets at rest open only where they belong, and keys can be changed without losing any."""

from __future__ import annotations

import pytest

from connector.vault import NotSealedHere, UnknownKey, Vault, VaultError, derive_key

OLD, NEW = "old-secret-of-32-characters-or-more", "new-secret-of-32-characters-or-more"
PLACE = {"account": "acme", "column": "tokens.sealed"}


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    vault = Vault([OLD])
    sealed = vault.seal("gen-token ünï", **PLACE)
    assert vault.open(sealed, **PLACE) == "gen-token ünï"
    assert sealed.startswith(f"v1:{vault.key_id}:")
    assert "token" not in sealed
    assert sealed != vault.seal("gen-token ünï", **PLACE)


@pytest.mark.parametrize(
    "place", [{"account": "globex"}, {"column": "other.sealed"}, {"account": "acm", "column": "etokens.sealed"}]
)
def test_a_row_copied_to_another_account_or_column_does_not_open(place: dict[str, str]) -> None:
    vault = Vault([OLD])
    with pytest.raises(NotSealedHere, match="copied from another account"):
        vault.open(vault.seal("x", **PLACE), **(PLACE | place))


@pytest.mark.parametrize(
    "change", [lambda s: s[:-2] + ("AA" if s[-2:] != "AA" else "BB"), lambda s: s[:-20], lambda s: s.split(":")[0]]
)
def test_an_altered_or_cut_text_does_not_open(change: object) -> None:
    vault = Vault([OLD])
    with pytest.raises(NotSealedHere):
        vault.open(change(vault.seal("a text that is long enough", **PLACE)), **PLACE)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["", "plain token", "v1:::", "v1:é:é:é", "v2:00000000:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAA"]
)
def test_what_was_never_sealed_is_told_so(text: str) -> None:
    with pytest.raises(VaultError, match=r"tokens\.sealed of account 'acme'"):
        Vault([OLD]).open(text, **PLACE)


def test_keys_rotate_without_losing_what_is_there() -> None:
    before = Vault([OLD]).seal("x", **PLACE)
    both = Vault([NEW, OLD])
    assert both.open(before, **PLACE) == "x"
    assert not both.is_current(before)
    after = both.reseal(before, **PLACE)
    assert after is not None
    assert both.reseal(after, **PLACE) is None
    assert Vault([NEW]).open(after, **PLACE) == "x"


def test_a_key_removed_too_soon_is_told_with_the_cure() -> None:
    sealed = Vault([OLD]).seal("x", **PLACE)
    with pytest.raises(UnknownKey, match="add the earlier secret"):
        Vault([NEW]).open(sealed, **PLACE)


def test_no_error_holds_the_secret_or_the_text() -> None:
    sealed = Vault([OLD]).seal("the-token", **PLACE)
    with pytest.raises(VaultError) as caught:
        Vault([NEW]).open(sealed, **PLACE)
    assert NEW not in str(caught.value)
    assert sealed.split(":")[3] not in str(caught.value)


def test_keys_for_different_purposes_differ() -> None:
    assert derive_key(OLD, "vault/v1") != derive_key(OLD, "links/v1")

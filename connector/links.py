"""Signed links to our pages.

A token is the link's id and a signature, both as lower-case letters and digits only: 52 characters that survive mail
programs which cut a trailing dash or underscore off an address, and that keep the whole address on one line. The id
says nothing by itself; what it stands for is in the store. 128 bits each make guessing hopeless.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import HMACAlgorithm

from workflows.rules import LinkKind

_BYTES = 16
_CHARS = 26
_SHORT = {LinkKind.SURVEY: "s"}
"""Paths of pages that go by a shorter name than their kind."""


class _Short(HMACAlgorithm):
    """HMAC cut to 128 bits, as RFC 2104 (section 5) allows: short links, still unforgeable."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:_BYTES]


class LinkSigner:
    """Makes and reads tokens. ``keys``: the one to sign with first, then older ones that still count.

    Usable as :class:`workflows.look.Links`.
    """

    def __init__(self, public_url: str, keys: Sequence[str]) -> None:
        self._public_url = public_url.rstrip("/")
        self._keys = tuple(keys)
        oldest_first = list(reversed(keys))
        self._signers = {kind: _signer(oldest_first, f"aurevoir.link.{kind.value}") for kind in LinkKind}
        self._forms = _signer(oldest_first, "aurevoir.form")
        self._people = _signer(oldest_first, "aurevoir.person")

    @property
    def public_url(self) -> str:
        """Where all our pages are, without a slash at the end."""
        return self._public_url

    def __call__(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        """As :meth:`address`."""
        return self.address(kind, case_id, contact_id, questionnaire)

    @staticmethod
    def link_id(kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        """The id of a link: always the same for the same arguments, and telling nothing about them."""
        said = json.dumps([kind.value, case_id, contact_id, questionnaire])
        return _spell(hashlib.sha256(said.encode()).digest()[:_BYTES])

    def address(self, kind: LinkKind, case_id: str, contact_id: str | None, questionnaire: str) -> str:
        """The full address of the page."""
        token = self.token(kind, self.link_id(kind, case_id, contact_id, questionnaire))
        return f"{self._public_url}/{self.path(kind)}/{token}"

    @staticmethod
    def path(kind: LinkKind) -> str:
        """The path of this kind of page, below which a token stands."""
        return _SHORT.get(kind, kind.value)

    def token(self, kind: LinkKind, link: str) -> str:
        """The token for a link's id."""
        return link + _spell(base64_decode(self._signers[kind].get_signature(link)))

    def read(self, kind: LinkKind, token: str) -> str | None:
        """The link's id if we made this token for this kind of page, else None. Never says what was wrong."""
        link, signature = token[:_CHARS], _unspell(token[_CHARS:])
        if signature is None or _unspell(link) is None:
            return None
        return link if self._signers[kind].verify_signature(link, base64_encode(signature)) else None

    def form_seal(self, link: str) -> str:
        """A hidden value that only a form of ours for this link can carry."""
        return self._forms.get_signature(link).decode()

    def is_form_seal(self, link: str, seal: str) -> bool:
        """Whether :meth:`form_seal` made this value for this link, with any key that still counts."""
        return seal.isascii() and self._forms.verify_signature(link, seal)

    def who(self, account: str, said: str) -> tuple[str, ...]:
        """The digests that stand for a contact's id or address once they are erased, under each key that counts.

        The first is to be kept; all are to be looked for.
        """
        text = f"aurevoir.erased {account} {said.strip().casefold()}".encode()
        return tuple(hmac.new(key.encode(), text, hashlib.sha256).hexdigest() for key in self._keys)

    def person(self, account: str, mail: str) -> str:
        """Stands for a person by their address, in one account: tells two records of the same one, and names nobody."""
        return self._people.get_signature(f"{account} {mail.strip().casefold()}").decode()


def _signer(oldest_first: Sequence[str], salt: str) -> Signer:
    return Signer(
        oldest_first,
        salt=salt,
        key_derivation="hmac",
        digest_method=hashlib.sha256,
        algorithm=_Short(hashlib.sha256),
    )


def _spell(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _unspell(text: str) -> bytes | None:
    """The bytes of a spelling; None for one that :func:`_spell` does not make, so that each token has one spelling."""
    if len(text) != _CHARS or not text.isascii():
        return None
    try:
        raw = base64.b32decode(text.upper() + "======")
    except ValueError:
        return None
    return raw if _spell(raw) == text else None

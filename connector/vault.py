"""Keeps secrets at rest: AES-256-GCM, bound to the account and column that they belong to.

A sealed text reads ``v1:<key id>:<nonce>:<ciphertext>``. Keys are derived from the configured secret keys; the first
one writes, all of them read, so a key is rotated by putting a new one in front and sealing everything anew
(:meth:`Vault.reseal`). A row copied to another account or column does not open.
"""

from __future__ import annotations

import binascii
import hashlib
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from adapters.errors import AurevoirError
from workflows.said import Said

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_NONCE_BYTES = 12


class VaultError(AurevoirError):
    """A sealed text cannot be opened. Never holds any part of it."""


class UnknownKey(VaultError):
    """It was sealed with a key that is not configured (any more)."""


class NotSealedHere(VaultError):
    """It was altered, or belongs to another account or column."""


def derive_key(secret: str, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose; keys for different purposes tell nothing about each other."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"aurevoir/{purpose}".encode()).derive(secret.encode())


class Vault:
    """Seals and opens short texts. ``secrets`` as configured, the one to write with first; safe in all threads.

    The cryptography comes with the first text: where tokens stand in the settings, nothing is ever sealed.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("a vault needs at least one secret key")
        self._secrets = tuple(secrets)

    @cached_property
    def _ciphers(self) -> Mapping[str, AESGCM]:
        """By the id of their key, the one that writes first."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        keys = [derive_key(secret, "vault/v1") for secret in self._secrets]
        return {hashlib.sha256(b"key id" + key).hexdigest()[:8]: AESGCM(key) for key in keys}

    @property
    def _primary(self) -> str:
        return next(iter(self._ciphers))

    @property
    def key_id(self) -> str:
        """Id of the key that writes; it tells nothing about the key."""
        return self._primary

    def seal(self, text: str, *, account: str, column: str) -> str:
        """``text`` encrypted for this account and column; different each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._primary].encrypt(nonce, text.encode(), _place(account, column))
        return ":".join((_VERSION, self._primary, _encode(nonce), _encode(sealed)))

    def open(self, sealed: str, *, account: str, column: str) -> str:
        """The text that :meth:`seal` was given for the same account and column.

        Raises :class:`UnknownKey` or :class:`NotSealedHere`.
        """
        from cryptography.exceptions import InvalidTag

        where = f"{column} of account {account!r}"
        version, key_id, nonce, data = _take_apart(sealed, where)
        if version != _VERSION:
            raise NotSealedHere(
                Said(
                    "%(where)s was sealed in a form that this version does not know (%(form)s)",
                    where=where,
                    form=repr(version[:8]),
                )
            )
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKey(
                Said(
                    "%(where)s was sealed with the key %(key)s, which is not in secret_key: add the earlier secret as "
                    "a further item of the list, or connect the account anew",
                    where=where,
                    key=repr(key_id[:8]),
                )
            )
        try:
            return cipher.decrypt(nonce, data, _place(account, column)).decode()
        except InvalidTag:
            raise NotSealedHere(
                Said(
                    "%(where)s does not open: it was altered, or copied from another account or column; restore it "
                    "from a back-up, or connect the account anew",
                    where=where,
                )
            ) from None

    def is_current(self, sealed: str) -> bool:
        """Whether ``sealed`` was written with the key that writes now."""
        return sealed.startswith(f"{_VERSION}:{self._primary}:")

    def reseal(self, sealed: str, *, account: str, column: str) -> str | None:
        """``sealed`` under the key that writes now; None when it is already. Raises as :meth:`open`."""
        if self.is_current(sealed):
            return None
        return self.seal(self.open(sealed, account=account, column=column), account=account, column=column)


def _place(account: str, column: str) -> bytes:
    """What a sealed text is bound to. The lengths keep ("a", "bc") and ("ab", "c") apart."""
    return f"{_VERSION}|{len(account)}|{account}|{len(column)}|{column}".encode()


def _take_apart(sealed: str, where: str) -> tuple[str, str, bytes, bytes]:
    try:
        version, key_id, nonce, data = sealed.split(":")
        parts = version, key_id, _decode(nonce), _decode(data)
    except (ValueError, binascii.Error):
        raise NotSealedHere(
            Said("%(where)s is not a sealed text: restore it from a back-up, or connect anew", where=where)
        ) from None
    if len(parts[2]) != _NONCE_BYTES or len(parts[3]) < 16:
        raise NotSealedHere(
            Said("%(where)s is not a whole sealed text: restore it from a back-up, or connect anew", where=where)
        )
    return parts


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))

"""What an account of this kind may say in config.yaml."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from workflows.said import Said

_LOOPBACK = re.compile(r"^http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$")
_VERSION = re.compile(r"^20\d\d-(03|09)$")


def _as_tuple(value: object) -> object:
    """One secret is a list of one; during a rotation there are two."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class Rate(BaseModel):
    """How much of HubSpot's limits we use. Other apps of the customer share the daily one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls_per_10s: int = Field(90, ge=1, le=250, description="HubSpot allows 100 to 250 in ten seconds, by plan.")
    searches_per_second: int = Field(4, ge=1, le=5, description="HubSpot allows 5 a second over all apps.")
    calls_per_day: int | None = Field(None, ge=100, description="By default no limit of our own.")


class HubSpotSettings(BaseModel):
    """Credentials, addresses and manners of one HubSpot account.

    ``access_token`` is that of a private app or service key; an account connected in the browser has none here.
    ``client_secret`` proves webhooks: one, or a list while it is being rotated;
    without it changes are found by polling.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"account_id": "4242"}]},
    )

    access_token: SecretStr | None = Field(
        None, description="Token of a private app or service key; an account connected in the browser has none here."
    )
    client_id: str | None = Field(
        None,
        min_length=1,
        description="Of an app of this account's own, to connect in the browser; by default that of oauth.hubspot.",
        examples=["0b1f…"],
    )
    client_secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="Proves webhooks; a list while it is being rotated; without it changes are found by polling."
    )
    api_url: str = Field("https://api.hubapi.com", description="Where calls go.")
    app_url: str = Field("https://app.hubspot.com", description="Where people see records; app-eu1 for some accounts.")
    api_version: str = Field("2026-03", description='A release of the API, or "classic" for v3 and v4.')
    connect_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for a connection.")
    read_timeout: float = Field(20.0, gt=0, le=120, description="Seconds between two pieces of an answer.")
    association_labels: bool = Field(
        False, description="Read roles from deal-contact labels too: one more call a look."
    )
    overlap_seconds: int = Field(
        600, ge=60, le=86_400, description="How far a poll reads back, for HubSpot's search lag."
    )
    rate: Rate = Field(Rate(), description="How much of HubSpot's limits we use.")

    @field_validator("access_token")
    @classmethod
    def _token_is_plausible(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None:
            return None
        text = token.get_secret_value()
        if not text.strip():
            raise ValueError(
                Said(
                    "is empty: paste the token of the private app or service key, or leave the key out for an "
                    "account connected in the browser"
                )
            )
        return cls._secret_is_clean(token)

    @field_validator("client_secret")
    @classmethod
    def _secrets_are_plausible(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in secrets:
            if not secret.get_secret_value().strip():
                raise ValueError(
                    Said("is empty: paste the app's client secret, or leave the key out to find changes by polling")
                )
            cls._secret_is_clean(secret)
        return secrets

    @staticmethod
    def _secret_is_clean(secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        if not text.isascii() or any(char.isspace() or not char.isprintable() for char in text):
            raise ValueError(
                Said("has a space, line break or accented letter in it: paste it again, nothing around it")
            )
        return secret

    @field_validator("api_url", "app_url")
    @classmethod
    def _address_is_safe(cls, address: str) -> str:
        address = address.rstrip("/")
        if _LOOPBACK.match(address) or re.match(r"^https://[A-Za-z0-9.-]+(:\d+)?$", address):
            return address
        raise ValueError(Said("must be https:// and a host name, such as https://api.hubapi.com, without a path"))

    @field_validator("api_version")
    @classmethod
    def _version_exists(cls, version: str) -> str:
        if version == "classic" or _VERSION.match(version):
            return version
        raise ValueError(
            Said('must be a release such as "2026-03" (March and September of a year), or "classic" for v3 and v4')
        )

"""The keys of a Salesforce account in config.yaml."""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from workflows.said import Said

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SHARED_LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
SECRET_PATTERN = re.compile(r"[A-Za-z0-9._~-]{16,128}")
OLDEST_API_VERSION = 55.0


def checked_origin(url: str, key: str) -> str:
    """``url`` as ``scheme://host[:port]``.

    Plain http is for a look-alike on this machine only. Raises ValueError with the cure.
    """
    example = "https://acme.my.salesforce.com"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(
            Said("%(key)s is not an address; write it like %(example)s", key=key, example=example)
        ) from error
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError(Said("%(key)s must be scheme and host only, like %(example)s", key=key, example=example))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(Said("%(key)s must start with https://, like %(example)s", key=key, example=example))
    return f"{parts.scheme}://{_netloc(parts, port)}"


def _netloc(parts: SplitResult, port: int | None) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    return host if port in (None, default) else f"{host}:{port}"


class SalesforceSettings(BaseModel):
    """How to reach one org.

    ``login_url`` is the org's My Domain address: client-credentials tokens are given out there only, and a consent is
    asked for in this very org. Without credentials of its own an account is connected in the browser, with the shared
    app of the settings (see :meth:`adapters.salesforce.consent.SalesforceConsent.complete`). ``webhook_secret``
    is the last part of the address that outbound messages go to; a list while it is being changed; without it changes
    are found by polling alone. Time-outs are in seconds. ``daily_call_share`` is the share of the org's daily API
    calls, those of all its programs together, at which we pause.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"account_id": "00D5g00000ABCDE"}]},
    )

    login_url: str = Field(
        description="The org's own address (Setup > My Domain); tokens come from there.",
        examples=["https://globex.my.salesforce.com"],
    )
    client_id: str | None = Field(
        default=None,
        min_length=1,
        description="Consumer key of the org's own External Client App; by default that of oauth.salesforce.",
        examples=["${SALESFORCE_CLIENT_ID}"],
        json_schema_extra={"x-shown": True},
    )
    client_secret: SecretStr | None = Field(default=None, description="Consumer secret of the same app.")
    login: Literal["app", "browser"] | None = Field(
        default=None,
        description="app: as its run-as user; browser: by `aurevoir connect`, the default where client_id is not set.",
        examples=["browser"],
    )
    webhook_secret: tuple[SecretStr, ...] = Field(
        default=(),
        description="Last part of the address that outbound messages go to; without it we only poll. "
        "A list while it is being changed.",
        examples=["${SALESFORCE_WEBHOOK_SECRET}"],
    )
    api_version: str = Field(default="66.0", description="Version of Salesforce's API that we speak.")
    instance_url: str | None = Field(
        default=None,
        description="Where calls go, if not where the login says.",
        examples=["https://globex.my.salesforce.com"],
    )
    connect_timeout: float = Field(default=5.0, gt=0, le=60, description="Seconds to wait for a connection.")
    read_timeout: float = Field(default=30.0, gt=0, le=300, description="Seconds to wait for the next byte.")
    total_timeout: float = Field(default=60.0, gt=0, le=600, description="Seconds that one call may take.")
    daily_call_share: float = Field(
        default=0.8, gt=0, le=1, description="Share of the org's daily API calls, of all its programs, where we pause."
    )

    @field_validator("login_url")
    @classmethod
    def _login_url(cls, value: str) -> str:
        origin = checked_origin(value, "login_url")
        if urlsplit(origin).hostname in SHARED_LOGIN_HOSTS:
            raise ValueError(
                Said(
                    "tokens for just any org are given out there; use the org's own address (Setup > My Domain), "
                    "like https://acme.my.salesforce.com"
                )
            )
        return origin

    @field_validator("instance_url")
    @classmethod
    def _instance_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_origin(value, "instance_url")

    @field_validator("client_secret")
    @classmethod
    def _client_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError(Said("is empty; copy the consumer secret from the External Client App's OAuth settings"))
        return value

    @field_validator("webhook_secret", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (value,) if isinstance(value, str | SecretStr) else value

    @field_validator("webhook_secret")
    @classmethod
    def _webhook_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            if not SECRET_PATTERN.fullmatch(secret.get_secret_value()):
                raise ValueError(
                    Said(
                        "must be 16 to 128 letters, digits or . _ ~ - since it is part of an address; make one with: "
                        "python -c 'import secrets; print(secrets.token_urlsafe(24))'"
                    )
                )
        return value

    @field_validator("api_version")
    @classmethod
    def _api_version(cls, value: str) -> str:
        if not re.fullmatch(r"\d{2,3}\.0", value) or float(value) < OLDEST_API_VERSION:
            raise ValueError(
                Said(
                    'must be a version such as "66.0", in quotes, from "%(oldest_api_version)s" on',
                    oldest_api_version=OLDEST_API_VERSION,
                )
            )
        return value

    @property
    def in_browser(self) -> bool:
        """Whether someone's consent in the browser stands behind this account's tokens."""
        return self.login == "browser"

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets in clear, newest first."""
        return tuple(secret.get_secret_value() for secret in self.webhook_secret)

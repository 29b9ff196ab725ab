"""The shape of config.yaml: each key with its reason, its default, an example, and what is right for it.

Descriptions and examples here are the source of config.example.yaml, of what ``aurevoir init`` writes, and of the JSON
Schema for editors. How the file is read, and how faults are told, is in :mod:`connector.config`.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from connector.account_settings import AccountConfig
from connector.field_settings import ConfigModel
from connector.values import AccountName, Duration, SecretKeys, is_loopback, split_listen
from workflows.said import Said


class ServerConfig(ConfigModel):
    """Where we listen, and how the outside reaches us."""

    listen: str = Field(default="127.0.0.1:8080", description="Address and port to listen on.")
    public_url: str = Field(
        description="How CRMs and customers reach us: in survey links, redirects and signature checks.",
        examples=["https://goodbye.example.com"],
    )
    trusted_proxy: str | None = Field(
        default=None,
        description="Address of the proxy before us whose X-Forwarded-For is believed; by default none.",
        examples=["127.0.0.1"],
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Who shows it as bearer token sees /metrics and details of /readyz; by default this machine only.",
        examples=["${AUREVOIR_METRICS_TOKEN}"],
    )

    heartbeat_url: SecretStr | None = Field(
        default=None,
        description="Fetched each minute in which all is well; a service there raises the alarm when that stops.",
        examples=["https://alive.example.com/5f0c"],
    )

    @field_validator("heartbeat_url")
    @classmethod
    def _heartbeat_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(Said("write the whole web address that your monitoring service gave you"))
            if parts.scheme != "https" and not is_loopback(parts.hostname):
                raise ValueError(Said("use https: whoever sees this address can feign that all is well"))
        return value

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        split_listen(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            host, _port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(Said("write a web address, such as https://goodbye.example.com")) from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError(Said("write a full web address, such as https://goodbye.example.com"))
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(Said("write scheme, host and path only: no user, no ? and no #"))
        if parts.scheme != "https" and not is_loopback(host):
            raise ValueError(Said("use https: answers of customers and credentials pass here (http only on 127.0.0.1)"))
        return value.strip().rstrip("/")

    @field_validator("trusted_proxy")
    @classmethod
    def _trusted_proxy(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError(Said("write the proxy's IP address, such as 127.0.0.1")) from None
        return value

    @property
    def host(self) -> str:
        """The address to listen on."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to listen on; 0: any free one."""
        return split_listen(self.listen)[1]

    @property
    def on_loopback(self) -> bool:
        """Whether the public address cannot be reached from other machines."""
        return is_loopback(urlsplit(self.public_url).hostname or "")


class OAuthConfig(ConfigModel):
    """Our own app at one CRM, for accounts that admins connect in the browser."""

    client_id: str = Field(min_length=1, description="The app's client id.", examples=["0b1f…"])
    client_secret: SecretStr = Field(min_length=1, description="The app's client secret.")


class RetentionConfig(ConfigModel):
    """How long what is stored here is kept; what the CRM holds is not touched. 0s: for ever.

    What belongs to an open case is kept in any case, and that an ending had its case is never forgotten.
    """

    texts: Duration = Field(
        default=timedelta(days=90),
        description="Texts of tasks and notes that were written, from the end of their case; they may hold names.",
    )
    answers: Duration = Field(
        default=timedelta(days=730), description="Answers of customers and colleagues, from the end of their case."
    )
    cases: Duration = Field(
        default=timedelta(days=1095), description="Names, reason, people and steps of a case, from its end."
    )
    log: Duration = Field(default=timedelta(days=730), description="Lines of the log, from when they were written.")
    bad_events: Duration = Field(
        default=timedelta(days=90), description="Events of webhooks that could not be read, and daily counts."
    )


class Settings(ConfigModel):
    """All of config.yaml, checked."""

    server: ServerConfig = Field(description="Where the connector listens.")
    database_url: str = Field(
        default="sqlite:///aurevoir.db",
        description="sqlite:///file (beside this file) or postgresql+psycopg://user:password@host/name.",
    )
    secret_key: SecretKeys = Field(
        min_length=1,
        description="Encrypts tokens and signs links; 32 characters or more. In a list the first writes, all read.",
        examples=["${AUREVOIR_SECRET_KEY}"],
    )
    playbooks_dir: Path | None = Field(
        default=None, description="Folder with playbooks of your own (YAML).", examples=["playbooks"]
    )
    surveys_dir: Path | None = Field(
        default=None, description="Folder with questionnaires of your own (YAML).", examples=["surveys"]
    )
    documents_dir: Path | None = Field(
        default=None, description="Folder with Word layouts of your own, such as letter.docx.", examples=["documents"]
    )
    accounts: dict[AccountName, AccountConfig] = Field(
        description="The CRM accounts, each under a short name of yours (a-z, 0-9, - and _); {} to add them in the "
        "console."
    )
    oauth: dict[str, OAuthConfig] = Field(
        default_factory=dict, description="Apps of yours, for accounts that admins connect in the browser."
    )

    retention: RetentionConfig = Field(
        default=RetentionConfig(), description="How long what is stored here is kept; 0s: for ever."
    )

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        cure = Said("write sqlite:///aurevoir.db or postgresql+psycopg://user:password@host/name")
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(cure) from None
        if url.drivername not in ("sqlite", "postgresql+psycopg"):
            raise ValueError(cure)
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError(Said("name a file: in memory, everything would be lost at the end"))
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret keys in clear, the one to use first. Never log it."""
        return tuple(key.get_secret_value() for key in self.secret_key)

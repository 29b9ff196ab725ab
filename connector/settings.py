"""The shape of config.yaml: each key with its reason, its default, an example, and what is right for it.

Descriptions and examples here are the source of config.example.yaml, of what ``aurevoir init`` writes, and of the JSON
Schema for editors. How the file is read, and how faults are told, is in :mod:`connector.config`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from adapters.port import FieldMap
from workflows.dates import calendar
from workflows.texts import ONLY_IF_NAMES, check_expression

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d+)([smhdw])")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_GUESSABLE = re.compile(r"change.?me|secret.?key|password|passwort|example|default|insecure|12345678", re.IGNORECASE)
STRONG = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


def near(seen: str, known: Sequence[str]) -> str:
    """``did you mean …? `` when something known looks like ``seen``, else nothing. Case does not count."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(seen.casefold(), by_folded, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(by_folded[name] for name in found)}? " if found else ""


# --- kinds of values ------------------------------------------------------------------------------------------------


def parse_duration(value: object) -> timedelta:
    """``0s``, ``5m``, ``24h``, ``3d``, ``2w``, also put together (``1h30m``). Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    text = str(value).replace(" ", "")
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text) or len(text) > 20:
        raise ValueError("write a number and a unit: s, m, h, d or w, such as 5m, 24h or 3d")
    found: dict[str, int] = {}
    for number, unit in _DURATION.findall(text):
        found[_UNITS[unit]] = found.get(_UNITS[unit], 0) + int(number)
    length = timedelta(**found) if sum(found.values()) < 10**9 else timedelta.max
    if length > timedelta(days=3660):
        raise ValueError("write at most ten years")
    return length


def format_duration(length: timedelta) -> str:
    """The shortest spelling that :func:`parse_duration` reads back as the same."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0 and not (unit == "d" and seconds == size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _listed(value: object) -> object:
    """One name stands for a list of one."""
    return [value] if isinstance(value, str | int) else value


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        cure = near(name, sorted(available_timezones()))
        raise ValueError(f"unknown time zone; {cure}Write one of the tz database, such as Europe/Paris") from None
    return name


def _calendar(code: str) -> str:
    calendar(code)
    return code


def _language(code: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(code.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        raise ValueError("unknown language; write its ISO code, such as en, fr or pt-BR") from None
    return str(locale).replace("_", "-")


def _mail(address: str) -> str:
    if not _MAIL.fullmatch(address.strip()):
        raise ValueError("write the e-mail address of a CRM user")
    return address.strip()


def _figure(text: str) -> str:
    if not re.fullmatch(r"(company|deal)\.\w+", text):
        raise ValueError("write company.<field> or deal.<field>, with the CRM's own name of the field")
    return text


def _account_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError("write a short name of a-z, 0-9, - and _")
    return name


def _condition(text: str) -> str:
    problem = check_expression(text, ONLY_IF_NAMES)
    if problem is not None:
        raise ValueError(f"this condition cannot be used: {problem}")
    return text


def _positive(length: timedelta) -> timedelta:
    if length < timedelta(seconds=1):
        raise ValueError("write at least 1s")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema({"type": "string", "pattern": r"^((\d+[smhdw])+|\$\{\w+\})$"}),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Mail = Annotated[str, AfterValidator(_mail)]


class ConfigModel(BaseModel):
    """Base of all parts of the configuration: frozen, unknown keys refused, numbers taken where a name is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


# --- one account ----------------------------------------------------------------------------------------------------


class WatchConfig(ConfigModel):
    """Which stages of a pipeline mean what."""

    pipeline: str | None = Field(
        default=None, description="Pipeline by name or id; leave it out to watch all deals.", examples=["Renewals"]
    )
    negotiating: Names = Field(
        default=(),
        description="Stages in which the renewal is still being talked about; nothing starts here.",
        examples=[["Negotiation"]],
    )
    not_renewing: Names = Field(
        min_length=1, description="Stages that say: it ended without a renewal.", examples=[["Not renewing"]]
    )
    renewed: Names = Field(
        default=(), description="Stages that say: renewed after all; an open case is cancelled.", examples=[["Renewed"]]
    )
    settle_for: Duration = Field(
        default=timedelta(hours=24), description="How long the stage must hold before a case opens (0s: at once)."
    )
    only_if: Annotated[str, AfterValidator(_condition)] | None = Field(
        default=None, description="Condition on the deal; others are left alone.", examples=["deal.amount > 0"]
    )

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        seen: dict[str, str] = {}
        for group in ("negotiating", "not_renewing", "renewed"):
            for stage in getattr(self, group):
                other = seen.setdefault(stage.casefold(), group)
                if other != group:
                    raise ValueError(f"the stage {stage!r} is in both {other} and {group}: leave it in one of them")
        return self


class FieldsConfig(ConfigModel):
    """Which of the CRM's own fields hold what."""

    contract_end: str | None = Field(
        default=None,
        description="Deal field with the end of the contract; by default the close date.",
        examples=["contract_end_date"],
    )
    exit_reason: str | None = Field(
        default=None,
        description="Deal field with the reason for leaving, as your team fills it.",
        examples=["exit_reason"],
    )
    language: str | None = Field(
        default=None,
        description="Contact field with the language, where you keep one of your own.",
        examples=["language"],
    )
    figures: tuple[Annotated[str, AfterValidator(_figure)], ...] = Field(
        default=(),
        description="Key figures for reports: company.<field> or deal.<field>.",
        examples=[["company.active_users", "deal.nps_start"]],
    )


Fallback = Literal["deal_owner", "company_owner", "manager"]


class PeopleConfig(ConfigModel):
    """Who may be chosen for what, by e-mail address in the CRM."""

    neutral_pool: tuple[Mail, ...] = Field(
        default=(),
        description="Who may hold exit conversations; the least loaded who was not involved is chosen.",
        examples=[["a@example.com", "b@example.com"]],
    )
    manager: Mail | None = Field(
        default=None,
        description="Whom to turn to when nobody else is left, and for escalations.",
        examples=["m@example.com"],
    )
    fallback: tuple[Fallback, ...] = Field(
        default=("deal_owner", "company_owner", "manager"),
        min_length=1,
        description="Who gets a task when its owner is missing or inactive: the first of these who is active.",
    )


class AccountConfig(ConfigModel):
    """One portal or organisation. The adapter's own keys (addresses, credentials) are in :attr:`vendor`."""

    crm: str = Field(description="Which CRM it is.")
    account_id: str = Field(
        min_length=1, description="Id of the account in its CRM; deliveries for others are not taken."
    )
    company: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description="Your company's name as customers know it, shown at the top of survey pages.",
        examples=["Northwind"],
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC",
        description="Due times are meant here, unless the task's owner has a zone.",
        examples=["Europe/Paris"],
    )
    language: Annotated[str, AfterValidator(_language)] = Field(
        default="en", description="Language of tasks and pages; a contact's own language wins.", examples=["fr"]
    )
    calendar: Annotated[str, AfterValidator(_calendar)] = Field(
        description="Business days and public holidays: a country, or country and region such as DE-BY.",
        examples=["FR"],
    )
    watch: tuple[WatchConfig, ...] = Field(min_length=1, description="Which deals matter, and what their stages mean.")
    fields: FieldsConfig = Field(default=FieldsConfig(), description="Fields of yours that are read; never written.")
    people: PeopleConfig = Field(default=PeopleConfig(), description="People, by the e-mail address of their CRM user.")
    playbook: str = Field(default="saas", description="Which playbook: a shipped one, or one in playbooks_dir.")
    poll_every: Annotated[Duration, AfterValidator(_positive)] = Field(
        default=timedelta(minutes=5), description="How often to ask for changed deals, beside webhooks."
    )
    ask_reason: bool | None = Field(
        default=None,
        description="Ask for a missing reason before the plan starts; by default where fields.exit_reason is set.",
        examples=[True],
    )
    reason_wait: Duration = Field(
        default=timedelta(days=5), description="How long a missing reason holds the plan back (0s: not at all)."
    )
    vendor: Any = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="after")
    def _reason_has_a_field(self) -> Self:
        if self.ask_reason and not self.fields.exit_reason:
            raise ValueError("ask_reason needs fields.exit_reason: name the deal field that holds the reason")
        return self

    @property
    def asks_reason(self) -> bool:
        """Whether a missing reason is asked for (P-04)."""
        return self.fields.exit_reason is not None and self.ask_reason is not False

    def field_map(self) -> FieldMap:
        """The mapped fields as adapters want them."""
        figures = tuple((kind, name) for kind, _, name in (figure.partition(".") for figure in self.fields.figures))
        return FieldMap(
            contract_end=self.fields.contract_end,
            exit_reason=self.fields.exit_reason,
            language=self.fields.language,
            figures=figures,
        )


# --- the whole ------------------------------------------------------------------------------------------------------


def split_listen(value: str) -> tuple[str, int]:
    """``host:port`` or ``[v6 address]:port`` taken apart. Raises ValueError."""
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("write host:port, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether this host name or address is this machine only."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
            raise ValueError("write a web address, such as https://goodbye.example.com") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("write a full web address, such as https://goodbye.example.com")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("write scheme, host and path only: no user, no ? and no #")
        if parts.scheme != "https" and not is_loopback(host):
            raise ValueError("use https: answers of customers and credentials pass here (http only on 127.0.0.1)")
        return value.strip().rstrip("/")

    @field_validator("trusted_proxy")
    @classmethod
    def _trusted_proxy(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("write the proxy's IP address, such as 127.0.0.1") from None
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


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if len(value) < 32:
        raise ValueError(f"has {len(value)} characters and needs at least 32; {STRONG}")
    if _GUESSABLE.search(value) or len(set(value)) < 8:
        raise ValueError(f"can be guessed; {STRONG}")
    return secret


class Settings(ConfigModel):
    """All of config.yaml, checked."""

    server: ServerConfig = Field(description="Where the connector listens.")
    database_url: str = Field(
        default="sqlite:///aurevoir.db",
        description="sqlite:///file (beside this file) or postgresql+psycopg://user:password@host/name.",
    )
    secret_key: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_strong)], ...],
        BeforeValidator(_listed),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = Field(
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
    accounts: dict[Annotated[str, AfterValidator(_account_name)], AccountConfig] = Field(
        min_length=1, description="The CRM accounts, each under a short name of yours (a-z, 0-9, - and _)."
    )
    oauth: dict[str, OAuthConfig] = Field(
        default_factory=dict, description="Apps of yours, for accounts that admins connect in the browser."
    )

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        cure = "write sqlite:///aurevoir.db or postgresql+psycopg://user:password@host/name"
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(cure) from None
        if url.drivername not in ("sqlite", "postgresql+psycopg"):
            raise ValueError(cure)
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("name a file: in memory, everything would be lost at the end")
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret keys in clear, the one to use first. Never log it."""
        return tuple(key.get_secret_value() for key in self.secret_key)

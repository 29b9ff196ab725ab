"""The part of an account's settings that is about surveys: rest, care after a low score, and a survey tool of its own.

Its keys stand below ``surveys:`` of an account in config.yaml; see :mod:`connector.account_settings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from standardwebhooks.webhooks import Webhook

from adapters.errors import Fault
from connector.values import Duration, is_loopback, near
from workflows.questions import Questionnaire
from workflows.rules import LinkKind
from workflows.said import Said
from workflows.texts import check_text, render

_EXAMPLE = "https://forms.example.com/to/abc123#case={{ case_key }}&lang={{ language }}"
LINK_NAMES = frozenset({"case_key", "language"})
Format = Literal["standard", "typeform", "formbricks"]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Secrets = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


class OwnToolConfig(_Part):
    """Another survey tool, whose answers come back to ``POST /feedback/<account>`` (P-38)."""

    link: str = Field(
        description="Address of the survey there; {{ case_key }} says whose answer it is, {{ language }} is optional.",
        examples=[_EXAMPLE],
    )
    secret: Secrets = Field(
        min_length=1,
        description="What the tool signs its deliveries with; in a list, any of them counts.",
        examples=["${SURVEY_TOOL_SECRET}"],
    )
    format: Format = Field(
        default="standard", description="How it writes and signs: standard (see the docs), typeform or formbricks."
    )
    case_field: str = Field(
        default="case", min_length=1, description="Hidden field of the tool that carries the case key."
    )
    questionnaires: tuple[str, ...] = Field(
        default=("exit",), min_length=1, description="Questionnaires that are asked there instead of on our pages."
    )
    questions: Mapping[str, str | None] = Field(
        default_factory=dict,
        description="Its questions to ours: reference there → key of ours, or null for one that is left aside.",
        examples=[{"nps_2026": "recommend", "why": "reason", "newsletter": None}],
    )
    choices: Mapping[str, Mapping[str, str]] = Field(
        default_factory=dict,
        description="Its choices to ours, by key of our question, where their words differ.",
        examples=[{"reason": {"Too expensive": "price"}}],
    )

    @field_validator("link")
    @classmethod
    def _link(cls, value: str) -> str:
        problem = check_text(value, LINK_NAMES)
        if problem is not None:
            raise ValueError(Said("this link cannot be used: %(problem)s", problem=problem))
        if "case_key" not in value:
            raise ValueError(Said("put {{ case_key }} into it: without it nobody can tell whose answer comes back"))
        try:
            parts = urlsplit(render(value, dict.fromkeys(LINK_NAMES, "x")))
            host = parts.hostname or ""
        except ValueError:
            raise ValueError(Said("write a full web address, such as https://forms.example.com/…")) from None
        if not host or parts.scheme not in ("http", "https") or any(one.isspace() for one in parts.geturl()):
            raise ValueError(Said("write a full web address, such as https://forms.example.com/…"))
        if parts.scheme != "https" and not is_loopback(host):
            raise ValueError(Said("use https: customers follow it (http only on 127.0.0.1)"))
        return value

    @model_validator(mode="after")
    def _secrets_fit(self) -> Self:
        for secret in self.secrets:
            if len(secret) < 8:
                raise ValueError(Said("the secret is too short to prove anything: use the one that the tool shows"))
            if self.format != "typeform":
                try:
                    Webhook(secret)
                except (ValueError, RuntimeError):
                    raise ValueError(Said("a secret of this format is base64, mostly with whsec_ before it")) from None
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets in clear. Never log them."""
        return tuple(one.get_secret_value() for one in self.secret)

    def address(self, case_key: str, language: str) -> str:
        """The survey's address for one person."""
        return render(self.link, {"case_key": case_key, "language": language})


class SurveysConfig(_Part):
    """What holds for all surveys of an account."""

    rest: Duration = Field(
        default=timedelta(days=90),
        description="Nobody is sent a survey for another case within this time of the last one (0s: no rest).",
    )
    low_score: int = Field(
        default=6, ge=0, le=9, description="A score of this or below calls for someone senior at once (0 to 10)."
    )
    own_tool: OwnToolConfig | None = Field(
        default=None,
        description="A survey tool of your own in place of our survey page; by default none.",
        examples=[{"link": _EXAMPLE, "secret": "${SURVEY_TOOL_SECRET}", "format": "typeform"}],
    )


def tool_faults(key: str, tool: OwnToolConfig | None, known: Mapping[str, Questionnaire]) -> Iterator[Fault]:
    """What is wrong with the questions and choices of ours to which ``tool`` (at ``key``) brings its answers."""
    if tool is None:
        return
    surveys = {name: one for name, one in known.items() if one.kind is LinkKind.SURVEY}
    for name in tool.questionnaires:
        if name not in surveys:
            yield Fault(f"{key}.questionnaires", name, _no_such(Said("survey"), name, surveys))
    asked = [surveys[name] for name in tool.questionnaires if name in surveys]
    ours = {question.key: question for one in asked for question in one.questions()}
    for reference, wanted in tool.questions.items() if asked else ():
        if wanted is not None and wanted not in ours:
            yield Fault(
                f"{key}.questions.{reference}",
                wanted,
                Said("%(cure)s, or null", cure=_no_such(Said("question"), wanted, ours)),
            )
    for wanted, choices in tool.choices.items() if asked else ():
        values = [option.value for option in ours[wanted].options] if wanted in ours else []
        if not values:
            offered = [name for name, question in ours.items() if question.options]
            yield Fault(f"{key}.choices", wanted, _no_such(Said("question with choices"), wanted, offered))
        for label, value in choices.items() if values else ():
            if value not in values:
                yield Fault(f"{key}.choices.{wanted}.{label}", value, _no_such(Said("choice"), value, values))


def _no_such(what: str, seen: str, known: Iterable[str]) -> str:
    return Said(
        "no such %(what)s; %(near)sknown are %(known)s", what=what, near=near(seen, list(known)), known=", ".join(known)
    )

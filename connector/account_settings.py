"""The shape of one account in config.yaml: each key with its reason, default and example, and what is right for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from adapters.services import FieldMap
from connector.field_settings import ConfigModel, FieldsConfig
from connector.survey_settings import SurveysConfig
from connector.values import (
    Calendar,
    Condition,
    Duration,
    Figure,
    Language,
    Mail,
    Names,
    PlaybookCondition,
    PositiveDuration,
    Reason,
    TimeZone,
)
from workflows.records import Role
from workflows.roles import USUAL_ROLES
from workflows.said import Said


class WatchConfig(ConfigModel):
    """Which stages of a pipeline mean what."""

    pipeline: str | None = Field(
        default=None, description="Pipeline by name or id; leave it out to watch all deals.", examples=["Renewals"]
    )
    negotiating: Names = Field(
        default=(),
        description="Stages in which the renewal is still being talked about: the save plan, if you name one.",
        examples=[["Negotiation"]],
    )
    not_renewing: Names = Field(
        description="Stages that say: it ended without a renewal ([] where only won deals matter).",
        examples=[["Not renewing"]],
    )
    renewed: Names = Field(
        default=(), description="Stages that say: renewed after all; an open case is cancelled.", examples=[["Renewed"]]
    )
    won: Names = Field(
        default=(),
        description="Stages that say: a new customer was won; for the baseline, as renewed ones are.",
        examples=[["Won"]],
    )
    settle_for: Duration = Field(
        default=timedelta(hours=24), description="How long the stage must hold before a case opens (0s: at once)."
    )
    only_if: Condition | None = Field(
        default=None, description="Condition on the deal; others are left alone.", examples=["deal.amount > 0"]
    )

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        seen: dict[str, str] = {}
        for group in ("negotiating", "not_renewing", "renewed", "won"):
            for stage in getattr(self, group):
                other = seen.setdefault(stage.casefold(), group)
                if other != group:
                    raise ValueError(
                        Said(
                            "the stage %(stage)s is in both %(other)s and %(group)s: leave it in one of them",
                            stage=repr(stage),
                            other=other,
                            group=group,
                        )
                    )
        return self


Fallback = Literal["deal_owner", "company_owner", "manager"]


class AbsenceConfig(ConfigModel):
    """Someone is away: their tasks go to a stand-in, or to the next in line."""

    who: Mail = Field(description="Who is away.", examples=["a@example.com"])
    first: date = Field(alias="from", description="The first day.", examples=["2026-08-03"])
    last: date = Field(alias="until", description="The last day.", examples=["2026-08-21"])
    stand_in: Mail | None = Field(default=None, description="Who takes their tasks.", examples=["b@example.com"])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(
                Said("until (%(last)s) lies before from (%(first)s): swap them", last=self.last, first=self.first)
            )
        return self


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
    director: Mail | None = Field(
        default=None,
        description="Who speaks for the management; is invited to post-mortems.",
        examples=["d@example.com"],
    )
    fallback: tuple[Fallback, ...] = Field(
        default=("deal_owner", "company_owner", "manager"),
        min_length=1,
        description="Who gets a task when its owner is missing or inactive: the first of these who is active.",
    )
    absences: tuple[AbsenceConfig, ...] = Field(
        default=(),
        description="Who is away when, and who stands in; neither CRM tells it.",
        examples=[[{"who": "a@example.com", "from": "2026-08-03", "until": "2026-08-21", "stand_in": "b@example.com"}]],
    )
    languages: dict[Mail, tuple[Language, ...]] = Field(
        default={},
        description="Languages that people speak besides the one of their CRM user; neutral people are chosen by it.",
        examples=[{"a@example.com": ["fr", "en"]}],
    )
    roles: dict[str, Role] = Field(
        default={},
        description="What contacts' roles and labels mean (decider, user, influencer, counterpart, other), besides the "
        "usual ones.",
        examples=[{"Economic buyer": "decider", "Handover counterpart": "counterpart"}],
    )


class ExitRightsConfig(ConfigModel):
    """Periods of the exit-rights clock, as in the EU Data Act; whether a contract is in scope is for you to judge."""

    notice_months: int = Field(default=2, ge=0, le=24, description="Months of notice, from the day it was given.")
    switching_days: int = Field(default=30, ge=0, le=366, description="Days of help with switching, after the notice.")
    retrieval_days: int = Field(default=30, ge=0, le=366, description="Days to retrieve data, after that.")
    no_charges_from: date = Field(default=date(2027, 1, 12), description="From this day on, switching costs nothing.")
    in_scope: bool = Field(default=True, description="What holds for a contract whose deal does not say it itself.")


class DoorConfig(ConfigModel):
    """What follows once a customer has left: when to ask again, by the reason why they left (P-53, P-56)."""

    after: Mapping[Reason, Duration] = Field(
        default_factory=dict,
        description="How long after the end to ask whether the reason still holds, by reason; 0s: never.",
        examples=[{"new_leadership": "365d", "price": "0s"}],
    )
    after_others: Duration = Field(
        default=timedelta(days=180), description="The same for all other reasons; a gap and our own decision aside."
    )
    budget_year: str = Field(
        default="01-01",
        pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
        description="Month and day on which most customers' budget year begins: then a cut budget is asked about.",
    )
    movers: bool = Field(
        default=True, description="Compare once a month where contacts of former customers work now; a call for 500."
    )


class DepartmentsConfig(ConfigModel):
    """Whom the words of leavers concern, by e-mail address in the CRM; people.manager stands in for the others."""

    product: Mail | None = Field(
        default=None, description="Remarks on the product, and what was missing.", examples=["p@example.com"]
    )
    sales: Mail | None = Field(default=None, description="Prices, suppliers, expectations.", examples=["s@example.com"])
    finance: Mail | None = Field(default=None, description="Prices and budgets.", examples=["f@example.com"])
    operations: Mail | None = Field(
        default=None, description="Ways of working, and how the leaving went.", examples=["o@example.com"]
    )
    success: Mail | None = Field(
        default=None, description="The team, training, goals, all the rest.", examples=["c@example.com"]
    )

    def named(self) -> dict[str, str]:
        """The address of each department that has one."""
        return {name: mail for name, mail in self if mail is not None}


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class DigestConfig(ConfigModel):
    """When departments get a task with what leavers said."""

    every: Literal["weekly", "monthly", "off"] = Field(default="weekly", description="How often; or off.")
    day: Weekday = Field(default="monday", description="On which day; of a month, on the first such day.")


class SignsConfig(ConfigModel):
    """When a change of a key figure is a sign."""

    falls_by: int = Field(
        default=20, ge=1, le=100, description="Percent of its best value, or of the scale of a score, that it falls by."
    )
    rises_by: int = Field(
        default=50, ge=1, le=10_000, description="Percent that a figure rises by of which less is better."
    )
    rising_is_bad: tuple[Figure, ...] = Field(
        default=(),
        description="Figures of which less is better; tickets, incidents and the like are known by their names.",
        examples=[["company.days_since_login"]],
    )


class EarlySignsConfig(ConfigModel):
    """Watch the key figures of customers each day, and tell their owner of a sign while it can still help."""

    figures: tuple[Figure, ...] = Field(
        default=(), description="Which of fields.figures; by default all.", examples=[["company.active_users"]]
    )
    stalling: tuple[Figure, ...] = Field(
        default=(),
        description="Figures that should move, such as use cases live: standing still is a sign too.",
        examples=[["company.use_cases_live"]],
    )
    falls_by: int = Field(default=30, ge=1, le=100, description="As in signs; here for a task.")
    rises_by: int = Field(default=100, ge=1, le=10_000, description="As in signs; here for a task.")
    within: PositiveDuration = Field(default=timedelta(days=90), description="In how long a time it fell or rose.")
    stalls_after: PositiveDuration = Field(default=timedelta(days=90), description="After how long it stands still.")
    customers_for: PositiveDuration = Field(
        default=timedelta(days=400), description="Watch deals that were won or renewed no longer ago than this."
    )
    again_after: PositiveDuration = Field(
        default=timedelta(days=90), description="Tell the same sign of the same customer again after this."
    )


class PlaybookChoice(ConfigModel):
    """Which endings follow a playbook of their own."""

    when: PlaybookCondition = Field(
        description="Condition on deal and case, looked at when the plan starts.",
        examples=['deal.exit_reason == "Our decision"'],
    )
    playbook: str = Field(description="The playbook that is followed then.", examples=["vendor-ended"])


class AccountConfig(ConfigModel):
    """One account of a CRM. The adapter's own keys (addresses, credentials) are in :attr:`vendor`."""

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
    time_zone: TimeZone = Field(
        default="UTC",
        description="Due times are meant here, unless the task's owner has a zone.",
        examples=["Europe/Paris"],
    )
    language: Language = Field(
        default="en", description="Language of tasks and pages; a contact's own language wins.", examples=["en"]
    )
    calendar: Calendar = Field(
        description="Business days and public holidays: a country, or country and region such as DE-BY.",
        examples=["FR"],
    )
    watch: tuple[WatchConfig, ...] = Field(
        description="Which deals matter, and what their stages mean ([] until they are chosen in the console)."
    )
    fields: FieldsConfig = Field(default=FieldsConfig(), description="Fields of yours that are read; never written.")
    people: PeopleConfig = Field(default=PeopleConfig(), description="People, by the e-mail address of their CRM user.")
    playbook: str = Field(default="saas", description="Which playbook: a shipped one, or one in playbooks_dir.")
    playbooks: tuple[PlaybookChoice, ...] = Field(
        default=(),
        description="Endings with a playbook of their own: the first whose condition holds, else the one above.",
        examples=[
            [
                {"when": 'deal.exit_reason == "Our decision"', "playbook": "vendor-ended"},
                {"when": "case.save_steps_done or case.days_negotiated >= 30", "playbook": "light"},
            ]
        ],
    )
    save_playbook: str | None = Field(
        default=None,
        description="Playbook for renewals under negotiation; by default nothing starts there.",
        examples=["save-plan"],
    )
    baseline_playbook: str | None = Field(
        default=None,
        description="Playbook for deals won or renewed from now on; by default nothing starts there.",
        examples=["baseline"],
    )
    surveys: SurveysConfig = Field(
        default=SurveysConfig(), description="Rest between surveys, care after a low score, and a survey tool of yours."
    )
    poll_every: PositiveDuration = Field(
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
    tell_troubles: bool = Field(
        default=True,
        description="Give people.manager, or who stands in, a task when something cannot be written; it closes itself.",
    )
    weekly_note: bool = Field(
        default=False,
        description="Give them a short task each Monday too: what was done in the week before, as a sign of life.",
    )
    exit_rights: ExitRightsConfig | None = Field(
        default=None,
        description="Keep the days of a right to switch supplier (true, or periods of your own); by default not.",
        examples=[True],
    )
    door: DoorConfig = Field(
        default=DoorConfig(), description="When to ask former customers again, and what to notice of them."
    )
    departments: DepartmentsConfig = Field(
        default=DepartmentsConfig(), description="Who is told what leavers said, by department; with one named, weekly."
    )
    digest: DigestConfig | None = Field(
        default=None,
        description="When they are told; without departments named, all goes to people.manager.",
        examples=[{"every": "weekly", "day": "monday"}],
    )
    look_back: Duration = Field(
        default=timedelta(days=365),
        description="How far a plan looks back for signs in fields.figures, noted on the deal (0s: not at all).",
    )
    signs: SignsConfig = Field(default=SignsConfig(), description="When a change of a key figure is a sign.")
    early_signs: EarlySignsConfig | None = Field(
        default=None,
        description="Watch the figures of customers too ({} for the defaults); by default not.",
        examples=[{"falls_by": 30, "within": "90d"}],
    )
    vendor: Any = Field(default=None, exclude=True, repr=False)

    @field_validator("exit_rights", mode="before")
    @classmethod
    def _exit_rights(cls, value: object) -> object:
        if isinstance(value, str) and value.lower() in ("true", "false"):  # as the file has it
            value = value.lower() == "true"
        return ({} if value else None) if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _reason_has_a_field(self) -> Self:
        if self.ask_reason and not self.fields.exit_reason:
            raise ValueError(Said("ask_reason needs fields.exit_reason: name the deal field that holds the reason"))
        return self

    @model_validator(mode="after")
    def _stages_for_each_playbook(self) -> Self:
        wins = [number for number, watch in enumerate(self.watch) if watch.won]
        if wins and self.baseline_playbook is None and self.early_signs is None:
            raise ValueError(
                Said(
                    "watch[%(number)s].won needs baseline_playbook: name one (`baseline` ships), or drop won",
                    number=wins[0],
                )
            )
        if self.baseline_playbook is not None and not any(watch.won or watch.renewed for watch in self.watch):
            raise ValueError(Said("baseline_playbook needs stages: name them in watch[].won or watch[].renewed"))
        if self.save_playbook is not None and not any(watch.negotiating for watch in self.watch):
            raise ValueError(Said("save_playbook needs stages: name them in watch[].negotiating"))
        return self

    @model_validator(mode="after")
    def _digests_have_readers(self) -> Self:
        named = self.departments.named()
        off = self.digest.every == "off" if self.digest is not None else not named
        if not off and self.people.manager is None and len(named) < len(DepartmentsConfig.model_fields):
            raise ValueError(
                Said("digests need someone to read them: name people.manager, or every one of departments")
            )
        return self

    @model_validator(mode="after")
    def _early_signs_have_figures(self) -> Self:
        early = self.early_signs
        if early is None:
            return self
        if not self.fields.figures:
            raise ValueError(Said("early_signs needs fields.figures: name the key figures to watch"))
        other = [one for one in (*early.figures, *early.stalling) if one not in self.fields.figures]
        if other:
            raise ValueError(
                Said("early_signs names %(other)s, which is not in fields.figures: add it there", other=other[0])
            )
        if not any(watch.won or watch.renewed for watch in self.watch):
            raise ValueError(
                Said("early_signs needs stages: name those of customers in watch[].won or watch[].renewed")
            )
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
            exit_rights=self.fields.exit_rights,
            language=self.fields.language,
            figures=figures,
            roles={**USUAL_ROLES, **{name.strip().casefold(): role for name, role in self.people.roles.items()}},
        )

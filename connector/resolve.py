"""From the names that admins write to the ids that the CRM uses."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar, get_args

from adapters.errors import ConfigError, Fault
from adapters.results import Finding, Level, Said
from connector.account_settings import AccountConfig, WatchConfig, Weekday
from connector.values import near
from workflows.records import Pipeline, Stage, User
from workflows.rules import (
    Absence,
    AccountRules,
    Department,
    DigestRule,
    DoorRules,
    EarlyRule,
    ExitRights,
    PeopleRule,
    PlaybookRule,
    SignRule,
    WatchRule,
)

Named = TypeVar("Named", Pipeline, Stage)
_WEEKDAYS = get_args(Weekday)


def resolve_rules(
    name: str, config: AccountConfig, pipelines: Sequence[Pipeline], users: Sequence[User], starts_at: datetime | None
) -> AccountRules:
    """The account's rules with ids for names. A user who is inactive is no fault here: see :func:`doubtful_people`.

    Raises :class:`~adapters.errors.ConfigError` with every name that does not exist, and those that do.
    """
    faults: list[Fault] = []
    watch = tuple(
        rule
        for number, one in enumerate(config.watch)
        if (rule := _watch_rule(f"accounts.{name}.watch[{number}]", one, pipelines, faults)) is not None
    )
    people = _people(name, config, users, faults)
    digest = _digest(name, config, users, faults)
    if faults:
        raise ConfigError(faults)
    return AccountRules(
        account=name,
        time_zone=config.time_zone,
        language=config.language,
        calendar=config.calendar,
        watch=watch,
        people=people,
        playbook=config.playbook,
        playbooks=tuple(PlaybookRule(when=one.when, playbook=one.playbook) for one in config.playbooks),
        save_playbook=config.save_playbook,
        baseline_playbook=config.baseline_playbook,
        asks_reason=config.asks_reason,
        reason_wait=config.reason_wait,
        starts_at=starts_at,
        low_score=config.surveys.low_score,
        our_name=config.company or "",
        exit_rights=exit_clock(config),
        door=_door(config),
        figures=tuple(dict.fromkeys(config.fields.figures)),
        figure_names=config.fields.figure_names,
        look_back=config.look_back,
        signs=SignRule(**dict(config.signs) | {"rising_is_bad": frozenset(config.signs.rising_is_bad)}),
        digest=digest,
        early=_early(config),
    )


def exit_clock(config: AccountConfig) -> ExitRights | None:
    """The exit-rights clock: as set, or only for deals that say so themselves; None where there is neither (P-2B)."""
    if config.exit_rights is None:
        return ExitRights(in_scope=False) if config.fields.exit_rights is not None else None
    return ExitRights(**config.exit_rights.model_dump())


def _door(config: AccountConfig) -> DoorRules:
    month, _, day = config.door.budget_year.partition("-")
    return DoorRules(
        after={reason: span.days or None for reason, span in config.door.after.items()},
        after_others=config.door.after_others.days or None,
        budget_year=(int(month), int(day)),
    )


def doubtful_people(name: str, config: AccountConfig, users: Sequence[User]) -> list[Finding]:
    """Findings on people who are named in the settings and can get no tasks now, and on who stands in for owners."""
    by_mail = {user.email.casefold(): user for user in users}
    named = [*config.people.neutral_pool, *([config.people.manager] if config.people.manager else [])]
    named += [config.people.director] if config.people.director else []
    named += [one.stand_in for one in config.people.absences if one.stand_in]
    found = [] if has_last_resort(config, users) else [_nobody_stands_in(name)]
    return found + [
        Finding(
            subject=f"accounts.{name}.people",
            level=Level.WARNING,
            text=Said("%(mail)s is not active in the CRM: tasks go to the next in line.", mail=mail),
            remedy=Said("Activate the user there, or take the address out of the settings."),
        )
        for mail in named
        if (user := by_mail.get(mail.casefold())) is not None and not user.active
    ]


def has_last_resort(config: AccountConfig, users: Sequence[User]) -> bool:
    """Whether anybody active is named to whom tasks go that would have no owner else (P-14)."""
    active = {user.email.casefold() for user in users if user.active and user.email}
    return any(mail.casefold() in active for mail in (*config.people.neutral_pool, config.people.manager) if mail)


def _nobody_stands_in(name: str) -> Finding:
    return Finding(
        subject=f"accounts.{name}.people",
        level=Level.WARNING,
        text=Said(
            "nobody active is named to stand in: where a deal and its company have no active owner, the goodbye "
            "would wait without a single task."
        ),
        remedy=Said("Set people.manager to an active user."),
    )


def _watch_rule(key: str, config: WatchConfig, pipelines: Sequence[Pipeline], faults: list[Fault]) -> WatchRule | None:
    chosen: Sequence[Pipeline] = pipelines
    pipeline: Pipeline | None = None
    if config.pipeline is not None:
        found = named(config.pipeline, pipelines)
        if len(found) != 1:
            faults.append(
                Fault(f"{key}.pipeline", config.pipeline, _choose("pipeline", config.pipeline, found, pipelines))
            )
            return None
        pipeline = found[0]
        chosen = found

    def stages(group: str) -> frozenset[str]:
        return frozenset(
            one
            for number, seen in enumerate(getattr(config, group))
            for one in _stage_ids(f"{key}.{group}[{number}]", seen, chosen, faults)
        )

    groups = {group: stages(group) for group in ("negotiating", "not_renewing", "renewed", "won")}
    _refuse_overlap(key, groups, faults)
    return WatchRule(
        pipeline_id=pipeline.id if pipeline else None,
        negotiating=groups["negotiating"],
        not_renewing=groups["not_renewing"],
        renewed=groups["renewed"],
        won=groups["won"],
        settle_for=config.settle_for,
        only_if=config.only_if,
    )


def _stage_ids(key: str, seen: str, pipelines: Sequence[Pipeline], faults: list[Fault]) -> list[str]:
    """Ids of the stages that ``seen`` names: one in each pipeline that has it."""
    ids: list[str] = []
    for pipeline in pipelines:
        found = named(seen, pipeline.stages)
        if len(found) > 1:
            faults.append(Fault(key, seen, _choose("stage", seen, found, pipeline.stages)))
        ids += [stage.id for stage in found]
    if not ids:
        known = {stage.id: stage for pipeline in pipelines for stage in pipeline.stages}
        faults.append(Fault(key, seen, _choose("stage", seen, [], list(known.values()))))
    return ids


def _refuse_overlap(key: str, groups: dict[str, frozenset[str]], faults: list[Fault]) -> None:
    names = list(groups)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            for stage in sorted(groups[one] & groups[other]):
                faults.append(
                    Fault(
                        f"{key}.{other}", stage, Said("the same stage is in %(one)s: leave it in one of them", one=one)
                    )
                )


def _people(name: str, config: AccountConfig, users: Sequence[User], faults: list[Fault]) -> PeopleRule:
    by_mail = {user.email.casefold(): user.id for user in sorted(users, key=lambda user: user.active) if user.email}

    def user_id(key: str, mail: str) -> str:
        found = by_mail.get(mail.casefold())
        if found is None:
            active = sorted(user.email for user in users if user.active and user.email)
            cure = Said(
                "no user has this address. %(near)sActive users: %(names)s",
                near=near(mail, active, begins=True),
                names=_some(active),
            )
            faults.append(Fault(f"accounts.{name}.people.{key}", mail, cure))
        return found or ""

    pool = tuple(user_id(f"neutral_pool[{number}]", mail) for number, mail in enumerate(config.people.neutral_pool))
    manager = user_id("manager", config.people.manager) if config.people.manager else None
    director = user_id("director", config.people.director) if config.people.director else None
    absences = tuple(
        Absence(
            user_id=user_id(f"absences[{number}].who", one.who),
            first=one.first,
            last=one.last,
            stand_in=user_id(f"absences[{number}].stand_in", one.stand_in) if one.stand_in else None,
        )
        for number, one in enumerate(config.people.absences)
    )
    spoken = {user_id("languages", mail): tongues for mail, tongues in config.people.languages.items()}
    return PeopleRule(
        neutral_pool=tuple(dict.fromkeys(pool)),
        manager=manager,
        director=director,
        fallback=config.people.fallback,
        absences=absences,
        languages=spoken,
    )


def digest_times(config: AccountConfig) -> DigestRule | None:
    """When departments are told what leavers said (P-40), without who they are; None: the settings ask for nothing."""
    said = config.digest
    if said is None:
        return DigestRule() if config.departments.named() else None
    return DigestRule(every=said.every, weekday=_WEEKDAYS.index(said.day)) if said.every != "off" else None


def _digest(name: str, config: AccountConfig, users: Sequence[User], faults: list[Fault]) -> DigestRule | None:
    times, mails = digest_times(config), config.departments.named()
    if times is None:
        return None
    by_mail = {user.email.casefold(): user.id for user in sorted(users, key=lambda user: user.active) if user.email}
    for department, mail in mails.items():
        if mail.casefold() not in by_mail:
            active = sorted(user.email for user in users if user.active and user.email)
            cure = Said(
                "no user has this address. %(near)sActive users: %(names)s",
                near=near(mail, active, begins=True),
                names=_some(active),
            )
            faults.append(Fault(f"accounts.{name}.departments.{department}", mail, cure))
    owners = {Department(one): by_mail[mail.casefold()] for one, mail in mails.items() if mail.casefold() in by_mail}
    return times.model_copy(update={"owners": owners})


def _early(config: AccountConfig) -> EarlyRule | None:
    """What is watched of customers while they are customers (P-62)."""
    early = config.early_signs
    if early is None:
        return None
    return EarlyRule(
        figures=early.figures or tuple(dict.fromkeys(config.fields.figures)),
        stalling=early.stalling,
        signs=SignRule(
            falls_by=early.falls_by,
            rises_by=early.rises_by,
            rising_is_bad=frozenset(config.signs.rising_is_bad),
            stalls_after=early.stalls_after,
        ),
        within=early.within,
        customers_for=early.customers_for,
        again_after=early.again_after,
    )


def named(seen: str, known: Sequence[Named]) -> list[Named]:
    """Those with this id; else those with this label. Case, spacing and kind of accent encoding do not count."""
    exact = [one for one in known if one.id == seen]
    return exact or [one for one in known if _plain(seen) in (_plain(one.id), _plain(one.label))]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _choose(what: str, seen: str, found: Sequence[Named], known: Sequence[Named]) -> str:
    """The cure for a name that fits none of ``known``, or several."""
    if found:
        ids = _some([one.id for one in found])
        if what == "pipeline":
            return Said("%(count)d pipelines are called that: write the id, one of %(ids)s", count=len(found), ids=ids)
        return Said("%(count)d stages are called that: write the id, one of %(ids)s", count=len(found), ids=ids)
    labels = list(dict.fromkeys(one.label for one in known))
    listed = [one.label if one.id == one.label else f"{one.label} ({one.id})" for one in known]
    hint, names = near(seen, labels, begins=True), _some(listed)
    if what == "pipeline":
        return Said("there is no such pipeline. %(near)sThere are: %(names)s", near=hint, names=names)
    return Said("there is no such stage. %(near)sThere are: %(names)s", near=hint, names=names)


def _some(names: Sequence[str], most: int = 30) -> str:
    if not names:
        return Said("none")
    if len(names) > most:
        return Said("%(names)s and %(count)d more", names=", ".join(names[:most]), count=len(names) - most)
    return ", ".join(names)

"""Whom the words of leavers concern, and what each department is told of them, every week or month (P-40).

A remark goes to the department that its question names, a reason to those that it concerns. One task a department and
period, on the newest deal in it, with a link to each deal; nothing where nobody said anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from workflows.figure_tables import reason_words
from workflows.figures import FEW
from workflows.questions import Answer, Question, Questionnaire, QuestionType
from workflows.rules import Department, DigestRule, LinkKind, Texts
from workflows.survey import wording
from workflows.texts import shorten

MOST_WORDS = 280
"""Characters of one remark; the whole is in the note on its deal."""
MOST_REMARKS = 30
_LANGUAGES = ("en", "fr")

CONCERNS: Mapping[str, tuple[Department, ...]] = {
    "in_house": (Department.PRODUCT, Department.SALES),
    "other_supplier": (Department.SALES, Department.PRODUCT),
    "results": (Department.SUCCESS, Department.OPERATIONS),
    "relationship": (Department.OPERATIONS, Department.SUCCESS),
    "product_gap": (Department.PRODUCT,),
    "price": (Department.SALES, Department.FINANCE),
    "budget": (Department.SALES, Department.FINANCE),
    "new_leadership": (Department.SALES, Department.SUCCESS),
    "merger_closure": (Department.FINANCE,),
    "not_needed": (Department.PRODUCT, Department.SALES),
    "our_decision": (Department.OPERATIONS,),
    "other": (Department.SUCCESS,),
}
"""Whom each reason concerns (P-34, P-40)."""
_REASON_FIELDS = frozenset({"exit_reason", "exit_reason_second", "exit_reason_interview"})
_BY_WORDS = {
    "product": Department.PRODUCT,
    "missing": Department.PRODUCT,
    "quality": Department.PRODUCT,
    "technical": Department.PRODUCT,
    "daily": Department.PRODUCT,
    "price": Department.FINANCE,
    "value": Department.FINANCE,
    "deciding": Department.SALES,
    "why-us": Department.SALES,
    "expertise": Department.SUCCESS,
    "account-manager": Department.SUCCESS,
    "training": Department.SUCCESS,
    "knowledge": Department.SUCCESS,
    "goals": Department.SUCCESS,
    "benefit": Department.SUCCESS,
    "start": Department.OPERATIONS,
    "others": Department.OPERATIONS,
    "ease": Department.OPERATIONS,
    "leaving": Department.OPERATIONS,
    "hardest": Department.OPERATIONS,
    "fair": Department.OPERATIONS,
    "notice": Department.OPERATIONS,
    "open": Department.OPERATIONS,
    "meetings": Department.OPERATIONS,
    "communication": Department.OPERATIONS,
}

_WORDS: Mapping[str, Texts] = {
    "product": {"en": "product", "fr": "le produit"},
    "sales": {"en": "sales", "fr": "les ventes"},
    "finance": {"en": "finance", "fr": "la finance"},
    "operations": {"en": "operations", "fr": "les opérations"},
    "success": {"en": "customer success", "fr": "le suivi client"},
    "title": {
        "en": "What leavers told us, for {department}: {answers} answers",
        "fr": "Ce que disent les clients qui partent, pour {department} : {answers} réponses",
    },
    "title.one": {
        "en": "What leavers told us, for {department}: one answer",
        "fr": "Ce que disent les clients qui partent, pour {department} : une réponse",
    },
    "intro": {
        "en": "What came in since {since} and concerns {department}. Read it, choose one thing to change, and tell the "
        "account's owner: people who left like to hear that it was heard.",
        "fr": "Ce qui est arrivé depuis le {since} et concerne : {department}. À lire, pour choisir une chose à "
        "changer et le dire au responsable du compte : qui est parti aime savoir qu’on l’a entendu.",
    },
    "title.learned": {
        "en": "What we learned from those who left, for {department}",
        "fr": "Ce que nous apprennent les clients partis, pour {department}",
    },
    "lessons": {"en": "From our own post-mortems", "fr": "De nos bilans internes"},
    "reasons": {"en": "Reasons that concern you", "fr": "Motifs qui vous concernent"},
    "scores": {"en": "Ratings", "fr": "Notes"},
    "remarks": {"en": "In their words", "fr": "Avec leurs mots"},
    "reason": {"en": "- {reason}: {count}", "fr": "- {reason} : {count}"},
    "reason.percent": {"en": "- {reason}: {count} ({percent} %)", "fr": "- {reason} : {count} ({percent} %)"},
    "ratings": {"en": "- {question} {values}", "fr": "- {question} {values}"},
    "ratings.few": {"en": "{values} (of {high})", "fr": "{values} (sur {high})"},
    "ratings.many": {
        "en": "{average} of {high} on average, {count} answers",
        "fr": "{average} sur {high} en moyenne, {count} réponses",
    },
    "remark": {"en": "  - {company}: “{text}”", "fr": "  - {company} : « {text} »"},
    "interviewer": {"en": "{company} (in the exit conversation)", "fr": "{company} (lors de l’entretien)"},
    "more": {
        "en": "And {count} more remarks: they are in the notes on the deals.",
        "fr": "Et {count} autres remarques : elles figurent dans les notes des transactions.",
    },
    "deals": {"en": "The deals", "fr": "Les transactions"},
    "deal": {"en": "- {company}{link}", "fr": "- {company}{link}"},
    "why": {
        "en": "{name} gets this for {department}, as the settings say.",
        "fr": "{name} reçoit ce point pour : {department}, selon les réglages.",
    },
}


@dataclass(frozen=True)
class Said:
    """One answer of a customer, or of who spoke with them, and the deal that it belongs to."""

    answer: Answer
    questionnaire: Questionnaire
    deal_id: str
    deal_name: str
    url: str | None


@dataclass(frozen=True)
class Digest:
    """What one department is told. ``deal_id`` is the newest deal in it."""

    department: Department
    title: str
    body: str
    deal_id: str


@dataclass(frozen=True)
class _Item:
    said: Said
    question: Question
    value: int | str


def departments_of(question: Question, value: object) -> tuple[Department, ...]:
    """Whom an answer to this question concerns."""
    if question.field in _REASON_FIELDS:
        category = next((one.category or one.value for one in question.options if one.value == value), str(value))
        return CONCERNS.get(category, (Department.SUCCESS,))
    if question.department is not None:
        return (question.department,)
    return (next((one for word, one in _BY_WORDS.items() if question.key.startswith(word)), Department.SUCCESS),)


def digests(said: Sequence[Said], since: date, language: str) -> list[Digest]:
    """What each department is told of these answers; departments that nothing concerns are left out."""
    found: dict[Department, list[_Item]] = {}
    for one in sorted(said, key=lambda each: each.answer.at):
        for question in one.questionnaire.questions():
            value = one.answer.values.get(question.key)
            for each in value if isinstance(value, tuple) else () if value in (None, "") else (value,):
                for department in departments_of(question, each) if _is_told(one.questionnaire, question) else ():
                    found.setdefault(department, []).append(_Item(one, question, each))
    made = (_digest(department, found.get(department, []), since, language) for department in Department)
    return [one for one in made if one is not None]


def _is_told(questionnaire: Questionnaire, question: Question) -> bool:
    """Of our own people's answers, departments are told what a question asks for them by name (P-43)."""
    return questionnaire.kind is not LinkKind.TEAM or question.department is not None


def _digest(department: Department, given: Sequence[_Item], since: date, language: str) -> Digest | None:
    from workflows.texts import date_words

    items = [item for item in given if item.said.questionnaire.kind is not LinkKind.TEAM]
    learned = [item for item in given if item.said.questionnaire.kind is LinkKind.TEAM and _is_remark(item)]
    reasons, ratings, remarks = _reasons(items, language), _ratings(items, language), _remarks(items, language)
    lessons = _remarks(learned, language)
    if not reasons and not ratings and not remarks and not lessons:
        return None
    told = [item for item in items if item.question.field in _REASON_FIELDS or _is_rating(item) or _is_remark(item)]
    answers = len({id(item.said) for item in told})
    name = say(department, language)
    body = [say("intro", language, since=date_words(since, language), department=name)]
    parts = (("lessons", lessons), ("reasons", reasons), ("scores", ratings), ("remarks", remarks))
    for heading, lines in parts:
        if lines:
            body += ["", say(heading, language), *lines]
    body += ["", say("deals", language), *_deals([*told, *learned], language)]
    title = {0: "title.learned", 1: "title.one"}.get(answers, "title")
    newest = max([*told, *learned], key=lambda item: item.said.answer.at)
    return Digest(
        department, say(title, language, department=name, answers=answers), "\n".join(body), newest.said.deal_id
    )


def _reasons(items: Iterable[_Item], language: str) -> list[str]:
    named: Counter[str] = Counter()
    for item in items:
        if item.question.field in _REASON_FIELDS:
            options = {one.value: one for one in item.question.options}
            known = options.get(str(item.value))
            languages = item.said.questionnaire.languages
            named[wording(known.text, language, languages) if known else reason_words(str(item.value), language)] += 1
    total = sum(named.values())
    return [
        say("reason", language, reason=reason, count=count)
        if total < FEW
        else say("reason.percent", language, reason=reason, count=count, percent=round(100 * count / total))
        for reason, count in sorted(named.items(), key=lambda one: (-one[1], one[0]))
    ]


def _is_rating(item: _Item) -> bool:
    return item.question.type is QuestionType.SCALE and item.question.field in (None, "leaving_score")


def _is_remark(item: _Item) -> bool:
    return item.question.type is QuestionType.TEXT


def _ratings(items: Iterable[_Item], language: str) -> list[str]:
    given: dict[tuple[str, str], list[int]] = {}
    questions: dict[tuple[str, str], tuple[Question, Questionnaire]] = {}
    for item in items:
        if _is_rating(item) and isinstance(item.value, int):
            name = (item.said.questionnaire.key, item.question.key)
            given.setdefault(name, []).append(item.value)
            questions[name] = (item.question, item.said.questionnaire)
    return [
        say("ratings", language, question=_asked(*questions[name], language), values=_values(values, high, language))
        for name, values in given.items()
        if (high := questions[name][0].high)
    ]


def _values(values: Sequence[int], high: int, language: str) -> str:
    if len(values) < FEW:
        return say("ratings.few", language, values=", ".join(map(str, values)), high=high)
    average = f"{sum(values) / len(values):.1f}"
    shown = average.replace(".", ",") if language.startswith("fr") else average
    return say("ratings.many", language, average=shown, high=high, count=len(values))


def _remarks(items: Iterable[_Item], language: str) -> list[str]:
    told = [item for item in items if _is_remark(item)]
    by_question: dict[str, list[str]] = {}
    for item in told[-MOST_REMARKS:]:
        said, text = item.said, shorten(str(item.value), MOST_WORDS)
        company = said.deal_name or said.deal_id
        if said.answer.by == "csm":
            company = say("interviewer", language, company=company)
        line = say("remark", language, company=company, text=text)
        by_question.setdefault(_asked(item.question, said.questionnaire, language), []).append(line)
    lines = [line for question, each in by_question.items() for line in (f"- {question}", *each)]
    if len(told) > MOST_REMARKS:
        lines.append(say("more", language, count=len(told) - MOST_REMARKS))
    return lines


def _deals(items: Sequence[_Item], language: str) -> Iterator[str]:
    known = {item.said.deal_id: item.said for item in items}
    for said in known.values():
        yield say("deal", language, company=said.deal_name or said.deal_id, link=_link(said))


def _link(said: Said) -> str:
    return f" {said.url}" if said.url else ""


def _asked(question: Question, questionnaire: Questionnaire, language: str) -> str:
    return wording(question.text, language, questionnaire.languages)


# --- when -----------------------------------------------------------------------------------------------------------


def period(rule: DigestRule, today: date) -> str | None:
    """The name of the period whose digest is due: the newest whose day has come. None: no digests."""
    if rule.every == "weekly":
        day = today - timedelta(days=(today.weekday() - rule.weekday) % 7)
        return f"{day:%G}-W{day:%V}"
    if rule.every == "monthly":
        day = _first(today.replace(day=1), rule.weekday)
        if day > today:
            day = _first((today.replace(day=1) - timedelta(days=1)).replace(day=1), rule.weekday)
        return f"{day:%Y-%m}"
    return None


def _first(day: date, weekday: int) -> date:
    return day + timedelta(days=(weekday - day.weekday()) % 7)


def told_before(rule: DigestRule, now: datetime) -> datetime:
    """What the very first digest goes back to."""
    return now - timedelta(days=7 if rule.every == "weekly" else 31)


def say(key: str, language: str, **values: object) -> str:
    """One of our words for digests."""
    return wording(_WORDS[key], language, _LANGUAGES).format(**values)

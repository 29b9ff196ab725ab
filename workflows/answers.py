"""What people answered, taken into a case: notes and fields (P-37), scores (P-33, P-36), and what it ends (P-3A).

Who answered when, and with which score, is kept in :attr:`~workflows.cases.Case.written` under ``answered:<contact>``
and ``score:<contact>``, so that steps of one contact follow that contact's own answer. How the leaving went is kept
apart from it (P-35), under ``rated:``, ``leaving:`` and ``badly:<contact>``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from workflows.asking import author_id, feeds, is_about_leaving, is_farewell, is_own_view
from workflows.cases import Case, CaseStatus, Step, StepStatus
from workflows.channel import taken_by_phone
from workflows.draft import MAILED, SOMEONE_ERASED, Draft
from workflows.feedback import feedback_writes, given_score, is_about_the_relation, last_words, start_score
from workflows.heed import Heed
from workflows.questions import Answer, Questionnaire, QuestionType
from workflows.records import Contact, DealState, People
from workflows.rules import Anchor, CaseKind, LinkKind, StepRule, Texts
from workflows.said import Said
from workflows.sides import compare, late_mark
from workflows.survey import wording

if TYPE_CHECKING:
    from workflows.desk import Desk

SCORE_NAMES = frozenset({"score", "start_score", "score_change", "detractor", "leaving_score", "left_badly"})
"""What :func:`scores` adds to the case that conditions and texts see."""
_ANSWERED: Texts = {
    "en": "The answer has come in meanwhile: no reminder is needed any more.",
    "fr": "La réponse est arrivée entre-temps : ce rappel n’est plus utile.",
}
_GIVEN: Texts = {
    "en": "They have answered already: there is nothing left to send.",
    "fr": "La réponse est déjà là : il n’y a plus rien à envoyer.",
}
_NOT_WANTED: Texts = {
    "en": "This person does not want to be written to any more: no reminder, please.",
    "fr": "Cette personne ne souhaite plus recevoir de messages : merci de ne pas la relancer.",
}
_OPTED_OUT: Texts = {
    "en": "This person has opted out of messages meanwhile. Please do not write to them: nothing is expected of them.",
    "fr": "Cette personne s’est désinscrite entre-temps. Merci de ne pas lui écrire : rien n’est attendu d’elle.",
}


def take_answers(draft: Draft) -> None:
    """Write answers that are new or were edited back to the CRM, each once (P-37); never onto a deal that is gone."""
    if draft.look.deal.state is not DealState.LIVE:
        return
    for answer in sorted(draft.look.answers, key=lambda one: one.at):
        questionnaire = draft.look.questionnaires.get(answer.questionnaire)
        if answer.case_id != draft.case.id or questionnaire is None:
            continue
        late = is_own_view(questionnaire) and others_have_answered(draft.written)
        if not draft.once(_answer_name(answer), _digest(answer)):
            continue
        _write(draft, questionnaire, answer, late=late)
        if answer.by == "customer":
            _take_score(draft, questionnaire, answer)
        draft.log("answered", questionnaire=answer.questionnaire, by=answer.by, contact=answer.contact_id or "")
    _take_former(draft)
    compare(draft)


def _take_former(draft: Draft) -> None:
    """Answers to former cases of the deal that came when this one had begun: written all the same, each once (P-37)."""
    look = draft.look
    former = {one.id: one for one in (*look.older, look.last) if one is not None and one.id != draft.case.id}
    for answer in sorted(look.answers, key=lambda one: one.at) if former else ():
        case, questionnaire = former.get(answer.case_id), look.questionnaires.get(answer.questionnaire)
        if case is None or questionnaire is None or _was_taken(draft, case, answer, former.values()):
            continue
        if draft.once(_former_name(case, answer), _digest(answer)):
            contact = _contact(draft, answer.contact_id)
            draft.writes += feedback_writes(
                case,
                questionnaire,
                answer,
                draft.look.deal,
                draft.now,
                name=contact.name if contact is not None else None,
                beside=_beside(draft, case, answer),
                heed=Heed(draft),
            )
            draft.log("answered", Said("to the former case"), questionnaire=answer.questionnaire, by=answer.by)


def _was_taken(draft: Draft, case: Case, answer: Answer, former: Iterable[Case]) -> bool:
    """Whether a former case wrote this answer as it stands now, be it to itself or to one before it."""
    name, state = _answer_name(answer), _digest(answer)
    known = {case.written.get(name)}
    for one in (*former, draft.case):
        if one.number > case.number:
            known.add(one.written.get(_former_name(case, answer)))
        if one.number == case.number + 1:
            known.add(one.written.get(f"_former{name}"))  # as versions wrote it that knew one former case
    return state in known


def _answer_name(answer: Answer) -> str:
    """Under which name a case keeps what state of this answer was taken into it."""
    return f"_answer:{answer.questionnaire}:{answer.by}:{answer.contact_id or author_id(answer.author)}"


def _former_name(case: Case, answer: Answer) -> str:
    """The same, where the answer is to a former case."""
    return f"_former:{case.id}{_answer_name(answer)}"


def others_have_answered(written: Mapping[str, str]) -> bool:
    """Whether an answer of a customer or an interviewer was taken into the case already (P-39)."""
    said = (name.split(":") for name in written if name.startswith("_answer:"))
    return any(parts[2] in ("customer", "csm") for parts in said if len(parts) > 2)


def _write(draft: Draft, questionnaire: Questionnaire, answer: Answer, *, late: bool) -> None:
    contact = _contact(draft, answer.contact_id)
    draft.writes += feedback_writes(
        draft.case,
        questionnaire,
        answer,
        draft.look.deal,
        draft.now,
        name=contact.name if contact is not None else None,
        start=start_score(draft.look.people, contact),
        late=late,
        phone=taken_by_phone(draft, answer),
        among=_colleagues(draft, questionnaire, answer),
        beside=_beside(draft, draft.case, answer),
        heed=Heed(draft, only=(answer.contact_id or "") if _is_overtaken(draft, answer) else None),
    )
    if is_own_view(questionnaire):
        draft.written[late_mark(answer)] = "yes" if late else "no"


def _colleagues(draft: Draft, questionnaire: Questionnaire, answer: Answer) -> list[Answer]:
    """What others of the team said on the same page before, newest first; none where each speaks for themselves."""
    if questionnaire.kind is not LinkKind.TEAM:
        return []
    others = [
        one
        for one in draft.look.answers
        if (one.case_id, one.questionnaire, one.by) == (answer.case_id, answer.questionnaire, answer.by)
        and one.author != answer.author
        and one.at <= answer.at
        and draft.written.get(late_mark(one)) != "yes"
    ]
    return sorted(others, key=lambda one: one.at, reverse=True)


def _beside(draft: Draft, case: Case, answer: Answer) -> list[tuple[Answer, str]]:
    """What else customers and interviewers said of this relation, newest first, as it reads."""
    said = []
    for one in sorted(draft.look.answers, key=lambda one: one.at, reverse=True):
        asked = draft.look.questionnaires.get(one.questionnaire)
        if asked is None or one.case_id != case.id or one is answer or not one.values:
            continue
        if is_about_the_relation(asked):
            contact = _contact(draft, one.contact_id)
            name = contact.name if contact is not None else None
            running = case.id == draft.case.id
            phone = taken_by_phone(draft, one) if running else None
            start = start_score(draft.look.people, contact) if running else None
            said.append((one, last_words(case, asked, one, name, start=start, phone=phone)))
    return said


def _is_overtaken(draft: Draft, answer: Answer) -> bool:
    """Whether an answer that changed because somebody was erased has a newer one of its side: that stays the last word.

    Of two sides, customer and interviewer, each keeps its words beside the other's.
    """
    newer = (one for one in draft.look.answers if one.case_id == answer.case_id and one.at > answer.at)
    own = draft.look.questionnaires.get(answer.questionnaire)
    is_told = own is not None and is_about_the_relation(own)
    return SOMEONE_ERASED in draft.written and any(
        asked is not None
        and is_about_the_relation(asked)
        and (not is_told or (one.by == "customer") is (answer.by == "customer"))
        for one in newer
        for asked in (draft.look.questionnaires.get(one.questionnaire),)
    )


def _contact(draft: Draft, contact_id: str | None) -> Contact | None:
    """Who answered, for the note that people read; the people are asked for when they were not read."""
    people = draft.look.people
    if people is None:
        draft.needs_people = draft.needs_people or contact_id is not None
        return None
    return next((contact for contact in people.contacts if contact.id == contact_id), None)


def _digest(answer: Answer) -> str:
    content = json.dumps(sorted(answer.values.items()), ensure_ascii=False, default=list)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


# --- scores -----------------------------------------------------------------------------------------------------------


def _take_score(draft: Draft, questionnaire: Questionnaire, answer: Answer) -> None:
    if is_about_leaving(questionnaire):
        _take_rating(draft, questionnaire, answer)
    if not _is_first_or_last_word(draft.case, questionnaire):
        return
    if draft.case.answered_at is None:
        draft.set(answered_at=answer.at)
    who = answer.contact_id or ""
    draft.written.setdefault(f"answered:{who}", answer.at.isoformat())
    score = given_score(questionnaire, answer)
    before = draft.written.pop(f"score:{who}", None)
    if score is not None:
        draft.written[f"score:{who}"] = str(score)
    if before != draft.written.get(f"score:{who}"):
        _care(draft, answer.contact_id, Anchor.ANSWERED)


def _take_rating(draft: Draft, questionnaire: Questionnaire, answer: Answer) -> None:
    """Keep how the leaving went for this person: the score, and whether any mark of theirs is below the middle."""
    who = answer.contact_id or ""
    draft.written.setdefault(f"rated:{who}", answer.at.isoformat())
    before = draft.written.pop(f"leaving:{who}", None), draft.written.pop(f"badly:{who}", None)
    for question in questionnaire.questions():
        mark = answer.values.get(question.key)
        if question.type is not QuestionType.SCALE or not isinstance(mark, int):
            continue
        if question.field == "leaving_score":
            draft.written[f"leaving:{who}"] = str(mark)
        if question.field in (None, "leaving_score") and 2 * mark < question.low + question.high:
            draft.written[f"badly:{who}"] = "yes"
    if before != (draft.written.get(f"leaving:{who}"), draft.written.get(f"badly:{who}")):
        _care(draft, answer.contact_id, Anchor.RATED)


def _care(draft: Draft, contact_id: str | None, anchor: Anchor) -> None:
    """A mark is new: what it calls for may come now, be it after the end of the case."""
    lasting = frozenset(rule.key for rule in draft.look.playbook.steps() if rule.lasting)
    if draft.case.is_open:
        _consider_again(draft, contact_id, anchor)
    elif draft.case.status is CaseStatus.COMPLETED and draft.case.kind is not CaseKind.SAVE:
        if anchor is Anchor.RATED:
            _consider_again(draft, contact_id, anchor, only=lasting)
        _care_late(draft, contact_id, anchor)


def _is_first_or_last_word(case: Case, questionnaire: Questionnaire) -> bool:
    """Whether this is what the case asks for its score: the first impression where it is about a beginning."""
    return is_farewell(questionnaire) or (case.kind is CaseKind.BASELINE and feeds(questionnaire, "start_score"))


def _consider_again(draft: Draft, contact_id: str | None, anchor: Anchor, only: frozenset[str] | None = None) -> None:
    """A score is new: steps that follow an answer, and did not apply to the one before, may apply now (P-36)."""
    rules = {rule.key: rule for rule in draft.look.playbook.steps()}
    for step in list(draft.steps.values()):
        rule = rules.get(step.rule)
        if step.status is not StepStatus.SKIPPED or rule is None or rule.when is None:
            continue
        if only is not None and rule.key not in only:
            continue
        if rule.release.anchor is anchor and step.contact_id in (None, contact_id):
            draft.put(step, status=StepStatus.WAITING)


def _care_late(draft: Draft, contact_id: str | None, anchor: Anchor) -> None:
    """A score came after the case was complete: what it calls for comes all the same, once for each person (P-36)."""
    for rule in draft.look.playbook.steps():
        if rule.when is None or rule.release.anchor is not anchor or rule.lasting:
            continue
        own = contact_id if rule.per_contact else None
        key = f"{rule.key}@{own}" if own is not None else rule.key
        known = draft.steps.get(key)
        if known is None or known.status is StepStatus.SKIPPED:
            draft.put(Step(key=key, rule=rule.key, contact_id=own))


def answered_at(case: Case, written: Mapping[str, str], contact_id: str | None) -> datetime | None:
    """When this contact first answered the survey on the relation; without a contact, when anybody first did."""
    if contact_id is None:
        return case.answered_at
    known = written.get(f"answered:{contact_id}")
    return datetime.fromisoformat(known) if known is not None else None


def rated_at(written: Mapping[str, str], contact_id: str | None) -> datetime | None:
    """When this contact first told how the leaving went; without a contact, when anybody first did (P-35)."""
    if contact_id is not None:
        known = written.get(f"rated:{contact_id}")
        return datetime.fromisoformat(known) if known is not None else None
    told = (datetime.fromisoformat(at) for name, at in written.items() if name.startswith("rated:"))
    return min(told, default=None)


def scores(written: Mapping[str, str], people: People, contact_id: str | None, low: int) -> dict[str, object]:
    """The scores of one contact, or for a step of nobody in particular those of whoever gave the lowest.

    ``score`` and ``start_score`` are None where they are not known, ``score_change`` where one of them is not;
    ``detractor`` tells whether the score is ``low`` or below. ``leaving_score`` is how the leaving went for them, and
    ``left_badly`` whether they marked it below the middle of a scale (P-35).
    """
    asked = contact_id
    given = {name.removeprefix("score:"): int(value) for name, value in written.items() if name.startswith("score:")}
    if contact_id is None and given:
        contact_id = min(given, key=lambda one: (given[one], one))
    score = given.get(contact_id or "")
    contact = next((one for one in people.contacts if one.id == contact_id), None)
    start = start_score(people, contact)
    return {
        "score": score,
        "start_score": start,
        "score_change": score - start if score is not None and start is not None else None,
        "detractor": score is not None and score <= low,
        **_ratings(written, asked),
    }


def _ratings(written: Mapping[str, str], contact_id: str | None) -> dict[str, object]:
    marks = {name.removeprefix("leaving:"): int(mark) for name, mark in written.items() if name.startswith("leaving:")}
    if contact_id is None:
        badly = any(name.startswith("badly:") for name in written)
        return {"leaving_score": min(marks.values(), default=None), "left_badly": badly}
    return {"leaving_score": marks.get(contact_id), "left_badly": f"badly:{contact_id}" in written}


# --- what an answer ends, and what is not asked at all ----------------------------------------------------------------


def needless(desk: Desk, rule: StepRule, contact_id: str | None) -> str | None:
    """Why this step must not appear: it reminds who has answered or wants no mail, or asks too soon again (P-3A)."""
    draft = desk.draft
    if rule.until == "answered":
        if answered_at(draft.case, draft.written, contact_id) is not None:
            return Said("the answer has come in already")
        if contact_id is not None and not _may_write(desk.contact(contact_id)):
            return Said("this person cannot be written to, or does not want it")
        return None
    contact = desk.contact(contact_id) if rule.link is LinkKind.SURVEY else None
    if contact is not None and contact.opted_out and not (rule.call_title or rule.call_body):
        return Said("this person does not want to be written to, and the playbook has no call in its place")
    if rule.link is LinkKind.SURVEY and contact_id is not None and contact_id in draft.look.surveyed:
        asked = draft.look.surveyed[contact_id].date().isoformat()
        return Said("they were sent a survey for another case on %(day)s, and the rest period is not over", day=asked)
    return None


def stop_asking(desk: Desk) -> None:
    """Close what asks somebody in writing who has opted out since the task was made (P-3A).

    They are read again once a day while such a task is open: no other sign tells of it.
    """
    draft = desk.draft
    for step in draft.with_task():
        if f"{MAILED}{step.key}" not in draft.written:
            continue
        draft.read_people_daily()
        contact = desk.contact(step.contact_id)
        if contact is not None and contact.opted_out:
            draft.close(step, wording(_OPTED_OUT, draft.case.language, ("en",)))
            draft.log("asking ended", Said("this person has opted out meanwhile"), step=step.key)


def stop_reminders(desk: Desk) -> None:
    """Close what asks somebody who has answered, and reminders to who wants no messages any more (P-3A)."""
    draft = desk.draft
    for step in draft.with_task():
        rule = desk.rules.get(step.rule)
        if rule is not None and rule.until != "answered" and f"{MAILED}{step.key}" in draft.written:
            if f"_answer:{rule.questionnaire}:customer:{step.contact_id}" in draft.written:
                _close_as_answered(draft, step)
            continue
        if rule is None or rule.until != "answered":
            continue
        contact = desk.contact(step.contact_id)
        if answered_at(draft.case, draft.written, step.contact_id) is not None:
            draft.close(step, wording(_ANSWERED, draft.case.language, ("en",)))
        elif contact is not None and not _may_write(contact):
            draft.close(step, wording(_NOT_WANTED, draft.case.language, ("en",)))


def _close_as_answered(draft: Draft, step: Step) -> None:
    """The question was put, or else there were no answer: what follows the step goes on from now."""
    draft.close(step, wording(_GIVEN, draft.case.language, ("en",)))
    closed = draft.steps[step.key]
    if closed.status is StepStatus.CLOSED:
        draft.put(closed, completed_at=closed.completed_at or draft.now)


def _may_write(contact: Contact | None) -> bool:
    return contact is not None and bool(contact.email) and not contact.opted_out and not contact.bounced

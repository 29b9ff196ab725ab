"""Playbooks: what is taken, what is refused in which words, and whether the one that ships is kind to all it meets."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from workflows.documents import MAX_CHARACTERS
from workflows.plan import preview
from workflows.playbook import (
    PlaybookError,
    load_playbooks,
    parse_moment,
    parse_playbook,
    playbook_schema,
    shipped_playbooks,
)
from workflows.records import Contact, People
from workflows.rules import LinkKind, Playbook
from workflows.survey import shipped_questionnaires
from workflows.writes import CreateTask, TaskType

SMALL = """\
playbook: small
version: 3
languages: [en, fr]
title: {en: Small, fr: Petit}
phases:
  - key: start
    title: {en: Start, fr: Début}
    release: confirmed
    steps:
      - key: call-them
        type: call
        owner: deal_owner
        due: confirmed + 1bd
        when: "days_left > 30"
        reminder: 4h
        title: {en: "Call {{ company.name }}", fr: "Appelez {{ company.name }}"}
        body: {en: "Before {{ case.contract_end }}.", fr: "Avant le {{ case.contract_end }}."}
      - key: ask-them
        owner: neutral
        release: contract_end
        not_before: confirmed + 5bd
        due: contract_end + 2bd
        per_contact: true
        link: survey
        questionnaire: exit
        title: {en: "Ask {{ contact.name }}", fr: "Interrogez {{ contact.name }}"}
        body: {en: "Send {{ link }}", fr: "Envoyez {{ link }}"}
        call_title: {en: "Call {{ contact.name }}", fr: "Appelez {{ contact.name }}"}
        call_body: {en: Ask how it was., fr: Demandez comment c’était.}
"""


def faults_of(text: str | bytes) -> list[str]:
    """What is wrong with this file, a line each."""
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(text, "own.yaml")
    return [str(fault) for fault in caught.value.faults]


def changed(*changes: tuple[str, str]) -> str:
    """The small playbook with these words in the place of others."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_playbook_says_what_is_done_by_whom_and_when() -> None:
    playbook = parse_playbook(SMALL, "small.yaml")
    call, ask = playbook.steps()
    assert (playbook.key, playbook.languages, playbook.phases[0].title["fr"]) == ("small", ("en", "fr"), "Début")
    assert (call.type, call.owner, call.due, call.release) == (
        TaskType.CALL,
        "deal_owner",
        parse_moment("confirmed + 1bd"),
        parse_moment("confirmed"),
    )
    assert call.reminder == timedelta(hours=4)
    assert (ask.link, ask.questionnaire, ask.not_before) == (LinkKind.SURVEY, "exit", parse_moment("confirmed+5bd"))


@pytest.mark.row("P-77")
def test_the_version_follows_the_content_and_not_the_comments() -> None:
    version = parse_playbook(SMALL, "a.yaml").version
    assert re.fullmatch(r"3-[0-9a-f]{10}", version)
    assert parse_playbook("# a remark\n" + SMALL, "b.yaml").version == version
    assert parse_playbook(changed(("Before", "Until")), "a.yaml").version != version


@pytest.mark.parametrize(
    ("text", "anchor", "days", "business"),
    [
        ("confirmed", "confirmed", 0, False),
        ("contract_end - 30d", "contract_end", -30, False),
        (" confirmed+1bd ", "confirmed", 1, True),
        ("step:call-them + 2d", "step", 2, False),
        ("answered", "answered", 0, False),
    ],
)
def test_a_moment_is_an_anchor_and_an_offset(text: str, anchor: str, days: int, business: bool) -> None:
    moment = parse_moment(text)
    assert (moment.anchor, moment.days, moment.business) == (anchor, days, business)


@pytest.mark.parametrize("text", ["", "soon", "confirmed + 1", "confirmed 1d", "end - 3d", "confirmed + 1.5d", 3, None])
def test_what_is_no_moment_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="such as `contract_end - 30d`"):
        parse_moment(text)


def test_all_faults_are_named_at_once_with_file_line_step_key_value_and_cure() -> None:
    faults = faults_of(
        changed(
            ("due: confirmed + 1bd", "due: tomorrow"),
            ("reminder: 4h", "reminder: soon"),
            ("owner: neutral", "owner: nobody"),
            ("release: contract_end\n", "released: contract_end\n"),
            (", fr: Début", ""),
        )
    )
    assert len(faults) == 5
    assert faults[0] == "own.yaml, line 7, phases.start.title.fr: the text in fr is missing; add it"
    assert faults[1].startswith("own.yaml, line 13, step call-them, due is 'tomorrow': write an anchor")
    assert faults[2].startswith("own.yaml, line 15, step call-them, reminder is 'soon': write how long")
    assert faults[4].startswith(
        "own.yaml, line 20, step ask-them, released is 'contract_end': no such key; did you mean"
    )


REFUSED = {
    "a date that never is": (
        (("due: confirmed + 1bd", "due: confirmed - 1bd"),),
        "only days that are ahead take a minus",
    ),
    "due before it appears": ((("due: contract_end + 2bd", "due: contract_end - 2bd"),), "due before it appears"),
    "due business days before it appears": (
        (("due: confirmed + 1bd", "due: confirmed + 1bd\n        release: confirmed + 3bd"),),
        "release is confirmed + 3bd",
    ),
    "a date not known when the task appears": ((("due: confirmed + 1bd", "due: answered + 1bd"),), "is not known when"),
    "an offset of ten years": ((("due: confirmed + 1bd", "due: confirmed + 3660d"),), "three years"),
    "an unknown step": ((("not_before: confirmed + 5bd", "not_before: step:cal-them"),), "did you mean 'call-them'?"),
    "an unknown owner rule": ((("owner: neutral", "owner: manger"),), "did you mean 'manager'?"),
    "an unknown questionnaire": ((("questionnaire: exit", "questionnaire: exot"),), "did you mean 'exit'?"),
    "a questionnaire of another page": (
        (("questionnaire: exit", "questionnaire: interview"),),
        "of the kind interview",
    ),
    "a link without questions": ((("        questionnaire: exit\n", ""),), "say which `questionnaire`"),
    "questions without a link": ((("        link: survey\n", ""),), "say with `link`"),
    "a link that is never shown": ((('fr: "Envoyez {{ link }}"', "fr: Envoyez"),), "put {{ link }} where it belongs"),
    "a survey for nobody in particular": ((("        per_contact: true\n", ""),), "add `per_contact: true`"),
    "an unknown link": ((("link: survey", "link: poll"),), "write one of 'survey', 'interview'"),
    "a link in a step without one": (
        (("Before {{ case", "See {{ link }} before {{ case"),),
        "nothing is called 'link'",
    ),
    "an unknown name": ((('"Call {{ company', '"Call {{ customer'),), "nothing is called 'customer'"),
    "an unknown attribute": (
        (('"Call {{ company.name', '"Call {{ company.nmae'),),
        "company has no 'nmae'; did you mean",
    ),
    "an unknown name in a condition": ((("days_left > 30", "days_lef > 30"),), "nothing is called 'days_lef'"),
    "a broken condition": ((("days_left > 30", "days_left >"),), "not understood"),
    "a broken text": ((('"Call {{ company.name }}"', '"Call {{ company.name"'),), "not understood"),
    "code in a text": ((("{{ case.contract_end }}.", "{{ case.model_dump() }}."),), "nothing can be called"),
    "an empty text": ((("en: Ask how it was.", 'en: " "'),), "this text is empty"),
    "a number for a text": ((("en: Ask how it was.", "en: 12"),), "write a text"),
    "a missing translation": (((', fr: "Interrogez {{ contact.name }}"', ""),), "the text in fr is missing"),
    "a language too many": ((("en: Ask how it was.", "en: Ask how it was., de: Fragen"),), "has no such language"),
    "no such language": ((("[en, fr]", "[en, fr, xx]"),), "no such language"),
    "a title that is too long": ((('"Call {{', '"Call ' + "and call " * 12 + "{{"),), "keep it under 120"),
    "a doubled step": ((("key: ask-them", "key: call-them"),), "in line 10 already"),
    "a doubled key": ((("owner: neutral", "owner: neutral\n        owner: manager"),), "stands here twice"),
    "an odd step key": ((("key: call-them", "key: Call_Them"),), "small letters, digits and hyphens"),
    "a call text nobody gets": (
        (("        reminder: 4h\n", "        call_title: {en: A, fr: B}\n"),),
        "drop this text",
    ),
    "a word for true": ((("per_contact: true", "per_contact: yes"),), "write true or false"),
    "an endless reminder": ((("reminder: 4h", "reminder: 90d"),), "up to 30 days"),
    "no steps": ((("version: 3", "version: 0"),), "write 1 or more"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_work_is_refused_with_its_cure(name: str) -> None:
    changes, cure = REFUSED[name]
    assert any(cure in fault for fault in faults_of(changed(*changes)))


@pytest.mark.row("P-31")
@pytest.mark.parametrize("release", ["confirmed", "contract_end - 1d", "step:call-them", "answered"])
def test_a_survey_before_the_end_is_refused(release: str) -> None:
    text = changed(
        ("release: contract_end\n", f"release: {release}\n"), ("due: contract_end + 2bd", f"due: {release} + 2bd")
    )
    assert any("once the contract has ended" in fault for fault in faults_of(text.replace("- 1d + 2bd", "+ 2bd")))


@pytest.mark.row("P-31")
def test_a_survey_may_wait_for_a_step_that_comes_after_the_end() -> None:
    after_call = changed(
        ("        due: confirmed + 1bd\n", "        release: contract_end\n        due: contract_end + 1d\n"),
        ("release: contract_end\n        not_before", "release: step:call-them\n        not_before"),
        ("due: contract_end + 2bd", "due: step:call-them + 2bd"),
    )
    assert parse_playbook(after_call, "a.yaml").steps()[1].release.step == "call-them"


@pytest.mark.row("P-16")
@pytest.mark.parametrize("name", ["call_title", "call_body"])
def test_a_link_for_each_contact_needs_words_for_those_without_an_address(name: str) -> None:
    text = re.sub(rf"        {name}: .*\n", "", SMALL)
    assert any("gets a call instead" in fault and name in fault for fault in faults_of(text))


def test_steps_that_wait_for_each_other_are_refused() -> None:
    text = changed(
        ("release: contract_end\n", "release: step:call-them\n"),
        ("due: contract_end + 2bd", "due: step:call-them + 2bd"),
        ("        due: confirmed + 1bd\n", "        release: step:ask-them\n        due: step:ask-them + 1bd\n"),
    )
    assert sum("waits for itself" in fault for fault in faults_of(text)) == 2


def test_a_step_cannot_wait_for_one_that_every_contact_has() -> None:
    text = changed(
        ("        due: confirmed + 1bd\n", "        release: step:ask-them\n        due: step:ask-them + 1bd\n")
    )
    assert any("one task per contact" in fault for fault in faults_of(text))


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        (b"playbook: caf\xe9\n", "not UTF-8 (byte 14)"),
        ("", "must start with its name"),
        ("- a\n- b\n", "must start with its name"),
        ("playbook: [small\n", "this is not YAML"),
        ("playbook: small\x00\n", "this is not YAML"),
        ("playbook: &a small\ntitle: *a\n", "anchors (&) and aliases (*)"),
        ("playbook: !!python/name:os.system small\n", "tags (!)"),
        ("playbook: " + "[" * 400 + "]" * 400, "deeper than 20 levels"),
        ("playbook: a\n---\nplaybook: b\n", "more than one document"),
        ("? [a]\n: b\n", "a key must be a word"),
        ("# " + "x" * MAX_CHARACTERS, "longer than"),
        (b"# " + b"x" * 5 * MAX_CHARACTERS, "longer than"),
        ("phases: 3\nlanguages: {}\nsteps: [1, 2]\n", "this key is missing"),
        ("phases: [3, {steps: [4, {}]}]\n", "this key is missing"),
    ],
)
def test_a_file_that_is_no_playbook_at_all_is_refused_in_words(text: str | bytes, cure: str) -> None:
    assert any(cure in fault for fault in faults_of(text))


def test_bytes_with_a_mark_and_windows_line_ends_are_taken() -> None:
    text = SMALL.replace("\n", "\r\n").encode("utf-8-sig")
    assert parse_playbook(text, "a.yaml") == parse_playbook(SMALL, "a.yaml")


def test_a_folder_is_loaded_with_the_faults_of_all_its_files() -> None:
    assert load_playbooks({"a.yaml": SMALL, "b.yaml": changed(("playbook: small", "playbook: other"))}).keys() == {
        "small",
        "other",
    }
    with pytest.raises(PlaybookError) as caught:
        load_playbooks({"a.yaml": SMALL, "b.yaml": SMALL, "c.yaml": changed(("owner: neutral", "owner: x"))})
    assert {fault.file for fault in caught.value.faults} == {"b.yaml", "c.yaml"}


def test_a_playbook_may_use_questionnaires_of_ones_own() -> None:
    text = changed(("questionnaire: exit", "questionnaire: ours"))
    assert parse_playbook(text, "a.yaml", {"ours": LinkKind.SURVEY}).steps()[1].questionnaire == "ours"


def test_the_schema_for_editors_knows_every_key() -> None:
    schema = playbook_schema()
    assert json.loads(json.dumps(schema))["$defs"]["StepDoc"]["additionalProperties"] is False
    assert {"due", "release", "call_body"} <= schema["$defs"]["StepDoc"]["properties"].keys()


# --- the playbook that ships ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saas() -> Playbook:
    return shipped_playbooks()["saas"]


Appeared = tuple[date, CreateTask]
_LIVED: dict[str, list[Appeared]] = {}
"""Whole cases that were gone through already, since several tests look at the same ones."""
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAYS_LEFT = {-60: "short", 0: "short", 14: "short", 30: "30", 45: "30", 60: "60", 75: "60", 90: "90", 300: "90"}
"""Days left when the plan starts (and one fewer on the next business day), and the transition plan that fits."""


@pytest.fixture
def lived(make_world: Callable[[], Any], saas: Playbook) -> Callable[..., list[Appeared]]:
    """The tasks of a whole case, each with the day on which it appeared; every task is done a day after it appears."""

    def live(days_left: int | None, people: People | None = None, language: str = "en") -> list[Appeared]:
        world = make_world()
        world.playbook = saas
        world.change_rules(language=language)
        world.people = people or world.people
        end = None if days_left is None else world.now.date() + timedelta(days=days_left)
        world.change(contract_end=end)
        world.enter("lost")
        appeared: dict[str, date] = {}
        world.look()
        busy = True
        while (busy or world.last_decision.next_look) and world.now < MONDAY + timedelta(days=600):
            for key in world.made:
                appeared.setdefault(key, world.now.date())
            later = world.last_decision.next_look or world.now
            busy = any(not task.done for task in world.tasks.values())
            world.wait(days=1) if busy else world.wait(seconds=max((later - world.now).total_seconds(), 86400))
            for step in world.case.steps:
                if step.task_id and not world.tasks[step.task_id].done and appeared.get(f"{world.case.id}:{step.key}"):
                    world.finish(step.key)
            world.look()
        assert "text with gaps" not in world.happened()
        return [(appeared.get(key, world.now.date()), task) for key, task in world.made.items()]

    def remembered(days_left: int | None, people: People | None = None, language: str = "en") -> list[Appeared]:
        key = f"{days_left} {people} {language}"
        if key not in _LIVED:
            _LIVED[key] = live(days_left, people, language)
        return _LIVED[key]

    return remembered


def rules_of(tasks: list[Appeared]) -> set[str]:
    """The keys of the steps that became tasks."""
    return {task.key.split(":", 1)[1].partition("@")[0] for _, task in tasks}


@pytest.mark.parametrize("days_left", [None, *DAYS_LEFT])
def test_no_more_than_four_tasks_appear_on_a_day_however_late_the_plan_begins(
    lived: Callable[..., list[Appeared]], days_left: int | None
) -> None:
    tasks = lived(days_left)
    plan = [day for day, task in tasks if ":invited." not in task.key]  # those go to one each of the others
    busiest = Counter(plan).most_common(1)
    assert busiest[0][1] <= 4
    assert Counter((day, task.owner_id) for day, task in tasks).most_common(1)[0][1] <= 3


@pytest.mark.row("P-21")
@pytest.mark.parametrize(("days_left", "plan"), DAYS_LEFT.items())
def test_one_transition_plan_fits_the_days_left(
    lived: Callable[..., list[Appeared]], days_left: int, plan: str
) -> None:
    assert {key for key in rules_of(lived(days_left)) if key.startswith("plan-")} == {f"plan-{plan}"}


def test_nobody_meets_a_task_that_wants_to_be_done_by_the_evening(lived: Callable[..., list[Appeared]]) -> None:
    for days_left in DAYS_LEFT:
        assert all(task.due_at.date() > day for day, task in lived(days_left))


@pytest.mark.row("P-20")
@pytest.mark.row("P-31")
@pytest.mark.row("P-50")
def test_a_whole_goodbye_goes_from_thanks_to_the_open_door(
    lived: Callable[..., list[Appeared]], saas: Playbook
) -> None:
    tasks = lived(90)
    days = {task.key.split(":", 1)[1].partition("@")[0].partition(".")[0]: day for day, task in tasks}
    first = min(days.values())
    end = first + timedelta(days=90)
    left_out = {"plan-60", "plan-30", "plan-short", "thank-for-answer", "detractor-care", "leaving-care"}
    left_out |= {"hand-over-items", "late-items"}  # the inventory is empty
    left_out |= {"status"}  # no rhythm was agreed, so that the fixed points are made
    left_out |= {"receipt-reminder", "escalate", "roles"}  # all was done in time, and who is who is known
    left_out |= {"you-asked", "moved-on", "case-study"}  # nothing new is known, and nobody said that they are content
    left_out |= {step.key for step in saas.steps() if step.key.startswith("rights-")}  # no such clock is kept
    assert days.keys() - {"invited"} == {step.key for step in saas.steps()} - left_out
    assert {key for key, day in days.items() if day == first} == {"acknowledge", "stop-reminders"}
    assert days["survey"] > end
    assert days["month-check"] >= end + timedelta(days=28)
    assert days["lessons"] > days["post-mortem"] > end


@pytest.mark.row("P-12")
@pytest.mark.row("P-16")
def test_people_who_cannot_be_written_to_are_called(lived: Callable[..., list[Appeared]]) -> None:
    silent = Contact(id="p2", name="Max Low", opted_out=True, email="max@example.com")
    written = Contact(id="p3", name="Zoe Hill", first_name="Zoe", email="zoe@example.com", primary=True)
    tasks = {task.key.split(":", 1)[1]: task for _, task in lived(0, People(contacts=(silent, written)))}
    assert "more-voices" not in tasks
    assert tasks["survey@p2"].type is TaskType.CALL
    assert tasks["survey@p2"].subject == "Call Max Low and ask how it was"
    assert tasks["survey@p2"].body.count("https://goodbye.example.com/survey/") == 1, "to enter what they say"
    assert tasks["survey@p2"].link is None, "nothing that a CRM could send them"
    assert tasks["survey@p3"].body.count("https://goodbye.example.com/survey/") == 1
    assert "Hello Zoe," in tasks["survey@p3"].body


@pytest.mark.parametrize("language", ["en", "fr"])
def test_texts_read_well_also_without_company_contacts_and_end(
    lived: Callable[..., list[Appeared]], language: str
) -> None:
    for days_left, people in ((None, People()), (40, People()), (40, None)):
        for _, task in lived(days_left, people, language):
            assert "…," not in task.subject + task.body, task.body
            assert "{{" not in task.body
            assert "None" not in task.body
            assert task.subject == task.subject.strip() != ""


def test_titles_say_what_to_do_in_seventy_characters_and_bodies_how_in_a_few_lines(saas: Playbook) -> None:
    for step in saas.steps():
        for texts in (step.title, step.call_title):
            assert all(len(re.sub(r"{{.*?}}", "Hotel Aurora Palace", text)) <= 70 for text in texts.values()), step.key
        most = 15 if step.key == "post-mortem" else 10  # an agenda in three parts takes its lines
        for text in step.body.values():
            assert 2 <= sum(bool(line.strip()) for line in text.split("---")[0].splitlines()) <= most, step.key


def test_french_is_set_as_french_people_set_it() -> None:
    steps = [step for playbook in shipped_playbooks().values() for step in playbook.steps()]
    texts = [text["fr"] for step in steps for text in (step.title, step.body, step.call_title, step.call_body) if text]
    for questionnaire in shipped_questionnaires().values():
        texts += [questionnaire.title["fr"], questionnaire.intro["fr"], questionnaire.thanks["fr"]]
        for question in questionnaire.questions():
            texts += [question.text["fr"], question.help.get("fr", "")]
    for text in texts:
        assert not re.search(r"(?<!\xa0)[?!;»]|\w [:?!;»]|« |\w'\w", re.sub(r"{{.*?}}|{%.*?%}|https?:", "", text)), text


@pytest.mark.parametrize("key", sorted(shipped_playbooks()))
def test_the_playbooks_languages_have_the_same_values_in_their_texts(key: str) -> None:
    """A translation that forgets the link or a date would not be noticed by those who cannot read it."""
    for step in shipped_playbooks()[key].steps():
        for texts in (step.title, step.body, step.call_title, step.call_body):
            shown = [Counter(re.findall(r"{{\s*([a-z_.]+)", text)) for text in texts.values()]
            assert all(one == shown[0] for one in shown), step.key


@pytest.mark.row("P-12")
@pytest.mark.parametrize(("count", "asked"), [(0, True), (1, True), (2, False)])
def test_more_people_are_looked_for_early_while_nobody_or_only_one_is_known(
    lived: Callable[..., list[Appeared]], count: int, asked: bool
) -> None:
    contacts = tuple(Contact(id=f"p{n}", name=f"Person {n}", email=f"p{n}@example.com") for n in range(count))
    days = {task.key.split(":", 1)[1]: day for day, task in lived(30, People(contacts=contacts))}
    assert ("more-voices" in days) is asked
    assert "interview" in days
    assert not asked or days["more-voices"] < days["interview"]


@pytest.mark.row("P-07", "P-20")
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    ("end", "goes_on"), [(date(2026, 2, 27), False), (date(2026, 3, 2), True), (date(2026, 6, 30), True), (None, True)]
)
def test_the_first_message_promises_no_service_until_a_day_that_is_over(
    world: Any, links: Any, language: str, end: date | None, goes_on: bool
) -> None:
    world.playbook = shipped_playbooks()["saas"]
    world.rules = world.rules.model_copy(update={"language": language})
    world.deal = world.deal.model_copy(update={"contract_end": end})
    (step,) = (one for one in preview(world.seen(people=world.people), links) if one.rule == "acknowledge")
    promise = {"en": "everything goes on working", "fr": "tout continue de fonctionner"}[language]
    assert (promise in step.body) is goes_on
    assert "…" not in step.body

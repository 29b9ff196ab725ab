"""An admin changes single steps and texts of a playbook that ships, and keeps the rest."""

from __future__ import annotations

import pytest

from workflows.documents import PlaybookError
from workflows.playbook import load_playbooks, parse_moment, parse_playbook, shipped_playbooks
from workflows.playbook import read_playbook as read
from workflows.rules import Playbook, StepRule


def override(*lines: str, version: int = 1) -> str:
    return "\n".join(["extends: saas", f"version: {version}", *lines, ""])


def step(playbook: Playbook, key: str) -> StepRule:
    return next(one for one in playbook.steps() if one.key == key)


def faults_of(*lines: str) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        parse_playbook(override(*lines), "own.yaml")
    return [str(fault) for fault in caught.value.faults]


@pytest.fixture(scope="module")
def saas() -> Playbook:
    return shipped_playbooks()["saas"]


ADDED = (
    "  - key: gift",
    "    owner: csm",
    "    due: contract_end + 3d",
    "    title: {en: Send a gift, fr: Offrez un cadeau}",
    "    body: {en: A small one., fr: Un petit.}",
)


def test_a_change_takes_its_keys_and_leaves_all_others(saas: Playbook) -> None:
    own = parse_playbook(override("steps:", "  - {key: farewell, due: contract_end + 2d, priority: high}"), "own.yaml")
    before = step(saas, "farewell")
    due = parse_moment("contract_end + 2d")
    assert step(own, "farewell") == before.model_copy(update={"due": due, "priority": "high"})
    assert [one for one in own.steps() if one.key != "farewell"] == [
        one for one in saas.steps() if one.key != "farewell"
    ]
    assert (own.key, own.title, own.languages) == (saas.key, saas.title, saas.languages)


def test_texts_are_taken_over_by_language(saas: Playbook) -> None:
    own = parse_playbook(override("steps:", "  - {key: farewell, body: {fr: À bientôt.}}"), "own.yaml")
    assert step(own, "farewell").body == {"en": step(saas, "farewell").body["en"], "fr": "À bientôt."}


def test_null_takes_an_optional_key_away() -> None:
    own = parse_playbook(override("steps:", "  - {key: training, when: null}"), "own.yaml")
    assert step(own, "training").when is None
    assert any("step training, owner" in fault for fault in faults_of("steps:", "  - {key: training, owner: null}"))


def test_a_step_is_removed_and_a_phase_that_is_left_empty_goes_with_it(saas: Playbook) -> None:
    own = parse_playbook(override("remove: [lessons, post-mortem, retro]"), "own.yaml")
    assert {one.key for one in saas.steps()} - {one.key for one in own.steps()} == {"lessons", "post-mortem", "retro"}
    assert "learn" not in {phase.key for phase in own.phases}


@pytest.mark.parametrize(("place", "before"), [("after: farewell", "farewell"), ("phase: end", "close-access")])
def test_a_step_is_added_where_it_belongs(place: str, before: str) -> None:
    own = parse_playbook(override("steps:", *ADDED, f"    {place}"), "own.yaml")
    end = next(phase for phase in own.phases if phase.key == "end")
    keys = [one.key for one in end.steps]
    assert keys[keys.index("gift") - 1] == before
    assert step(own, "gift").release == parse_moment("contract_end")


def test_a_step_moves_and_takes_the_dates_of_its_new_phase() -> None:
    own = parse_playbook(
        override("steps:", "  - {key: close-access, phase: door, due: contract_end + 40d}"), "own.yaml"
    )
    door = next(phase for phase in own.phases if phase.key == "door")
    assert door.steps[-1].key == "close-access"
    assert door.steps[-1].release == parse_moment("contract_end + 28d")


def test_a_phase_changes_for_all_its_steps() -> None:
    own = parse_playbook(override("phases:", "  - {key: end, not_before: confirmed + 9bd, title: {en: Day}}"), "o.yaml")
    end = next(phase for phase in own.phases if phase.key == "end")
    assert end.title == {"en": "Day", "fr": "Le dernier jour"}
    assert step(own, "close-access").not_before == parse_moment("confirmed + 9bd")


def test_languages_may_be_fewer_and_new_ones_need_every_text() -> None:
    own = parse_playbook(override("languages: [fr]"), "own.yaml")
    assert own.languages == ("fr",)
    assert all(set(one.body) == {"fr"} for one in own.steps())
    missing = faults_of("languages: [en, fr, de]")
    assert "own.yaml, line 3, title.de: the text in de is missing; add it" not in missing[0]
    assert all("the text in de is missing" in fault for fault in missing)


@pytest.mark.row("P-77")
def test_the_version_counts_for_itself_and_covers_the_whole_outcome(saas: Playbook) -> None:
    one = parse_playbook(override(version=7), "own.yaml")
    other = parse_playbook(override("steps:", "  - {key: farewell, priority: high}", version=7), "own.yaml")
    assert one.version.startswith("7-")
    assert one.version != other.version
    assert parse_playbook("# said twice\n" + override(version=7), "b.yaml").version == one.version
    assert one.version.partition("-")[2] != saas.version.partition("-")[2]  # its number belongs to the content


def test_it_replaces_the_other_or_stands_beside_it_under_its_own_name() -> None:
    own = load_playbooks({"a.yaml": override(), "b.yaml": override("playbook: saas-short", "remove: [win-back]")})
    assert own.keys() == {"saas", "saas-short"}


def test_tone_is_read_and_permissions_add_up() -> None:
    lines = ("steps:", "  - key: farewell", "    body: {en: You should have told us earlier.}")
    (note,) = read(override(*lines), "own.yaml")[1]
    assert str(note).startswith("own.yaml, line 5, step farewell, body.en is 'You should have told'")
    (note,) = read(override(*lines, "    tone_ok: {blame: Because}"), "own.yaml")[1]
    assert note.level == "allowed"


REFUSED = {
    "another's playbook": (("playbook: x", "extends_: y"), "no such key; did you mean 'extends'?"),
    "an unknown step": (("steps:", "  - {key: farewel, due: contract_end}"), "line 4, step farewel, key is 'farewel'"),
    "an unknown step to remove": (("remove: [winback]",), "line 3, remove.#1 is 'winback': saas has no such step"),
    "an unknown phase": (("phases:", "  - {key: ending}"), "phases.ending.key is 'ending': saas has no such phase"),
    "an unknown place": (
        ("steps:", "  - {key: farewell, after: goodbye}"),
        "after is 'goodbye': there is no such step",
    ),
    "an unknown phase to go to": (("steps:", "  - {key: farewell, phase: ending}"), "there is no such phase"),
    "a place in another phase": (
        ("steps:", "  - {key: farewell, phase: door, after: letter}"),
        "this step is in the phase 'handover'",
    ),
    "after itself": (("steps:", "  - {key: farewell, after: farewell}"), "there is no such step"),
    "a step twice": (("steps:", "  - key: letter", "  - key: letter"), "put both changes together"),
    "changed and removed": (("steps:", "  - key: letter", "remove: [letter]"), "drop one of the two"),
    "an unknown key": (("steps:", "  - {key: letter, ownr: csm}"), "line 4, step letter, ownr is 'csm': no such key"),
    "a wrong value": (
        ("steps:", "  - {key: letter, due: soon}"),
        "line 4, step letter, due is 'soon': write an anchor",
    ),
    "a date that cannot be": (("steps:", "  - {key: letter, due: contract_end - 60d}"), "line 4, step letter, due is"),
    "a language too many": (
        ("steps:", "  - {key: letter, title: {de: Brief}}"),
        "title.de is 'de': the file has no such",
    ),
    "what others wait for": (("remove: [post-mortem]",), "line 3, step lessons, release is 'step:post-mortem'"),
    "an added step without an owner": (
        ("steps:", ADDED[0], *ADDED[2:], "    phase: end"),
        "step gift, owner: this key is",
    ),
    "a threat": (
        ("steps:", '  - {key: farewell, body: {en: "Pay, otherwise we will delete your data."}}'),
        "body.en is 'otherwise we will delete': threat",
    ),
    "a survey too early": (
        ("steps:", "  - {key: survey, release: confirmed, not_before: confirmed}"),
        "once the contract has ended",
    ),
    "lists that are none": (("steps: 3", "phases: x", "remove: {}"), "write a list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leads_nowhere_is_refused_with_its_place_and_cure(name: str) -> None:
    lines, told = REFUSED[name]
    assert any(told in fault and fault.startswith("own.yaml, line ") for fault in faults_of(*lines))


def test_all_faults_are_named_at_once_and_each_once() -> None:
    faults = faults_of(
        "steps:", "  - {key: letter, due: soon, owner: boss}", "  - {key: farewel}", "remove: [winback]", "tittle: 1"
    )
    assert len(faults) == len(set(faults)) == 5


@pytest.mark.parametrize("extends", ["sas", "[saas]", "3", "null"])
def test_only_a_playbook_that_ships_can_be_changed(extends: str) -> None:
    with pytest.raises(PlaybookError, match="line 1, extends"):
        parse_playbook(override().replace("saas", extends), "own.yaml")

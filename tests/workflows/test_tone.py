"""The tone guard against sentences as people write them: what it finds, what it leaves alone, and in whose words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from workflows.tone import Level, Rule, review

CORPUS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("tone_corpus.yaml").read_text("utf-8"))
HALVES = [(language, half) for language, halves in CORPUS.items() for half in halves]
FLOOR = {"tuned": (0.97, 0.97), "held_out": (0.93, 0.85), "implied": (0.5, 0.0)}
"""Least precision and recall of whole sentences. Held-out ones were measured, never used to improve the rules: English
0.94 and 0.86, French 0.97 and 0.89. Of what is only implied, the rules find next to nothing (recall 0.12 in English and
0.04 in French), and that is all that they can: the figures say so where people read of the guard."""
RULE_FLOOR = {"tuned": (0.95, 0.92), "held_out": (0.75, 0.6)}
"""The same for the weakest rule; with seven or eight sentences a rule, one sentence is worth 0.13."""
WOLF = 0.07
"""The largest share of good sentences that may be found fault with."""


def rules_in(text: str, language: str = "en") -> set[str]:
    return {one.rule.value for one in review(text, language)}


def measure(language: str, half: str) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Hits, false alarms and misses: of all sentences, and by rule."""
    whole, by_rule = Counter[str](), {rule.value: Counter[str]() for rule in Rule}
    for kind, sentences in CORPUS[language][half].items():
        for sentence in sentences:
            found = rules_in(sentence, language)
            whole["false" if kind == "good" else "hit"] += bool(found)
            whole["missed"] += kind != "good" and not found
            for rule in Rule:
                by_rule[rule]["hit"] += rule == kind and rule in found
                by_rule[rule]["missed"] += rule == kind and rule not in found
                by_rule[rule]["false"] += rule != kind and rule in found
    return whole, by_rule


def ratios(counted: Counter[str]) -> tuple[float, float]:
    found, there = counted["hit"] + counted["false"], counted["hit"] + counted["missed"]
    return (counted["hit"] / found if found else 1.0), counted["hit"] / there


@pytest.mark.row("P-27")
@pytest.mark.parametrize(("language", "half"), HALVES)
def test_it_finds_most_of_what_hurts_and_seldom_cries_wolf(language: str, half: str) -> None:
    whole, by_rule = measure(language, half)
    precision, recall = ratios(whole)
    told = {"all": (precision, recall), **{rule: ratios(counted) for rule, counted in by_rule.items()}}
    print(language, half, {name: f"precision {p:.2f} recall {r:.2f}" for name, (p, r) in told.items()})
    assert precision >= FLOOR[half][0], told
    assert recall >= FLOOR[half][1], told
    assert whole["false"] <= WOLF * len(CORPUS[language][half]["good"]), told
    for rule in Rule if half in RULE_FLOOR else ():
        assert told[rule][0] >= RULE_FLOOR[half][0], (rule, told)
        assert told[rule][1] >= RULE_FLOOR[half][1], (rule, told)


@pytest.mark.parametrize(("language", "half"), HALVES)
def test_no_good_sentence_is_taken_for_a_threat_since_threats_refuse_the_file(language: str, half: str) -> None:
    kinds = CORPUS[language][half]
    harmless = [one for kind in kinds if kind != "threat" for one in kinds[kind]]
    assert [one for one in harmless if "threat" in rules_in(one, language)] == []


@pytest.mark.parametrize("language", CORPUS)
def test_the_corpus_is_large_enough_and_says_nothing_twice(language: str) -> None:
    halves = CORPUS[language].values()
    good = [one for half in halves for one in half["good"]]
    bad = [one for half in halves for kind in Rule for one in half[kind]]
    assert len(good) >= 60
    assert len(bad) >= 60
    assert len({*good, *bad}) == len(good) + len(bad)


@pytest.mark.parametrize(("language", "half"), HALVES)
def test_odd_typing_hides_nothing(language: str, half: str) -> None:
    kinds = CORPUS[language][half]
    for kind in Rule:
        for sentence in kinds[kind][:8]:
            plain = rules_in(sentence, language)
            bare = "".join(c for c in unicodedata.normalize("NFD", sentence) if not unicodedata.combining(c))
            for odd in (
                sentence.upper(),
                bare,
                unicodedata.normalize("NFD", sentence),
                sentence.replace("’", "'"),
                sentence.replace("'", "’"),
                sentence.replace(" ", "\u00a0"),
                sentence.replace(" ", "\n"),
                sentence.replace(" ", "\r\n   "),
                sentence[:3] + "\u00ad\u200b" + sentence[3:],
                f"Hello {{{{ contact.first_name }}}},\n\n- {sentence}\n- Best",
            ):
                assert rules_in(odd, language) == plain, odd


def test_a_finding_shows_the_words_as_they_stand_and_better_ones_in_the_same_language() -> None:
    (one,) = review("Bonjour. Franchement, vous\n  auriez dû nous prévenir\u00a0!", "fr-CA")
    assert (one.rule, one.level, one.phrase) == (Rule.BLAME, Level.WARNING, "vous auriez dû nous prévenir")
    assert "aurait fallu" in one.why
    assert "Nous aurions aimé" in one.better


def test_only_threats_block() -> None:
    found = review("You should have told us. Sign, otherwise we will delete your data. This is your last chance.", "en")
    assert [(one.rule, one.level) for one in found] == [
        (Rule.BLAME, Level.WARNING),
        (Rule.THREAT, Level.BLOCK),
        (Rule.PRESSURE, Level.WARNING),
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Nobody here says you should have told us earlier."),
        ("en", "We are not going to take legal action."),
        ("en", "You won't be fined, and we can't and won't delete your data."),
        ("en", "You aren't under any pressure, and this isn't your last chance."),
        ("fr", "Nous n’engagerons aucune poursuite."),
        ("fr", "Personne ne dit que vous auriez dû nous prévenir."),
        ("fr", "Ce n’est pas votre dernière chance, loin de là."),
        ("fr", "Vous ne perdrez aucune donnée."),
    ],
)
def test_what_is_denied_is_no_fault(language: str, text: str) -> None:
    assert rules_in(text, language) == set()


@pytest.mark.parametrize(
    ("language", "text", "rule"),
    [
        ("en", "We do not want to blame anyone, but you should have told us.", "blame"),
        ("en", "No, you should have told us.", "blame"),
        ("en", "We have no choice but to take legal action.", "threat"),
        ("en", "Don’t you see? You’re making a big mistake.", "pressure"),
        ("fr", "Nous ne reprochons rien à personne, mais vous auriez dû nous prévenir.", "blame"),
        ("fr", "Nous n’avons pas le choix. Nous allons engager des poursuites.", "threat"),
    ],
)
def test_a_denial_covers_its_own_clause_alone(language: str, text: str, rule: str) -> None:
    assert rules_in(text, language) == {rule}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "You told us: “You should have told us earlier!” We are sorry for that sentence."),
        ("en", "“You never answered us”, you wrote, and that stayed with me."),
        ("en", "> You never answered our calls.\nWe are sorry."),
        ("fr", "Vous nous avez écrit : « vous n’avez jamais répondu ». C’est vrai."),
        ("fr", "N’écrivez jamais « vous auriez dû nous prévenir »."),
    ],
)
def test_the_customers_own_words_are_no_fault_of_ours(language: str, text: str) -> None:
    assert rules_in(text, language) == set()


def test_words_in_quotes_that_are_ours_still_count() -> None:
    assert rules_in("Call and say: “You should have told us earlier.”") == {"blame"}


def test_a_language_without_rules_and_an_empty_text_give_nothing() -> None:
    assert review("Sie hätten uns das früher sagen müssen.", "de") == ()
    assert review("", "en") == ()
    assert review(" \u00ad\n\n", "fr") == ()


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "piece", ["you ", "if you do not ", "vous ne ", " \u00a0", "“", "---", "> \n", "{{ ", "é\u0301"]
)
@pytest.mark.timeout(10)
def test_a_huge_odd_text_is_read_in_moments(language: str, piece: str) -> None:
    review(piece * (60_000 // len(piece)), language)

"""What the program says of itself, in other languages: every sentence has its words, and is found again in its text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import connector
from connector import sentences
from workflows.said import Said

HOME = Path(connector.__file__).parents[1]
GAP = re.compile(r"%\((\w+)\)([sd])")


@pytest.fixture(scope="module")
def said() -> set[str]:
    """The template of every sentence that the program can say."""
    found: set[str] = set()
    for folder in ("connector", "adapters", "workflows"):
        for path in (HOME / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            if "Said(" in source:
                found |= set(_said_in(ast.parse(source)))
    return found


def _said_in(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Said":
            template = call.args[0] if call.args else None
            if isinstance(template, ast.Constant) and isinstance(template.value, str):
                yield template.value


@pytest.mark.parametrize("path", sorted(sentences.FOLDER.glob("*.po")), ids=lambda path: path.stem)
def test_every_sentence_is_translated_with_the_same_gaps_and_no_translation_is_left_over(
    path: Path, said: set[str]
) -> None:
    with path.open("rb") as file:
        catalog = read_po(file, locale=path.stem)
    words = {str(one.id): str(one.string) for one in catalog if one.id}
    assert words.keys() == said
    assert len(words) == len([one for one in catalog if one.id])
    for template, translated in words.items():
        assert translated, template
        assert set(GAP.findall(template)) == set(GAP.findall(translated)), template


def test_every_sentence_is_found_again_in_the_text_that_was_stored(said: set[str]) -> None:
    for template in said:
        if not re.search(r"\w", GAP.sub("", template)):
            continue  # it only puts others together
        values = {name: _example(name, kind) for name, kind in GAP.findall(template)}
        found = sentences.of_text(str(Said(template, **values)))
        assert found is not None, template
        assert (found.template, found.values) == (template, values)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("HubSpot refused it (hs_due: not a date that HubSpot takes)", "HubSpot a refusé (hs_due : n’est pas une date"),
        ("HubSpot has no such record, operation crm.deals, status 404", "HubSpot n’a pas cette fiche, opération crm"),
        (
            "accounts.acme.watch[0].not_renewing[0] = Gone: there is no such stage. Did you mean Won? There are: Won",
            "accounts.acme.watch[0].not_renewing[0] = Gone : cette étape n’existe pas. Vouliez-vous dire Won ? Il y a",
        ),
        ("STRING_TOO_LONG (Subject); the text is longer than the field", "STRING_TOO_LONG (Subject) ; le texte est"),
        ("from 2026-01-31 to 2026-02-28", "du 31 janv. 2026 au 28 févr. 2026"),
        (
            "123 of 100,000 API calls of the last 24 hours used, by all programs together",
            "123 des 100\u202f000 appels",
        ),
        ("the deal was renewed.", "la transaction a été renouvelée."),
        ("by another deal (P-25)", "par une autre transaction"),
        (
            "a person deleted the task\nHubSpot asks to wait",
            "quelqu’un a supprimé la tâche\nHubSpot demande d’attendre",
        ),
        ("No sentence of ours: by nobody", "No sentence of ours: by nobody"),
    ],
)
def test_stored_text_is_told_in_the_readers_language(stored: str, shown: str) -> None:
    assert sentences.told(stored, "fr-CA").startswith(shown)
    assert sentences.told(stored, "en") == stored
    assert sentences.told(stored, "nl") == stored


def _example(name: str, kind: str) -> object:
    if kind == "d":
        return 7
    if name.partition("_")[0] == "day":
        return "2026-01-31"
    return f"{name}!" if name.startswith(("key", "version")) else f"Ünusual {name}, {{x}}"

"""What the program says of itself, in other languages: every sentence has its words, and is found again in its text."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
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
        ours = extract_from_dir(str(HOME / folder), method_map=[("**.py", "python")], keywords={"Said": None})
        found |= {message for _, _, message, _, _ in ours if isinstance(message, str)}
    return found


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
    for template in said - {sentences._PLACED}:
        values = {name: 7 if kind == "d" else f"Ünusual {name}, {{x}}" for name, kind in GAP.findall(template)}
        found = sentences.of_text(str(Said(template, **values)))
        assert found is not None, template
        assert (found.template, found.values) == (template, values)

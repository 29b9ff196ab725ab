"""`aurevoir playbook` as an admin and a script meet it: words, exit codes and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import pytest
import structlog
import yaml

from connector.cli import main
from connector.documents import LAYOUTS
from connector.store import cases
from connector.store.database import Store
from workflows.playbook import parse_playbook

Ran = tuple[int, str, str]
Run = Callable[..., Ran]

OWN = """\
extends: saas
version: 4
steps:
  - key: farewell
    due: contract_end + 2d
    body: {en: You should have told us earlier.}
"""
ALLOWED = OWN + "    tone_ok: {blame: It is how they speak}\n"
THREAT = OWN.replace("You should have told us earlier.", '"Pay, otherwise we will delete your data."')


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_it(*args: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(("playbook", *args))
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run_it


@pytest.fixture
def configured(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes settings whose folder of playbooks holds this file."""

    def configure(text: str) -> None:
        with pytest.raises(SystemExit):
            main(("init", "--crm", "hubspot"))
        capsys.readouterr()
        env = (tmp_path / "aurevoir.env").read_text()
        env = env.replace("ACCESS_TOKEN=", "ACCESS_TOKEN=a").replace("CLIENT_SECRET=", "CLIENT_SECRET=b")
        (tmp_path / "aurevoir.env").write_text(env)
        config: dict[str, Any] = yaml.safe_load((tmp_path / "config.yaml").read_text())
        config["playbooks_dir"] = "own"
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        (tmp_path / "own").mkdir()
        (tmp_path / "own" / "ours.yaml").write_text(text)

    return configure


@pytest.mark.parametrize("command", [(), ("lint",), ("show",), ("diff",)], ids=" ".join)
def test_help_exists_and_fits_a_screen(run: Run, command: tuple[str, ...]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert len(out.splitlines()) <= 24


@pytest.mark.parametrize(
    ("text", "args", "code", "told"),
    [
        (ALLOWED, (), 0, "allowed  a.yaml, line 6, step farewell, body.en is 'You should have told': blame."),
        (OWN, (), 0, "1 files: 0 faults, 1 warnings, 0 allowed with a reason."),
        (OWN, ("--strict",), 1, "warning  a.yaml, line 6"),
        (ALLOWED, ("--strict",), 0, "(allowed: It is how they speak)"),
        (THREAT, (), 1, "refused  a.yaml, line 6, step farewell, body.en is 'otherwise we will delete': threat."),
        ("playbook: [", (), 1, "this is not YAML"),
    ],
)
def test_lint_tells_what_is_wrong_and_ends_accordingly(
    run: Run, tmp_path: Path, text: str, args: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    ended, out, _ = run("lint", "a.yaml", *args)
    assert (ended, told in out) == (code, True), out


def test_lint_without_files_reads_what_ships_and_the_admins_own(run: Run, configured: Callable[[str], None]) -> None:
    code, out, _ = run("lint", "--json")
    assert code == 0
    assert "shipped/saas.yaml" in json.loads(out)["files"]
    configured(OWN)
    code, out, _ = run("lint", "--json")
    told = json.loads(out)
    assert (code, told["well"], told["faults"]) == (0, True, [])
    (note,) = [one for one in told["notes"] if one["fault"]["file"].endswith("own/ours.yaml")]
    assert (note["rule"], note["level"], note["fault"]["step"]) == ("blame", "warning", "step farewell")


@pytest.mark.row("P-34")
def test_lint_reads_reasons_in_an_admins_own_words(run: Run, tmp_path: Path) -> None:
    options = "\n  - {value: price, text: {en: Dear}}\n  - {value: sold, text: {en: Sold}}"
    text = "reasons: own\nlanguages: [en]\noptions:" + options
    (tmp_path / "reasons.yaml").write_text(text)
    ended, out, _ = run("lint", "reasons.yaml")
    assert (ended, "category" in out) == (1, True), out
    (tmp_path / "reasons.yaml").write_text(text.replace("sold,", "sold, category: merger_closure,"))
    assert run("lint", "reasons.yaml")[0] == 0


@pytest.mark.row("P-27")
def test_lint_reads_the_tone_of_own_reasons_and_of_own_word_layouts(run: Run, tmp_path: Path) -> None:
    options = "\n  - {value: price, text: {en: Dear}}\n  - {value: other, text: {en: Last chance to come back}}"
    text = "reasons: own\nlanguages: [en]\noptions:" + options
    (tmp_path / "reasons.yaml").write_text(text)
    ended, out, _ = run("lint", ".")
    assert (ended, "line 5, options.#2.text.en is 'Last chance': pressure." in out) == (0, True), out
    (tmp_path / "reasons.yaml").write_text(text + "\ntone_ok: {pressure: They say so themselves}")
    assert "(allowed: They say so themselves)" in run("lint", ".")[1]
    (tmp_path / "reasons.yaml").unlink()
    letter = docx.Document(str(LAYOUTS / "letter.docx"))
    letter.save(str(tmp_path / "letter.docx"))
    assert "1 files: 0 faults, 0 warnings" in run("lint", ".")[1], "what ships is kind"
    letter.add_paragraph("You should have told us earlier, {{ customer }}.")
    letter.sections[0].footer.add_paragraph("C’est votre dernière chance de revenir.")
    letter.save(str(tmp_path / "letter.docx"))
    ended, out, _ = run("lint", ".", "--strict")
    assert (ended, "letter.docx is 'You should have told': blame." in out) == (1, True), out
    assert "dernière chance" in out, "a layout without a language is read in each"
    (tmp_path / "letter.docx").rename(tmp_path / "letter.fr.docx")
    told = run("lint", ".")[1]
    assert ("You should have told" in told, "dernière chance" in told) == (False, True)
    (tmp_path / "letter.fr.docx").write_text("no Word file")
    assert (run("lint", ".")[0], "is no Word file that can be read" in run("lint", ".")[1]) == (1, True)


def test_lint_takes_folders_and_lets_playbooks_ask_questionnaires_beside_them(run: Run, tmp_path: Path) -> None:
    survey = """\
questionnaire: ours
version: 1
kind: survey
languages: [en]
title: {en: A}
intro: {en: B}
thanks: {en: C}
sections: [{key: s, title: {en: D}, questions: [{key: q, type: text, text: {en: E}}]}]
"""
    (tmp_path / "b.yaml").write_text(survey)
    (tmp_path / "a.yaml").write_text("extends: saas\nversion: 1\nsteps: [{key: survey, questionnaire: ours}]\n")
    code, out, _ = run("lint", ".")
    assert (code, "2 files: 0 faults" in out) == (0, True), out
    (tmp_path / "c.yaml").write_text("extends: saas\nversion: 1\n")
    code, out, _ = run("lint", ".")
    assert (code, "has this name already" in out) == (1, True), out


@pytest.mark.parametrize(
    "args", [("lint", "none.yaml"), ("show", "sas"), ("show", "saas", "--step", "x"), ("diff", "x")]
)
def test_wrong_use_ends_with_two(run: Run, args: tuple[str, ...]) -> None:
    code, _, err = run(*args)
    assert code == 2
    assert "cannot be read" in err or "there is no playbook" in err or "has no step" in err


def test_settings_that_are_named_must_be_there(run: Run) -> None:
    assert run("lint", "--config", "none.yaml")[0] == 2


def test_show_tells_the_plan_with_the_admins_changes_and_what_was_allowed(
    run: Run, configured: Callable[[str], None]
) -> None:
    configured(ALLOWED)
    code, out, _ = run("show", "saas")
    assert code == 0
    assert "saas 4-" in out
    assert "farewell             email for csm, from contract_end - 2d, due contract_end + 2d" in out
    assert "(allowed: It is how they speak)" in out
    assert "You should have told us earlier." in run("show", "saas", "--step", "farewell")[1]
    told = json.loads(run("show", "saas", "--json")[1])
    assert told["content"]["version"].startswith("4-")
    assert told["allowed"][0]["reason"] == "It is how they speak"


@pytest.mark.row("P-77")
def test_diff_shows_what_the_admins_file_changes(run: Run, configured: Callable[[str], None], tmp_path: Path) -> None:
    assert "do the same" in run("diff", "saas")[1]
    configured(ALLOWED)
    code, out, _ = run("diff", "saas")
    assert code == 0
    assert "changed step farewell due\n  -contract_end\n  +contract_end + 2d" in out
    (tmp_path / "next.yaml").write_text("extends: saas\nversion: 5\nremove: [win-back]\n")
    told = json.loads(run("diff", "saas", "own", "next.yaml", "--json")[1])
    assert {"removed", "changed"} == {one["kind"] for one in told["changes"]}
    assert told["after"].startswith("5-")


@pytest.mark.row("P-77")
def test_diff_knows_the_versions_that_cases_keep(run: Run, configured: Callable[[str], None], tmp_path: Path) -> None:
    configured(ALLOWED)
    now = datetime(2026, 3, 2, tzinfo=UTC)
    frozen = parse_playbook(OWN.replace("version: 4", "version: 3").replace("+ 2d", "+ 9d"), "old.yaml")
    store = Store(f"sqlite:///{tmp_path / 'aurevoir.db'}")
    store.upgrade(now=now)
    with store.write() as session:
        cases.keep_playbook(session, frozen, now)
    store.close()
    code, out, _ = run("diff", "saas", "3-", "own")
    assert (code, "-contract_end + 9d\n  +contract_end + 2d" in out) == (0, True), out
    code, _, err = run("diff", "saas", "9-")
    assert code == 2
    assert frozen.version in err.replace("\n", "").replace(" │", "").replace("│ ", "")

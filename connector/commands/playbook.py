"""``aurevoir playbook``: checks the files that admins write, shows a playbook, and tells two versions apart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from connector.settings import Settings
    from workflows.documents import Fault
    from workflows.playbook_diff import Change
    from workflows.rules import LinkKind, Playbook, StepRule
    from workflows.tone_check import Note

NOT_WELL = 1
LAYOUT = ".docx"

playbook_app = typer.Typer(
    help="Check, show and compare playbooks.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings.  [default: config.yaml, or AUREVOIR_CONFIG]"),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
_Key = Annotated[str, typer.Argument(metavar="KEY", help="The playbook, by its name.")]


@dataclass
class Known:
    """What files hold: playbooks by key with the name of their file and notes on them, and all that is wrong."""

    playbooks: dict[str, tuple[str, Playbook]] = field(default_factory=dict)
    kinds: dict[str, LinkKind] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


@playbook_app.command()
def lint(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]", help="Files or folders.  [default: what ships, and yours]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as faults.")] = False,
    as_json: _AsJson = False,
    config: _Config = None,
) -> None:
    """Check playbooks and questionnaires, and their tone; that of reasons and
    Word layouts of your own as well.

    Ends with 0 if all can be used, 1 if a file is refused, 2 on wrong use.
    """
    settings = _settings(context, config)
    known = read(_files(files), _kinds(settings)) if files else _all(settings)
    warned = sum(note.level == "warning" for note in known.notes)
    if as_json:
        _print_json(
            {
                "well": not known.faults,
                "files": known.files,
                "faults": [fault.model_dump() for fault in known.faults],
                "notes": [note.model_dump(mode="json") for note in known.notes],
            }
        )
    else:
        _print_lint(known, warned)
    raise typer.Exit(NOT_WELL if known.faults or (strict and warned) else 0)


@playbook_app.command()
def show(
    context: typer.Context,
    key: _Key,
    step: Annotated[str | None, typer.Option("--step", metavar="KEY", help="This step with its texts.")] = None,
    as_json: _AsJson = False,
    config: _Config = None,
) -> None:
    """Show a playbook as it stands, with your changes."""
    known = _usable(_all(_settings(context, config)))
    file, playbook = _chosen(known, key)
    steps = [one for one in playbook.steps() if step in (None, one.key)]
    if not steps:
        names = ", ".join(one.key for one in playbook.steps())
        raise typer.BadParameter(f"{key} has no step {step!r}; there are: {names}", param_hint="--step")
    notes = [note for note in known.notes if note.fault.file == file and note.level == "allowed"]
    if as_json:
        whole = playbook.model_dump(mode="json") if step is None else steps[0].model_dump(mode="json")
        _print_json({"file": file, "allowed": [note.model_dump(mode="json") for note in notes], "content": whole})
    elif step is not None:
        _print_step(steps[0])
    else:
        _print_playbook(file, playbook, notes)


@playbook_app.command()
def diff(
    context: typer.Context,
    key: _Key,
    a: Annotated[str | None, typer.Argument(metavar="[A]", help="Before.  [default: shipped]")] = None,
    b: Annotated[str | None, typer.Argument(metavar="[B]", help="After.  [default: own]")] = None,
    as_json: _AsJson = False,
    config: _Config = None,
) -> None:
    """Show what two versions of a playbook do otherwise.

    A and B: `shipped`, `own` (as your files say now), a version that a case
    keeps (or its beginning), or a file. Ends with 0, also where they differ.
    """
    from workflows.playbook_diff import changes

    settings = _settings(context, config)
    old, new = (_version(settings, key, name) for name in (a or "shipped", b or "own"))
    found = changes(old, new)
    if as_json:
        _print_json({"before": old.version, "after": new.version, "changes": [one.model_dump() for one in found]})
    else:
        _print_diff(old, new, found)


# --- where playbooks come from ----------------------------------------------------------------------------------------


def read(texts: Mapping[str, str | bytes], kinds: Mapping[str, LinkKind] | None = None) -> Known:
    """Read playbooks, questionnaires, reasons and layouts (file name to content) with all faults and notes.

    ``kinds`` are the questionnaires that playbooks may ask besides those among the files and those that ship.
    """
    from workflows.asking import notes_on_reasons, parse_reasons
    from workflows.documents import PlaybookError, load
    from workflows.survey import shipped_questionnaires

    known = Known(files=list(texts))
    known.kinds |= {key: one.kind for key, one in shipped_questionnaires().items()} | dict(kinds or {})
    playbooks = {}
    for file, text in texts.items():
        try:
            if file.lower().endswith(LAYOUT):
                _read_layout(known, file, text)
                continue
            data = load(text, file).data
            if "questionnaire" in data:
                _read_one(known, file, text, "questionnaire")
            elif "reasons" in data:
                parse_reasons(text, file)
                known.notes += notes_on_reasons(text, file)
            else:
                playbooks[file] = text
        except PlaybookError as error:
            known.faults += error.faults
    for file, text in playbooks.items():
        _read_one(known, file, text, "playbook")
    return known


def _read_layout(known: Known, file: str, content: str | bytes) -> None:
    from connector.documents import DocumentError, layout_notes
    from workflows.documents import Fault

    try:
        known.notes += layout_notes(file, content if isinstance(content, bytes) else content.encode())
    except DocumentError as error:
        known.faults.append(Fault(file=file, key="", cure=str(error)))


def _read_one(known: Known, file: str, text: str | bytes, kind: str) -> None:
    from workflows.documents import Fault, PlaybookError
    from workflows.playbook import read_playbook
    from workflows.survey import read_questionnaire

    try:
        if kind == "questionnaire":
            questionnaire, notes = read_questionnaire(text, file)
            known.kinds[questionnaire.key] = questionnaire.kind
        else:
            playbook, notes = read_playbook(text, file, known.kinds)
            if playbook.key in known.playbooks:
                cure = f"{known.playbooks[playbook.key][0]} has this name already; give each its own"
                known.faults.append(Fault(file=file, key="playbook", seen=playbook.key, cure=cure))
            known.playbooks[playbook.key] = (file, playbook)
        known.notes += notes
    except PlaybookError as error:
        known.faults += error.faults


def _all(settings: Settings | None) -> Known:
    """What ships, and the admin's own in front of it."""
    shipped = read({f"shipped/{file}": text for name in ("surveys", "playbooks") for file, text in _named(name)})
    own = read(_files(_folders(settings)), shipped.kinds)
    return Known(
        playbooks={**shipped.playbooks, **own.playbooks},
        kinds=own.kinds,
        notes=[*shipped.notes, *own.notes],
        faults=[*shipped.faults, *own.faults],
        files=[*shipped.files, *own.files],
    )


def own_notes(settings: Settings) -> list[Note]:
    """What is worth a word in what the admin wrote or laid out themselves; what ships has nothing to note."""
    return read(_files(_folders(settings))).notes


def _named(folder: str) -> Iterable[tuple[str, str]]:
    from workflows.documents import shipped_texts

    return shipped_texts(folder).items()


def _kinds(settings: Settings | None) -> Mapping[str, LinkKind]:
    surveys = settings.surveys_dir if settings is not None else None
    return read(_files([surveys])).kinds if surveys is not None else {}


def _folders(settings: Settings | None) -> list[Path]:
    folders = (settings.surveys_dir, settings.playbooks_dir, settings.documents_dir) if settings is not None else ()
    return [folder for folder in folders if folder is not None]


def _files(paths: Sequence[Path]) -> dict[str, bytes]:
    """The contents of these files, and of YAML files and layouts in these folders. Wrong use when one is unreadable."""
    files = [file for path in paths for file in (_within(path) if path.is_dir() else [path])]
    try:
        return {str(file): file.read_bytes() for file in files}
    except OSError as error:
        raise typer.BadParameter(f"{error.filename} cannot be read: {error.strerror}", param_hint="FILES") from None


def _within(folder: Path) -> list[Path]:
    layouts = [path for path in folder.glob(f"*{LAYOUT}") if not path.name.startswith("~$")]
    return [*sorted(folder.glob("*.y*ml")), *sorted(layouts)]  # a word processor keeps such a file beside an open one


def _settings(context: typer.Context, config: Path | None) -> Settings | None:
    """The settings; None where no file is named and there is none: what ships can be looked at without."""
    from connector.bootstrap import Adapters
    from connector.config import environment, load

    named = config or context.find_root().obj or os.environ.get("AUREVOIR_CONFIG")
    path = Path(named or "config.yaml")
    if named is None and not path.exists():
        return None
    return load(path, environment(path, os.environ), Adapters())


def _usable(known: Known) -> Known:
    from adapters.errors import ConfigError, Fault

    if known.faults:
        raise ConfigError([Fault(f"{fault.file}:{fault.line}", fault.seen, str(fault)) for fault in known.faults])
    return known


def _chosen(known: Known, key: str) -> tuple[str, Playbook]:
    if key not in known.playbooks:
        names = ", ".join(sorted(known.playbooks))
        raise typer.BadParameter(f"there is no playbook {key!r}; there are: {names}", param_hint="KEY")
    return known.playbooks[key]


def _version(settings: Settings | None, key: str, name: str) -> Playbook:
    if name == "shipped":
        shipped = read(dict(_named("playbooks")))
        return _chosen(shipped, key)[1]
    if name == "own":
        return _chosen(_usable(_all(settings)), key)[1]
    if Path(name).is_file():
        found = _usable(read(_files([Path(name)]), _kinds(settings))).playbooks
        if not found:
            raise typer.BadParameter(f"{name} holds no playbook")
        return next(iter(found.values()))[1]
    return _frozen(settings, key, name)


def _frozen(settings: Settings | None, key: str, beginning: str) -> Playbook:
    """The version that cases keep, by its beginning. Wrong use when there is none, or more than one."""
    from sqlalchemy import select

    from connector.bootstrap import Adapters, build
    from connector.store.tables import PlaybookRow
    from workflows.rules import Playbook

    rows: list[PlaybookRow] = []
    if settings is not None:
        runtime = build(settings, adapters=Adapters())
        try:
            if runtime.store.schema_version() is not None:
                with runtime.store.read() as session:
                    rows = list(session.scalars(select(PlaybookRow).where(PlaybookRow.key == key)))
        finally:
            runtime.close()
    fitting = [row for row in rows if row.version.startswith(beginning)]
    if len(fitting) != 1:
        names = ", ".join(["shipped", "own", *(row.version for row in rows)])
        what = "no version" if not fitting else "more than one version"
        raise typer.BadParameter(f"there is {what} {beginning!r} of {key}, nor such a file; there are: {names}")
    return Playbook.model_validate(fitting[0].content)


# --- how it is shown -------------------------------------------------------------------------------------------------


def _print_lint(known: Known, warned: int) -> None:
    for fault in known.faults:
        typer.secho(f"refused  {fault}", fg="red")
    for note in known.notes:
        typer.secho(f"{note.level:8} {note}", fg="yellow" if note.level == "warning" else None)
    allowed = len(known.notes) - warned
    told = f"{len(known.files)} files: {len(known.faults)} faults, {warned} warnings, {allowed} allowed with a reason."
    typer.echo(told)


def _print_playbook(file: str, playbook: Playbook, notes: Sequence[Note]) -> None:
    from workflows.playbook_checks import spell

    language = playbook.languages[0]
    typer.echo(
        f"{playbook.key} {playbook.version}: {playbook.title[language]} ({', '.join(playbook.languages)}; {file})"
    )
    for phase in playbook.phases:
        typer.echo(f"\n{phase.title[language]} ({phase.key})")
        for step in phase.steps:
            when = f", only if {step.when}" if step.when else ""
            dates = f"from {spell(step.release)}, due {spell(step.due)}"
            typer.echo(f"  {step.key:20} {step.type} for {step.owner}, {dates}{when}")
    for note in notes:
        typer.echo(f"\nallowed: {note}")


def _print_step(step: StepRule) -> None:
    for name in ("title", "body", "call_title", "call_body"):
        for language, text in getattr(step, name).items():
            typer.echo(f"--- {name} ({language})\n{text}\n")


def _print_diff(old: Playbook, new: Playbook, found: Sequence[Change]) -> None:
    if not found:
        typer.echo(f"{old.key}: {old.version} and {new.version} do the same.")
        return
    typer.echo(f"{old.key}: {old.version} → {new.version}")
    for change in found:
        place = " ".join(part for part in (f"step {change.step}" if change.step else "", change.key) if part)
        typer.echo(f"\n{change.kind} {place}")
        for line in change.lines():
            typer.secho(f"  {line}", fg="green" if line.startswith("+") else "red")


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))

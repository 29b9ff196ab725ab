"""Playbooks and questionnaires: those that ship, and the admin's own in front of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from adapters.errors import ConfigError, Fault
from connector.settings import Settings
from connector.values import near
from workflows.documents import Fault as DocumentFault
from workflows.documents import PlaybookError
from workflows.model import Playbook, Questionnaire
from workflows.playbook import load_playbooks, shipped_playbooks
from workflows.survey import load_questionnaires, shipped_questionnaires

Document = TypeVar("Document", Playbook, Questionnaire)


class Library:
    """What cases and pages follow. Raises :class:`~adapters.errors.ConfigError` with the faults of all files."""

    def __init__(self, settings: Settings) -> None:
        own = _load(settings.surveys_dir, "surveys_dir", load_questionnaires)
        self.questionnaires: Mapping[str, Questionnaire] = {**shipped_questionnaires(), **own}
        kinds = {key: questionnaire.kind for key, questionnaire in self.questionnaires.items()}
        own_playbooks = _load(settings.playbooks_dir, "playbooks_dir", lambda texts: load_playbooks(texts, kinds))
        self.playbooks: Mapping[str, Playbook] = {**shipped_playbooks(), **own_playbooks}
        unknown = [
            Fault(
                key=f"accounts.{name}.playbook",
                value=account.playbook,
                cure=f"no such playbook; {near(account.playbook, list(self.playbooks))}"
                f"known are {', '.join(sorted(self.playbooks))}",
            )
            for name, account in settings.accounts.items()
            if account.playbook not in self.playbooks
        ]
        if unknown:
            raise ConfigError(unknown)

    def playbook(self, key: str) -> Playbook:
        """The newest version of a playbook; KeyError when there is none."""
        return self.playbooks[key]

    def questionnaire(self, key: str) -> Questionnaire:
        """The questionnaire; KeyError when there is none."""
        return self.questionnaires[key]


def _load(
    folder: Path | None, key: str, load: Callable[[Mapping[str, str | bytes]], Mapping[str, Document]]
) -> Mapping[str, Document]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise ConfigError([Fault(key, str(folder), "is no folder: create it, or take the key out")])
    try:
        files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.y*ml"))}
        return load(files)
    except OSError as error:
        raise ConfigError([Fault(key, str(folder), f"cannot be read: {error.strerror}")]) from error
    except PlaybookError as error:
        raise ConfigError([_to_fault(key, fault) for fault in error.faults]) from error


def _to_fault(key: str, fault: DocumentFault) -> Fault:
    place = [f"{key}/{fault.file}" + (f":{fault.line}" if fault.line is not None else ""), fault.step, fault.key]
    return Fault(" ".join(part for part in place if part), fault.seen, fault.cure)

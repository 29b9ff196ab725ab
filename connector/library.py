"""Playbooks and questionnaires: those that ship, and the admin's own in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from adapters.errors import ConfigError, Fault
from connector.account_settings import AccountConfig
from connector.documents import Documents
from connector.settings import Settings
from connector.store import cases
from connector.survey_settings import tool_faults
from connector.values import near
from workflows.asking import load_reasons, with_reasons
from workflows.documents import Fault as DocumentFault
from workflows.documents import PlaybookError
from workflows.playbook import load_playbooks, shipped_playbooks
from workflows.questions import Questionnaire
from workflows.rules import CaseKind, Playbook
from workflows.said import Said
from workflows.survey import load_questionnaires, shipped_questionnaires

Loaded = TypeVar("Loaded")
MOST_FROZEN = 64
"""So many versions of playbooks are kept read."""


class Library:
    """What cases and pages follow. Raises :class:`~adapters.errors.ConfigError` with the faults of all files."""

    def __init__(self, settings: Settings) -> None:
        self.documents = Documents(settings.documents_dir)
        self._frozen: dict[tuple[str, str], Playbook] = {}
        own = _load(settings.surveys_dir, "surveys_dir", load_questionnaires)
        reasons = _load(settings.surveys_dir, "surveys_dir", load_reasons)
        self.questionnaires: Mapping[str, Questionnaire] = {
            key: with_reasons(one, reasons) for key, one in {**shipped_questionnaires(), **own}.items()
        }
        kinds = {key: questionnaire.kind for key, questionnaire in self.questionnaires.items()}
        own_playbooks = _load(settings.playbooks_dir, "playbooks_dir", lambda texts: load_playbooks(texts, kinds))
        self.playbooks: Mapping[str, Playbook] = {**shipped_playbooks(), **own_playbooks}
        wrong = [
            fault
            for name, account in settings.accounts.items()
            for key, chosen, kind in _chosen(account)
            if (fault := self._fault(f"accounts.{name}.{key}", chosen, kind)) is not None
        ]
        for name, account in settings.accounts.items():
            wrong += tool_faults(f"accounts.{name}.surveys.own_tool", account.surveys.own_tool, self.questionnaires)
        if wrong:
            raise ConfigError(wrong)

    def _fault(self, key: str, chosen: str, kind: CaseKind) -> Fault | None:
        """What is wrong with choosing this playbook for cases of this kind."""
        playbook = self.playbooks.get(chosen)
        fitting = sorted(one.key for one in self.playbooks.values() if one.kind is kind)
        if playbook is None:
            return Fault(
                key,
                chosen,
                Said(
                    "no such playbook; %(near)sknown are %(known)s",
                    near=near(chosen, fitting),
                    known=", ".join(fitting),
                ),
            )
        if playbook.kind is not kind:
            cure = Said(
                "this playbook is of the kind %(kind)s, and here one of the kind %(meant)s is meant: %(known)s",
                kind=playbook.kind.value,
                meant=kind.value,
                known=", ".join(fitting) or Said("write one"),
            )
            return Fault(key, chosen, cure)
        return None

    def playbook(self, key: str) -> Playbook:
        """The newest version of a playbook; KeyError when there is none."""
        return self.playbooks[key]

    def frozen(self, session: Session, key: str, version: str) -> Playbook | None:
        """The version that a case began with (P-77), or None. It is read once, since a version never changes."""
        known = self._frozen.get((key, version))
        found = cases.playbook(session, key, version) if known is None else None
        if found is not None:
            newest = self.playbooks.get(key)
            known = newest if newest == found else found  # what is worked out for the newest serves these cases too
            if len(self._frozen) >= MOST_FROZEN:
                self._frozen.clear()
            self._frozen[key, version] = known
        return known

    def questionnaire(self, key: str) -> Questionnaire:
        """The questionnaire; KeyError when there is none."""
        return self.questionnaires[key]


def _chosen(account: AccountConfig) -> Iterator[tuple[str, str, CaseKind]]:
    """Every playbook that the account names: the key, its value, and the kind of case that it is for."""
    yield "playbook", account.playbook, CaseKind.OFFBOARDING
    for number, choice in enumerate(account.playbooks):
        yield f"playbooks[{number}].playbook", choice.playbook, CaseKind.OFFBOARDING
    if account.save_playbook is not None:
        yield "save_playbook", account.save_playbook, CaseKind.SAVE
    if account.baseline_playbook is not None:
        yield "baseline_playbook", account.baseline_playbook, CaseKind.BASELINE


def _load(folder: Path | None, key: str, load: Callable[[Mapping[str, str | bytes]], Loaded]) -> Loaded:
    """What the YAML files of this folder say, or what no files at all do."""
    if folder is None:
        return load({})
    if not folder.is_dir():
        raise ConfigError([Fault(key, str(folder), Said("is no folder: create it, or take the key out"))])
    try:
        return load({path.name: path.read_bytes() for path in sorted(folder.glob("*.y*ml"))})
    except OSError as error:
        raise ConfigError(
            [Fault(key, str(folder), Said("cannot be read: %(reason)s", reason=error.strerror))]
        ) from error
    except PlaybookError as error:
        raise ConfigError([_to_fault(key, fault) for fault in error.faults]) from error


def _to_fault(key: str, fault: DocumentFault) -> Fault:
    place = [f"{key}/{fault.file}" + (f":{fault.line}" if fault.line is not None else ""), fault.step, fault.key]
    return Fault(" ".join(part for part in place if part), fault.seen, fault.cure)

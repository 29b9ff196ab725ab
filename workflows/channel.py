"""How a contact was asked a survey's questions: in writing, or in a call (P-16, P-44).

:attr:`~workflows.cases.Case.written` keeps it by step, with the questionnaire, under :data:`~workflows.draft.MAILED`
and :data:`PHONED`. Versions before kept nothing of calls, and ``yes`` in place of the questionnaire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workflows.cases import Step
from workflows.draft import MAILED, Draft
from workflows.loop import handed_to
from workflows.questions import Answer

PHONED = "phoned:"
_FORMERLY = "yes"


def keep_channel(draft: Draft, step: Step, questionnaire: str, *, in_writing: bool) -> None:
    """Keep that the task of this step asks to write to its contact, or to call them."""
    draft.written[f"{MAILED if in_writing else PHONED}{step.key}"] = questionnaire or _FORMERLY


def asked_in_writing(written: Mapping[str, str], questionnaire: str, contact_id: str | None) -> bool:
    """Whether this contact was asked these questions in writing. Where nothing at all was kept of them, they were."""
    mailed = set(_asked(written, MAILED, contact_id))
    if mailed & {questionnaire, _FORMERLY}:
        return True
    return not mailed and not set(_asked(written, PHONED, contact_id))


def taken_by_phone(draft: Draft, answer: Answer) -> str | None:
    """By whom this answer was taken down in a call, by name; empty: nobody knows. None: they gave it themselves."""
    if answer.by != "customer" or answer.contact_id is None:
        return None
    if answer.questionnaire in _asked(draft.written, MAILED, answer.contact_id):
        return None
    for step in draft.steps.values():
        if step.contact_id == answer.contact_id and draft.written.get(f"{PHONED}{step.key}") == answer.questionnaire:
            user = draft.look.users.get(handed_to(draft, step) or step.owner_id or "")
            return user.name if user is not None else ""
    return None


def _asked(written: Mapping[str, str], mark: str, contact_id: str | None) -> Iterator[str]:
    for name, questionnaire in written.items():
        if name.startswith(mark) and contact_id is not None and name.partition("@")[2] == contact_id:
            yield questionnaire

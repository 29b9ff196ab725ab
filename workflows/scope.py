"""Whether a deal's contract is in scope of the exit-rights clock, as its deal says, and what follows when that changes.

Deals are often marked when the plan runs already: steps that were left out come back then, and open ones that are not
needed are closed, until the mark is set again (P-2B).
"""

from __future__ import annotations

from workflows.cases import Step, StepStatus
from workflows.desk import Desk
from workflows.draft import Draft
from workflows.exit_rights import SCOPE, hangs_on_rights, is_in_scope, scope_word
from workflows.rules import CaseKind
from workflows.said import Said
from workflows.wording import say

_CLOSED = "scope:"
"""In :attr:`Case.written`: before the key of each step that the deal's mark closed."""
_WORDS = {
    "in": Said("the deal says that its contract is in scope"),
    "out": Said("the deal says that its contract is not in scope"),
    "": Said("the deal does not say any more whether its contract is in scope"),
}


def follow_scope(desk: Desk) -> None:
    """Take over what the deal says of its contract."""
    draft = desk.draft
    rights = draft.look.rules.exit_rights
    if rights is None or draft.case.kind is not CaseKind.OFFBOARDING:
        return
    word, known = scope_word(draft.look.deal.exit_rights), draft.written.get(SCOPE, "")
    if word == known:
        return
    draft.written.pop(SCOPE, None)
    if word:
        draft.written[SCOPE] = word
    draft.log("exit rights", _WORDS[word])
    runs = is_in_scope(rights, word)
    if runs == is_in_scope(rights, known):
        return
    for step in list(draft.steps.values()):
        rule = desk.rules.get(step.rule)
        if rule is None or not hangs_on_rights(rule):
            continue
        if runs:
            _bring_back(draft, step)
        elif step.status in (StepStatus.WRITING, StepStatus.OPEN):
            draft.close(step, say("close.no_rights", desk.language))
            if draft.steps[step.key].status is StepStatus.CLOSED:
                draft.written[f"{_CLOSED}{step.key}"] = "yes"
    desk.forget()


def _bring_back(draft: Draft, step: Step) -> None:
    """What was left out, and what the mark alone had closed; what was done, or ended for a reason of its own, stays."""
    closed_here = draft.written.pop(f"{_CLOSED}{step.key}", None) is not None
    if step.status is StepStatus.SKIPPED:
        draft.put(step, status=StepStatus.WAITING)
    elif step.status is StepStatus.CLOSED and closed_here:
        draft.once_more(step)

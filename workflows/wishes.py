"""What leavers wished for, found in their answers (P-52): words that name what was missing in the product."""

from __future__ import annotations

from workflows.figures import category
from workflows.questions import Answer, Questionnaire, QuestionType

GAP = "product_gap"
ALWAYS = frozenset({"technical-gaps"})
"""Questions that ask for nothing else."""
WITH_THE_REASON = frozenset({"missing", "reason-told", "reason-second-told", "improve", "product"})
"""Questions whose words name a gap where a gap is a reason for leaving."""
_REASONS = frozenset({"exit_reason", "exit_reason_second", "exit_reason_interview"})


def wishes_in(questionnaire: Questionnaire, answer: Answer) -> tuple[str, ...]:
    """The keys of the questions under which a wish was voiced; empty for most answers, and for our own team's."""
    if answer.by == "team":
        return ()
    said = {question.field or question.key: answer.values.get(question.key) for question in questionnaire.questions()}
    gap = any(category(str(value)) == GAP for name, value in said.items() if name in _REASONS and value)
    wanted = ALWAYS | WITH_THE_REASON if gap else ALWAYS
    return tuple(
        question.key
        for question in questionnaire.questions()
        if question.type is QuestionType.TEXT and question.key in wanted and answer.values.get(question.key)
    )

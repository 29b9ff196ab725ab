"""What people write into the fields of answers is heeded (P-7B): a later answer takes no word of theirs away unseen.

We keep a short digest of what we wrote last into each such field, and of what stood there before. What stands there at
the next answer is then known to be ours, and may be replaced; or a person has changed it since, and then it stays,
until they empty the field. Deals share companies and contacts: what another case wrote there last is ours as well. Of
what we never wrote nothing is known: it gives way to the answer, and the answer's note keeps it. Fields that hold
states of ours, such as quiet, are not meant: see :mod:`workflows.quiet`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from workflows.documents import shorten
from workflows.draft import Draft
from workflows.fields import ANSWERS, field, named_in
from workflows.records import RecordKind, Ref
from workflows.rules import Texts
from workflows.signs import number
from workflows.survey import wording
from workflows.writes import FieldValue

_OURS = "_ours:"
_SHORT = 200
_WORDS: Mapping[str, Texts] = {
    "kept": {
        "en": (
            "“{label}” on the {records} keeps what a colleague entered there: {value}. Empty the field to let the next "
            "answer in again."
        ),
        "fr": (
            "« {label} » ({records}) garde ce qu’un collègue y a saisi : {value}. Videz ce champ pour que la prochaine "
            "réponse y soit reprise."
        ),
    },
    "replaced": {
        "en": "“{label}” on the {records} said before this answer: {value}",
        "fr": "« {label} » ({records}) indiquait avant cette réponse : {value}",
    },
    "deal": {"en": "deal", "fr": "transaction"},
    "company": {"en": "company", "fr": "entreprise"},
    "contact": {"en": "contact", "fr": "contact"},
}


class Verdict(StrEnum):
    """What becomes of a value that stands in a field: it is ours to replace, is told of and replaced, or stays."""

    OURS = "ours"
    REPLACED = "replaced"
    KEPT = "kept"


class Heed:
    """Goes through what one answer wants to write.

    ``unknown_stays``: what we never wrote is not replaced either. ``only``: nothing is written but on this record.
    ``undigested``: what earlier versions of ours wrote last on these records, of which they kept no digest.
    """

    def __init__(
        self,
        draft: Draft,
        *,
        unknown_stays: bool = False,
        only: str | None = None,
        undigested: Mapping[Ref, FieldValue] | None = None,
    ) -> None:
        self._draft = draft
        self._undigested = undigested or {}
        self._only = only
        self._unknown_stays = unknown_stays
        self._found: dict[tuple[Verdict, str, str], list[RecordKind]] = {}

    def settle(self, target: Ref, values: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
        """Those of the values that may be written on this record; has the people read where they must be known."""
        if self._only is not None and target.id != self._only:
            return {}
        names = [name for name in ANSWERS.get(target.kind, ()) if name in values]
        stands = self._standing(target) if names else {}
        ours = _parsed(self._draft.written.get(_mark(target), ""))
        settled = dict(values)
        for name in names:
            present = stands.get(name, "")
            if self._judge(target, name, present, values[name]) is Verdict.KEPT:
                del settled[name]
            else:
                ours[name] = f"{_digest(_text(values[name]))}.{_digest(present)}"
        if ours:
            self._draft.written[_mark(target)] = ";".join(f"{name}={marks}" for name, marks in sorted(ours.items()))
        return settled

    def told(self) -> Iterator[str]:
        """What the answer's note says of values that stay, or that it took the place of."""
        language = self._draft.case.language
        for (verdict, name, value), kinds in self._found.items():
            spec = field(kinds[0], name)
            [named] = named_in(language, [spec])
            shown = next((named.option_label(one) for one in named.options if one.value == value), value)
            yield _say(
                verdict.value,
                language,
                label=named.label,
                records=", ".join(_say(kind.value, language) for kind in kinds),
                value=shorten(shown, _SHORT) if verdict is Verdict.KEPT else shown,
            )

    def _standing(self, target: Ref) -> Mapping[str, str]:
        """What stands in the record's fields now; nothing for one that is no longer of this deal."""
        look = self._draft.look
        if target.kind is RecordKind.DEAL:
            return look.deal.said if target.id == look.deal.id else {}
        if look.people is None:
            self._draft.needs_people = True
            return {}
        company = look.people.company
        if target.kind is RecordKind.COMPANY:
            return company.said if company is not None and company.id == target.id else {}
        return next((one.said for one in look.people.contacts if one.id == target.id), {})

    def _judge(self, target: Ref, name: str, present: str, wanted: FieldValue) -> Verdict:
        """The same for the whole decision: several answers may come in one look, and only the first is told of it."""
        draft = self._draft
        if (target, name) in draft.judged:
            return Verdict.OURS if draft.judged[target, name] else Verdict.KEPT
        last, _, before = _kept(draft.case.written, target, name)
        digest = _digest(present)
        last = last or _digest(_text(self._undigested.get(target)))
        if not present or digest in (last, _digest(_text(wanted))):
            verdict = Verdict.OURS
        elif self._is_another_cases(target, name, digest):
            draft.judged[target, name] = wanted is not None  # nothing to say here takes no word of another case away
            return Verdict.OURS if wanted is not None else Verdict.KEPT
        elif last and digest != before:
            verdict = Verdict.KEPT
        else:
            verdict = Verdict.KEPT if self._unknown_stays or wanted is None else Verdict.REPLACED
        draft.judged[target, name] = verdict is not Verdict.KEPT
        if verdict is Verdict.KEPT:
            [named] = named_in(draft.case.language, [field(target.kind, name)])
            draft.log("value kept", named.label, field=name, record=target.id)
        if verdict is not Verdict.OURS:
            self._found.setdefault((verdict, name, present), []).append(target.kind)
        return verdict

    def _is_another_cases(self, target: Ref, name: str, digest: str) -> bool:
        """Whether another case wrote last what stands in a field of a company or contact, which its deals share."""
        if target.kind is RecordKind.DEAL:
            return False
        return any(digest == _kept(written, target, name)[0] for written in self._draft.look.elsewhere)


def marks(written: Mapping[str, str]) -> dict[str, str]:
    """Of what a case wrote last, the digests of its answers alone: what other cases need to know of it."""
    return {name: kept for name, kept in written.items() if name.startswith(_OURS)}


def _mark(target: Ref) -> str:
    return f"{_OURS}{target.kind}:{target.id}"


def _kept(written: Mapping[str, str], target: Ref, name: str) -> tuple[str, str, str]:
    """The digests of what a case wrote last into a field, and of what stood there before, with what parts them."""
    return _parsed(written.get(_mark(target), "")).get(name, "").partition(".")


def _parsed(kept: str) -> dict[str, str]:
    return dict(one.split("=", 1) for one in kept.split(";") if "=" in one)


def _text(value: FieldValue) -> str:
    return "" if value is None else str(value)


def _digest(text: str) -> str:
    """Of letters and figures alone: CRMs change line ends, blanks and signs, and write numbers as they like."""
    value = number(text)
    letters = format(value.normalize(), "f") if value is not None else re.sub(r"\W+", "", text)
    return hashlib.sha256(letters.encode()).hexdigest()[:8] if letters else ""


def _say(key: str, language: str, **values: object) -> str:
    return wording(_WORDS[key], language, ("en",)).format(**values)

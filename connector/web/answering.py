"""What the pages with questions have in common: from a link to a form, and from a posted form to an answer.

Opening a page records nothing, whoever opens it and however often: mail programs and their scanners open all links.
Only a posted form counts, and the same link always holds the same one answer, until it is closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.exc import SQLAlchemyError
from wtforms import Field, StringField, ValidationError
from wtforms.csrf.core import CSRF

from connector.links import LinkSigner
from connector.metrics import ANSWERS
from connector.store import cases, intake
from connector.store.tables import LinkRow
from connector.taking import Taken, take_answer
from connector.web import languages
from connector.web.runtime import Runtime
from workflows.asking import author_id, fitted, is_own_view
from workflows.cases import Case, StepStatus
from workflows.dates import local_date, zone
from workflows.fields import REASON_OPTIONS
from workflows.permission import incomplete
from workflows.questions import Answer, AnswerValue, Option, Questionnaire, QuestionType
from workflows.rules import LinkKind, Texts
from workflows.survey import clean_text, read_answers, wording

log = structlog.get_logger(__name__)

VERSION = "form-version"
"""The answer that a form of our own people was made from: two may have it open at once."""
OWN = "form-own"
"""Proves that a colleague comes back to an answer of their own, by the link that they got for it."""
AUTHOR = "form-name"
"""The name of the colleague who answers, where each of them does."""
MAX_NAME = 80
Filled = Mapping[str, Sequence[str]]
"""What stands in the form, by question key, as the browser would send it."""


class LinkSeal(CSRF):
    """Proves that a posted form is one of ours, for this link.

    Cross-site request forgery abuses what a browser sends by itself. Our pages have no login and set no cookie: the
    link is all the authority there is, and who knows it needs no forgery. Mail programs' built-in browsers often refuse
    cookies, so a seal in a session would only keep honest people out. This one is derived from the link, does not run
    out while somebody thinks about an answer, and stops programs that post to addresses without reading the page.
    """

    def setup_form(self, form: Any) -> Any:
        """Take the link from the form's context."""
        self._links, self._link = form.meta.csrf_context
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: Field) -> str:
        """The seal to put into the page."""
        links: LinkSigner = self._links
        return links.form_seal(self._link)

    def validate_csrf_token(self, form: Any, field: Field) -> None:
        """Refuse a form without our seal."""
        if not self._links.is_form_seal(self._link, field.data or ""):
            raise ValidationError("no seal of ours")


class SealedForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """What every form of ours carries besides its questions; names with a dash, as no question's key has one."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # as above
        """Seal by the link instead of by a session."""

        csrf = True
        csrf_class = LinkSeal
        csrf_field_name = "form-seal"

    trap = StringField(name="your-website")

    def validate_trap(self, field: Field) -> None:
        """People do not see this field; programs that fill in everything do."""
        if field.data:
            raise ValidationError("filled in by a program")


@dataclass(frozen=True)
class Page:
    """All that one page shows."""

    link: LinkRow
    case: Case
    questionnaire: Questionnaire
    token: str
    company: str | None
    given: Filled
    """What was answered before; of a named colleague's answer, for whoever holds the link to it alone (P-39)."""
    answered: bool
    version: str = "0"
    others_answered: bool = False
    author: str = ""
    own: str = ""
    """The proof that this colleague's answer is shown to them; empty where it is not."""
    colleagues: Sequence[str] = ()
    """Those who answered here by name, for whoever has answered (P-39)."""

    @property
    def anothers(self) -> bool:
        """Somebody of this name has answered, and nothing shows that it was the same person."""
        return self.answered and bool(self.author) and not self.own

    @property
    def to_change(self) -> bool:
        """The answer that is shown may be changed."""
        return self.answered and not self.anothers

    @property
    def kept(self) -> bool:
        """The team rated itself before the first answer came in, and that stays as it is (P-39)."""
        return self.answered and self.others_answered

    @property
    def late(self) -> bool:
        """The team has not rated itself, and answers are in already."""
        return not self.answered and self.others_answered

    def text(self, texts: Texts) -> str:
        """The questionnaire's text in the page's language."""
        return wording(texts, languages.current(), self.questionnaire.languages)


class Desk:
    """Takes answers of one kind: ``kind`` of link, ``by`` whom."""

    def __init__(self, runtime: Runtime, kind: LinkKind, by: str) -> None:
        self._runtime = runtime
        self._kind = kind
        self._by = by

    def form(self, token: str) -> ResponseReturnValue:
        """Show the form, or take what was posted."""
        page = self._open(token)
        if page.link.closed_at is not None:
            return self._render("closed.html", page, 410, unsent=_posted())
        if page.kept and page.anothers:
            theirs = languages.say(
                "Someone of this name has answered already, and that stays as it is. Give your name in another way, "
                "with an initial for example, and send it again: nothing that you wrote is lost."
            )
            return self._render("form.html", page, 409, filled=_posted(), notice=theirs)
        if page.kept:
            return self._render("kept.html", page, 200 if request.method != "POST" else 409, filled=page.given)
        if request.method != "POST":
            return self._render("form.html", page, filled=page.given)
        return self._take(page)

    def thanks(self, token: str) -> ResponseReturnValue:
        """What people see after answering."""
        return self._render("thanks.html", self._open(token))

    def too_often(self, _limit: object = None) -> Response:
        """Hand the form back, with all that was written, to someone who sends too often."""
        page = self._open((request.view_args or {})["token"])
        wait = languages.say("This form was sent many times just now. Please wait a minute, then send it again.")
        response = make_response(self._render("form.html", page, 429, filled=_posted(), notice=wait))
        response.headers["Retry-After"] = "60"
        return response

    def _open(self, token: str) -> Page:
        """The page behind a token; one and the same 404 for everything that is no link of ours."""
        link_id = self._runtime.links.read(self._kind, token)
        if link_id is None:
            abort(404)
        with self._runtime.store.read() as session:
            link = intake.link(session, link_id)
            case = cases.by_id(session, link.case_id) if link is not None else None
        if link is None or case is None:
            abort(404)
        try:
            questionnaire = self._runtime.library.questionnaire(link.questionnaire)
        except KeyError:
            log.error(
                "a link names a questionnaire that is gone", account=link.account, questionnaire=link.questionnaire
            )
            abort(503)
        languages.choose(questionnaire.languages, (request.args.get("lang"), link.language))
        author, own = self._who(link) if questionnaire.each else ("", "")
        with self._runtime.store.read() as session:
            answer = intake.answer(session, intake.own_link(link, author))
            colleagues = intake.authors(session, link_id) if own else []
            others = intake.others_answered(session, case.id)
        shown = answer if own or not author else None
        known = shown.given if shown is not None else {}
        account = self._runtime.accounts.get(link.account)
        return Page(
            link=link,
            case=case,
            questionnaire=fitted(questionnaire, link.roles or (), known, _steps_of(case)),
            token=token,
            company=account.config.company if account is not None else None,
            given=_as_sent(intake.to_answer(shown).values) if shown is not None else {},
            answered=answer is not None,
            version=f"{author_id(author)}{answer.version if answer is not None else 0}",
            others_answered=others and is_own_view(questionnaire),
            author=author,
            own=own,
            colleagues=colleagues,
        )

    def _who(self, link: LinkRow) -> tuple[str, str]:
        """The name that a colleague gave, and the proof that its answer is theirs, or none.

        In an address a name counts with its proof alone: whoever opens the page sees no colleague's answer but theirs.
        """
        author, own = _author(), request.values.get(OWN, "")
        proven = bool(author) and self._runtime.links.is_form_seal(intake.own_link(link, author), own)
        return (author if proven or request.method == "POST" else "", own if proven else "")

    def _take(self, page: Page) -> ResponseReturnValue:
        posted = _posted()
        sealed = SealedForm(meta={"csrf_context": (self._runtime.links, page.link.id)})
        values, problems = read_answers(page.questionnaire, posted, languages.current())
        if self._kind is LinkKind.INTERVIEW:
            problems = self._half_said(page, values) | problems
        if not sealed.validate():
            ANSWERS.labels(self._kind.value, "unsealed").inc()
            again = languages.say("Please send the form once more. Nothing that you wrote is lost: it is still below.")
            return self._render("form.html", page, 400, filled=posted, problems=problems, notice=again)
        if problems:
            ANSWERS.labels(self._kind.value, "incomplete").inc()
            return self._render("form.html", page, 422, filled=posted, problems=problems)
        if self._kind is LinkKind.TEAM and self._saved_meanwhile(page):
            ANSWERS.labels(self._kind.value, "meanwhile").inc()
            both = languages.say("A colleague saved this page meanwhile. Both texts are below: please send it again.")
            if page.anothers:
                both = languages.say(
                    "Someone of this name has answered already. If that was you, send it again: this takes its place. "
                    "If not, give your name in another way, with an initial for example."
                )
            return self._render("form.html", page, 409, filled=_both(page, posted), notice=both)
        try:
            result = self._save(page, values)
        except SQLAlchemyError as error:
            ANSWERS.labels(self._kind.value, "unsaved").inc()
            log.error("an answer could not be saved", account=page.link.account, case=page.case.id, exc_info=error)
            sorry = languages.say(
                "We could not save your answers just now. They are still below: please send them again in a minute."
            )
            return self._render("form.html", page, 503, filled=posted, notice=sorry)
        ANSWERS.labels(self._kind.value, result.value).inc()
        if result is Taken.CLOSED:
            return self._render("closed.html", page, 410, unsent=posted)
        if result is Taken.KEPT:
            return self._render("kept.html", page, 409, filled=page.given)
        return redirect(self._address(".thanks", page), 303)

    @staticmethod
    def _saved_meanwhile(page: Page) -> bool:
        """Whether the answer that is there is not the one that the form was made from."""
        default = "" if page.anothers else page.version
        return page.answered and request.form.get(VERSION, default) != page.version

    def _address(self, endpoint: str, page: Page) -> str:
        """An address of this page; a colleague's own leads to their own answer, and to nobody else's."""
        own: dict[str, Any] = {}
        if page.author:
            seal = self._runtime.links.form_seal(intake.own_link(page.link, page.author))
            own = {"who": page.author, OWN: page.own or seal}
        return url_for(endpoint, token=page.token, lang=languages.current(), **own)

    def _half_said(self, page: Page, values: Mapping[str, AnswerValue]) -> dict[str, str]:
        """What is missing of a permission that a colleague notes (P-55)."""
        account = self._runtime.accounts.get(page.link.account)
        tz = zone(account.config.time_zone if account is not None else "UTC")
        today = local_date(self._runtime.clock.now(), tz)
        before = {key: sent[0] for key, sent in page.given.items()}
        return incomplete(page.questionnaire, values, before, today, languages.current())

    def _save(self, page: Page, values: Mapping[str, AnswerValue]) -> Taken:
        """Keep the answer; says what became of it."""
        answer = Answer(
            case_id=page.link.case_id,
            contact_id=page.link.contact_id,
            questionnaire=page.link.questionnaire,
            by=self._by,
            language=languages.current(),
            at=self._runtime.clock.now(),
            values=values,
            author=page.author,
        )
        return take_answer(self._runtime, page.link.id, page.questionnaire, answer)

    def _render(self, template: str, page: Page, status: int = 200, **more: Any) -> ResponseReturnValue:
        defaults: dict[str, Any] = {"filled": {}, "unsent": {}, "problems": {}, "notice": ""}
        html = render_template(
            template,
            page=page,
            text=page.text,
            offered=lambda option: self._offered(page, option),
            paragraphs=lambda texts: re.split(r"\n\s*\n", page.text(texts).strip()),
            types=QuestionType,
            for_us=self._kind is not LinkKind.SURVEY,
            shared=self._kind is LinkKind.TEAM,
            seal=self._runtime.links.form_seal(page.link.id),
            address=url_for(".form", token=page.token),
            back=self._address(".form", page) if page.own or not page.author else "",
            **(defaults | more),
        )
        return html, status

    def _offered(self, page: Page, option: Option) -> str:
        """A choice's words. "Our decision" is the vendor's, and a customer would read it as their own."""
        if self._kind is not LinkKind.SURVEY or option not in REASON_OPTIONS or option.value != "our_decision":
            return page.text(option.text)
        if page.company:
            return languages.say("A decision by %(company)s") % {"company": page.company}
        return languages.say("A decision by the supplier")


def make_blueprint(desk: Desk, name: str, paths: Sequence[str]) -> Blueprint:
    """The pages of one kind, at these paths."""
    blueprint = Blueprint(name, __name__)
    thanks: Callable[[str], ResponseReturnValue] = desk.thanks
    for path in paths:
        blueprint.add_url_rule(f"{path}/<token>", "form", desk.form, methods=["GET", "POST"])
    blueprint.add_url_rule(f"{paths[0]}/<token>/thanks", "thanks", thanks)
    return blueprint


def _both(page: Page, posted: Filled) -> Filled:
    """What a colleague saved and what was written beside it: no word of either is lost; choices are the later ones."""
    merged = dict(page.given) | dict(posted)
    for question in page.questionnaire.questions():
        theirs, mine = ("".join(filled.get(question.key, ())) for filled in (page.given, posted))
        if question.type is QuestionType.TEXT and theirs not in mine:
            merged[question.key] = [theirs if mine in theirs else f"{theirs}\n\n{mine}"]
    return merged


def _author() -> str:
    """The name that a colleague gave: in the form, or in the address by which they come back to their answer."""
    name = request.form.get(AUTHOR, "") if request.method == "POST" else request.args.get("who", "")
    return " ".join(clean_text(name).split())[:MAX_NAME]


def _steps_of(case: Case) -> set[str]:
    """The steps that the case had: what its customer may have gone through."""
    gone_through = (StepStatus.OPEN, StepStatus.DONE)
    return {step.rule for step in case.steps if step.status in gone_through}


def _posted() -> Filled:
    return {name: sent for name, sent in request.form.to_dict(flat=False).items() if any(sent)}


def _as_sent(values: Mapping[str, AnswerValue]) -> Filled:
    return {
        key: [str(one) for one in value] if isinstance(value, tuple) else [str(value)] for key, value in values.items()
    }

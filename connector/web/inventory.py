"""The list of what belongs to the customer (P-22): a form that works without script, for several people at once."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import date
from io import BytesIO
from typing import Any
from uuid import uuid4

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connector.documents import MEDIA_TYPE, DocumentError
from connector.store import agenda, cases, intake
from connector.store import inventory as items
from connector.web import languages
from connector.web.answering import SealedForm
from connector.web.case_pages import CasePage, closed, open_page
from connector.web.inventory_form import LENGTHS, Line, blank, digest, owner_words, posted, problems_of, read, shown
from connector.web.inventory_paper import list_to_sign
from connector.web.runtime import Runtime
from workflows.cases import Event, InventoryItem
from workflows.inventory import KINDS, MAX_ITEMS, hand_over_day, suggestions
from workflows.rules import LinkKind
from workflows.texts import date_words

log = structlog.get_logger(__name__)

BLANKS = 2
MORE_BLANKS = 6


class InventoryDesk:
    """Shows the list and takes what people change in it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def form(self, token: str) -> ResponseReturnValue:
        """Show the list, or take what was posted."""
        page = open_page(self._runtime, LinkKind.INVENTORY, token)
        if page.is_over:
            return closed(page, render_template, unsent=_unsent())
        if request.method == "POST":
            return self._take(page)
        return self._render(page, self._lines(page))

    def paper(self, token: str) -> ResponseReturnValue:
        """The list as it stands now, as a Word file to sign."""
        page = open_page(self._runtime, LinkKind.INVENTORY, token)
        if page.is_over or page.account is None:
            return closed(page, render_template)
        try:
            name, content = list_to_sign(self._runtime, page)
        except DocumentError as error:
            log.error("a list to sign could not be made", account=page.link.account, case=page.case.id, why=str(error))
            sorry = languages.say("The file could not be made just now. Your admin sees why in the log.")
            return self._render(page, self._lines(page), 503, notice=sorry)
        return send_file(BytesIO(content), mimetype=MEDIA_TYPE, as_attachment=True, download_name=name, max_age=0)

    def too_often(self, _limit: object = None) -> Response:
        """Hand the list back, with all that was written, to someone who sends too often."""
        page = open_page(self._runtime, LinkKind.INVENTORY, (request.view_args or {})["token"])
        wait = languages.say("This form was sent many times just now. Please wait a minute, then send it again.")
        response = make_response(self._render(page, posted(_form()), 429, notice=wait))
        response.headers["Retry-After"] = "60"
        return response

    # --- what is there ----------------------------------------------------------------------------------------------

    def _lines(self, page: CasePage) -> list[Line]:
        """The kept lines; before anybody saved, suggestions; and room for more."""
        with self._runtime.store.read() as session:
            rows = items.rows(session, page.case.id)
            begun = bool(rows) or items.is_begun(session, page.case.id)
        kept = [shown(items.to_item(row), row.version, page.users) for row in rows]
        if not begun:
            kept = self._suggested(page)
        wanted = MORE_BLANKS if request.args.get("more") else BLANKS
        return kept + [blank() for _ in range(max(min(wanted, MAX_ITEMS - len(kept)), 0))]

    def _suggested(self, page: CasePage) -> list[Line]:
        owner = next((step.owner_id for step in page.case.steps if step.owner_id and step.rule == "inventory"), None)
        config = page.account.config if page.account is not None else None
        calendar, zone = (config.calendar, config.time_zone) if config is not None else ("FR", "UTC")
        day = hand_over_day(page.case, self._runtime.clock.now(), calendar, zone)
        known = owner if owner in page.users else None
        common = {"owner": owner_words(known, page.users), "due_on": day.isoformat()}
        return [
            blank({"kind": kind.value, "title": title} | common, suggested=True)
            for kind, title in suggestions(page.case.playbook, languages.current())
        ]

    # --- what was posted --------------------------------------------------------------------------------------------

    def _take(self, page: CasePage) -> ResponseReturnValue:
        lines = posted(_form())
        sealed = SealedForm(meta={"csrf_context": (self._runtime.links, page.link.id)})
        if not sealed.validate():
            again = languages.say("Please send the form once more. Nothing that you wrote is lost: it is still below.")
            return self._render(page, lines, 400, notice=again)
        if sum(1 for line in lines if not line.is_empty and not line.remove) > MAX_ITEMS:
            many = languages.say("That is more than %(most)d lines. Put several things into one line, please.")
            return self._render(page, lines, 422, notice=many % {"most": MAX_ITEMS})
        try:
            saved, lines = self._runtime.store.transaction(lambda session: self._keep(session, page, deepcopy(lines)))
        except SQLAlchemyError as error:
            log.error("an inventory could not be saved", account=page.link.account, case=page.case.id, exc_info=error)
            sorry = languages.say(
                "We could not save the list just now. It is still below: please send it again in a minute."
            )
            return self._render(page, lines, 503, notice=sorry)
        if saved is None:
            return closed(page, render_template, unsent=_unsent())
        if saved:
            self._runtime.engine.nudge(page.link.account)
        if problems_of(lines):
            return self._render(page, lines, 409 if any(line.theirs is not None for line in lines) else 422)
        more = "1" if "more" in request.form else None
        return redirect(url_for(".form", token=page.token, lang=languages.current(), saved="1", more=more), 303)

    def _keep(self, session: Session, page: CasePage, lines: list[Line]) -> tuple[int | None, list[Line]]:
        """Write the lines that somebody changed and that are right: how many, or None when the page was closed; and
        the lines as they are now."""
        link = intake.link(session, page.link.id)
        if link is None or link.closed_at is not None:
            return None, lines
        now = self._runtime.clock.now()
        rows = {row.id: row for row in items.rows(session, page.case.id, hold=True)}
        changed = 0
        for line in lines:
            line.problems.clear()
            row = rows.get(line.id)
            before = items.to_item(row) if row is not None else None
            if line.is_touched and not (before is None and (line.is_empty or line.remove)):
                changed += self._keep_line(session, page, line, before, row.version if row is not None else 0)
        if changed:
            about = {"case_id": page.case.id, "deal_id": page.case.deal_id}
            done = Event(what="inventory saved", detail=f"{changed} lines", data={})
            cases.log(session, page.link.account, [done], now, **about)
            agenda.put(session, page.link.account, [agenda.Entry(page.case.deal_id, now, "inventory")])
        return changed, lines

    def _keep_line(
        self, session: Session, page: CasePage, line: Line, before: InventoryItem | None, version: int
    ) -> int:
        now = self._runtime.clock.now()
        if before is not None and line.version != version:
            theirs = shown(before, version, page.users)
            if digest(theirs.texts) != digest(line.texts):  # both changed it, and differently: hand back both
                line.theirs, line.version, line.was = theirs.texts, version, theirs.was
                line.remove = False
            else:
                line.version, line.was = version, theirs.was
            return 0
        if before is not None and (line.remove or line.is_empty):
            return int(items.remove(session, line.id, version, now))
        if before is None and line.version:
            line.id, line.version, line.was, line.theirs = uuid4().hex, 0, "", {}  # somebody else took it out
            return 0
        item = read(line, page.users, now, before)
        if item is None:
            return 0
        if before is None:
            items.add(session, page.link.account, page.case.id, item)
        else:
            items.change(session, item, version)
        line.version, line.was = version + 1, digest(line.texts)
        return 1

    # --- the page ---------------------------------------------------------------------------------------------------

    def _render(self, page: CasePage, lines: Sequence[Line], status: int = 200, *, notice: str = "") -> tuple[str, int]:
        language = languages.current()
        html = render_template(
            "inventory.html",
            page=page,
            lines=lines,
            notice=notice,
            troubled=problems_of(lines),
            saved=bool(request.args.get("saved")) and request.method == "GET",
            kinds={kind.value: texts.get(language, texts["en"]) for kind, texts in KINDS.items()},
            colleagues=sorted((user for user in page.users.values() if user.active and user.email), key=_by_name),
            lengths=LENGTHS,
            first_blank=next((line.id for line in lines if line.is_empty), None),
            summed_up=_summed_up,
            seal=self._runtime.links.form_seal(page.link.id),
            address=url_for(".form", token=page.token),
            paper=url_for(".paper", token=page.token) if any(line.version for line in lines) else "",
        )
        return html, status


def _summed_up(line: Line) -> list[str]:
    """What stands beside a folded line: received, or by when, and who hands it over."""
    received, due = (_day(line.texts[name]) for name in ("received_on", "due_on"))
    when = languages.say("received on %s") % received if received else languages.say("by %s") % due if due else ""
    return [one for one in (when, line.texts["owner"]) if one]


def _day(text: str) -> str:
    try:
        return date_words(date.fromisoformat(text), languages.current(), "medium") if text else ""
    except ValueError:
        return text


def make_inventory(runtime: Runtime) -> tuple[InventoryDesk, Blueprint]:
    """``/inventory/<token>``, and the file to sign below it."""
    desk, blueprint = InventoryDesk(runtime), Blueprint("inventory", __name__)
    blueprint.add_url_rule("/inventory/<token>", "form", desk.form, methods=["GET", "POST"])
    blueprint.add_url_rule("/inventory/<token>/list.docx", "paper", desk.paper)
    return desk, blueprint


def _form() -> dict[str, list[str]]:
    return request.form.to_dict(flat=False)


def _unsent() -> list[str]:
    """What stood in the lines that were changed, in a line each."""
    changed = [line for line in posted(_form()) if line.is_touched and not line.is_empty]
    return [" · ".join(value for name, value in line.texts.items() if value and name != "kind") for line in changed]


def _by_name(user: Any) -> tuple[str, str]:
    return user.name.casefold(), user.email

"""Pages for a person: deals by stage, one record with its tasks and notes, users, deliveries, calls.

Vendor-neutral: each sandbox is a :class:`PageSource` that hands out the views below. Server-rendered, without scripts.
Texts are escaped; a vendor that shows limited HTML passes sanitised :class:`markupsafe.Markup`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.wrappers import Response

from sandbox.delivery import Attempt
from sandbox.kit import Clock, Ledger

Kind = Literal["deals", "companies", "contacts"]


@dataclass(frozen=True)
class Choice:
    """One option of a list."""

    value: str
    label: str


@dataclass(frozen=True)
class FieldView:
    """A property as people read it; with ``edit`` it can be changed by its API ``name``. ``raw`` fills the form.

    A box to tick holds ``true`` or ``false``.
    """

    label: str
    name: str
    value: str
    raw: str = ""
    edit: Literal["", "text", "date", "choice", "check"] = ""
    choices: Sequence[Choice] = ()


@dataclass(frozen=True)
class LinkView:
    """A record or file to go to; ``note`` says what it is to this one."""

    label: str
    href: str
    note: str = ""


@dataclass(frozen=True)
class TaskView:
    """A task as its owner sees it."""

    id: str
    subject: str
    owner: str
    due: str
    status: str
    done: bool
    overdue: bool = False
    priority: str = ""
    type: str = ""
    body: str | Markup = ""
    links: Sequence[LinkView] = ()


@dataclass(frozen=True)
class NoteView:
    """A note with its files."""

    at: str
    body: str | Markup
    title: str = ""
    by: str = ""
    files: Sequence[LinkView] = ()


@dataclass(frozen=True)
class RecordView:
    """One deal, company or contact. ``stages`` empty: nothing to move."""

    kind: Kind
    id: str
    title: str
    subtitle: str = ""
    banner: str = ""
    fields: Sequence[FieldView] = ()
    groups: Sequence[tuple[str, Sequence[LinkView]]] = ()
    tasks: Sequence[TaskView] = ()
    notes: Sequence[NoteView] = ()
    files: Sequence[LinkView] = ()
    stage: str = ""
    stages: Sequence[Choice] = ()


@dataclass(frozen=True)
class CardView:
    """A deal on the board."""

    id: str
    title: str
    company: str = ""
    amount: str = ""
    owner: str = ""
    tasks: str = ""


@dataclass(frozen=True)
class ColumnView:
    """A stage with its deals."""

    label: str
    tone: Literal["", "won", "lost"]
    cards: Sequence[CardView]


@dataclass(frozen=True)
class BoardView:
    """A pipeline with its stages in order."""

    label: str
    columns: Sequence[ColumnView]


@dataclass(frozen=True)
class PersonView:
    """A user of the CRM."""

    id: str
    name: str
    email: str
    active: bool
    note: str = ""


class DeliveryLog(Protocol):
    """The part of :class:`~sandbox.delivery.Deliveries` that a page shows."""

    log: list[Attempt]

    def pending(self) -> int:
        """Deliveries not yet done."""


class PageSource(Protocol):
    """What a sandbox shows. Unknown ids raise KeyError (404), values that the vendor refuses ValueError (400)."""

    vendor: str
    account: str
    clock: Clock
    ledger: Ledger

    @property
    def hooks(self) -> DeliveryLog:
        """Its deliveries."""

    def board(self) -> Sequence[BoardView]:
        """All live deals by pipeline and stage."""

    def record(self, kind: Kind, record_id: str) -> RecordView:
        """One record."""

    def all_tasks(self) -> Sequence[TaskView]:
        """All tasks, open ones first, by due time; ``links`` name their deals."""

    def people(self) -> Sequence[PersonView]:
        """All users."""

    def file(self, file_id: str) -> tuple[str, str, bytes]:
        """Name, media type and content of a file."""

    def set_stage(self, deal_id: str, stage: str) -> None:
        """Move a deal."""

    def set_done(self, task_id: str, done: bool) -> None:
        """Complete or reopen a task."""

    def set_fields(self, kind: Kind, record_id: str, values: Mapping[str, str]) -> None:
        """Change properties."""


HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def pages(source: PageSource) -> Blueprint:
    """All pages of one sandbox."""
    routes = Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/sandbox-static"
    )
    _frame(routes, source)
    _reading(routes, source)
    _acting(routes, source)
    return routes


def _frame(routes: Blueprint, source: PageSource) -> None:
    @routes.context_processor
    def frame() -> dict[str, Any]:
        return {"source": source, "now": source.clock.now(), "watch": request.args.get("watch") == "1"}

    @routes.after_request
    def harden(response: Any) -> Any:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @routes.errorhandler(KeyError)
    def missing(error: KeyError) -> ResponseReturnValue:
        return render_template("sandbox/message.html", title="Not found", text=f"There is no {error.args[0]}."), 404

    @routes.errorhandler(ValueError)
    def refused(error: ValueError) -> ResponseReturnValue:
        return render_template("sandbox/message.html", title="Not possible", text=str(error)), 400


def _reading(routes: Blueprint, source: PageSource) -> None:
    @routes.get("/")
    def board() -> ResponseReturnValue:
        return render_template("sandbox/board.html", boards=source.board())

    @routes.get("/<any(deals, companies, contacts):kind>/<record_id>")
    def record(kind: Kind, record_id: str) -> ResponseReturnValue:
        return render_template("sandbox/record.html", record=source.record(kind, record_id))

    @routes.get("/tasks")
    def tasks() -> ResponseReturnValue:
        return render_template("sandbox/tasks.html", tasks=source.all_tasks())

    @routes.get("/users")
    def users() -> ResponseReturnValue:
        return render_template("sandbox/users.html", people=source.people())

    @routes.get("/deliveries")
    def deliveries() -> ResponseReturnValue:
        log, pending = list(reversed(source.hooks.log[-200:])), source.hooks.pending()
        return render_template("sandbox/deliveries.html", log=log, pending=pending)

    @routes.get("/calls")
    def calls() -> ResponseReturnValue:
        ledger = source.ledger
        return render_template(
            "sandbox/calls.html",
            calls=list(reversed(ledger.calls[-200:])),
            total=ledger.count(),
            tokens=len(ledger.token_calls),
        )

    @routes.get("/download/<file_id>")
    def download(file_id: str) -> ResponseReturnValue:
        name, media_type, content = source.file(file_id)
        answer = Response(content, content_type=media_type)
        answer.headers.set("Content-Disposition", "attachment", filename=name)
        return answer


def _acting(routes: Blueprint, source: PageSource) -> None:
    def back() -> ResponseReturnValue:
        place = request.form.get("back", "/")
        return redirect(place if place.startswith("/") and not place.startswith(("//", "/\\")) else "/", 303)

    @routes.post("/deals/<record_id>/stage")
    def stage(record_id: str) -> ResponseReturnValue:
        source.set_stage(record_id, request.form["stage"])
        return redirect(url_for("pages.record", kind="deals", record_id=record_id), 303)

    @routes.post("/<any(deals, companies, contacts):kind>/<record_id>/fields")
    def change(kind: Kind, record_id: str) -> ResponseReturnValue:
        form = {name: said[-1] for name, said in request.form.lists()}  # a ticked box comes after its "false"
        source.set_fields(kind, record_id, form)
        return redirect(url_for("pages.record", kind=kind, record_id=record_id), 303)

    @routes.post("/tasks/<task_id>/done")
    def done(task_id: str) -> ResponseReturnValue:
        source.set_done(task_id, request.form.get("done") == "1")
        return back()

    @routes.post("/clock")
    def clock() -> ResponseReturnValue:
        days = request.form.get("days", type=float)
        if days is None:
            abort(400)
        source.clock.advance(timedelta(days=days))
        return back()

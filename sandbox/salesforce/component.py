"""One thing of a deployment, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.messages import Messages
from sandbox.salesforce.world import World

NS = "{http://soap.sforce.com/2006/04/metadata}"


class Problem(Exception):
    """Why a component cannot be deployed."""


@dataclass
class Component:
    """One thing of a deployment."""

    type: str
    full_name: str
    file: str
    element: Any
    created: bool = True
    deleted: bool = False
    problem: str | None = None


@dataclass
class Org:
    """What components change."""

    world: World
    hooks: Messages
    components: set[tuple[str, str]] = field(default_factory=set)
    report_types: dict[str, str] = field(default_factory=dict)


def text(element: Any, name: str) -> str | None:
    """The text of a child element."""
    found = element.find(f"{NS}{name}")
    return None if found is None else (found.text or "").strip()


def texts(element: Any, name: str) -> list[str]:
    """The texts of all children of this name."""
    return [(each.text or "").strip() for each in element.findall(f"{NS}{name}")]


def flag(element: Any, name: str) -> bool:
    """A boolean child; absent is false."""
    return text(element, name) in ("true", "1")

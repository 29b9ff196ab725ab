"""The plan of what goes wrong with API calls."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal


@dataclass
class Fault:
    """Something that goes wrong with the API calls whose ``METHOD path`` the regular expression ``match`` finds.

    ``after`` matching calls pass first, then it happens ``times`` times (None: always), or to a random ``share`` of
    them. ``delay`` seconds of real time come first. ``status`` answers that instead, without doing anything unless
    ``done`` is set. ``cut`` breaks the connection: ``before`` anything is done; ``after`` it was done, without an
    answer; ``truncate`` after half of the answer. With ``land_late`` the cut call is only carried out that many
    seconds (real time) later, as when a slow server works on after the caller gave up.
    """

    match: str
    times: int | None = 1
    status: int | None = None
    delay: float = 0.0
    cut: Literal["before", "after", "truncate"] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    after: int = 0
    share: float | None = None
    done: bool = False
    land_late: float = 0.0

    @classmethod
    def parse(cls, raw: Any) -> Fault:
        """Make one from JSON. Raises ValueError that names what is wrong."""
        if not isinstance(raw, dict) or "match" not in raw:
            raise ValueError('a fault is an object with at least "match"')
        unknown = set(raw) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        if raw.get("cut") not in (None, "before", "after", "truncate"):
            raise ValueError("cut is before, after or truncate")
        if "share" in raw and "times" not in raw:
            raw = raw | {"times": None}
        re.compile(raw["match"])
        return cls(**raw)


class Faults:
    """The plan of faults. The first that applies to a call happens to it; random shares follow ``seed``."""

    def __init__(self, plan: Sequence[Fault] = (), seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self._plan: list[Fault] = list(plan)

    def set(self, *plan: Fault) -> None:
        """Replace the plan."""
        with self._lock:
            self._plan = list(plan)

    def clear(self) -> None:
        """No more faults."""
        self.set()

    def as_json(self) -> list[dict[str, Any]]:
        """What is still planned."""
        with self._lock:
            return [asdict(fault) for fault in self._plan]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that happens to this call, used up by one; None when all goes well."""
        with self._lock:
            for fault in self._plan:
                if not re.search(fault.match, f"{method} {path}"):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times == 0 or (fault.share is not None and self._random.random() >= fault.share):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class CutError(ConnectionResetError):
    """Raised through the server so that it resets the connection; ``reset`` False closes it in the ordinary way."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("cut by the fault plan")
        self.reset = reset

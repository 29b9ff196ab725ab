"""What a case began with stays what it follows, and is read once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.store import cases

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_a_version_that_cases_follow_is_read_once_and_shared_with_the_newest(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, store = house.runtime.library, house.runtime.store
    newest = library.playbook("saas")
    older = newest.model_copy(update={"version": "1-older", "title": {"en": "As it was"}})
    with store.write() as session:
        for playbook in (newest, older):
            cases.keep_playbook(session, playbook, NOW)
    read: list[str] = []
    really = cases.playbook
    monkeypatch.setattr(cases, "playbook", lambda s, key, version: read.append(version) or really(s, key, version))
    with store.read() as session:
        for _ in range(3):
            assert library.frozen(session, "saas", newest.version) is newest
            assert library.frozen(session, "saas", "1-older") == older
        assert read == [newest.version, "1-older"]
        assert library.frozen(session, "saas", "1-never") is None

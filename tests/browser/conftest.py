"""The pages in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from waitress.server import create_server

from connector.web.front import server_options

CHROMIUM = shutil.which("chromium")


def _load_house() -> ModuleType:
    """Import the tests' ``connector/house.py``: without packages in tests/, a plain import would not find it."""
    name = "connector_house"
    if name not in sys.modules:
        path = Path(__file__).parents[1] / "connector" / "house.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """The program over HTTP, and its address."""
    house_module = _load_house()
    template = house_module.make_template(tmp_path_factory.mktemp("site") / "template.db")
    house = house_module.build_house(template, tmp_path_factory.mktemp("site"), public_url="http://127.0.0.1")
    for limiter in house.app.extensions["limiter"]:
        limiter.enabled = False  # one browser opens everything here
    server = create_server(house.app, listen="127.0.0.1:0", **server_options(house.runtime))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield house, f"http://127.0.0.1:{server.effective_port}"
    server.close()
    server.task_dispatcher.shutdown()
    thread.join(5)
    house.runtime.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser, or a skip that says what is missing."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()

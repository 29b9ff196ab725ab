"""The rules of the house: who may import whom, and what the domain must not know."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VENDOR_WORDS = re.compile(r"hubspot|salesforce|\bopportunit|\bportal\b|\bhs_|\bsoql\b|\bsobject\b|__c\b", re.IGNORECASE)
IMPURE_MODULES = frozenset(
    {"asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "requests", "secrets", "shutil"}
    | {"socket", "sqlalchemy", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "urllib3", "uuid"}
)
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "open", "input", "print", "urandom"})


def _files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml") and path.is_file())


def _modules(folder: str) -> list[Path]:
    return [path for path in _files(folder) if path.suffix == ".py"]


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("path", _files("workflows"), ids=_named)
def test_the_domain_speaks_no_vendors_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = _without_docstrings(text) if path.suffix == ".py" else text
    assert [line for line in said.splitlines() if VENDOR_WORDS.search(line)] == []


def _without_docstrings(text: str) -> str:
    """The code alone: a docstring may name a vendor as the source of a rule."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


@pytest.mark.parametrize("path", _modules("connector"), ids=_named)
def test_the_connector_holds_no_vendors_fields(path: Path) -> None:
    found = re.findall(r"\bhs_\w+|\w+__c\b|\bOpportunity\b|\bsobjects?\b", path.read_text(encoding="utf-8"))
    assert found == []


def _outside(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (f"imports {name}" for name in names if name.split(".")[0] in IMPURE_MODULES)
        if isinstance(node, ast.Call):
            called = node.func
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name in IMPURE_CALLS:
                yield f"line {node.lineno} calls {name}()"


@pytest.mark.parametrize("path", _modules("workflows"), ids=_named)
def test_the_domain_has_no_clock_and_touches_nothing_outside(path: Path) -> None:
    assert list(_outside(ast.parse(path.read_text(encoding="utf-8")))) == []

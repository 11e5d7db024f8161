"""Every step of the runbook that is said to work is proved by a test that CI runs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROVED = {
    "DAY-1", "DAY-2", "DAY-4", "DAY-8", "DAY-9", "START-1", "START-2", "START-3", "START-4", "START-5",
    "STOP-1", "STOP-2", "STOP-3", "STOP-4", "PERF-1", "TRB-8", "SEC-3", "DAY-6", "DAY-7", "CONF-1", "CONF-2",
    "CONF-3", "CONF-4", "CONF-5", "CONF-6", "REC-1",
}  # fmt: skip


def _marks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, set[str]]:
    """Return the texts given to each `pytest.mark` of a test."""
    found: dict[str, set[str]] = {}
    for each in function.decorator_list:
        call = each.func if isinstance(each, ast.Call) else each
        if isinstance(call, ast.Attribute) and ast.unparse(call).startswith("pytest.mark."):
            given = each.args if isinstance(each, ast.Call) else []
            texts = {str(arg.value) for arg in given if isinstance(arg, ast.Constant)}
            found.setdefault(call.attr, set()).update(texts)
    return found


def _carried() -> set[str]:
    ids: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                marks = _marks(node)
                if not marks.keys() & {"soak", "skip", "skipif", "xfail"}:
                    ids |= marks.get("runbook", set())
    return ids


def test_every_proved_step_is_carried_by_a_test_that_runs() -> None:
    assert PROVED - _carried() == set()


def test_every_proved_step_is_in_the_runbook() -> None:
    named = set(re.findall(r"\b[A-Z]+-\d+\b", (ROOT / "docs" / "runbook.md").read_text()))
    assert PROVED - named == set()

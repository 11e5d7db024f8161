"""SARIF 2.1.0, with what GitHub's code scanning asks for beyond the schema."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from jitctl.config.problems import Problem
from jitctl.config.rule_book import RULES, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def sarif(
    problems: Sequence[Problem],
    *,
    version: str,
    place: Callable[[str], str],
    line_of: Callable[[Problem], str],
    notes: Sequence[str] = (),
    complete: bool = True,
) -> dict[str, Any]:
    """Return a log with one run: every rule of the book, a result for each problem.

    `place` gives a file as the repository knows it, `line_of` the line that a problem is on. `notes` are
    what was not checked, and `complete` is False where that leaves the answer open.
    """
    level = "note" if complete else "error"
    invocation: dict[str, Any] = {"executionSuccessful": complete}
    if notes:
        invocation["toolExecutionNotifications"] = [
            {"level": level, "message": {"text": note}} for note in notes
        ]
    driver = {"name": "jitctl", "version": version, "rules": [_rule(rule) for rule in RULES]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [_result(problem, place, line_of) for problem in problems],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    help_text = " ".join(part for part in (rule.title, _sentence(rule.why), _sentence(rule.remedy)) if part)
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": " ".join(filter(None, (rule.title, _sentence(rule.why))))},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": rule.severity},
    }


def _sentence(text: str) -> str:
    text = text.replace("`", "")
    return text[:1].upper() + text[1:].removesuffix(".") + "." if text else ""


def _result(
    problem: Problem, place: Callable[[str], str], line_of: Callable[[Problem], str]
) -> dict[str, Any]:
    where = place(problem.file)
    identity = "\0".join((problem.rule, where, problem.key, problem.message))
    return {
        "ruleId": problem.rule,
        "ruleIndex": _INDEX[problem.rule],
        "level": problem.severity,
        "message": {"text": problem.text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(where)},
                    "region": {
                        "startLine": problem.line,
                        "startColumn": problem.column,
                        "endLine": problem.line,
                        "endColumn": max(len(line_of(problem)), problem.column) + 1,
                    },
                }
            }
        ],
        # Not the line: an alert must stay the same one where only lines above it come and go.
        "partialFingerprints": {
            "ruleFileKeyMessage/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32]
        },
    }


def uri(path: str) -> str:
    """Return a path as a URI reference, percent-encoded; an absolute one as `file://`."""
    quoted = quote(os.fsencode(path), safe="/")
    if path.startswith("/"):
        return f"file://{quoted}"
    return quoted

"""A strict reader of JUnit XML by what GitLab and Jenkins document; there is no one schema of it."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree as ET

_ATTRIBUTES = {
    "testsuites": ({"name", "tests", "failures", "errors"}, set()),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, set()),
    "testcase": ({"name", "classname", "time"}, {"file", "line"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
_CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


class Case(NamedTuple):
    suite: str
    name: str
    line: str
    outcome: str
    message: str


def read_junit(document: str) -> list[Case]:
    """Return the cases; raises `AssertionError` or `ParseError` for anything that is not as documented."""
    top = ET.fromstring(document.encode("ascii"))
    assert top.tag == "testsuites"
    _check(top)
    cases = []
    for suite in top:
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(set(names)) == len(names), "a case is known by its name"
        for case in suite:
            assert len(case) <= 1
            outcome = case[0].tag if len(case) else "passed"
            message = (case[0].get("message") or "") if len(case) else ""
            cases.append(
                Case(suite.get("name", ""), case.get("name", ""), case.get("line", ""), outcome, message)
            )
    return cases


def _check(element: ET.Element) -> None:
    needed, allowed = _ATTRIBUTES[element.tag]
    assert needed <= set(element.attrib) <= needed | allowed, element.attrib
    for child in element:
        assert child.tag in _CHILDREN.get(element.tag, set()), (element.tag, child.tag)
        _check(child)
    counted = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for attribute, tag in counted.items():
        if attribute in element.attrib:
            assert int(element.attrib[attribute]) == len(list(element.iter(tag))), attribute

"""JUnit XML as GitLab and Jenkins read it: a suite for each file, a case for each broken rule's key."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from jitctl.config.problems import Problem
from jitctl.config.rule_book import ERROR

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(
    files: Sequence[str],
    problems: Sequence[Problem],
    *,
    place: Callable[[str], str],
    strict: bool = False,
    notes: Sequence[str] = (),
    complete: bool = True,
) -> str:
    """Return a document in ASCII; a warning is a failure under `strict`, else the output of a passed case.

    `notes` are what was not checked: skipped cases, or errors where `complete` is False.
    """
    top = ET.Element("testsuites", name="jitctl validate-config")
    for name in dict.fromkeys([*files, *(problem.file for problem in problems)]):
        suite = ET.SubElement(top, "testsuite", name=_legible(place(name)))
        taken: dict[str, int] = {}
        for problem in problems:
            if problem.file == name:
                _case(suite, problem, _once(f"{problem.rule} {problem.key}".strip(), taken), place, strict)
        if not len(suite):
            ET.SubElement(suite, "testcase", name="valid", classname=_legible(place(name)), time="0")
    if notes:
        suite = ET.SubElement(top, "testsuite", name="not checked")
        taken = {}
        for note in notes:
            case = ET.SubElement(
                suite, "testcase", name=_legible(_once(note, taken)), classname="not checked", time="0"
            )
            ET.SubElement(case, "skipped" if complete else "error", message=_legible(note))
    for element in (*top, top):
        _count(element)
    document: bytes = ET.tostring(top, encoding="us-ascii", xml_declaration=True)
    return document.decode("ascii")


def _case(suite: ET.Element, problem: Problem, name: str, place: Callable[[str], str], strict: bool) -> None:
    where = place(problem.file)
    case = ET.SubElement(
        suite,
        "testcase",
        name=_legible(name),
        classname=_legible(where),
        file=_legible(where),
        line=str(problem.line),
        time="0",
    )
    if strict or problem.severity == ERROR:
        kind = ET.SubElement(case, "failure", message=_legible(problem.text), type=problem.rule)
    else:
        kind = ET.SubElement(case, "system-out")
    kind.text = _legible(f"{where}:{problem.line}:{problem.column}: {problem.rule} {problem.text}")


def _once(name: str, taken: dict[str, int]) -> str:
    """Return a name that no other case of the suite has."""
    taken[name] = taken.get(name, 0) + 1
    return name if taken[name] == 1 else f"{name} #{taken[name]}"


def _count(element: ET.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        if attribute != "skipped" or element.tag == "testsuite":
            element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _legible(text: str) -> str:
    """Return text without the characters that no XML document may hold."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

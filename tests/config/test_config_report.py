"""The formats that other programs read: held to the published schema, or to the documented grammar."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitctl.config.problems import Problem
from jitctl.config.report.github import github
from jitctl.config.report.junit import junit
from jitctl.config.report.place import from_root, root_of
from jitctl.config.report.sarif import sarif, uri
from jitctl.config.rule_book import BY_ID, RULES
from tests.config.junit_reader import read_junit
from tests.config.published_schema import sarif_schema

HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        "%0A::error::x",
        "a,line=9",
        "a::b",
        "::stop-commands::x",
        "%25",
        "]]>",
        "<!--&",
        "\x00\x1b[2J\ufffe",
        "ü…",
    ]
)
NAMES = HOSTILE.filter(lambda name: name.strip("/") and name != "<stdin>" and not name.startswith("/"))
PROBLEMS = st.lists(
    st.builds(
        Problem,
        rule=st.sampled_from(sorted(BY_ID)),
        file=NAMES,
        line=st.integers(1, 10**6),
        column=st.integers(1, 500),
        key=HOSTILE,
        message=HOSTILE.filter(bool),
        hint=HOSTILE,
    ),
    max_size=6,
    unique=True,
)
COMMAND = re.compile(r"::(error|warning)(?: ([^\r\n]*?))?::([^\r\n]*)")


def same(name: str) -> str:
    return name


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command by its grammar: `::name key=value,key=value::data`, escapes undone last."""
    found = COMMAND.fullmatch(line)
    assert found, line
    pairs = [pair.partition("=")[::2] for pair in found[2].split(",")]
    properties = {name: _unescaped(value, ("%3A", ":"), ("%2C", ",")) for name, value in pairs}
    assert len(properties) == len(pairs)
    return found[1], properties, _unescaped(found[3])


def _unescaped(value: str, *more: tuple[str, str]) -> str:
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
        value = value.replace(escape, character)
    return value


@given(PROBLEMS)
def test_github_reads_back_what_was_written(problems: list[Problem]) -> None:
    lines = re.split(r"[\r\n]", github(problems, same)) if problems else []
    assert len(lines) == len(problems)
    for line, problem in zip(lines, problems, strict=True):
        assert parsed(line) == (
            problem.severity,
            {
                "file": problem.file,
                "line": str(problem.line),
                "col": str(problem.column),
                "title": problem.rule,
            },
            problem.text,
        )


def test_github_has_no_file_for_standard_input() -> None:
    line = github([Problem("JC101", "<stdin>", 2, 3, "", "unknown key")], same)
    assert line == "::error line=2,col=3,title=JC101::unknown key"


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(sarif_schema(), validate_formats=True)


def log_of(problems: list[Problem], **more: object) -> dict[str, object]:
    log = sarif(problems, version="1.2.3", place=same, line_of=lambda _problem: "", **more)  # type: ignore
    read: dict[str, object] = json.loads(json.dumps(log))
    return read


def test_the_schema_is_a_schema_and_refuses_what_is_wrong(schema: jsonschema_rs.Draft7Validator) -> None:
    log = log_of([Problem("JC101", "a b.toml", 1, 1, "", "unknown key")])
    schema.validate(log)
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0  # type: ignore
    assert not schema.is_valid(log)
    assert not schema.is_valid({"version": "2.1.0"})


def test_sarif_by_its_schema_and_by_what_code_scanning_asks(schema: jsonschema_rs.Draft7Validator) -> None:
    @settings(max_examples=60, deadline=None)
    @given(PROBLEMS, st.lists(HOSTILE.filter(bool), max_size=2), st.booleans())
    def check(problems: list[Problem], notes: list[str], complete: bool) -> None:
        log = log_of(problems, notes=notes, complete=complete)
        schema.validate(log)
        run = log["runs"][0]  # type: ignore[index]
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
        for rule in rules:
            assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert run["invocations"][0]["executionSuccessful"] is complete
        assert len({tuple(each["partialFingerprints"].items()) for each in run["results"]}) == len(
            {(each.rule, each.file, each.key, each.message) for each in problems}
        )
        for result, problem in zip(run["results"], problems, strict=True):
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == problem.rule
            assert (result["level"], result["message"]["text"]) == (problem.severity, problem.text)
            place = result["locations"][0]["physicalLocation"]
            assert unquote(place["artifactLocation"]["uri"]) == problem.file
            region = place["region"]
            assert (region["startLine"], region["startColumn"]) == (problem.line, problem.column)
            assert region["endColumn"] > region["startColumn"]

    check()


def test_uris() -> None:
    assert uri("config/pools.toml") == "config/pools.toml"
    assert uri("a:b c%.toml") == "a%3Ab%20c%25.toml"
    assert uri("/etc/jitctl/größe.toml") == "file:///etc/jitctl/gr%C3%B6%C3%9Fe.toml"


@given(PROBLEMS, st.lists(HOSTILE.filter(bool), max_size=2), st.booleans(), st.booleans())
def test_junit_is_as_documented(
    problems: list[Problem], notes: list[str], strict: bool, complete: bool
) -> None:
    files = ["valid.toml", *(problem.file for problem in problems)]
    document = junit(files, problems, place=same, strict=strict, notes=notes, complete=complete)
    cases = read_junit(document)
    outcomes = [case.outcome for case in cases]
    failures = [each for each in problems if strict or each.severity == "error"]
    assert outcomes.count("failure") == len(failures)
    assert outcomes.count("system-out") == len(problems) - len(failures)
    assert outcomes.count("skipped" if complete else "error") == len(notes)
    assert ("valid.toml", "valid", "passed") in {(case.suite, case.name, case.outcome) for case in cases}
    for problem in problems:
        assert any(case.line == str(problem.line) and problem.rule in case.name for case in cases)


def test_places_count_from_the_root_of_the_checkout(tmp_path: Path) -> None:
    below = tmp_path / "repo" / "deploy"
    below.mkdir(parents=True)
    assert root_of(below, {}) == below
    (tmp_path / "repo" / ".git").mkdir()
    root = root_of(below, {})
    assert root == tmp_path / "repo"
    assert root_of(below, {"GITHUB_WORKSPACE": str(tmp_path)}) == tmp_path
    assert from_root("config/pools.toml", root, below) == "deploy/config/pools.toml"
    assert from_root("../pools.toml", root, below) == "pools.toml"
    assert from_root("/etc/pools.toml", root, below) == "/etc/pools.toml"
    assert from_root("<stdin>", root, below) == "<stdin>"

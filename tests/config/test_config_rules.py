"""Every rule of the book is broken by a case, at an exact place, and not by a case nearly the same."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rule_case import PLAIN, Case

from jitctl.config.judge import check_file
from jitctl.config.load import examine, load
from jitctl.config.problems import ConfigInvalidError, Problem
from jitctl.config.rule_book import BY_ID
from jitctl.config.source import Text

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("rule_cases*.py"))
CASES: list[Case] = [case for name in MODULES for case in importlib.import_module(name).CASES]
ELSEWHERE = {"JC001", "JC005"}
"""Below: a file that is missing, or not to be told, is no case of contents. JC5xx is asked of a chain."""


def found_in(files) -> list[Problem]:
    return examine({
        name.split(".")[0]: Text(Path(name), text.encode() if isinstance(text, str) else text)
        for name, text in files.items()
    }).problems  # fmt: skip


def test_the_cases_cover_the_book() -> None:
    online = {rule for rule in BY_ID if rule.startswith("JC5")}
    assert {case.rule for case in CASES} == set(BY_ID) - ELSEWHERE - online


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_is_broken_where_it_is_and_nearly_broken_not_at_all(case) -> None:
    found = found_in(case.files)
    places = [(each.file, each.line, each.column, each.key) for each in found if each.rule == case.rule]
    if case.rule == "JC203":  # the change of one file is seen in the other
        assert [place[0] for place in places] == ["pools.toml"]
    elif case.rule == "JC211" and case.place[0] == "jitctl.toml":
        assert [(place[0], place[3]) for place in places] == [("pools.toml", case.place[3])]
    else:
        assert case.place in places, [str(each) for each in found]
    near = [str(each) for each in found_in(case.near) if each.rule == case.rule]
    assert not near


def test_a_file_that_is_missing(tmp_path) -> None:
    for name, text in PLAIN.items():
        (tmp_path / name).write_text(text)
    assert load(tmp_path)
    (tmp_path / "pools.toml").unlink()
    with pytest.raises(ConfigInvalidError) as caught:
        load(tmp_path)
    assert [problem.rule for problem in caught.value.problems] == ["JC001"]


def test_a_file_that_could_be_any(tmp_path) -> None:
    (tmp_path / "pool.toml").write_text(PLAIN["pools.toml"])
    assert [problem.rule for problem in check_file(tmp_path / "pool.toml")] == ["JC005"]
    assert check_file(tmp_path / "pool.toml", "pools") == []

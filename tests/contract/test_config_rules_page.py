"""docs/config-rules.md is what the rule book says; ids, once given, stay; samples show every key."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from jitctl.config.load import MODELS, examine
from jitctl.config.rule_book import BY_ID, ERROR, RULES, WARNING
from jitctl.config.rules_page import page
from jitctl.config.source import HEADER, LAST_LINE, read_texts

ROOT = Path(__file__).parents[2]
WARNINGS = {
    "JC118", "JC221", "JC222", "JC226", "JC227", "JC229", "JC230", "JC231", "JC233", "JC303", "JC305",
}  # fmt: skip


def test_the_committed_page_is_the_one_that_the_book_makes() -> None:
    remedy = "renew it: python -m jitctl.config.rules_page > docs/config-rules.md"
    assert (ROOT / "docs" / "config-rules.md").read_text() == page(), remedy


def test_every_rule_says_everything_and_has_its_anchor() -> None:
    assert len(BY_ID) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"JC[0-5][0-9]{2}", rule.id)
        assert rule.severity in (ERROR, WARNING)
        assert rule.title.endswith(".") and rule.why.endswith(".") and rule.remedy, rule.id
        assert bool(rule.wrong) == bool(rule.right)
        assert f"### {rule.id}\n" in page()


def test_ids_and_severities_that_pipelines_rely_on_stay() -> None:
    assert {
        "JC001", "JC002", "JC003", "JC004", "JC005", "JC006", "JC007", "JC008",
        "JC101", "JC102", "JC103", "JC104", "JC111", "JC112", "JC113", "JC114", "JC115", "JC116", "JC117",
        "JC118", "JC119", "JC121", "JC122", "JC123", "JC124", "JC125", "JC126",
        "JC201", "JC202", "JC203", "JC204", "JC205", "JC206", "JC207", "JC208", "JC209", "JC210", "JC211",
        "JC212", "JC214", "JC215", "JC220", "JC221", "JC222", "JC223", "JC224", "JC225", "JC226", "JC227",
        "JC229", "JC230", "JC231", "JC233", "JC234",
        "JC301", "JC302", "JC303", "JC304", "JC305",
    } <= set(BY_ID)  # fmt: skip
    assert {rule.id for rule in RULES if rule.severity == WARNING and rule.id < "JC4"} == WARNINGS


@pytest.mark.parametrize("stem", ["jitctl", "pools", "strategy"])
def test_the_samples_show_every_key(stem) -> None:
    text = (ROOT / "config" / f"{stem}.toml").read_text()
    shown = set(re.findall(r"^#? ?([a-z0-9_]+) = ", text, re.M)) | set(
        re.findall(r"[{,] ([a-z0-9_]+) =", text)
    )
    shown |= set(re.findall(r"^\[+(?:[a-z0-9_]+\.)*([a-z0-9_]+)\]", text, re.M))
    assert keys_of(MODELS[stem]) - shown - {"wallet"} == set()
    assert text.splitlines()[0].startswith("#") and text.splitlines()[-1] == LAST_LINE
    assert HEADER in text.split("[", 1)[0]


def test_the_samples_show_the_default_of_what_is_commented_out() -> None:
    text = (ROOT / "config" / "strategy.toml").read_text()
    gas = tomllib.loads("\n".join(re.findall(r"^# ([a-z0-9_]+ = .*)$", text, re.M)))
    model = MODELS["strategy"].model_fields["gas"].annotation
    assert model is not None
    assert len(gas) == len(model.model_fields)
    assert model.model_validate(gas) == model()


def test_the_samples_lack_the_executor_and_whom_to_call_and_nothing_else() -> None:
    texts, unread = read_texts(ROOT / "config")
    assert [(problem.rule, problem.key) for problem in (*unread, *examine(texts).problems)] == [
        ("JC114", "executor.address"),
        ("JC418", "levels.P0"),
    ]


def keys_of(annotation: typing.Any) -> set[str]:
    """Return the names of all keys below a model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = {key for info in annotation.model_fields.values() for key in keys_of(info.annotation)}
        return set(annotation.model_fields) | inner
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_args(annotation):
        return {key for part in typing.get_args(annotation) for key in keys_of(part)}
    return set()

"""config: its sub-verbs by name, and what schema and show say."""

from __future__ import annotations

import pytest

from jitctl.cli.app import run
from jitctl.cli.commands.config import SUB_VERBS


def test_help_lists_every_sub_verb(capsys):
    assert run(["config", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, summary in SUB_VERBS.items():
        assert f"{name} {summary}" in text


@pytest.mark.parametrize("name", SUB_VERBS)
def test_every_sub_verb_explains_itself_with_an_example(name, capsys):
    assert run(["config", name, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Usage: jitctl config {name} " in text
    assert f"Example: jitctl config {name}" in text
    assert SUB_VERBS[name] in text


def test_an_unknown_sub_verb_suggests_the_near_one(capsys):
    assert run(["config", "shw"]) == 2
    assert "did you mean 'show'?" in capsys.readouterr().err

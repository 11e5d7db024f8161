"""What is judged beside what, whichever way files are named."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from jitctl.cli.commands.validate_config import Kind
from jitctl.config.judge import judge
from jitctl.config.kind import form_of, kind_by_name
from jitctl.config.load import load
from jitctl.config.plain_file import MAX_BYTES
from jitctl.config.source import STEMS
from tests.daemon.installation import POOLS_TOML, STRATEGY_TOML, write_config
from tests.unprivileged import as_nobody

NO_SUCH_TOKEN = "\n[limits.max_per_token]\nNOPE = 5\n"
OTHER_TOKEN = "\n[limits.max_per_token]\nDAI = 5\n"


def rules(judged):
    return [(Path(each.file).name, each.rule) for each in judged.problems]


def test_the_verb_knows_every_file():
    assert tuple(Kind) == STEMS


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pools.toml", "pools"), ("pools.json", "pools"), ("pools.toml.new", "pools"),
        ("strategy-config.json", "strategy"), ("prod-pools.toml", "pools"), ("ALERTS_eu.TOML", "alerts"),
        ("jitctl-pools.toml", "pools"), ("jitctl.prod.toml", "jitctl"), ("pools.strategy.toml", "pools"),
        ("my-strategy-and-pools.toml", None), ("carpools.toml", None), ("config.toml", None), ("-", None),
    ],
)  # fmt: skip
def test_kinds_by_name(name, stem):
    assert kind_by_name(Path("folder") / name) == stem


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("a.json", b"x = 1", "json"), ("a.JSON", b"", "json"), ("a.toml", b"{}", "toml"),
        ("a.toml.new", b"{}", "toml"), ("a.json.bak", b"x = 1", "json"), ("a", b"\n {", "json"),
        ("a", b"\xef\xbb\xbf{}", "json"), ("a", b"[pools]\n", "toml"), ("a", b"[[pools]]\nname = 1", "toml"),
        ("a", b'[{"pools": 1}]', "json"), ("a", b"# {", "toml"), ("a", b"", "toml"), ("a", b"\xff", "toml"),
        ("a", b"[" * 5000, "toml"),
    ],
)  # fmt: skip
def test_forms(name, data, form):
    assert form_of(Path(name), data) == form


def test_a_whole_folder_has_the_hash_that_the_bot_shows(tmp_path):
    config = write_config(tmp_path)
    (whole,) = judge([config]).whole
    assert whole.hash == load(config).hash
    assert judge([config / "pools.toml"]).whole[0].hash == whole.hash
    (config / "strategy.toml").unlink()
    assert judge([config]).whole == judge([config / "pools.toml"]).whole == ()


def test_the_named_stand_in_for_those_that_lie_there(tmp_path):
    config = write_config(tmp_path, strategy=STRATEGY_TOML + OTHER_TOKEN)
    new = config / "pools.new.toml"
    new.write_text(POOLS_TOML.replace('"USDC"', '"DAI"').replace("USDC", "DAI"))
    strategy = config / "strategy.toml"
    assert rules(judge([strategy])) == [("strategy.toml", "JC208")]
    assert rules(judge([strategy, new])) == []
    # With both, the one that the bot would read.
    assert rules(judge([strategy, new, config / "pools.toml"])) == [("strategy.toml", "JC208")]


def test_json_and_toml_of_a_kind_are_two_files(tmp_path):
    config = write_config(tmp_path)
    both = [config / "strategy.toml", config / "strategy.json"]
    both[1].write_text(json.dumps(tomllib.loads(STRATEGY_TOML + NO_SUCH_TOKEN)))
    assert rules(judge(both)) == [("strategy.json", "JC208")]
    folder = judge([config])
    assert (folder.problems, [each.why for each in folder.unchecked]) == (
        (), ["strategy.toml beside it is read instead"],
    )  # fmt: skip


def test_a_file_counts_once_and_the_order_is_stable(tmp_path):
    config = write_config(tmp_path, pools=POOLS_TOML * 2, strategy="[limits]\nx = 1\n")
    (config / "link.toml").symlink_to("pools.toml")
    names = [config / "strategy.toml", config / "pools.toml", config, config / "link.toml"]
    first, second = judge(names), judge(list(reversed(names)))
    assert len(first.files) == 3
    assert [each.file for each in first.problems] == sorted(each.file for each in first.problems)
    assert {(each.line, each.rule) for each in first.problems} == {
        (each.line, each.rule) for each in second.problems
    }
    assert len(set(first.problems)) == len(first.problems)


def test_a_kind_for_a_folder_and_for_any_name(tmp_path):
    config = write_config(tmp_path, pools="[[pools]]\nx = 1\n")
    assert judge([config], kind="strategy").files == (str(config / "strategy.toml"),)
    assert judge([config / "jitctl.toml"], kind="alerts").errors > 0
    (config / "strategy.toml").unlink()
    assert rules(judge([config], kind="strategy")) == [("strategy.toml", "JC001")]


def test_what_is_no_file(tmp_path):
    (tmp_path / "pools.toml").symlink_to("nowhere")
    big = tmp_path / "strategy.toml"
    with big.open("wb") as file:
        os.ftruncate(file.fileno(), MAX_BYTES + 1)
    assert [(each.rule, each.message) for each in judge([tmp_path / "pools.toml", big]).problems] == [
        ("JC001", "no such file: this link leads nowhere"),
        ("JC003", "cannot be read: it is larger than 16 MiB"),
    ]
    assert rules(judge([big / "pools.toml"])) == [("pools.toml", "JC001")]


def test_neighbours_that_cannot_be_read_are_said(tmp_path):
    config = write_config(tmp_path)
    (config / "strategy.toml").unlink()
    (config / "jitctl.toml").write_text("[chain")
    judged = judge([config / "pools.toml"])
    assert judged.problems == ()
    assert {each.why for each in judged.unchecked} == {
        f"{config / 'jitctl.toml'} has 1 error", f"there is no strategy.toml in {config}",
    }  # fmt: skip


def test_standard_input_lies_where_it_is_told(tmp_path):
    config = write_config(tmp_path)
    text = (STRATEGY_TOML + NO_SUCH_TOKEN).encode()
    alone = judge([Path("-")], stdin=lambda: text)
    assert (alone.problems, alone.files) == ((), ("<stdin>",))
    assert {each.what for each in alone.unchecked} == {"<stdin> beside pools", "<stdin> beside jitctl"}
    assert rules(judge([Path("-")], stdin=lambda: text, stdin_folder=config)) == [("<stdin>", "JC208")]


def test_what_may_not_be_read(tmp_path):
    config = write_config(tmp_path)
    (config / "pools.toml").chmod(0)
    assert "JC003" in as_nobody(lambda: [str(each) for each in judge([config / "pools.toml"]).problems])
    config.chmod(0)
    told = as_nobody(lambda: [str(each) for each in judge([config, config / "strategy.toml"]).problems])
    config.chmod(0o755)
    assert told.count("JC003") == 2 and told.count("cannot be read: Permission denied") == 2, told

"""validate-config: every problem, with its place, whatever is named and however it is asked for."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from installation import JITCTL_TOML, POOLS_TOML, STRATEGY_TOML, environment, write_config

from jitctl.cli.config_view import _context
from jitctl.config.problems import Problem

TYPO = POOLS_TOML.replace("tick_spacing", "tick_spaceing")
NOTHING = "no such file: none of jitctl, pools, strategy, alerts (.toml or .json) is in this folder"
LIMITS = "[limits.max_per_token]\nNOPE = 5\n"


def test_valid_folder_and_file(jitctl, tmp_path):
    write_config(tmp_path)
    whole = jitctl("validate-config", "-o", "json")
    assert whole.returncode == 0
    body = json.loads(whole.stdout)
    assert (body["valid"], body["errors"], body["problems"], body["notChecked"]) == (True, 0, [], [])
    assert len(body["configHash"]) == 64
    one = jitctl("validate-config", "config/pools.toml")
    assert (one.returncode, one.stdout, one.stderr) == (0, "valid: config/pools.toml\n", "")


def test_problems_have_place_rule_and_hint(jitctl, tmp_path):
    write_config(tmp_path, pools=TYPO)
    found = jitctl("validate-config", "config/pools.toml")
    assert found.returncode == 4
    lines = found.stdout.splitlines()
    assert (
        "config/pools.toml:8:1: JC101 pools[0].tick_spaceing: unknown key (did you mean 'tick_spacing'?)"
        in lines
    )
    assert lines[-1] == "2 errors in 1 file"
    assert all(line.startswith("config/pools.toml:") for line in lines[:-1])
    body = json.loads(jitctl("validate-config", "-o", "json").stdout)
    assert (body["valid"], body["errors"], body["warnings"]) == (False, 2, 0)
    assert {problem["rule"] for problem in body["problems"]} == {"JC101", "JC102"}
    assert {problem["severity"] for problem in body["problems"]} == {"error"}
    assert "configHash" not in body


def test_a_file_is_judged_beside_its_folder_and_only_it_is_blamed(jitctl, tmp_path):
    config = write_config(tmp_path, strategy=STRATEGY_TOML + LIMITS)
    across = jitctl("validate-config", "config/strategy.toml")
    assert (across.returncode, "JC208" in across.stdout) == (4, True)

    beside = jitctl("validate-config", "config/pools.toml", "-o", "json")
    body = json.loads(beside.stdout)
    assert (beside.returncode, body["valid"]) == (0, True)
    assert [each["why"] for each in body["notChecked"]] == ["config/strategy.toml has 1 error"]

    (config / "jitctl.toml").unlink()
    alone = jitctl("validate-config", "config/pools.toml")
    assert (alone.returncode, alone.stdout) == (0, "valid: config/pools.toml\n")
    assert "there is no jitctl.toml in config" in alone.stderr


def test_two_files_of_a_kind_are_judged_each(jitctl, tmp_path):
    config = write_config(tmp_path)
    (config / "pools.toml.new").write_text(TYPO)
    found = jitctl("validate-config", "config/pools.toml", "config/pools.toml.new", "config/./pools.toml")
    assert (found.returncode, found.stdout.splitlines()[-1]) == (4, "2 errors in 2 files")
    assert all("pools.toml.new:" in line for line in found.stdout.splitlines()[:-1])


def test_folders_and_names_that_are_not_there(jitctl, tmp_path):
    config = write_config(tmp_path)
    (config / "pools.toml").unlink()
    (tmp_path / "empty").mkdir()
    found = jitctl("validate-config", "config", "empty", "config/strategi.toml", "nowhere/pools.toml", ".")
    assert (found.returncode, found.stderr) == (4, "")
    assert found.stdout.splitlines() == [
        f".:1:1: JC001 {NOTHING} (did you mean config?)",
        "config/pools.toml:1:1: JC001 the file is missing",
        "config/strategi.toml:1:1: JC001 no such file (did you mean config/strategy.toml?)",
        f"empty:1:1: JC001 {NOTHING}",
        "nowhere/pools.toml:1:1: JC001 no such file (there is no folder nowhere)",
        "5 errors in 7 files",
    ]


@pytest.mark.parametrize(
    ("name", "text", "rules"),
    [
        ("pools.json", '{"pools": 3}', {"JC103"}),
        ("prod-pools.toml.bak", TYPO, {"JC101", "JC102"}),
        ("anything", TYPO, {"JC101", "JC102"}),
        ("anything.conf", '\n {"limits": {"max_notional_wei": "a lot"}}', {"JC111", "JC102"}),
        ("notes.txt", "", {"JC008"}),
        ("Other.toml", "[package]\nname = 'x'\n", {"JC005"}),
        ("anything.txt", "[pools\n", {"JC002"}),
    ],
)  # fmt: skip
def test_which_file_it_is(jitctl, tmp_path, name, text, rules):
    (tmp_path / name).write_text(text)
    found = jitctl("validate-config", name, "-o", "json")
    assert found.returncode == 4
    assert {problem["rule"] for problem in json.loads(found.stdout)["problems"]} <= rules


def test_standard_input(jitctl, tmp_path):
    empty = jitctl("validate-config", "-")
    assert (empty.returncode, "<stdin>:1:1: JC008" in empty.stdout) == (4, True)
    alone = jitctl("validate-config", "-", input=POOLS_TOML)
    assert (alone.returncode, alone.stdout) == (0, "valid: <stdin>\n")
    assert "--config-dir" in alone.stderr
    wrong = jitctl("validate-config", "-", "--as", "strategy", input=POOLS_TOML)
    assert (wrong.returncode, wrong.stdout.split(" ")[0]) == (4, "<stdin>:1:1:")

    write_config(tmp_path)
    beside = jitctl("--config-dir", "config", "validate-config", "-", "-", input=STRATEGY_TOML + LIMITS)
    assert (beside.returncode, "JC208" in beside.stdout, beside.stderr) == (4, True, "")
    piped = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m jitctl validate-config <(cat config/pools.toml)"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert (piped.returncode, piped.stdout.startswith("valid: /dev/fd/")) == (0, True)


def test_formats_for_machines(jitctl, tmp_path):
    write_config(tmp_path, pools=TYPO)
    annotated = jitctl("validate-config", "-o", "github")
    assert annotated.returncode == 4
    assert (
        "::error file=config/pools.toml,line=8,col=1,title=JC101::pools[0].tick_spaceing: unknown key "
        "(did you mean 'tick_spacing'?)"
    ) in annotated.stdout.splitlines()
    log = json.loads(jitctl("validate-config", env={"JITCTL_OUTPUT": "sarif"}).stdout)
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["JC102", "JC101"]
    suites = ET.fromstring(jitctl("validate-config", "-o", "junit").stdout)
    assert (suites.get("tests"), suites.get("failures")) == ("4", "2")

    write_config(tmp_path)
    assert jitctl("validate-config", "-o", "github").stdout == ""
    assert json.loads(jitctl("validate-config", "-o", "sarif").stdout)["runs"][0]["results"] == []


def test_usage(jitctl, tmp_path):
    assert jitctl("validate-config", "-o", "yaml").returncode == 2
    assert jitctl("validate-config", "--as", "pool").returncode == 2
    assert jitctl("status", "-o", "sarif").returncode == 2
    nothing = jitctl("validate-config")
    assert (nothing.returncode, "no jitctl.toml found" in nothing.stderr) == (4, True)


def test_a_terminal_sees_the_line_and_never_a_secret(tmp_path):
    secret = "ab" * 32
    write_config(tmp_path, pools=TYPO, jitctl=JITCTL_TOML + f'\n[extra]\nkey = "0x{secret}"\n')
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "jitctl", "validate-config"], cwd=tmp_path, env=environment(), stdout=theirs,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(ours)
    assert child.wait() == 4
    lines = shown.decode().splitlines()
    at = next(index for index, line in enumerate(lines) if "tick_spaceing: unknown" in line)
    assert lines[at + 1 : at + 3] == ["    tick_spaceing = 10", "    ^"]
    assert secret not in shown.decode()


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("JC101", 'routing_key = "R0123456789"'),
        ("JC101", 'htpp_url = "https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef"'),
        ("JC415", 'url_file = "xoxb-1-a"'),
        ("JC103", f'port = "{"ab" * 31}a"'),
        ("JC101", f'words = "{" ".join(["abandon"] * 11 + ["about"])}"'),
        ("JC115", 'http_url = "ftp://me:hunter2@host"'),
    ],
)
def test_a_line_that_may_hold_a_secret_is_not_shown(rule, line):
    assert _context(Problem(rule, "jitctl.toml", 1, 1, "", "wrong"), line) == []
    shown = _context(
        Problem(rule, "jitctl.toml", 1, 1, "", "wrong"), "max_notional_wei = 1_000_000_000_000_000_000_000"
    )
    assert bool(shown) == (rule != "JC415")


WARNS = (
    "import sys; from jitctl.config.rule_book import BY_ID, WARNING; "
    "BY_ID['JC208'] = BY_ID['JC208']._replace(severity=WARNING); "
    "from jitctl.cli.app import run; sys.exit(run(sys.argv[1:]))"
)
"""A rule that only warns, whatever the book says of each today."""


@pytest.mark.parametrize(
    ("args", "code", "shown"),
    [
        ((), 0, "valid: config/strategy.toml (1 warning)"),
        (("--strict",), 10, "config/strategy.toml:6:1: JC208 warning: limits.max_per_token.NOPE:"),
        (("--strict", "-o", "github"), 10, "::warning file=config/strategy.toml,line=6,"),
        (("-o", "sarif"), 0, '"level": "warning"'),
        (("-o", "junit"), 0, "<system-out>"),
        (("-o", "junit", "--strict"), 10, "<failure"),
        (("-o", "json"), 0, '"warnings": 1'),
    ],
)
def test_warnings_refuse_under_strict_alone(tmp_path, args, code, shown):
    write_config(tmp_path, strategy=STRATEGY_TOML + LIMITS)
    argv = [sys.executable, "-c", WARNS, "validate-config", "config/strategy.toml", *args]
    done = subprocess.run(argv, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, shown in done.stdout) == (code, True), done.stdout + done.stderr


def test_it_imports_neither_web3_nor_a_client_of_anything(tmp_path):
    write_config(tmp_path)
    script = (
        "import sys; from jitctl.cli.app import run; code = run(['validate-config']); "
        "print(code, sorted({'web3', 'httpx', 'aiohttp', 'fastapi', 'eth_account', 'rich', 'asyncio', 'ssl'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stdout + done.stderr

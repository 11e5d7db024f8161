"""What holds for every verb: help, errors, exit codes, and how little a quick command loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jitctl.cli.app import run
from jitctl.cli.verbs import DAEMON, PANELS, VERBS

HEAVY = (
    "pydantic",
    "fastapi",
    "starlette",
    "uvicorn",
    "web3",
    "httpx",
    "eth_account",
    "uvloop",
    "websockets",
    "rich",
    "sqlite3",
    "asyncio",
    "http.client",
    "ssl",
)


def test_help_lists_every_verb_under_its_panel(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    used = {verb.panel for verb in VERBS}
    positions = [text.index(f"\n{panel}:\n") for panel in PANELS if panel in used]
    assert positions == sorted(positions)
    for verb in VERBS:
        assert f"\n  {verb.name} " in text
        assert verb.summary in " ".join(text.split())


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if verb.name not in ("devnet", "demo")])
def test_every_verb_explains_itself_with_an_example(verb, capsys):
    assert run([verb, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Example: jitctl {verb}" in text
    assert next(found.summary for found in VERBS if found.name == verb) in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["validate-config"], "[FILE...]  Files, folders, or - for stdin"),
        (["config", "schema"], "[FILE]  jitctl, pools, strategy or alerts"),
        (["restore", "config"], "[FILE|DATE]  The archive, or its day"),
    ],
)
def test_help_says_what_an_argument_is(words, told, capsys):
    assert run([*words, "--help"]) == 0
    assert told in capsys.readouterr().out


def test_unknown_verb_suggests_the_near_one(capsys):
    assert run(["puase"]) == 2
    assert "did you mean 'pause'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["--no-such"],
        ["pause", "--no-such"],
        ["start"],
        ["start", "--mode", "live"],
        ["status", "-o", "xml"],
        ["pause", "extra"],
    ],
)
def test_usage_errors_are_2_and_one_line_each(args, capsys):
    assert run(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("args", [["-o", "json"], ["-ojson"], ["--output=json"], ["--output", "json"]])
def test_errors_are_json_where_the_output_is(args, capsys, tmp_path):
    assert run(["--config-dir", str(tmp_path), "status", *args]) == 4
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], sorted(error)) == ("config_invalid", ["code", "hint", "message"])


def test_output_may_come_from_the_environment(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("JITCTL_OUTPUT", "json")
    assert run(["--config-dir", str(tmp_path), "status"]) == 4
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "config_invalid"


def test_config_dir_may_stand_anywhere(capsys, tmp_path):
    for args in (["--config-dir", str(tmp_path), "status"], ["status", f"--config-dir={tmp_path}"]):
        assert run(args) == 4
        assert str(tmp_path) in capsys.readouterr().err


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("jitctl ")


def test_a_defect_shows_one_line_and_leaves_a_file(jitctl, tmp_path):
    # A reply that no daemon would send: the defect is in what reads it.
    code = (
        "import sys; from jitctl.control.client import Client; "
        "Client.call = lambda *a, **k: 1 / len(''); sys.argv[1:] = ['status']; "
        "from jitctl.cli.app import run; sys.exit(run(sys.argv[1:]))"
    )
    from installation import environment, write_config

    write_config(tmp_path)
    env = {**environment(), "XDG_STATE_HOME": str(tmp_path / "state")}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert "ZeroDivisionError" in found.stderr
    (crash,) = (tmp_path / "state" / "jitctl").iterdir()
    assert "Traceback" in crash.read_text()
    assert crash.stat().st_mode & 0o777 == 0o600


QUICK = {
    "--help": [],
    "--version": [],
    **{verb.name: [] for verb in VERBS if verb.kind == DAEMON},
    "resume": ["--yes"],
    "clear-halt": ["--yes", "--reason", "r"],
}
"""What an operator waits for in a hurry: every verb that asks the daemon, as far as its question."""


@pytest.mark.parametrize("word", QUICK)
def test_quick_commands_load_nothing_heavy(word, tmp_path):
    from installation import write_config

    write_config(tmp_path)
    loaded = loaded_after([word, *QUICK[word]], folder=tmp_path)
    assert not loaded & set(HEAVY)
    verbs = {name for name in loaded if name.startswith("jitctl.cli.commands.")}
    assert verbs <= {f"jitctl.cli.commands.{word.replace('-', '_')}"}
    assert not {
        name for name in loaded if name.startswith(("jitctl.daemon", "jitctl.engine", "jitctl.chain"))
    }


def test_no_verb_loads_anything_heavy_for_its_help(tmp_path):
    assert not loaded_after(*([verb.name, "--help"] for verb in VERBS), folder=tmp_path) & set(HEAVY)


def loaded_after(*lines, folder):
    """Return the modules that a fresh interpreter has loaded after these command lines."""
    code = (
        f"import sys; from jitctl.cli.app import run; [run(line) for line in {lines!r}]; "
        "print(*sys.modules, file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(found.stderr.split())


def test_the_shell_is_told_verbs_and_options(jitctl):
    script = jitctl(env={"_JITCTL_COMPLETE": "source_bash"}).stdout
    assert "_JITCTL_COMPLETE=complete_bash" in script
    for line, number, word in (("jitctl pa", "1", "pause"), ("jitctl pause --re", "2", "--reason")):
        asked = {"_JITCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": number}
        assert jitctl(env=asked).stdout.split() == [word]


def test_reader_that_leaves_early_is_no_error(tmp_path):
    found = subprocess.run(
        f"{sys.executable} -m jitctl --help | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in found.stderr
    assert found.stderr == ""


def test_terminal_is_not_steered_by_what_a_node_says(capsys):
    from jitctl.cli import render

    assert render.printable("ok\x1b[2Jgone\r") == "ok\\x1b[2Jgone\\x0d"


def test_a_missing_choice_is_named_in_one_line(capsys):
    assert run(["start", "--foreground"]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert first == "error: Missing option '--mode'. Choose from: test, production"


def test_an_answer_that_has_no_place_is_said_to_have_none():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jitctl", "--version"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, "cannot be written: No space left" in done.stderr) == (1, True)
    assert "defect" not in done.stderr


def test_a_bare_call_shows_the_verbs_and_a_slip_all_that_it_may_mean(jitctl):
    bare = jitctl()
    assert (bare.returncode, bare.stdout, bare.stderr.startswith("Usage: jitctl")) == (2, "", True)
    assert "did you mean 'status'?" in jitctl("stat").stderr
    assert "'start' or 'restart'" in jitctl("sttart").stderr

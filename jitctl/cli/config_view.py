"""How the verbs that check configuration files read their arguments, print a judgement, and leave."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import render
from jitctl.cli.render import CheckFormat

if TYPE_CHECKING:
    from jitctl.config.judge import Judgement
    from jitctl.config.problems import Problem

FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE...]", help="Files, folders, or - for stdin; none means the whole folder."),
]
OnlineOption = Annotated[
    bool, typer.Option("--online", help="Ask the chain too: nodes, pools, prices, executor.")
]
ERRORS, UNKNOWN, STRICT_WARNINGS = 4, 8, 10
_SECRET = re.compile(
    r"://[^/\s]*@|pass|secret|mnemonic|private|(\b|_)(key|token|auth)(_file)?\W*[=:]"
    r"|(?<![\w-])(?!0x)(?=[\w-]*\d)(?=[\d_-]*[a-z])[\w-]{24,}|hooks\.slack|discord",
    re.IGNORECASE,
)
"""A line that may hold a secret is not shown, whatever is wrong with it."""
_SECRET_RULES = ("JC3", "JC415")
_CONTEXT_CHARS = 100


def check(
    ctx: typer.Context,
    files: list[Path] | None,
    *,
    kind: str | None,
    strict: bool,
    online: bool,
    output: str,
) -> None:
    """Judge files, print what was found, and leave with 4, 8, 10 or nothing."""
    from jitctl.config.judge import judge

    named = ctx.find_root().params.get("config_dir") or os.environ.get("JITCTL_CONFIG_DIR")
    judged = judge(
        files or [_config_folder(named)],
        kind=kind,
        stdin=read_stdin,
        stdin_folder=Path(named) if named else None,
    )
    complete = True
    if online and not judged.errors:
        judged, complete = _asked(judged)
    _show(judged, output, strict=strict, complete=complete)
    if judged.errors:
        raise typer.Exit(ERRORS)
    if not complete:
        raise typer.Exit(UNKNOWN)
    if strict and judged.warnings:
        raise typer.Exit(STRICT_WARNINGS)


def _config_folder(named: str | None) -> Path:
    """Return the configuration folder as it was named, or relative where it was found below here."""
    if named and Path(named).is_dir():
        return Path(named)
    from jitctl.config.locate import find_config_dir

    found = find_config_dir(named)
    return found.relative_to(Path.cwd()) if found.is_relative_to(Path.cwd()) else found


def read_stdin() -> bytes:
    """Return what `-` names; raises `UsageError` where nothing is piped in."""
    from jitctl.config.plain_file import MAX_BYTES
    from jitctl.errors import UsageError

    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- reads a file from standard input, and nothing is piped into it")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _asked(judged: Judgement) -> tuple[Judgement, bool]:
    """Return the judgement with what the chain says, and whether it has said all of it."""
    from jitctl.checks import one_shot
    from jitctl.checks.config_online import ask_chain
    from jitctl.config.judge import Unchecked

    if not judged.whole:
        why = "the chain can only be asked about a configuration that has all of its files"
        return judged.with_more((), [Unchecked("the chain", why)]), False
    complete = True
    for whole in judged.whole:
        answer = one_shot.run(ask_chain(whole.folder, whole.texts))
        judged = judged.with_more(answer.problems, (Unchecked(*each) for each in answer.unknown))
        complete = complete and not answer.unknown
    return judged, complete


def _show(judged: Judgement, output: str, *, strict: bool, complete: bool) -> None:
    notes = [f"{each.what}: {each.why}" for each in judged.unchecked]
    if output in (CheckFormat.TEXT, CheckFormat.JSON):
        render.result(_body(judged, complete), output, lambda _body: _text(judged, complete))
    else:
        _report(judged, output, strict=strict, complete=complete, notes=notes)
    if output in (CheckFormat.TEXT, CheckFormat.GITHUB):
        for note in notes:
            render.note(f"not checked: {note}")
    if output == CheckFormat.GITHUB:
        render.note(_summary(judged, complete))


def _report(judged: Judgement, output: str, *, strict: bool, complete: bool, notes: list[str]) -> None:
    import json

    from jitctl import __version__
    from jitctl.config.report import github, junit, place, sarif

    cwd = Path.cwd()
    root = place.root_of(cwd, os.environ)

    def placed(name: str) -> str:
        return place.from_root(name, root, cwd)

    if output == CheckFormat.GITHUB:
        if judged.problems:
            render.raw(github.github(judged.problems, placed))
    elif output == CheckFormat.SARIF:
        log = sarif.sarif(
            judged.problems,
            version=__version__,
            place=placed,
            line_of=lambda problem: _line(judged, problem),
            notes=notes,
            complete=complete,
        )
        render.raw(json.dumps(log, indent=2))
    else:
        render.raw(
            junit.junit(
                judged.files, judged.problems, place=placed, strict=strict, notes=notes, complete=complete
            )
        )


def _body(judged: Judgement, complete: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "valid": not judged.errors and complete,
        "files": list(judged.files),
        "errors": judged.errors,
        "warnings": judged.warnings,
        "problems": [asdict(each) | {"severity": each.severity} for each in judged.problems],
        "notChecked": [asdict(each) for each in judged.unchecked],
    }
    if len(judged.whole) == 1 and not judged.errors:
        body["configHash"] = judged.whole[0].hash
    return body


def _text(judged: Judgement, complete: bool) -> str:
    """Return a line for each problem, and a summary; a terminal also sees the line that is meant."""
    lines = []
    for problem in judged.problems:
        lines.append(render.printable(str(problem)).replace("\n", " "))
        if sys.stdout.isatty():
            lines += _context(problem, _line(judged, problem))
    return "\n".join([*lines, _summary(judged, complete)])


def _summary(judged: Judgement, complete: bool) -> str:
    counts = [
        f"{count} {word if count == 1 else word + 's'}"
        for count, word in ((judged.errors, "error"), (judged.warnings, "warning"))
        if count
    ]
    if judged.errors:
        files = len(judged.files)
        return f"{', '.join(counts)} in {files} {'file' if files == 1 else 'files'}"
    word = "valid" if complete else "cannot be told"
    names = render.printable(", ".join(judged.files))
    return f"{word}: {names}" + (f" ({counts[0]})" if counts else "")


def _line(judged: Judgement, problem: Problem) -> str:
    """Return the line that a problem is on; empty where there is none."""
    text = judged.texts.get(problem.file)
    if text is None:
        return ""
    lines = text.data.decode("utf-8", "replace").split("\n")
    return lines[problem.line - 1].rstrip("\r") if problem.line <= len(lines) else ""


def _context(problem: Problem, line: str) -> list[str]:
    """Return the line with a mark below the column, cut around it, unless it may hold a secret."""
    from jitctl.config.shown import holds_secret

    if not line.strip() or problem.rule.startswith(_SECRET_RULES):
        return []
    if holds_secret(line) or _SECRET.search(line):
        return []
    start = max(0, problem.column - 1 - _CONTEXT_CHARS // 2)
    shown = "".join(c if c.isprintable() else " " for c in line)[start : start + _CONTEXT_CHARS]
    return [f"    {shown}", f"    {' ' * (problem.column - 1 - start)}^"]

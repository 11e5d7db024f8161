"""`jitctl validate-config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format


def validate_config(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Files to check; none means the whole folder."),
    ] = None,
    output: OutputOption = Format.TEXT,
) -> None:
    """Check configuration files and list every problem.

    Without files, the whole folder and the rules across its files are checked. Exit code 0 valid, 4 if
    anything is wrong; each problem comes with file, line, column and the rule's id.

    Example: jitctl validate-config

    Example: jitctl validate-config config/pools.toml
    """
    from dataclasses import asdict

    from jitctl.config.judge import check_file
    from jitctl.config.load import load
    from jitctl.config.problems import ConfigInvalidError

    body: dict[str, Any] = {"valid": True, "files": [str(file) for file in files or []], "problems": []}
    try:
        if files:
            problems = [problem for file in files for problem in check_file(file)]
            if problems:
                raise ConfigInvalidError(problems)
        else:
            folder = options.config_dir(ctx)
            body["files"] = [str(folder)]
            body["configHash"] = load(folder).hash
    except ConfigInvalidError as error:
        body |= {"valid": False, "problems": [asdict(problem) for problem in error.problems]}
    render.result(body, output, _text)
    if not body["valid"]:
        raise typer.Exit(4)


def _text(body: dict[str, Any]) -> str:
    if body["valid"]:
        return f"valid: {', '.join(body['files'])}"
    from jitctl.config.problems import Problem

    return "\n".join(str(Problem(**problem)) for problem in body["problems"])

"""Options that several verbs share, and what they resolve to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from jitctl.cli import render
from jitctl.cli.render import Format

if TYPE_CHECKING:
    from jitctl.config.locate import Folders
    from jitctl.control.client import Client

OutputOption = Annotated[
    Format, typer.Option("-o", "--output", envvar="JITCTL_OUTPUT", show_envvar=False, help="text or json.")
]
ReportOutputOption = Annotated[
    render.ReportFormat,
    typer.Option("-o", "--output", envvar="JITCTL_OUTPUT", show_envvar=False, help="text, json or md."),
]
CheckOutputOption = Annotated[
    render.CheckFormat,
    typer.Option(
        "-o",
        "--output",
        envvar="JITCTL_OUTPUT",
        show_envvar=False,
        help="text, json, github, sarif or junit.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit 10 on warnings.")]


class Seconds(click.FloatRange):
    """A number of seconds within bounds; `nan` is within none, though no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


REASON_CHARS = 1_000
"""What the daemon takes."""


def legible_reason(reason: str) -> str:
    """Return a reason that the daemon takes: odd bytes or a long paste must not refuse a pause."""
    whole = reason.encode("utf-8", "replace").decode()
    if len(whole) > REASON_CHARS:
        render.note(f"the reason is cut to {REASON_CHARS} characters")
    return whole[:REASON_CHARS]


ReasonOption = Annotated[
    str, typer.Option("--reason", callback=legible_reason, help="Why; it is kept in the audit trail.")
]


def config_dir(ctx: typer.Context) -> Path:
    """Return the configuration folder of this invocation; raises `ConfigError` where there is none."""
    from jitctl.config.locate import find_config_dir

    return find_config_dir(ctx.find_root().params.get("config_dir"))


def folders(ctx: typer.Context) -> Folders:
    """Return the folders of this invocation, from `[paths]` alone."""
    from jitctl.config.locate import quick_folders

    return quick_folders(config_dir(ctx))


def client(ctx: typer.Context, *, timeout_s: float = 10.0) -> Client:
    """Return a client for the control socket of this invocation."""
    from jitctl.control.client import Client

    found = folders(ctx)
    return Client(found.socket, timeout_s=timeout_s, doubt=found.doubt)


def make_folder(folder: Path) -> None:
    """Make a folder that the user named, unless it is there; raises `JitError` where none can be."""
    from jitctl.errors import JitError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JitError(f"cannot make the folder {folder}: {error.strerror or error}") from None


def warn_of_version(asked: Client) -> None:
    """Say so when the daemon runs another version than this command line; the command has still worked."""
    if asked.version_differs:
        from jitctl import __version__

        render.note(
            f"warning: the daemon runs jitctl {asked.daemon_version}, this is {__version__}; "
            "restart it when convenient"
        )

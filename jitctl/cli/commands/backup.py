"""`jitctl backup`: what can be brought back after a loss."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Back up the configuration.

    Example: jitctl backup config
    """


@app.command("config")
def config(
    ctx: typer.Context,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hold the backup against the files once more.")
    ] = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Back up the configuration files, with a manifest of their hashes.

    The archive is backups/config-backup-YYYYMMDD.tar.gz (UTC); a second one of other files on the same day
    is -2. No secret is in it: the files only name them. Works beside a running bot. Exit code 4 if the
    files are not valid, 6 without the right to write there.

    Example: jitctl backup config
    """
    import time

    from jitctl.config.generations import Generations
    from jitctl.config.load import load
    from jitctl.errors import JitError
    from jitctl.maintenance.config_backup import back_up, read

    found = load(options.config_dir(ctx))
    current = Generations(found.folders.data).current()
    number = current.number if current is not None and current.hash == found.hash else None
    made, changed = back_up(found, generation=number, now_s=time.time())
    if verify and read(made.path).texts(found.folders.config) != dict(found.texts):
        raise JitError(f"{made.path} does not hold what the files say", hint="repeat it")
    body = {
        "changed": changed,
        "path": str(made.path),
        "configHash": made.config_hash,
        "generation": made.generation,
        "files": sorted(made.files),
        "verified": verify,
    }
    render.result(body, output, _text)


def _text(body: dict[str, Any]) -> str:
    done = "backed up to" if body["changed"] else "nothing has changed since"
    verified = "; read back and the same" if body["verified"] else ""
    return f"{', '.join(body['files'])}: {done} {render.printable(body['path'])}{verified}"

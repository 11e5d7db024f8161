"""`jitctl restore`: bring back what was backed up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Put a backup of the configuration back.

    Example: jitctl restore config
    """


@app.command("config")
def config(
    ctx: typer.Context,
    backup: Annotated[
        str,
        typer.Argument(metavar="[FILE|DATE]", help="The archive, or its day as YYYYMMDD; none: the newest."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Have the running bot take it over.")] = False,
    reason: ReasonOption = "",
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Put the configuration files of a backup back.

    An archive that is damaged in any bit, or whose files are no valid configuration, is refused. All files
    are replaced as one step, also across a crash, and the earlier ones are kept in backups/. Says which verb
    has a running bot take it over; --reload does so at once, and where the bot refuses, the files become
    what they were. Asks first; automation passes --yes. Exit code 0 done or as it was, 1 the archive is
    damaged or it was not confirmed, 2 there is none or nobody can be asked, 4 its files are not valid, 5 the
    bot did not answer, 6 not permitted, 9 refused.

    Example: jitctl restore config

    Example: jitctl restore config 20260131 --reload --yes --reason "the new pools were wrong"
    """
    from jitctl.cli import files_put_back as flow
    from jitctl.cli.confirm import confirm, place
    from jitctl.cli.difference_view import reloads_of, restart_keys
    from jitctl.config.load import load
    from jitctl.maintenance.config_backup import named, read

    scene = flow.look(ctx, dry_run=dry_run)
    found = read(named(scene.folders.backups, backup))
    wanted = load(scene.config_dir, found.texts(scene.config_dir))
    asked = flow.client(scene, wanted)
    flow.ask_daemon(scene, asked, needed=reload and not dry_run)
    to_take = flow.against_running(asked, scene, wanted)
    body: dict[str, Any] = {
        "changed": False,
        "dryRun": dry_run,
        "path": str(found.path),
        "configHash": wanted.hash,
        "generation": found.generation,
        "finished": scene.finished,
        "daemon": bool(scene.running),
        "problem": scene.problem,
        "differences": flow.changes(scene, wanted, "the backup"),
        "written": [],
        "removed": [],
        "keptIn": None,
        "reloads": reloads_of(to_take or []),
        "needsRestart": restart_keys(to_take or []),
        "reload": None,
        "message": "",
    }
    if dry_run:
        body["message"] = f"{found.path.name} would be put back; nothing was changed"
        render.result(body, output, _text)
        return
    if not yes:
        flow.show_before_asking(body, output)
        of = {"chainId": wanted.main.chain.chain_id, "executor": wanted.main.executor.address}
        where = place(scene.config_dir, scene.running or of)
        bot = (
            f", have the {scene.running.get('mode')} bot trade by it," if reload and scene.engine_runs else ""
        )
        confirm(f"put the files of {found.path.name} back{bot} on {where}", word="restore")
    done = flow.replace(scene, wanted, f"backup {found.path.name}")
    body |= {
        "changed": done.changed,
        "written": list(done.written),
        "removed": list(done.removed),
        "keptIn": str(done.kept_in) if done.kept_in is not None else None,
    }
    if reload and scene.engine_runs:
        why = reason or f"restore of {found.path.name}"
        reply = flow.reload_or_undo(asked, scene, wanted, done, reason=why, restores=None)
        options.warn_of_version(asked)
        body["reload"] = reply
        body["reloads"] = []
        body["changed"] = body["changed"] or bool(reply.get("changed"))
        body["needsRestart"] = [each["key"] for each in reply.get("needsRestart", [])]
    files = f"{found.path.name} is put back" if done.changed else f"the files are those of {found.path.name}"
    body["message"] = f"{files}; {_of_the_bot(scene, body)}"
    render.result(body, output, _text)


def _of_the_bot(scene: Any, body: dict[str, Any]) -> str:
    if body["reload"] is not None:
        return str(body["reload"].get("message"))
    if not scene.running:
        unreachable = scene.unreachable
        if unreachable is not None and unreachable.exit_code != 3:
            return f"what the bot runs by is not known: {unreachable.message}"
        return "no daemon runs: the next `jitctl start` takes them over"
    if not scene.engine_runs:
        return "the engine does not run: the next `jitctl start` takes them over"
    if body["reloads"] or body["needsRestart"]:
        return "the bot runs on by what it had"
    return "the bot runs by these values"


def _text(body: dict[str, Any]) -> str:
    from jitctl.cli.files_put_back import result_lines

    return "\n".join(result_lines(body, reloads=body["reloads"]))

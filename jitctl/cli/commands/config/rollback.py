"""`jitctl config rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, ReasonOption, YesOption
from jitctl.cli.render import Format

if TYPE_CHECKING:
    from jitctl.cli.files_put_back import Scene
    from jitctl.config.generations import Generation, Generations


def rollback(
    ctx: typer.Context,
    to: Annotated[
        int | None, typer.Option("--to", help="The generation to put back; none: the previous.", min=1)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    reason: ReasonOption = "",
    yes: YesOption = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Put the files of an earlier generation back, and reload them.

    Files that were edited or broken and not taken over become those that run; else those that ran before.
    All files are replaced as one step, also across a crash, and the earlier ones are kept in backups/. A
    running bot takes them over at once; where it refuses, the files become what they were. Keys that need a
    restart are named. Without a daemon only the files are put back. Asks first, naming chain and executor;
    automation passes --yes. Exit code 0 done or as it was, 1 there is nothing to go back to or it was
    not confirmed, 2 nobody can be asked, 4 the generation is not valid any more, 5 the bot did not answer, 6
    not permitted, 8 where the generations are cannot be told, 9 refused.

    Example: jitctl config rollback

    Example: jitctl config rollback --to 3 --yes --reason "the new limits lose money"
    """
    from jitctl.cli import files_put_back as flow
    from jitctl.cli.confirm import confirm, place
    from jitctl.cli.difference_view import restart_keys
    from jitctl.cli.running_config import whole
    from jitctl.config.generations import Generations

    scene = flow.look(ctx, dry_run=dry_run)
    kept = Generations(scene.folders.data)
    if scene.finished is not None and to is None and scene.finished["restores"] is None:
        word = "would finish" if dry_run else "finished"
        message = f"{word} what was interrupted: {scene.finished['about']}; nothing else is put back"
        render.result({"changed": not dry_run, "message": message}, output, _text)
        return
    target = _target(scene, kept, to)
    wanted = whole(kept, target, scene.config_dir)
    asked = flow.client(scene, wanted)
    flow.ask_daemon(scene, asked, needed=not dry_run)
    body: dict[str, Any] = {
        "changed": False,
        "dryRun": dry_run,
        "generation": target.number,
        "configHash": wanted.hash,
        "finished": scene.finished,
        "daemon": bool(scene.running),
        "problem": scene.problem,
        "differences": flow.changes(scene, wanted, f"generation {target.number}"),
        "written": [],
        "removed": [],
        "keptIn": None,
        "needsRestart": [],
        "reload": None,
        "message": "",
    }
    if dry_run:
        found = flow.against_running(asked, scene, wanted) or []
        body["needsRestart"] = restart_keys(found)
        body["message"] = f"generation {target.number} would be put back; nothing was changed"
        render.result(body, output, _text)
        return
    if not yes:
        flow.show_before_asking(body, output)
        of = {"chainId": wanted.main.chain.chain_id, "executor": wanted.main.executor.address}
        where = place(scene.config_dir, scene.running or of)
        mode = scene.running.get("mode")
        bot = f", and have the {mode} bot trade by it," if scene.engine_runs else ""
        confirm(f"put back generation {target.number}{bot} on {where}", word="rollback")
    about, why = f"generation {target.number}", reason or f"rollback to generation {target.number}"
    done = flow.replace(scene, wanted, about, restores=target.number)
    body |= {
        "changed": done.changed,
        "written": list(done.written),
        "removed": list(done.removed),
        "keptIn": str(done.kept_in) if done.kept_in is not None else None,
    }
    if scene.engine_runs:
        reply = flow.reload_or_undo(asked, scene, wanted, done, reason=why, restores=target.number)
        options.warn_of_version(asked)
        body["reload"] = reply
        body["changed"] = body["changed"] or bool(reply.get("changed"))
        body["needsRestart"] = [each["key"] for each in reply.get("needsRestart", [])]
    body["message"] = _message(scene, body)
    render.result(body, output, _text)


def _target(scene: Scene, kept: Generations, to: int | None) -> Generation:
    """Return the generation that is meant; raises `JitError` where there is none."""
    from jitctl.cli.running_config import generation, loaded, require_readable
    from jitctl.errors import CannotDetermine, JitError

    finished = scene.finished["restores"] if scene.finished is not None else None
    number = to if to is not None else finished
    if number is not None:
        return generation(kept, number)
    require_readable(kept)
    current = kept.current()
    if current is None:
        message = f"no generation of the configuration is kept in {kept.folder}"
        if scene.folders.doubt:
            raise CannotDetermine(
                f"{message}, but {scene.folders.doubt}",
                hint="put a jitctl.toml with its [paths] there; or: jitctl restore config FILE",
            )
        raise JitError(message, hint="the first start keeps one; or: jitctl restore config")
    read = loaded(kept, current, scene.config_dir)
    if scene.files is None or scene.files.hash != (read.hash if read is not None else current.hash):
        return current
    before = kept.previous(current)
    if before is None:
        again = f", which is generation {current.restores} again," if current.restores else ""
        raise JitError(
            f"there is nothing before generation {current.number}{again} to go back to",
            hint="jitctl config generations lists them; --to names one",
        )
    return before


def _message(scene: Scene, body: dict[str, Any]) -> str:
    number, reply = body["generation"], body["reload"]
    files = f"generation {number} is in the files" if body["written"] or body["removed"] else ""
    if not files:
        files = f"the files are those of generation {number} already"
    if reply is not None:
        return f"{files}; {reply.get('message')}"
    if scene.running:
        return f"{files}; the engine does not run: the next `jitctl start` takes them over"
    return f"{files}; no daemon runs: the next `jitctl start` takes them over"


def _text(body: dict[str, Any]) -> str:
    from jitctl.cli.files_put_back import result_lines

    return "\n".join(result_lines(body) if "differences" in body else [render.printable(body["message"])])

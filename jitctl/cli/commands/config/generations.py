"""`jitctl config generations`."""

from __future__ import annotations

import time
from typing import Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format
from jitctl.errors import JitError


def generations(ctx: typer.Context, output: OutputOption = Format.TEXT) -> None:
    """List the configurations that were live, the newest first.

    Each with its hash, when, by whom, by which verb and why; which one runs, and which one the files equal.
    Exit code 0 also where none is kept yet, 6 without the right to read them.

    Example: jitctl config generations
    """
    from jitctl.cli.running_config import require_readable
    from jitctl.config.generations import Generations
    from jitctl.config.load import load

    folder, folders = options.config_dir(ctx), options.folders(ctx)
    kept = Generations(folders.data)
    require_readable(kept)
    asked = options.client(ctx, timeout_s=2.0)
    problem, files_hash = "", ""
    try:
        files_hash = load(folder).hash
    except JitError as error:
        problem = f"the files are not valid: {error.message.splitlines()[0]}"
    try:
        running: dict[str, Any] = asked.call("status", probe=True)
    except JitError:
        running = {}
    current = kept.current()
    rows = [
        {
            "number": each.number,
            "configHash": each.hash,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(each.time_s)),
            "timeS": each.time_s,
            "who": each.who,
            "verb": each.verb,
            "why": each.why,
            "restores": each.restores,
            "current": current is not None and each.number == current.number,
            "running": running.get("configHash") == each.hash and running.get("generation") == each.number,
            "files": each.hash == files_hash,
        }
        for each in reversed(kept.all())
    ]
    body = {"generations": rows, "filesHash": files_hash, "daemon": bool(running), "problem": problem}
    render.result(body, output, _text)


def _text(body: dict[str, Any]) -> str:
    from rich import box
    from rich.table import Table

    note = f"note: {render.printable(body['problem'])}" if body["problem"] else ""
    if not body["generations"]:
        return "\n".join(filter(None, ("no generation is kept yet; the first start keeps one", note)))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "hash", "since", "who", "verb", "", "why"):
        table.add_column(title, no_wrap=title != "why")
    for row in body["generations"]:
        words = ["runs" if row["running"] else "last that ran" if row["current"] else ""]
        words.append("= the files" if row["files"] else "")
        verb = row["verb"] + (f" (puts back {row['restores']})" if row["restores"] else "")
        table.add_row(
            str(row["number"]),
            row["configHash"][:12],
            row["time"],
            render.printable(row["who"]),
            render.printable(verb),
            ", ".join(filter(None, words)),
            render.printable(row["why"]),
        )
    return "\n".join(filter(None, (render.rich_text(table).strip("\n"), note)))

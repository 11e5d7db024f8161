"""`jitctl config generations`."""

from __future__ import annotations

import time
from typing import Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format
from jitctl.errors import JitError

WIDE = 120
"""From this width on there is room for a table."""


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
    note = f"note: {render.printable(body['problem'])}" if body["problem"] else ""
    if not body["generations"]:
        return "\n".join(filter(None, ("no generation is kept yet; the first start keeps one", note)))
    width = render.terminal_width()
    listed = _table if width is None or width >= WIDE else _lines
    return "\n".join(filter(None, (listed([_row(each) for each in body["generations"]]), note)))


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    words = ["runs" if found["running"] else "last that ran" if found["current"] else ""]
    words.append("= the files" if found["files"] else "")
    cells = (
        str(found["number"]),
        found["configHash"][:12],
        found["time"],
        found["who"],
        found["verb"] + (f" (puts back {found['restores']})" if found["restores"] else ""),
        ", ".join(filter(None, words)),
        found["why"],
    )
    return tuple(map(render.printable, cells))


def _table(rows: list[tuple[str, ...]]) -> str:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "hash", "since", "who", "verb", "", "why"):
        table.add_column(title, no_wrap=title != "why", min_width=4)
    for row in rows:
        table.add_row(*row)
    return render.rich_text(table).strip("\n")


def _lines(rows: list[tuple[str, ...]]) -> str:
    """Return two lines each: the number, by which one is named, is never cut."""
    lines = []
    for number, short_hash, since, who, verb, state, why in rows:
        lines.append("  ".join(filter(None, (number.rjust(2), short_hash, since, state))))
        lines.append(render.wrapped("    ", f"{verb} by {who}" + f": {why}" * bool(why), indent=4))
    return "\n".join(lines)

"""`jitctl config diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format

if TYPE_CHECKING:
    from jitctl.config.load import Config


def diff(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]", help="Files to compare, also from elsewhere, or - for stdin; none means all."
        ),
    ] = None,
    generation: Annotated[
        int | None,
        typer.Option("--generation", help="Compare with this kept generation, not with what runs.", min=1),
    ] = None,
    to: Annotated[
        int | None, typer.Option("--to", help="Compare this kept generation, not the files.", min=1)
    ] = None,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show what differs between the files and what runs.

    Each line says which verb takes the change over: reload-pools, reload-strategy, or only a restart. Without
    a daemon the last generation that ran is compared with. Exit code 0 the same, 1 they differ, 3 no daemon
    and no generation is kept, 4 the files are not valid.

    Example: jitctl config diff

    Example: jitctl config diff pools.toml --generation 3
    """
    from jitctl.cli.difference_view import reloads_of, restart_keys
    from jitctl.cli.files_put_back import as_wire
    from jitctl.cli.running_config import generation_side, running_side
    from jitctl.config.generations import Generations
    from jitctl.config.source import STEMS
    from jitctl.errors import UsageError
    from jitctl.maintenance.config_compare import Side, differences, side_of

    if files and to is not None:
        raise UsageError("either files or --to: both say what is compared")
    folder, folders = options.config_dir(ctx), options.folders(ctx)
    kept = Generations(folders.data)
    stems: tuple[str, ...] = STEMS
    if to is not None:
        after = generation_side(kept, to, folder)
    else:
        found, stems = _files(folder, files or [])
        after = side_of("the files", found)
    before: Side
    if generation is not None:
        before, note = generation_side(kept, generation, folder), ""
    else:
        asked = options.client(ctx)
        before, note = running_side(asked, kept, folder)
        options.warn_of_version(asked)
    listed = as_wire(differences(before, after, stems))
    unseen = not listed and stems == STEMS and before.hash != after.hash
    if unseen:
        note = "; ".join(
            filter(None, (note, "they differ in something that is not shown, as in a URL's key"))
        )
    body = {
        "same": not listed and not unseen,
        "before": _named(before),
        "after": _named(after),
        "files": list(stems),
        "differences": listed,
        "reloads": reloads_of(listed),
        "needsRestart": restart_keys(listed),
        "note": note,
    }
    render.result(body, output, _text)
    if not body["same"]:
        raise typer.Exit(1)


def _files(folder: Path, files: list[Path]) -> tuple[Config, tuple[str, ...]]:
    """Return the folder's configuration with `files` in the place of its own, and which those are."""
    from jitctl.cli.config_view import read_stdin
    from jitctl.config.load import load
    from jitctl.config.named import STDIN, read
    from jitctl.config.problems import ConfigInvalidError
    from jitctl.config.source import STEMS, read_texts
    from jitctl.errors import UsageError

    # A bare name that is not here means the one in the folder.
    paths = [
        folder / path if path != STDIN and not path.exists() and path.name == str(path) else path
        for path in files
    ]
    found = read(paths, kind=None, stdin=read_stdin, stdin_folder=None)
    for problem in found.problems:
        if problem.rule == "JC005":
            known = ", ".join(f"{each}.toml" for each in STEMS)
            raise UsageError(f"cannot tell which file {problem.file} is", hint=f"name it as ours: {known}")
    if found.problems:
        raise ConfigInvalidError(found.problems)
    stems = {each.stem for each in found.files}
    texts, unread = read_texts(folder)
    if any(path.is_dir() for path in paths):
        texts, stems = {}, set(STEMS)
    texts |= {each.stem: each.text for each in found.files}
    problems = [each for each in unread if Path(each.file).name.split(".")[0] not in stems]
    if problems:
        raise ConfigInvalidError(problems)
    return load(folder, texts), tuple(stem for stem in STEMS if stem in stems) or STEMS


def _named(side: Any) -> dict[str, Any]:
    return {"label": side.label, "generation": side.generation, "configHash": side.hash}


def _text(body: dict[str, Any]) -> str:
    from jitctl.cli.difference_view import apply_lines, difference_lines

    before, after = body["before"], body["after"]
    number = f" (generation {before['generation']})" if before["generation"] else ""
    lines = [f"note: {render.printable(body['note'])}"] if body["note"] else []
    if body["same"]:
        return "\n".join([*lines, f"{after['label']}: as {before['label']}{number}"])
    lines += [f"from {before['label']}{number} to {after['label']}:", *difference_lines(body["differences"])]
    if after["label"] == "the files":
        lines += apply_lines(body["reloads"], body["needsRestart"])
    return "\n".join(lines)

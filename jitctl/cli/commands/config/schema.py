"""`jitctl config schema`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jitctl.cli import render
from jitctl.cli.options import OutputOption, make_folder
from jitctl.cli.render import Format
from jitctl.errors import JitError


class File(StrEnum):
    """The configuration files."""

    JITCTL = "jitctl"
    POOLS = "pools"
    STRATEGY = "strategy"
    ALERTS = "alerts"


def schema(
    file: Annotated[
        File | None,
        typer.Argument(metavar="[FILE]", help="jitctl, pools, strategy or alerts; none means all, by name."),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out-dir", help="Write NAME.schema.json files here.", file_okay=False),
    ] = None,
    output: OutputOption = Format.TEXT,
) -> None:
    """Print the JSON Schema of a configuration file, for editors.

    The schema (draft 2020-12) holds names, types, bounds, defaults and the meaning of every key. An
    editor that is told of it completes and checks while one writes; rules across keys are left to
    validate-config.

    Example: jitctl config schema pools

    Example: jitctl config schema --out-dir .schemas
    """
    from jitctl.config.json_schema import schema_of

    stems = [file.value] if file is not None else [each.value for each in File]
    schemas = {stem: schema_of(stem) for stem in stems}
    if out_dir is None:
        # A schema is JSON, whatever the output.
        render.result(schemas[file] if file is not None else schemas, Format.JSON, str)
        return
    written = _write(out_dir, schemas)
    render.result(
        {"written": written}, output, lambda body: "\n".join(map(render.printable, body["written"]))
    )


def _write(folder: Path, schemas: dict[str, dict[str, Any]]) -> list[str]:
    """Write each schema to its file; raises `JitError` where one cannot be."""
    import json

    make_folder(folder)
    written = []
    for stem, body in schemas.items():
        path = folder / f"{stem}.schema.json"
        try:
            path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise JitError(f"cannot write {path}: {error.strerror or error}") from None
        written.append(str(path))
    return written

"""`jitctl config show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import options, render
from jitctl.cli.figures import in_units, whole
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format
from jitctl.errors import UsageError

if TYPE_CHECKING:
    from jitctl.config.effective import Entry

_REFERENCES = ("_file", "keystore")
"""Keys of files are shown as they are: what is in them is never read."""

_WIDEST = 60
"""Columns of a value before its origin; a longer one takes what it needs."""


def show(
    ctx: typer.Context,
    prefix: Annotated[
        str | None,
        typer.Argument(metavar="[KEY-PREFIX]", help="Only this file, key, or item by name."),
    ] = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Also the line that each value comes from.")
    ] = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show every value of the configuration, and where it comes from.

    These are the files as they are now; what a running daemon uses is another question. Defaults are
    shown too. Secrets are not: keys in URLs are hidden, and of files only the names are told. Exit code 4
    with every problem if the configuration is not valid.

    Example: jitctl config show limits

    Example: jitctl config show "pools.USDC/WETH-0.05%" --origin
    """
    from jitctl.config.effective import entries
    from jitctl.config.load import load

    config = load(options.config_dir(ctx))
    known = entries(config)
    chosen = [entry for entry in known if prefix is None or entry.is_under(prefix)]
    if prefix is not None and not chosen:
        raise UsageError(f"there is no key {prefix!r}", hint=_meant(prefix, known))
    decimals = {
        token.symbol: token.decimals for pool in config.pools.pools for token in (pool.token0, pool.token1)
    }
    body = {
        "configDir": str(config.folders.config),
        "configHash": config.hash,
        "values": [_row(entry, decimals) for entry in chosen],
    }
    render.result(body, output, lambda data: _text(data, origin=origin))


def _row(entry: Entry, decimals: dict[str, int]) -> dict[str, Any]:
    """Return what is told of a value; an amount is text, as JSON's numbers end at 53 bits."""
    value = _shown(entry)
    readable = _readable(entry, decimals)
    return {
        "key": entry.key,
        "name": entry.named_key,
        "file": entry.stem,
        "value": str(value) if readable else value,
        "readable": readable,
        "origin": "default" if entry.line is None else f"{_near(entry.file)}:{entry.line}",
    }


def _shown(entry: Entry) -> Any:
    from jitctl.control.redact import redact_text

    last = next((part for part in reversed(entry.path) if isinstance(part, str)), "")
    if isinstance(entry.value, str) and not last.endswith(_REFERENCES):
        return redact_text(entry.value)
    if isinstance(entry.value, list):
        return [redact_text(item) if isinstance(item, str) else item for item in entry.value]
    return entry.value


def _readable(entry: Entry, decimals: dict[str, int]) -> str:
    """Return an amount in the unit that people use; empty for what is none."""
    last = str(entry.path[-1])
    if isinstance(entry.value, int) and "max_per_token" in entry.path and last in decimals:
        return f"{whole(entry.value, decimals[last])} {last}"
    return in_units(last, entry.value)


def _near(file: str) -> str:
    """Return a file's name as one would write it here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _meant(prefix: str, known: list[Entry]) -> str:
    import difflib

    keys = {part for entry in known for key in (entry.key, entry.named_key) for part in _prefixes(key)}
    near = difflib.get_close_matches(prefix, sorted(keys), n=1)
    return f"did you mean {near[0]!r}?" if near else "jitctl config show lists every key"


def _prefixes(key: str) -> list[str]:
    words = key.split(".")
    return [".".join(words[: count + 1]) for count in range(len(words))]


def _text(body: dict[str, Any], *, origin: bool) -> str:
    rows = []
    for row in body["values"]:
        value, readable = row["value"], render.printable(row["readable"])
        shown = f"{value}  ({readable})" if readable else _written(value)
        rows.append((render.printable(row["key"]), shown, row["origin"]))
    key_width = max(len(key) for key, _, _ in rows)
    value_width = min(_WIDEST, max(len(value) for _, value, _ in rows))
    if not origin:
        return "\n".join(f"{key.ljust(key_width)}  {value}" for key, value, _ in rows)
    return "\n".join(
        f"{key.ljust(key_width)}  {value.ljust(value_width)}  {render.printable(place)}"
        for key, value, place in rows
    )


def _written(value: Any) -> str:
    """Return a value as TOML has it; what is not set is a dash."""
    import json

    return "-" if value is None else render.printable(json.dumps(value, ensure_ascii=False))

"""`jitctl config schema`."""

from __future__ import annotations

from jitctl.cli import render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format


def schema(output: OutputOption = Format.TEXT) -> None:
    """Print the JSON Schema of a configuration file, for editors.

    Example: jitctl config schema pools
    """
    render.result({}, output, str)

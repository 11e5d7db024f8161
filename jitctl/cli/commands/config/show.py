"""`jitctl config show`."""

from __future__ import annotations

from jitctl.cli import render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format


def show(output: OutputOption = Format.TEXT) -> None:
    """Show every value of the configuration, and where it comes from.

    Example: jitctl config show limits
    """
    render.result({}, output, str)

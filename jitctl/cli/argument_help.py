"""What an argument's help says: typer keeps it in a field that click 8.5 then empties."""

from __future__ import annotations

import inspect

import click
from typer.core import TyperArgument
from typer.models import ArgumentInfo
from typer.utils import get_params_from_function


def restore_argument_help(command: click.Command) -> click.Command:
    """Give the arguments of a command, and of those below it, the help that they were declared with."""
    for below in getattr(command, "commands", {}).values():
        restore_argument_help(below)
    lost = [each for each in command.params if isinstance(each, TyperArgument) and not each.help]
    if lost and command.callback is not None:
        declared = get_params_from_function(inspect.unwrap(command.callback))
        for argument in lost:
            info = declared[argument.name].default if argument.name in declared else None
            argument.help = info.help if isinstance(info, ArgumentInfo) else None
    return command

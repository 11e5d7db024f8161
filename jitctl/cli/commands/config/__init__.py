"""`jitctl config`: one file a sub-verb, imported only when that one is called."""

from __future__ import annotations

import importlib
from typing import Any

import click
import typer
from typer.core import TyperGroup

from jitctl.cli.argument_help import restore_argument_help
from jitctl.errors import UsageError

SUB_VERBS = {
    "schema": "Print the JSON Schema of a configuration file, for editors.",
    "show": "Show every value of the configuration, and where it comes from.",
    "diff": "Show what differs between the files and what runs.",
    "generations": "List the configurations that were live, the newest first.",
    "rollback": "Put the files of an earlier generation back, and reload them.",
}
"""Sub-verbs by name, with the summary line of each; `NAME.py` beside this file holds the function `NAME`."""


class SubVerbGroup(TyperGroup):
    """A group that imports the file of one sub-verb, and only when that one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUB_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUB_VERBS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(getattr(module, cmd_name))
        command = restore_argument_help(typer.main.get_command(single))
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in SUB_VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], SUB_VERBS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(SUB_VERBS)}"
            raise UsageError(f"there is no `config {args[0]}`", hint=hint)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=text) for name, text in SUB_VERBS.items() if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Sub-verbs"):
            formatter.write_dl(list(SUB_VERBS.items()), col_max=26)


app = typer.Typer(cls=SubVerbGroup, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """See and handle the configuration: schema, values, generations.

    Example: jitctl config show limits
    """

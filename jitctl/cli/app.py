"""The command line: one lazy group, one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import click
import typer
from typer.core import TyperGroup

from jitctl import __version__
from jitctl.cli import render
from jitctl.cli.argument_help import restore_argument_help
from jitctl.cli.verbs import BY_NAME, PANELS, VERBS
from jitctl.errors import JitError, UsageError

ENV_COMPLETE = "_JITCTL_COMPLETE"


class LazyGroup(TyperGroup):
    """A group that imports the file of one verb, and only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb.name for verb in VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = BY_NAME.get(cmd_name)
        if verb is None:
            return None
        module = importlib.import_module(verb.module)
        group = getattr(module, "app", None)
        if group is None:
            group = typer.Typer(add_completion=False)
            group.command(verb.name)(getattr(module, verb.name.replace("-", "_")))
        group.rich_markup_mode = None
        group._add_completion = False
        command = restore_argument_help(typer.main.get_command(group))
        command.name = verb.name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in BY_NAME and not args[0].startswith("-"):
            import difflib

            # All of them: `stat` is as near to `start` as to `status`.
            begun = [name for name in BY_NAME if name.startswith(args[0])]
            near = begun or difflib.get_close_matches(args[0], BY_NAME, n=3)
            meant = " or ".join(repr(name) for name in near)
            hint = f"did you mean {meant}?" if near else "jitctl --help lists the verbs"
            raise UsageError(f"there is no verb {args[0]!r}", hint=hint)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # --config-dir is the one option that belongs to no verb: take it wherever it was written.
        return super().parse_args(ctx, _hoist(args, "--config-dir"))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(v.name, help=v.summary) for v in VERBS if v.name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for panel in PANELS:
            rows = [(verb.name, verb.summary) for verb in VERBS if verb.panel == panel]
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows, col_max=26)


def _hoist(args: list[str], option: str) -> list[str]:
    """Return `args` with `option` and its value moved to the front; what follows `--` is left alone."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word.startswith(option + "="):
            front.append(word)
        elif word == option:
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return front + rest


def _version(asked: bool) -> None:
    if asked:
        render.raw(f"jitctl {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    config_dir: Annotated[
        str | None,
        typer.Option(
            "--config-dir", metavar="DIR", help="Folder of jitctl.toml; else JITCTL_CONFIG_DIR, ./config."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Operate a Uniswap v3 just-in-time liquidity bot.

    Every verb takes -o json. Exit codes: 0 done, 1 failed, 2 usage, 3 daemon not running,
    4 configuration invalid, 5 timed out, 6 not permitted, 7 positions open, 8 cannot determine,
    9 refused in this state, 10 warnings under --strict.

    Completion: eval "$(_JITCTL_COMPLETE=source_bash jitctl)"
    """


def run(args: list[str]) -> int:
    """Run one command line and return its exit code; nothing but that code leaves here."""
    output = _output_of(args)
    if ENV_COMPLETE in os.environ:
        # A shell asks for words, or for its script: eval "$(_JITCTL_COMPLETE=source_bash jitctl)".
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code = typer.main.get_command(app).main(args=args, prog_name="jitctl", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except JitError as failure:
        render.error(failure, output)
        return failure.exit_code
    except click.exceptions.NoArgsIsHelpError as failure:
        render.note(failure.format_message())
        return UsageError.exit_code
    except click.ClickException as failure:
        render.error(_usage(failure), output)
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        render.error(JitError("interrupted"), output)
        return 130
    except BrokenPipeError:
        # The reader of our stdout has left; a second write at exit would complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as unexpected:
        from jitctl.cli.crash import record_crash

        render.error(record_crash(unexpected), output)
        return 1


def _usage(failure: click.ClickException) -> UsageError:
    context = getattr(failure, "ctx", None)
    hint = f"see: {context.command_path} --help" if context is not None else "see: jitctl --help"
    return UsageError(" ".join(failure.format_message().split()), hint=hint)


def _output_of(args: list[str]) -> str:
    """Return the output format that errors of these arguments must have, even unparsable ones."""
    chosen = os.environ.get("JITCTL_OUTPUT", "text")
    for index, word in enumerate(args):
        if word == "--":
            break
        if word in ("-o", "--output") and index + 1 < len(args):
            chosen = args[index + 1]
        elif word.startswith("--output="):
            chosen = word.removeprefix("--output=")
        elif word.startswith("-o") and len(word) > 2:
            chosen = word[2:].removeprefix("=")
    return chosen

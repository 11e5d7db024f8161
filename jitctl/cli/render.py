"""The only file that prints. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from jitctl.errors import JitError

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 140
_NARROWEST = 20
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
NEXT = {
    "PAUSED": "once looked into: jitctl resume",
    "HALTED": "once looked into: jitctl clear-halt --reason ...",
}
"""What leads on from a state that does not end by itself."""
_STATE_COLOURS = {"RUNNING": "green", "PAUSED": "yellow", "HALTED": "red", "STOPPED": "yellow"}


class Format(StrEnum):
    """What every verb can print."""

    TEXT = "text"
    JSON = "json"


class ReportFormat(StrEnum):
    """What a report can print."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "md"


class CheckFormat(StrEnum):
    """What a check of configuration files can print."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"
    JUNIT = "junit"


def result(data: dict[str, Any], output: str, text: Callable[[dict[str, Any]], str]) -> None:
    """Print a verb's data: itself under `json`, else what `text` makes of it."""
    if output == Format.JSON:
        _write(sys.stdout, _json(data, sys.stdout, indent=2))
    else:
        _write(sys.stdout, text(data))


def stream(bodies: Iterator[dict[str, Any]], *, every_s: float) -> None:
    """Print one line of JSON after another, until interrupted."""
    with suppress(KeyboardInterrupt):
        for body in bodies:
            _write(sys.stdout, _json(body, sys.stdout))
            time.sleep(every_s)


def live(frames: Iterator[RenderableType], *, every_s: float) -> None:
    """Show one frame after another in place of the last, until interrupted; below each other in a pipe."""
    from rich.console import Console
    from rich.live import Live

    if not sys.stdout.isatty():
        with suppress(KeyboardInterrupt):
            for frame in frames:
                _write(sys.stdout, rich_text(frame, width=PIPE_WIDTH))
                time.sleep(every_s)
        return
    plain = bool(os.environ.get("NO_COLOR"))
    # Ctrl-C is how a screen is left, not an error.
    with (
        suppress(KeyboardInterrupt),
        Live(console=Console(no_color=plain), screen=True, auto_refresh=False) as screen,
    ):
        for frame in frames:
            screen.update(frame, refresh=True)
            time.sleep(every_s)


def error(failure: JitError, output: str) -> None:
    """Print an error on stderr, as JSON where the verb's output is JSON."""
    if output == Format.JSON:
        _write(sys.stderr, _json(failure.as_dict(), sys.stderr))
        return
    _write(sys.stderr, f"{paint('error', 'red', sys.stderr)}: {printable(failure.message)}")
    if failure.hint:
        _write(sys.stderr, f"{paint('hint', 'bold', sys.stderr)}: {printable(failure.hint)}")


def note(message: str) -> None:
    """Print one line about the work, not its result, on stderr."""
    _write(sys.stderr, printable(message))


def aside(text: str) -> None:
    """Print lines that were made printable, and maybe coloured, on stderr."""
    _write(sys.stderr, text)


def progress_line(message: str) -> None:
    """Show one line about what is waited for, over the last such line; an empty one clears it.

    Only on a terminal: a log wants no ticking.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{printable(message)}")
        sys.stderr.flush()


def raw(text: str) -> None:
    """Print text as it is (help, generated files)."""
    _write(sys.stdout, text)


def table(rows: list[tuple[str, str]]) -> str:
    """Return `name  value` lines with the values in one column; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def action_text(reply: dict[str, Any]) -> str:
    """Return the lines of an `ActionReply`, for every verb that acts."""
    lines = [printable(str(reply.get("message", "")))]
    if hint := reply.get("hint"):
        lines.append(f"next: {printable(str(hint))}")
    return "\n".join(lines)


def state_word(state: str) -> str:
    return paint(printable(state), _STATE_COLOURS.get(state, "bold"), sys.stdout)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is; None in a pipe, whose lines are left whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(prefix: str, text: str, *, indent: int) -> str:
    """Return `prefix` and text, folded on a terminal so that it stays right of `indent` columns."""
    width = terminal_width()
    if width is None or width - indent < _NARROWEST:
        return prefix + text
    lines = textwrap.wrap(text, width - indent) or [""]
    return prefix + f"\n{' ' * indent}".join(lines)


def mark(word: str, colour: str) -> str:
    """Return a check's result as a word of fixed width."""
    return paint(word.ljust(4), colour, sys.stdout)


def duration(seconds: float | None) -> str:
    """Return 93784.2 as `1d 2h 3m`; the two or three largest units are enough for a person."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h {minutes}m"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole} s"


def printable(text: str) -> str:
    """Return text that cannot steer the terminal: a reason or a node's message may hold anything."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Colour text on a terminal; NO_COLOR and TERM=dumb are honoured."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def _json(data: dict[str, Any], stream: TextIO, *, indent: int | None = None) -> str:
    # Escapes are read back as they were; a replaced character is not.
    legible = (stream.encoding or "").lower() in ("utf-8", "utf8")
    return json.dumps(data, ensure_ascii=not legible, indent=indent)


def _write(stream: TextIO, text: str) -> None:
    with _place_for_answer(stream):
        print(text, file=stream, flush=True)


@contextmanager
def _place_for_answer(stream: TextIO) -> Iterator[None]:
    """Turn a full disk below `stream` into a `JitError`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as failure:
        # What was asked for has happened all the same; only its answer has no place, now or at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise JitError(f"the answer cannot be written: {failure.strerror or failure}") from None


def rich_text(renderable: Any, *, width: int | None = None) -> str:
    """Return what rich makes of `renderable`, coloured only where stdout is a terminal."""
    from rich.console import Console

    plain = bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()
    console = Console(width=width or terminal_width() or 160, no_color=plain, force_terminal=not plain)
    # It flushes stdout on the way.
    with _place_for_answer(sys.stdout), console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function `(what, done, steps)`: on stderr a bar if it is a terminal, else lines."""
    if not sys.stderr.isatty():

        def line(what: str, done: int, steps: int) -> None:
            note(f"[{done}/{steps}] {what}")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def show(what: str, done: int, steps: int) -> None:
            bar.update(task, description=printable(what), completed=done, total=steps)

        yield show

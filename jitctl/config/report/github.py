"""GitHub's workflow commands: `::error file=pools.toml,line=8,col=1,title=JC101::unknown key`.

In a message `%`, carriage return and line feed are written as `%25`, `%0D` and `%0A`; in a property also
`:` and `,`, as `%3A` and `%2C`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jitctl.config.named import STDIN_NAME
from jitctl.config.problems import Problem

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def github(problems: Iterable[Problem], place: Callable[[str], str]) -> str:
    """Return a line for each problem; `place` gives a file as GitHub knows it."""
    return "\n".join(_command(problem, place) for problem in problems)


def _command(problem: Problem, place: Callable[[str], str]) -> str:
    properties = {
        "file": place(problem.file), "line": problem.line, "col": problem.column, "title": problem.rule,
    }  # fmt: skip
    if problem.file == str(STDIN_NAME):
        del properties["file"]  # Standard input is nowhere in the repository.
    given = ",".join(f"{name}={str(value).translate(_PROPERTY)}" for name, value in properties.items())
    return f"::{problem.severity} {given}::{problem.text.translate(_DATA)}"

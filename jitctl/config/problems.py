"""What is wrong with a configuration, and how that reaches the operator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from jitctl.config.rule_book import BY_ID, ERROR
from jitctl.config.shown import key_without_secrets, without_secrets
from jitctl.errors import ConfigError


@dataclass(frozen=True)
class Problem:
    """One finding: `rule` is stable, line and column count from 1, `key` is dotted (`pools[0].fee_pips`).

    Key, message and hint never show a private key: some quote what stands in the file, or is a key there.
    """

    rule: str
    file: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_without_secrets(self.key))
        object.__setattr__(self, "message", without_secrets(self.message))
        object.__setattr__(self, "hint", without_secrets(self.hint))

    @property
    def severity(self) -> str:
        """Return `error` or `warning`; only errors keep a configuration from being taken over."""
        return BY_ID[self.rule].severity

    @property
    def text(self) -> str:
        """Return key, message and hint, for whoever is told file, line and rule in another way."""
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{key}{self.message}{hint}"

    def __str__(self) -> str:
        level = "" if self.severity == ERROR else f" {self.severity}:"
        return f"{self.file}:{self.line}:{self.column}: {self.rule}{level} {self.text}"


class ConfigInvalidError(ConfigError):
    """Every problem of a configuration at once."""

    def __init__(self, problems: list[Problem]) -> None:
        count = len(problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        super().__init__(
            f"the configuration has {head}\n" + "\n".join(f"  {problem}" for problem in problems),
            hint="correct the lines above; check them with: jitctl validate-config",
        )
        self.problems = problems

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the JSON form of an error, with `problems` as validate-config lists them."""
        body = super().as_dict()
        body["error"]["problems"] = [
            asdict(problem) | {"severity": problem.severity} for problem in self.problems
        ]
        return body

    @classmethod
    def from_wire(cls, problems: list[Any]) -> ConfigInvalidError | None:
        """Return the error that a daemon answered; None where it has rules that are not known here."""
        names = {each.name for each in fields(Problem)}
        try:
            return cls([Problem(**{name: each[name] for name in names}) for each in problems])
        except (KeyError, TypeError):
            return None


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that keep a configuration from being taken over."""
    return [problem for problem in problems if problem.severity == ERROR]


def dotted(path: tuple[str | int, ...]) -> str:
    """Return `("pools", 0, "fee_pips")` as `pools[0].fee_pips`; half a character is shown as its escape."""
    text = ""
    for part in path:
        if isinstance(part, str):
            part = part.encode("utf-8", "backslashreplace").decode()
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text

"""What a case of a rule is: files that break it, files nearly the same that do not, and the exact place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
sys.path.insert(0, str(Path(__file__).parent))
from config_texts import shipped
from installation import JITCTL_TOML, POOLS_TOML, STRATEGY_TOML

PLAIN: Mapping[str, str] = {
    "jitctl.toml": JITCTL_TOML, "pools.toml": POOLS_TOML, "strategy.toml": STRATEGY_TOML,
}  # fmt: skip
"""A chain of made-up addresses."""
ETHEREUM: Mapping[str, str] = {f"{stem}.toml": text for stem, text in shipped().items()}
"""config/, with an executor."""


@dataclass(frozen=True)
class Case:
    """`files` by name break the rule, `near` do not. `place` is file, line, column and dotted key."""

    rule: str
    files: Mapping[str, str | bytes]
    near: Mapping[str, str | bytes]
    place: tuple[str, int, int, str]


def changed(
    rule: str,
    name: str,
    old: str,
    wrong: str,
    key: str,
    at: str = "",
    right: str | None = None,
    base: Mapping[str, str] = PLAIN,
) -> Case:
    """Return the case of one file of `base` with `old` become `wrong`, and `right` (or left as it was).

    The problem is at `key` and where `at` stands in the changed file (default: the beginning of `wrong`).
    """
    text = base[name]
    assert text.count(old) >= 1, (rule, old)
    broken = text.replace(old, wrong, 1)
    offset = broken.index(at) if at else text.index(old)
    line = broken.count("\n", 0, offset) + 1
    column = offset - (broken.rfind("\n", 0, offset) + 1) + 1
    near = text if right is None else text.replace(old, right, 1)
    return Case(rule, {**base, name: broken}, {**base, name: near}, (name, line, column, key))


def alone(
    rule: str, name: str, wrong: str | bytes, right: str | bytes, line: int, column: int, key: str = ""
) -> Case:
    """Return the case of a file by itself."""
    return Case(rule, {name: wrong}, {name: right}, (name, line, column, key))

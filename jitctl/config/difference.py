"""What differs between two configurations, by the names that an operator gave and the keys of the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jitctl.config.load import Config

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True)
class Change:
    """One difference: `kind` is added, removed or changed; values are as in the files, None where absent.

    Entries that have a name are called by it: `pools[WETH/USDC-0.05%].enabled`.
    """

    file: str
    key: str
    kind: str
    before: Any = None
    after: Any = None


def values(config: Config) -> dict[str, dict[str, Any]]:
    """Return every value of a configuration, defaults included, by file and flat key."""
    return {stem: dict(_flat(data)) for stem, data in _dumped(config).items()}


def changes(before: Config, after: Config) -> list[Change]:
    """Return what differs; an entry with a name that is in one of them alone is one change."""
    old, new = _dumped(before), _dumped(after)
    return [change for stem in old for change in _differing(stem, old[stem], new[stem], "")]


def _dumped(config: Config) -> dict[str, Any]:
    models = {
        "jitctl": config.main, "pools": config.pools, "strategy": config.strategy, "alerts": config.alerts,
    }  # fmt: skip
    return {stem: model.model_dump(mode="json") for stem, model in models.items()}


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    entries = _entries(value, at)
    if entries is None:
        yield at, value
    else:
        for key, item in entries.items():
            yield from _flat(item, key)


def _differing(stem: str, old: Any, new: Any, at: str) -> Iterator[Change]:
    if old == new:
        return
    before, after = _entries(old, at), _entries(new, at)
    if before is None or after is None:
        kind = ADDED if old is None else REMOVED if new is None else CHANGED
        yield Change(stem, at, kind, old, new)
        return
    for key in dict.fromkeys((*before, *after)):
        if key not in after:
            yield Change(stem, key, REMOVED, before[key])
        elif key not in before:
            yield Change(stem, key, ADDED, None, after[key])
        else:
            yield from _differing(stem, before[key], after[key], key)


def _entries(value: Any, at: str) -> dict[str, Any] | None:
    """Return what a table, or a list of named tables, holds by key; None for a plain value."""
    if isinstance(value, dict):
        return {f"{at}.{key}" if at else str(key): item for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = [item.get("name", number) for number, item in enumerate(value)]
        if len(set(names)) == len(names):
            return {f"{at}[{name}]": item for name, item in zip(names, value, strict=True)}
    return None

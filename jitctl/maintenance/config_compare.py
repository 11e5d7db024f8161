"""Two configurations side by side for an operator: what differs, and which verb takes it over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jitctl.config.difference import ADDED, CHANGED, REMOVED, values
from jitctl.config.load import Config
from jitctl.config.source import STEMS
from jitctl.control.redact import HIDDEN, redact, redact_text

RESTART = "restart"
Values = Mapping[str, Mapping[str, Any]]
"""Every value by file and flat key; entries are called by their name: `pools[WETH/USDC-0.05%].enabled`."""
_ENTRY = re.compile(r"([\w.]+\[.*?\])\.(.+)")
_REFERENCE = re.compile(r"(_file|keystore)$")


@dataclass(frozen=True)
class Side:
    """One configuration: `label` for people, `redacted` where its secrets were hidden before we had it."""

    label: str
    hash: str
    values: Values
    generation: int | None = None
    redacted: bool = False


@dataclass(frozen=True)
class Difference:
    """One change from a side to the other, without secrets; `applied_by` is the verb that takes it over.

    `kind` is added, removed or changed; a whole entry has its values by key.
    """

    file: str
    key: str
    kind: str
    before: Any
    after: Any
    applied_by: str


def side_of(label: str, config: Config, generation: int | None = None) -> Side:
    """Return a loaded configuration as a side."""
    return Side(label, config.hash, values(config), generation)


def differences(before: Side, after: Side, stems: Iterable[str] = STEMS) -> list[Difference]:
    """Return what differs in files of these stems; a pool that only got another name is that one change."""
    hide = before.redacted or after.redacted
    found: list[Difference] = []
    for stem in stems:
        old, new = (_plain(side.values.get(stem, {})) for side in (before, after))
        if hide:
            old, new = (side if one.redacted else redact(side) for side, one in ((old, before), (new, after)))
        found += _of_file(stem, old, new)
    return found


def applied_by(stem: str, key: str) -> str:
    """Return the verb that takes a change over: a reload, else a restart."""
    if stem == "strategy":
        return "reload-strategy"
    return "reload-pools" if stem == "pools" or key.startswith("prices.feeds") else RESTART


def _of_file(stem: str, old: dict[str, Any], new: dict[str, Any]) -> list[Difference]:
    renamed = _renamed(old, new) if stem == "pools" else {}
    new = {_under(renamed, key): value for key, value in new.items()}
    entries_old, entries_new = _entries(old), _entries(new)
    found: list[Difference] = []
    told: set[str] = set()
    for key in dict.fromkeys((*old, *new)):
        entry = _entry(key)
        if entry and (entry in entries_old) != (entry in entries_new):
            if entry not in told:
                told.add(entry)
                found.append(_difference(stem, entry, entries_old.get(entry), entries_new.get(entry)))
        elif old.get(key) != new.get(key):
            found.append(_difference(stem, key, old.get(key), new.get(key)))
    return found


def _difference(stem: str, key: str, old: Any, new: Any) -> Difference:
    # What is not set is None, and has no value in a file either.
    kind = ADDED if old is None else REMOVED if new is None else CHANGED
    return Difference(stem, key, kind, _shown(key, old), _shown(key, new), applied_by(stem, key))


def _shown(key: str, value: Any) -> Any:
    """Return a value without secrets; where a key or a passphrase lies is none."""
    name = key.rpartition(".")[2]
    if isinstance(value, dict):
        return {each: _shown(each, item) for each, item in value.items()}
    if isinstance(value, str) and _REFERENCE.search(name):
        return redact_text(value)
    return redact(value, name)


def hidden(value: Any) -> bool:
    """Whether a shown value keeps something back."""
    return isinstance(value, str) and HIDDEN in value


def _plain(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out empty tables and lists: their entries, where there are some, have keys of their own."""
    return {key: value for key, value in flat.items() if value not in ([], {})}


def _entry(key: str) -> str:
    found = _ENTRY.fullmatch(key)
    return found[1] if found else ""


def _entries(flat: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        if match := _ENTRY.fullmatch(key):
            found.setdefault(match[1], {})[match[2]] = value
    return found


def _renamed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return the earlier name of entries that have the address of one that is gone, by their new name."""
    before, after = _entries(old), _entries(new)
    gone = {
        each["address"]: entry for entry, each in before.items() if entry not in after and "address" in each
    }
    return {
        entry: gone[each["address"]]
        for entry, each in after.items()
        if entry not in before and each.get("address") in gone
    }


def _under(renamed: Mapping[str, str], key: str) -> str:
    entry = _entry(key)
    return renamed[entry] + key[len(entry) :] if entry in renamed else key

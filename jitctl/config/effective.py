"""Every value of a configuration under its dotted key, and the line that it comes from, or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jitctl.config.load import MODELS, Config
from jitctl.config.position import Path
from jitctl.config.problems import dotted
from jitctl.config.source import Source, parse


@dataclass(frozen=True)
class Entry:
    """One value. `file` and `line` say where it is written; a default has none.

    `named_key` is the key by names in place of numbers (`pools.WETH/USDC-0.05%.fee_pips`), else as `key`.
    """

    stem: str
    path: Path
    named_key: str
    value: Any
    file: str = ""
    line: int | None = None

    @property
    def key(self) -> str:
        return dotted(self.path)

    def is_under(self, prefix: str) -> bool:
        """Whether the entry is `prefix` or below it: a file, a key, or an item by its number or its name."""
        if prefix == self.stem:
            return True
        without_table = self.named_key.partition(".")[2]
        return any(
            key == prefix or key.startswith((f"{prefix}.", f"{prefix}["))
            for key in (self.key, self.named_key, without_table if self.named_key != self.key else "")
        )


def entries(config: Config) -> list[Entry]:
    """Return every value of every file, defaults included, in the order of files and keys."""
    found: list[Entry] = []
    models = (config.main, config.pools, config.strategy, config.alerts)
    for stem, model in zip(MODELS, models, strict=True):
        text = config.texts.get(stem)
        source = parse(text) if text is not None else None
        written = source if isinstance(source, Source) else None
        for path, named_key, value in _leaves(model.model_dump(mode="json"), (), ""):
            found.append(_entry(stem, path, named_key, value, written))
    return found


def _entry(stem: str, path: Path, named_key: str, value: Any, source: Source | None) -> Entry:
    if source is None or not _is_written(source.data, path, value):
        return Entry(stem, path, named_key, value)
    return Entry(stem, path, named_key, value, source.name, source.positions.of(path).line)


def _is_written(data: Any, path: Path, value: Any) -> bool:
    """Whether the file says this value; a text may stand for a whole table."""
    for part in path:
        if isinstance(data, dict):
            if part not in data:
                return False
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int):
            if part >= len(data):
                return False
            data = data[part]
        else:
            return value is not None
    return True


def _leaves(value: Any, path: Path, named: str) -> Iterator[tuple[Path, str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key), f"{named}.{key}" if named else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            name = item.get("name")
            yield from _leaves(item, (*path, index), f"{named}.{name}" if name else f"{named}[{index}]")
    else:
        yield path, named, value

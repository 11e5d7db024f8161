"""What a running bot can take over without a restart, and what it cannot."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any

from jitctl.config import rules
from jitctl.config.load import Config, hash_of
from jitctl.config.rule_book import BY_ID, ERROR
from jitctl.errors import ConfigError


class Reload(StrEnum):
    """What can be taken over without a restart."""

    POOLS = "pools"
    STRATEGY = "strategy"


def reloaded(running: Config, found: Config, what: Reload) -> Config:
    """Return the running configuration with what a reload replaces taken from `found`.

    `pools` takes pools.toml and the price feeds of its tokens, `strategy` takes strategy.toml. Raises
    `ConfigError` where the new part does not go with the running rest.
    """
    if what is Reload.POOLS:
        prices = running.main.prices.model_copy(update={"feeds": found.main.prices.feeds})
        main = running.main.model_copy(update={"prices": prices})
        pools, strategy = found.pools, running.strategy
    else:
        main, pools, strategy = running.main, running.pools, found.strategy
    models = {"jitctl": main, "pools": pools, "strategy": strategy, "alerts": running.alerts}
    broken = [each for each in rules.findings(models) if BY_ID[each.rule].severity == ERROR]
    if broken:
        other = "strategy" if what is Reload.POOLS else "pools"
        raise ConfigError(
            f"the new {what}.toml does not go with the running {other}: {broken[0].message}",
            hint="reload the other file first, or restart: it takes over everything at once",
        )
    return replace(running, main=main, pools=pools, strategy=strategy, hash=hash_of(models))


def needs_restart(running: Config, found: Config) -> list[str]:
    """Return the dotted keys of jitctl.toml and alerts.toml that differ and that no reload takes over."""
    pairs = ((running.main, found.main), (running.alerts, found.alerts))
    keys = [key for old, new in pairs for key in _differing(old.model_dump(), new.model_dump())]
    return [key for key in keys if not key.startswith("prices.feeds")]


def _differing(old: Any, new: Any, at: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            found += _differing(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
        return found
    return [] if old == new else [at]

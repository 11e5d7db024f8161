"""What a running bot can take over without a restart, and what it cannot."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import tomli_w

from jitctl.config.difference import changes
from jitctl.config.load import Config, load
from jitctl.config.problems import ConfigInvalidError
from jitctl.config.source import Text
from jitctl.errors import ConfigError

_FEEDS = "prices.feeds"


class Reload(StrEnum):
    """What can be taken over without a restart; `config` is both of the others at once."""

    POOLS = "pools"
    STRATEGY = "strategy"
    CONFIG = "config"


def reloaded(running: Config, found: Config, what: Reload) -> Config:
    """Return the running configuration with what a reload replaces taken from `found`; so are its texts.

    `pools` takes pools.toml and the price feeds of its tokens, `strategy` takes strategy.toml, `config` all
    of these. Raises `ConfigError` where the new part does not go with the running rest.
    """
    taken = {Reload.POOLS: ("pools",), Reload.STRATEGY: ("strategy",)}.get(what, ("pools", "strategy"))
    texts = dict(running.texts) | {stem: found.texts[stem] for stem in taken}
    if "pools" in taken:
        texts["jitctl"] = _main_text(running, found)
    try:
        wanted = load(running.folders.config, texts)
    except ConfigInvalidError as broken:
        first = broken.problems[0]
        other = {Reload.POOLS: "strategy", Reload.STRATEGY: "pools"}.get(what, "jitctl.toml")
        raise ConfigError(
            f"the new {what}.toml does not go with the running {other}: {first.message}"
            if what is not Reload.CONFIG
            else f"the new files do not go with the running {other}: {first.message}",
            hint="reload the other file first, or restart: it takes over everything at once",
        ) from None
    feeds = (found if "pools" in taken else running).main.prices.feeds
    prices = running.main.prices.model_copy(update={"feeds": feeds})
    if wanted.main != running.main.model_copy(update={"prices": prices}):
        raise ConfigError(
            "the running jitctl.toml cannot be written with the new price feeds", hint="restart instead"
        )
    return wanted


def needs_restart(running: Config, found: Config) -> list[str]:
    """Return the dotted keys of jitctl.toml and alerts.toml that differ and that no reload takes over."""
    return [
        each.key
        for each in changes(running, found)
        if each.file in ("jitctl", "alerts") and not each.key.startswith(_FEEDS)
    ]


def _main_text(running: Config, found: Config) -> Text:
    """Return a jitctl.toml of the running values with the new feeds: the file itself wherever it says so."""
    ours = [each for each in changes(running, found) if each.file == "jitctl"]
    if all(each.key.startswith(_FEEDS) for each in ours):
        return found.texts["jitctl"]
    if not any(each.key.startswith(_FEEDS) for each in ours):
        return running.texts["jitctl"]
    data = running.main.model_dump(mode="json", exclude_none=True)
    data["prices"]["feeds"] = dict(found.main.prices.feeds)
    said = "# Written by a reload: the values that ran, with the new price feeds; the rest needs a restart.\n"
    path: Path = running.texts["jitctl"].path.with_suffix(".toml")
    return Text(path, (said + tomli_w.dumps(data)).encode())

"""A new configuration for a running engine: read, validate, build, swap; or nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jitctl.config.domain_types import pool_specs, strategy_params
from jitctl.config.load import Config, load
from jitctl.config.reload import Reload, reloaded
from jitctl.engine.engine import Engine
from jitctl.errors import Refused

Retarget = Callable[[Config], None]
"""Points one adapter at the pools and tokens of a configuration: in memory, at once, without failing."""


class Reloader:
    """Takes over pools.toml or strategy.toml as they are on disk now."""

    def __init__(self, config: Config, engine: Engine, retargets: tuple[Retarget, ...]) -> None:
        self.config = config
        self._engine = engine
        self._retargets = retargets
        self._one = asyncio.Lock()

    async def reload(self, what: Reload, expected_hash: str, who: str, reason: str) -> dict[str, Any]:
        """Apply what the keeper has validated, which `expected_hash` names; return the engine's answer.

        Raises `Refused` where the files have changed since, `ConfigError` where they are wrong, and the
        engine's own error where it cannot read the new pools; the old configuration goes on then.
        """
        async with self._one:
            # One that nobody waits for any more may still be on its way when the next one comes.
            return await self._reload(what, expected_hash, who, reason)

    async def _reload(self, what: Reload, expected_hash: str, who: str, reason: str) -> dict[str, Any]:
        found = await asyncio.to_thread(load, self.config.folders.config)
        wanted = reloaded(self.config, found, what)
        if wanted.hash != expected_hash:
            raise Refused("the files changed while they were read", hint="repeat the reload")
        try:
            # The feeds first: the engine reads the new pools through them.
            self._point_at(wanted)
            args = {"params": strategy_params(wanted), "pools": pool_specs(wanted, enabled_only=True)}
            body = await self._engine.command("reload", who=who, reason=reason, args=args)
        except BaseException:
            self._point_at(self.config)
            raise
        self.config = wanted
        return body

    def _point_at(self, config: Config) -> None:
        for retarget in self._retargets:
            retarget(config)

"""A new configuration for a running engine: load what was kept, build, swap; or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jitctl.config.domain_types import pool_specs, strategy_params
from jitctl.config.generations import texts_in
from jitctl.config.load import Config, load
from jitctl.engine.engine import Engine
from jitctl.errors import Refused

Retarget = Callable[[Config], None]
"""Points one adapter at the pools and tokens of a configuration: in memory, at once, without failing."""


class Reloader:
    """Takes over another generation of the configuration, whole."""

    def __init__(self, config: Config, engine: Engine, retargets: tuple[Retarget, ...]) -> None:
        self.config = config
        self._engine = engine
        self._retargets = retargets
        self._one = asyncio.Lock()

    async def reload(self, generation: Path, expected_hash: str, who: str, reason: str) -> dict[str, Any]:
        """Take over the generation in a folder, which must load to `expected_hash`; return the answer.

        Raises `Refused` where it does not, `ConfigError` where it is wrong or gone, and the engine's own
        error where it cannot read the new pools; the old configuration goes on then.
        """
        async with self._one:
            # One that nobody waits for any more may still be on its way when the next one comes.
            return await self._reload(generation, expected_hash, who, reason)

    async def _reload(self, generation: Path, expected_hash: str, who: str, reason: str) -> dict[str, Any]:
        wanted = await asyncio.to_thread(_loaded, self.config.folders.config, generation)
        if wanted.hash != expected_hash:
            raise Refused("the generation is not what was validated", hint="repeat the reload")
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


def _loaded(config_dir: Path, generation: Path) -> Config:
    return load(config_dir, texts_in(generation, config_dir))

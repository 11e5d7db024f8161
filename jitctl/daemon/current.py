"""Which generation of the configuration the engine runs by, and whether the disk says so too."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from jitctl.config.generations import Generation, Generations
from jitctl.config.load import Config, load
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import ConfigError, JitError

RETRY_S = 2.0
"""How long after a failure the disk is asked again."""


class Current:
    """Keeps generations for the keeper; `generation` is what the engine runs by, or is started with."""

    def __init__(
        self,
        data: Path,
        telemetry: Telemetry,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.store = Generations(data)
        self.generation: Generation | None = None
        self._telemetry = telemetry
        self._sleep = sleep
        self._confirmed: Generation | None = None
        self._trying = False
        self._one = asyncio.Lock()
        self._awaited: set[Generation] = set()
        """Kept, and the engine may yet take them over."""
        self._writing = threading.Lock()

    def keep(
        self, config: Config, *, who: str = "", verb: str, why: str = "", restores: int | None = None
    ) -> Generation:
        """Write a configuration as a generation, unless the live one is just that; raises `JitError`.

        What is kept loads to exactly the configuration's hash.
        """
        live = self.store.live_with(config.hash, config.folders.config) if restores is None else None
        if live is not None:
            return live
        with self._writing:
            # What a killed keeper had offered is nobody's any more.
            self._sweep()
            made = self.store.keep(
                config.hash, config.texts, time_s=time.time(), who=who, verb=verb, why=why, restores=restores
            )
            self._awaited.add(made)
        folder = config.folders.config
        with contextlib.suppress(ConfigError):
            if load(folder, self.store.texts(made, folder)).hash == config.hash:
                return made
        self.drop(made)
        raise JitError(
            f"what was written to {self.store.folder} is not what was read",
            hint="see to the disk; nothing was changed",
        )

    def drop(self, generation: Generation) -> None:
        """Forget a generation that nobody takes over any more; one that has been live stays."""
        self._awaited.discard(generation)
        if generation != self.generation:
            self.store.drop(generation)

    def run_by(self, generation: Generation, passed_over: Iterable[Generation] = ()) -> None:
        """Know what the engine runs by from now on, and what it will not take over any more."""
        self.generation = generation
        self._awaited -= {generation, *passed_over}

    def due(self) -> bool:
        """Whether the disk is still to be told, and nobody is about to."""
        return self.generation != self._confirmed and not self._one.locked() and not self._trying

    async def confirm(self) -> str:
        """Name what runs as the current generation, and remove what nobody takes over any more.

        Returns why it could not be done, else "".
        """
        async with self._one:
            running = self.generation
            if running is None:
                return ""
            try:
                if running != self._confirmed:
                    await asyncio.to_thread(self._name_current, running)
            except JitError as error:
                if not self._trying:
                    event, number = "generation_not_confirmed", running.number
                    self._telemetry.log(event, level="error", generation=number, text=error.message)
                return error.message
            if self._trying:
                self._telemetry.log("generation_confirmed", generation=running.number)
            self._confirmed = running
            await asyncio.to_thread(self._sweep_alone)
            return ""

    async def confirm_later(self) -> None:
        """Try `confirm` again every `RETRY_S` until it can be done; one who does so is enough."""
        if self._trying:
            return
        self._trying = True
        try:
            while self.generation != self._confirmed:
                await self._sleep(RETRY_S)
                await self.confirm()
        finally:
            self._trying = False

    def _name_current(self, running: Generation) -> None:
        # A sweep for another generation would take its scratch file for a killed keeper's.
        with self._writing:
            self.store.set_current(running)

    def _sweep_alone(self) -> None:
        with self._writing:
            self._sweep()

    def _sweep(self) -> None:
        self.store.sweep({each for each in (self.generation, *self._awaited) if each is not None})

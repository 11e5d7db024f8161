"""Which generation of the configuration the engine runs by, and whether the disk says so too."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from jitctl.config.generations import Generation, Generations
from jitctl.config.load import Config, load
from jitctl.daemon.telemetry import Telemetry
from jitctl.errors import JitError

RETRY_S = 5.0
"""How long after a failure the disk is asked again."""


class Current:
    """Keeps generations for the keeper; `generation` is what the engine runs by, or is started with."""

    def __init__(
        self, data: Path, telemetry: Telemetry, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = Generations(data)
        self.generation: Generation | None = None
        self._telemetry = telemetry
        self._monotonic_s = monotonic_s
        self._confirmed: Generation | None = None
        self._failed_s: float | None = None
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
            made = self.store.keep(
                config.hash, config.texts, time_s=time.time(), who=who, verb=verb, why=why, restores=restores
            )
            self._awaited.add(made)
        folder = config.folders.config
        if load(folder, self.store.texts(made, folder)).hash != config.hash:
            self.drop(made)
            raise JitError(
                f"what was written to {self.store.folder} is not what was read",
                hint="see to the disk; the old configuration goes on",
            )
        return made

    def drop(self, generation: Generation) -> None:
        """Forget a generation that nobody takes over any more; one that has been live stays."""
        self._awaited.discard(generation)
        if generation != self.generation:
            self.store.drop(generation)

    def run_by(self, generation: Generation, passed_over: Iterable[Generation] = ()) -> None:
        """Know what the engine runs by from now on, and what it will not take over any more."""
        self.generation = generation
        self._awaited -= {generation, *passed_over}
        self._failed_s = None

    def due(self) -> bool:
        """Whether the disk is still to be told, and not only just refused it."""
        if self.generation == self._confirmed or self._one.locked():
            return False
        return self._failed_s is None or self._monotonic_s() - self._failed_s >= RETRY_S

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
                    await asyncio.to_thread(self.store.set_current, running)
            except JitError as error:
                self._failed_s = self._monotonic_s()
                self._telemetry.log(
                    "generation_not_confirmed", level="error", generation=running.number, text=error.message
                )
                return error.message
            self._confirmed, self._failed_s = running, None
            await asyncio.to_thread(self._sweep, running)
            return ""

    def _sweep(self, running: Generation) -> None:
        with self._writing:
            self.store.sweep({running, *self._awaited})

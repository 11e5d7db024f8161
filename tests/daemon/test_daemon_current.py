"""Naming the current generation while another one is written."""

from __future__ import annotations

import asyncio
from typing import Any

from installation import write_config

from jitctl.config.load import load
from jitctl.daemon.current import Current


class Said:
    def __init__(self) -> None:
        self.events: list[str] = []

    def log(self, event: str, **_: Any) -> None:
        self.events.append(event)


async def test_a_sweep_does_not_take_what_is_being_written(tmp_path):
    config = load(write_config(tmp_path))
    current = Current(tmp_path / "data", said := Said())
    first, second = (current.keep(config, verb="start", restores=number) for number in (1, 2))
    done = False

    def sweeps():
        while not done:
            current._sweep_alone()

    sweeping = asyncio.create_task(asyncio.to_thread(sweeps))
    try:
        for number in range(40):
            current.run_by(second if number % 2 else first)
            assert await current.confirm() == ""
    finally:
        done = True
        await sweeping
    assert said.events == []
    assert current.store.current() == second

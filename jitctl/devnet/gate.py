"""Keeps readers away from anvil while a block is tried out: nobody may see one that is not final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Many readers or one builder; a waiting builder goes before new readers."""

    def __init__(self) -> None:
        self._readers = 0
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        while not self._open.is_set():
            await self._open.wait()
        self._readers += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._readers -= 1
            if self._readers == 0:
                self._empty.set()

    @asynccontextmanager
    async def building(self) -> AsyncIterator[None]:
        async with self._turn:
            self._open.clear()
            try:
                await self._empty.wait()
                yield
            finally:
                self._open.set()

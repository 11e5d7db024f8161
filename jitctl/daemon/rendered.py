"""Answers made once for all who ask at about the same time: a crowd of readers costs little more than one."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from fastapi.responses import Response

FRESH_S = 0.1
"""How old an answer may get while nothing has changed: what it says of ages is late by that much."""


@dataclass(frozen=True, slots=True)
class _Kept:
    response: Response
    moment: Hashable
    made_s: float


class Rendered:
    """The last answer of each route; `moment()` is whatever may not have changed for it to be still true."""

    def __init__(
        self, moment: Callable[[], Hashable], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._moment = moment
        self._monotonic_s = monotonic_s
        self._kept: dict[str, _Kept] = {}

    def get(self, verb: str, make: Callable[[], Response]) -> Response:
        """Return the answer to a verb, made anew if it is not of this moment or older than `FRESH_S`."""
        moment, now_s = self._moment(), self._monotonic_s()
        kept = self._kept.get(verb)
        if kept is None or kept.moment != moment or now_s - kept.made_s >= FRESH_S:
            kept = self._kept[verb] = _Kept(make(), moment, now_s)
        return kept.response

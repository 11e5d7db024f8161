"""Who asks, for the audit trail."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """Who asks, for the audit trail; the holder of a token has no uid."""

    person: str
    uid: int | None
    role: str
    door: str


SIGNAL = Caller("signal", os.getuid(), "admin", "signal")
HANG = Caller("keeper", os.getuid(), "", "keeper")

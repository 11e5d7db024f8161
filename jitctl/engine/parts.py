"""What the engine is made of, held together so that its desks can share it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from jitctl.domain.values import Address
from jitctl.engine.background import Background
from jitctl.engine.book import MinedSlots, SeenHashes, WantedBook
from jitctl.engine.following import Follower
from jitctl.engine.inbox import Inbox
from jitctl.engine.lanes import Lanes
from jitctl.engine.metrics import Metrics
from jitctl.engine.picture import Picture
from jitctl.engine.settings import EngineSettings, Ports
from jitctl.engine.standing import Standing
from jitctl.engine.watch import PositionWatch
from jitctl.safety.barrier import SubmitBarrier
from jitctl.safety.latch import Latch
from jitctl.strategy.decode import Routers


@dataclass(slots=True)
class Parts:
    """One engine's parts; all are used from the event loop's thread only."""

    ports: Ports
    settings: EngineSettings
    routers: Routers
    metrics: Metrics
    inbox: Inbox
    background: Background
    standing: Standing
    picture: Picture
    book: WantedBook
    seen: SeenHashes
    mined_slots: MinedSlots
    lanes: Lanes
    follower: Follower
    watch: PositionWatch
    latch: Latch
    barrier: SubmitBarrier
    skips: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    stopping: bool = False

    def count_skip(self, reason: str, pool: Address | None = None) -> None:
        """Count a pending transaction that was left alone; written to the ledger with the next tick."""
        self.metrics.skips.add(reason)
        hour_s = int(self.ports.clock.wall_s()) // 3600 * 3600
        self.skips[hour_s, pool or "", reason] += 1

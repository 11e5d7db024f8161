"""What the engine is told once: the ports it works with and its fixed numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jitctl.domain.values import Address
from jitctl.engine.ports import (
    ChainReader,
    Clock,
    Closer,
    Guards,
    Instruments,
    Journal,
    Ledger,
    Observer,
    PoolBook,
    Prices,
    Relays,
    Signer,
    Simulator,
    Source,
    Tracer,
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the engine. `tracer`, `closer`, `guards`, `journal` and `instruments` may be absent.

    Without a tracer unknown calls are left alone; without a closer an open position is only reported.
    """

    clock: Clock
    sources: Sequence[Source]
    pool_book: PoolBook
    prices: Prices
    simulator: Simulator
    signer: Signer
    relays: Relays
    chain: ChainReader
    ledger: Ledger
    observer: Observer
    tracer: Tracer | None = None
    closer: Closer | None = None
    guards: Guards | None = None
    journal: Journal | None = None
    instruments: Instruments | None = None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The engine's fixed numbers; a reload does not change them.

    `data_dir` holds the latch and the barrier. `settle_depth` is how deep a block must lie when the node
    has no `finalized`; a reorg that reaches a settled block halts. `gas_limit_margin_bps` is put on the
    strategy's gas units for the legs' gas limits. `head_stale_s` without a block is a lost sync.
    """

    chain_id: int
    executor: Address
    data_dir: Path
    owner: Address | None = None
    slot_s: float = 12.0
    settle_depth: int = 64
    pending_queue: int = 5_000
    wanted_max: int = 1_000
    wanted_max_age_blocks: int = 50
    seen_max: int = 16_384
    slow_path: bool = True
    traces_at_once: int = 4
    simulate_timeout_s: float = 0.3
    submit_timeout_s: float = 0.5
    read_timeout_s: float = 2.0
    sync_timeout_s: float = 60.0
    resume_after_crash: bool = False
    head_stale_s: float = 120.0
    gas_limit_margin_bps: int = 16_000

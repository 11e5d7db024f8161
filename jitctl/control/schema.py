"""The wire between an operator and the daemon: JSON bodies as dataclasses, keys in camelCase.

Readers ignore keys that they do not know and give the default to those that are absent, so that a
command line and a daemon of different versions still understand each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

VERSION_HEADER = "X-Jitctl-Version"
T = TypeVar("T")


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    """Return `round_trip_ms` as `roundTripMs`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def to_wire(value: Any) -> Any:
    """Return a dataclass as JSON-ready data; keys of plain mappings stay as they are."""
    if hasattr(value, "__dataclass_fields__"):
        return {camel(f.name): to_wire(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    return value


def from_wire(kind: type[T], body: dict[str, Any]) -> T:
    """Return the dataclass that `to_wire` wrote; nested ones are listed in its `NESTED`."""
    nested: dict[str, type[Any]] = getattr(kind, "NESTED", {})
    given: dict[str, Any] = {}
    for name in kind.__dataclass_fields__:  # type: ignore[attr-defined]  # T is always a dataclass
        key = camel(name)
        if key in body:
            item = body[key]
            given[name] = from_wire(nested[name], item) if name in nested and isinstance(item, dict) else item
    return kind(**given)


@dataclass(frozen=True)
class ActionRequest:
    """The body of every POST under /admin; `REQUEST_KEYS` says which verb takes which keys.

    `force` starts production without a passing validate-live. `mark` is the status's `latch_mark` that the
    asker has seen: with another one by now somebody has stopped the bot since, and it is not loosened.
    `dry` says what a reload would change, and changes nothing. `restores` is the number of the generation
    whose files were put back.
    """

    reason: str = ""
    mode: str = ""
    level: str = ""
    mark: str = ""
    force: bool = False
    dry: bool = False
    restores: int | None = None


REQUEST_KEYS = {
    "start": ("reason", "mode", "force"),
    "crisis-mode": ("level", "reason"),
    "resume": ("reason", "mark"),
    "clear-halt": ("reason", "mark"),
    "reload-pools": ("reason", "dry"),
    "reload-strategy": ("reason", "dry"),
    "reload-config": ("reason", "dry", "restores"),
}


def request_keys(verb: str) -> tuple[str, ...]:
    """Return the keys that a verb's body may have."""
    return REQUEST_KEYS.get(verb, ("reason",))


@dataclass(frozen=True)
class ActionReply:
    """What a command did: `changed` is False where it was so already, `forced` says the engine was ended.

    `outstanding_bundles` and `last_target_block` are what the engine said was still out; None: it did not.
    """

    verb: str = ""
    changed: bool = False
    state_before: str = ""
    state: str = ""
    message: str = ""
    hint: str = ""
    forced: bool = False
    elapsed_ms: float = 0.0
    outstanding_bundles: int | None = None
    last_target_block: int | None = None


@dataclass(frozen=True)
class ChangedValue:
    """One difference of a configuration: `kind` is added, removed or changed; secrets are not shown.

    `key` calls entries by their name: `pools[WETH/USDC-0.05%].enabled`. A value that is absent is None.
    """

    file: str = ""
    key: str = ""
    kind: str = ""
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class ReloadReply(ActionReply):
    """What a reload did, or with `dry` would do; `needs_restart` names what only a restart takes over.

    `generation` and `config_hash` are those that run from now on; `warnings` are what the rules say of them.
    """

    generation: int = 0
    config_hash: str = ""
    dry: bool = False
    changes: list[ChangedValue] = field(default_factory=list)
    needs_restart: list[ChangedValue] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunningConfig:
    """GET /api/config: the generation that runs, since when, by whom and why; secrets are not shown.

    `values` holds every value by file and flat key, defaults included; entries are called by their name:
    `pools[WETH/USDC-0.05%].enabled`. `restores` is the number of an earlier generation that was put back.
    """

    generation: int = 0
    hash: str = ""
    since_s: float | None = None
    who: str = ""
    verb: str = ""
    why: str = ""
    restores: int | None = None
    values: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineFigures:
    """The engine as its keeper sees it; `figures_age_s` is how old everything it reported is."""

    pid: int | None = None
    alive: bool = False
    responsive: bool = False
    round_trip_ms: float | None = None
    ping_age_s: float | None = None
    figures_age_s: float | None = None


@dataclass(frozen=True)
class Status:
    """GET /api/status.

    `ready` says that start-up is over. `figures` holds the engine's own counters and is as old as
    `engine.figures_age_s`. `latch_mark` changes with every pause and every halt. `history` is the last
    minute of each end-to-end stage's p95 (ms), `recent` the latest warnings and errors of the log.
    """

    NESTED: ClassVar[dict[str, type[Any]]] = {"engine": EngineFigures}

    version: str = ""
    mode: str = ""
    state: str = ""
    ready: bool = False
    who: str = ""
    reason: str = ""
    since_s: float | None = None
    crisis_level: str = "off"
    crisis_who: str = ""
    crisis_reason: str = ""
    crisis_since_s: float | None = None
    trading_ready: bool = False
    armed: bool = False
    latch_mark: str = ""
    chain_id: int | None = None
    head_number: int | None = None
    head_age_s: float | None = None
    open_attempts: int | None = None
    generation: int = 1
    config_hash: str = ""
    keeper_pid: int = 0
    started_at_s: float = 0.0
    uptime_s: float = 0.0
    log_file: str = ""
    http: str = ""
    engine: EngineFigures = field(default_factory=EngineFigures)
    memory_mb: dict[str, float] = field(default_factory=dict)
    executor: str = ""
    history: dict[str, list[float]] = field(default_factory=dict)
    recent: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One line of a health answer: `ok`, `warn`, `fail` or `unknown`."""

    name: str
    result: str
    detail: str = ""


@dataclass(frozen=True)
class Health:
    """GET /health: `live` is the engine's command queue answering, `trading_ready` all that trading needs."""

    status: str = "down"
    live: bool = False
    trading_ready: bool = False
    version: str = ""
    mode: str = ""
    state: str = ""
    uptime_s: float = 0.0
    checks: list[Check] = field(default_factory=list)


PASS, WARN, FAIL, UNKNOWN = "pass", "warn", "fail", "unknown"


@dataclass(frozen=True)
class Finding:
    """One named check: `result` is pass, warn, fail or unknown; `remedy` says what to do unless it passed."""

    name: str
    result: str
    detail: str = ""
    remedy: str = ""
    elapsed_ms: float = 0.0


@dataclass(frozen=True)
class CheckReport:
    """What a verb that checks answers; `result` is its worst finding's, a failure before an unknown."""

    verb: str = ""
    result: str = PASS
    checks: tuple[Finding, ...] = ()
    config_hash: str = ""
    elapsed_ms: float = 0.0

    @classmethod
    def of(
        cls, verb: str, checks: Iterable[Finding], *, config_hash: str = "", elapsed_ms: float = 0.0
    ) -> CheckReport:
        found = tuple(checks)
        results = {each.result for each in found}
        worst = next((result for result in (FAIL, UNKNOWN, WARN) if result in results), PASS)
        return cls(verb, worst, found, config_hash, round(elapsed_ms, 1))


@dataclass(frozen=True)
class PoolRow:
    """One configured pool; amounts are decimal text, `price` is quote tokens for one WETH, for people.

    `healthy` is None where the engine has not told; `reason` says why a pool is not, or is disabled.
    """

    name: str = ""
    address: str = ""
    token0: str = ""
    token1: str = ""
    fee_pips: int = 0
    enabled: bool = True
    healthy: bool | None = None
    reason: str = ""
    sqrt_price_x96: str | None = None
    tick: int | None = None
    price: str | None = None
    liquidity: str | None = None
    fee_protocol: int | None = None
    attempts_today: int = 0
    landed_today: int = 0
    net_wei_today: str = "0"


@dataclass(frozen=True)
class PoolStatus:
    """GET /admin/pool-status: the pools as of `head_number`; `problem` says what could not be asked.

    `head_age_s` is how long before the answer the engine learned of that block.
    """

    head_number: int | None = None
    problem: str = ""
    pools: list[PoolRow] = field(default_factory=list)
    head_age_s: float | None = None


@dataclass(frozen=True)
class StageRow:
    """The latest timings of one stage in milliseconds; `count` is of all since the engine's start.

    `recent_count` and `recent_p95_ms` are of the last five minutes.
    """

    stage: str = ""
    count: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    recent_count: int = 0
    recent_p95_ms: float | None = None


@dataclass(frozen=True)
class LatencyBreakdown:
    """GET /api/latency-breakdown: over the last 1,024 timings of each stage, as old as `figures_age_s`."""

    mode: str = ""
    state: str = ""
    figures_age_s: float | None = None
    stages: list[StageRow] = field(default_factory=list)

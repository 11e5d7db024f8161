"""pool-status: each configured pool as the engine follows it, and what it has earned today."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jitctl.config.domain_types import pool_specs
from jitctl.config.load import Config
from jitctl.control.redact import redact_text
from jitctl.control.schema import PoolRow, PoolStatus
from jitctl.daemon.engine_child import EngineChild
from jitctl.domain.values import PoolSpec
from jitctl.errors import JitError
from jitctl.reports.daily import PoolDay, daily_summary

KEPT_S = 1.0
"""However many ask, the engine is asked once a second."""
ENGINE_LIMIT_S = 1.0
_DIGITS = 6


class PoolView:
    """Answers readers; the newest answer is kept for a second."""

    def __init__(self) -> None:
        self._at_s = float("-inf")
        self._forgotten = 0
        self._kept: PoolStatus | None = None
        self._one = asyncio.Lock()

    async def read(self, config: Config, engine: EngineChild | None) -> PoolStatus:
        """Return every configured pool; what the engine does not tell is None, and `problem` says why."""
        async with self._one:
            kept = self._kept
            if kept is None or time.monotonic() - self._at_s > KEPT_S:
                began = self._forgotten
                kept = self._kept = await _read(config, engine)
                # What was forgotten while it was read is not to be kept.
                self._at_s = time.monotonic() if began == self._forgotten else float("-inf")
            return kept

    def forget(self) -> None:
        """Make the next reading a fresh one: the configuration has changed."""
        self._forgotten += 1
        self._at_s = float("-inf")


async def _read(config: Config, engine: EngineChild | None) -> PoolStatus:
    problem, followed, head, age_s, body = "", {}, None, None, None
    if engine is None or not engine.alive:
        problem = "the engine is not running"
    else:
        try:
            body = await engine.ask("pool-status", limit_s=ENGINE_LIMIT_S)
        except JitError as error:
            problem = error.message
        else:
            followed = {row["address"]: row for row in body.get("pools", [])}
            head, age_s = body.get("headNumber"), body.get("headAgeS")
    try:
        days = {day.name: day for day in await asyncio.to_thread(_today, config)}
    except JitError as error:
        days, problem = {}, problem or error.message
    enabled = {spec.address for spec in pool_specs(config, enabled_only=True)}
    told = body is not None
    rows = [
        _row(spec, spec.address in enabled, followed.get(spec.address), days.get(spec.name), told, why)
        for spec, why in zip(pool_specs(config), _why_disabled(config), strict=True)
    ]
    return PoolStatus(head, problem, rows, head_age_s=age_s)


def _today(config: Config) -> list[PoolDay]:
    ledger = config.folders.data / "ledger.db"
    return daily_summary(ledger, pool_specs(config)).pools if ledger.exists() else []


def _why_disabled(config: Config) -> list[str]:
    said = (pool.disabled_because for pool in config.pools.pools)
    plain = f"disabled in {config.texts['pools'].path.name}"
    return [f"disabled: {redact_text(why)}" if why else plain for why in said]


def _row(
    spec: PoolSpec,
    enabled: bool,
    followed: Mapping[str, Any] | None,
    day: PoolDay | None,
    told: bool,
    why_disabled: str,
) -> PoolRow:
    found = followed or {}
    healthy: bool | None = None
    reason = why_disabled
    if enabled:
        untold = "the engine does not follow it" if told else "the engine has not told"
        reason = str(found.get("problem", "")) if followed else untold
        healthy = None if not told else followed is not None and not reason
    return PoolRow(
        name=spec.name,
        address=spec.address,
        token0=spec.token0.symbol,
        token1=spec.token1.symbol,
        fee_pips=spec.fee_pips,
        enabled=enabled,
        healthy=healthy,
        reason="" if healthy else reason,
        sqrt_price_x96=found.get("sqrtPriceX96"),
        tick=found.get("tick"),
        price=_price(spec, found.get("sqrtPriceX96")),
        liquidity=found.get("liquidity"),
        fee_protocol=found.get("feeProtocol"),
        attempts_today=day.attempts if day else 0,
        landed_today=day.landed if day else 0,
        net_wei_today=day.net_wei if day else "0",
    )


def _price(spec: PoolSpec, sqrt_price_x96: str | None) -> str | None:
    """Return whole quote tokens for one WETH, six significant digits where it has a fraction."""
    if sqrt_price_x96 is None:
        return None
    token1_per_token0 = (Decimal(sqrt_price_x96) / Decimal(1 << 96)) ** 2
    if not token1_per_token0:
        return None
    scale = Decimal(10) ** (spec.token0.decimals - spec.token1.decimals)
    per_weth = token1_per_token0 * scale if spec.weth_is_token0 else 1 / (token1_per_token0 * scale)
    places = max(0, _DIGITS - 1 - per_weth.adjusted())
    return f"{per_weth:.{places}f} {spec.quote_token.symbol}"

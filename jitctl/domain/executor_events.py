"""What the executor contract's own events say that a bundle moved.

Read from JSON-RPC log objects, which receipts and simulations share. The topics are those of
`JitExecutor.vy`; a test holds them against its ABI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jitctl.domain.bundle import LegAmounts
from jitctl.domain.values import Address

MINTED = "Minted(address,int24,int24,uint128,uint256,uint256)"
BURNED = "Burned(address,uint256,uint256,uint256,uint256,uint256,uint256,bool)"
CLOSED = "Closed(address,address,uint256,uint256,uint256)"
MINTED_TOPIC = "0xe0352d6a15e4199592f5b1859bc253cd630c0fa1f5653698aa7b990e138395d3"
BURNED_TOPIC = "0x1fb4149e26a42e4a39b5db0912e62236262cd7530ae02e6972205e77c43ebd20"
CLOSED_TOPIC = "0xcbaf8caa28195d71a0bd0e509eb99e70b41def5714b60662395a25f6c1a7beab"

NOTHING_MOVED = LegAmounts(0, 0, 0, 0, 0, 0, 0)


def leg_amounts(executor: Address, logs: Iterable[Mapping[str, Any]]) -> LegAmounts:
    """Sum the executor's Minted, Burned and Closed events; raises `ValueError` for a malformed one."""
    minted0 = minted1 = collected0 = collected1 = fees0 = fees1 = tip_wei = 0
    for log in logs:
        topics = log.get("topics")
        if str(log.get("address")).lower() != executor or not isinstance(topics, list) or not topics:
            continue
        if topics[0] == MINTED_TOPIC:
            _lower, _upper, _liquidity, amount0, amount1 = _words(log, 5)
            minted0 += amount0
            minted1 += amount1
        elif topics[0] == BURNED_TOPIC:
            got0, got1, fee0, fee1, tip, _loss, _same_block = _words(log, 7)
            collected0 += got0
            collected1 += got1
            fees0 += fee0
            fees1 += fee1
            tip_wei += tip
        elif topics[0] == CLOSED_TOPIC:
            *_, got0, got1, _loss = _words(log, None)
            collected0 += got0
            collected1 += got1
    return LegAmounts(minted0, minted1, collected0, collected1, fees0, fees1, tip_wei)


def _words(log: Mapping[str, Any], count: int | None) -> list[int]:
    data = log.get("data")
    if not isinstance(data, str) or not data.startswith("0x"):
        raise ValueError("an executor event without data")
    raw = bytes.fromhex(data[2:])
    if len(raw) % 32 or (count is not None and len(raw) != 32 * count) or len(raw) < 96:
        raise ValueError(f"an executor event of {len(raw)} bytes")
    return [int.from_bytes(raw[at : at + 32], "big") for at in range(0, len(raw), 32)]

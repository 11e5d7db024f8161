"""Reads from the chain what the picture of one captured swap shows."""

from __future__ import annotations

from typing import Any

from web3 import Web3

from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.devnet.plot import CapturedSwap
from jitctl.devnet.proof import LandedJit
from jitctl.domain.values import PoolSpec

SPACINGS_SHOWN = 3


def capture(rpc_url: str, spec: PoolSpec, jit: LandedJit) -> CapturedSwap:
    """Return the picture's data of one landed JIT; reads the pool as it was one block before."""
    w3 = Web3(Web3.HTTPProvider(rpc_url, request_kwargs={"timeout": 30}))
    pool = w3.eth.contract(address=Web3.to_checksum_address(spec.address), abi=_ABI)
    before = jit.block - 1
    tick = pool.functions.slot0().call(block_identifier=before)[1]
    active = pool.functions.liquidity().call(block_identifier=before)
    swap = _victim_swap(pool, jit)
    weth_in = (swap["amount0"] > 0) == spec.weth_is_token0
    amount_in = swap["amount0"] if swap["amount0"] > 0 else swap["amount1"]
    fee = amount_in * spec.fee_pips // 1_000_000
    ours = jit.fees0 if swap["amount0"] > 0 else jit.fees1
    fee_protocol = pool.functions.slot0().call(block_identifier=before)[5]
    divisor = fee_protocol % 16 if swap["amount0"] > 0 else fee_protocol >> 4
    protocol = fee // divisor if divisor else 0
    earners = {"ours": ours, "other LPs": max(0, fee - ours - protocol)}
    if protocol:
        earners["protocol"] = protocol
    sold = spec.weth.symbol if weth_in else spec.quote_token.symbol
    return CapturedSwap(
        title=f"{spec.name}, block {jit.block}: a user sells {sold}, our position lives for one block",
        profile=_profile(pool, spec, tick, active, jit, before),
        tick_lower=jit.tick_lower,
        tick_upper=jit.tick_upper,
        our_liquidity=jit.liquidity,
        tick_before=_exact_tick(pool.functions.slot0().call(block_identifier=before)[0]),
        tick_after=_exact_tick(swap["sqrtPriceX96"]),
        tick_without_us=_exact_tick(jit.sqrt_price_without_us_x96) if jit.sqrt_price_without_us_x96 else None,
        fee_by_earner=earners,
        base_symbol="WETH",
        quote_symbol=spec.quote_token.symbol,
        decimals_shift=spec.token0.decimals - spec.token1.decimals,
        inverted=not spec.weth_is_token0,
    )


def _victim_swap(pool: Any, jit: LandedJit) -> Any:
    logs = pool.events.Swap().get_logs(from_block=jit.block, to_block=jit.block)
    return next(log["args"] for log in logs if "0x" + bytes(log["transactionHash"]).hex() == jit.victim_hash)


def _profile(
    pool: Any, spec: PoolSpec, tick: int, active: int, jit: LandedJit, block: int
) -> tuple[tuple[int, int], ...]:
    """Liquidity by tick around our range, from the active liquidity and the net changes at each tick."""
    spacing = spec.tick_spacing
    low = min(jit.tick_lower, tick) // spacing * spacing - SPACINGS_SHOWN * spacing
    high = max(jit.tick_upper, tick) // spacing * spacing + SPACINGS_SHOWN * spacing
    net = {
        at: pool.functions.ticks(at).call(block_identifier=block)[1] for at in range(low, high + 1, spacing)
    }
    at_low = active - sum(change for at, change in net.items() if at <= tick)
    profile, liquidity = [], at_low
    for at, change in net.items():
        liquidity += change
        profile.append((at, max(0, liquidity)))
    return tuple(profile)


def _exact_tick(sqrt_price_x96: int) -> float:
    """The tick as a real number, for drawing."""
    import math

    return 2 * math.log(sqrt_price_x96 / get_sqrt_ratio_at_tick(0), 1.0001)


def _view(name: str, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": [{"type": kind, "name": ""} for kind in inputs],
        "outputs": [{"type": kind, "name": ""} for kind in outputs],
    }


_ABI: list[dict[str, Any]] = [
    _view("slot0", [], ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]),
    _view("liquidity", [], ["uint128"]),
    _view(
        "ticks", ["int24"], ["uint128", "int128", "uint256", "uint256", "int56", "uint160", "uint32", "bool"]
    ),
    {
        "type": "event",
        "name": "Swap",
        "anonymous": False,
        "inputs": [
            {"name": "sender", "type": "address", "indexed": True},
            {"name": "recipient", "type": "address", "indexed": True},
            {"name": "amount0", "type": "int256", "indexed": False},
            {"name": "amount1", "type": "int256", "indexed": False},
            {"name": "sqrtPriceX96", "type": "uint160", "indexed": False},
            {"name": "liquidity", "type": "uint128", "indexed": False},
            {"name": "tick", "type": "int24", "indexed": False},
        ],
    },
]

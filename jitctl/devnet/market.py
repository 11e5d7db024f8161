"""What the devnet's market looks like: tokens, prices, pools and how their liquidity is spread."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

MIN_TICK, MAX_TICK = -887272, 887272
TICK_SPACING = {500: 10, 3000: 60, 10000: 200}


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """A token to deploy; `kind` is a devnet contract's name, `weth` for the real WETH9."""

    symbol: str
    name: str
    decimals: int
    usd: int
    kind: str = "TestToken"
    fee_bps: int = 0


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool to open.

    `depth_usd` is what moves its price by 1% at the start; `bands` nested positions around the price,
    each a little wider than the one before, give `2 * bands` initialised ticks. `protocol_fee` is the
    denominator of the protocol's share of the fee, 0 for none.
    """

    token_a: str
    token_b: str
    fee_pips: int
    depth_usd: int
    bands: int = 12
    protocol_fee: int = 0
    watched: bool = True


WETH_USD = 2_500

# The deployer's nonces decide the addresses: in this order WETH is token1 against USDC and WBTC and token0
# against DAI and USDT.
TOKENS = (
    TokenPlan("USDC", "USD Coin", 6, 1),
    TokenPlan("DAI", "Dai Stablecoin", 18, 1),
    TokenPlan("WBTC", "Wrapped BTC", 8, 60_000),
    TokenPlan("WETH", "Wrapped Ether", 18, WETH_USD, kind="weth"),
    TokenPlan("USDT", "Tether USD", 6, 1, kind="SilentToken"),
    TokenPlan("TAX", "Takes a fee on transfer", 18, 1, fee_bps=100),
    TokenPlan("BLK", "Can block accounts", 6, 1),
)

POOLS = (
    PoolPlan("WETH", "USDC", 500, depth_usd=2_500_000, bands=225),
    PoolPlan("WETH", "USDC", 3000, depth_usd=1_200_000),
    PoolPlan("WETH", "WBTC", 500, depth_usd=1_500_000),
    PoolPlan("WETH", "WBTC", 3000, depth_usd=1_000_000, bands=30),
    PoolPlan("WETH", "DAI", 3000, depth_usd=800_000),
    PoolPlan("WETH", "DAI", 10000, depth_usd=300_000),
    PoolPlan("WETH", "USDT", 500, depth_usd=2_000_000, bands=60, protocol_fee=4),
    PoolPlan("WETH", "TAX", 3000, depth_usd=300_000),
    PoolPlan("WETH", "BLK", 3000, depth_usd=300_000),
    PoolPlan("USDC", "DAI", 500, depth_usd=4_000_000, watched=False),
)

TOKEN_PLANS = {plan.symbol: plan for plan in TOKENS}


def pool_name(plan: PoolPlan) -> str:
    """Return the name under which a pool is known, such as `WETH/USDC-0.05%`."""
    return f"{plan.token_a}/{plan.token_b}-{plan.fee_pips / 10_000:g}%"


def start_sqrt_price_x96(token0: TokenPlan, token1: TokenPlan) -> int:
    """Return the sqrt price at which the pool agrees with the tokens' USD prices."""
    numerator = token0.usd * 10**token1.decimals
    denominator = token1.usd * 10**token0.decimals
    return math.isqrt((numerator << 192) // denominator)


def positions(
    plan: PoolPlan, token0: TokenPlan, token1: TokenPlan, rng: random.Random
) -> Iterator[tuple[int, int, int]]:
    """Yield (tick_lower, tick_upper, liquidity): one over the full range, then the nested bands."""
    spacing = TICK_SPACING[plan.fee_pips]
    sqrt_price = start_sqrt_price_x96(token0, token1) / 2**96
    amount1 = plan.depth_usd / token1.usd * 10**token1.decimals
    # Moving the price by 1% moves its root by 0.5%, and token1 moved is liquidity times the root's move.
    liquidity = amount1 / (sqrt_price * 0.005)
    yield -(MAX_TICK // spacing) * spacing, MAX_TICK // spacing * spacing, int(liquidity * 0.1)
    centre = round(math.log(sqrt_price**2, 1.0001) / spacing)
    below = above = 0
    for _ in range(plan.bands):
        # Steps of one spacing where the bands are many; wider and uneven where they are few.
        step = 1 if plan.bands > 100 else rng.randint(1, 4)
        below += step
        above += 1 if plan.bands > 100 else rng.randint(1, 4)
        share = 0.9 / plan.bands * rng.uniform(0.5, 1.5)
        yield (centre - below) * spacing, (centre + above) * spacing, int(liquidity * share)

"""A market that moves: the swap that follows at once is judged by the new price, not by the last block's."""

from __future__ import annotations

from typing import Any

from jitctl.devnet.traffic import Kind, Traffic

READ_LATE_MS = 400
"""How long the bot's node takes for a price: far longer than a user needs to see a move and trade on it."""
POOLS = ("WETH/WBTC-0.05%", "WETH/USDC-0.05%", "WETH/USDT-0.05%")
WETH_USD_IN = 30_000


async def test_a_swap_right_after_the_market_moved_is_left_alone(world: Any) -> None:
    manifest = world.net.manifest
    async with Traffic(manifest.rpc_url + "node/users", manifest, world.rng.randrange(1 << 30)) as users:
        for number, pool in enumerate(POOLS, 1):
            await world.in_step()
            late = {"fault": "late", "value": READ_LATE_MS, "methods": ["eth_call"]}
            await world.door.admin("devnet_fault", view="node", **late)
            token = world.net.uniswap.pool(pool).quote_token
            amount = WETH_USD_IN * 10 ** (token.decimals + 8) // await world.net.usd(token.symbol)
            # It makes WETH dearer, has that mined, and buys WETH where it is still cheap.
            await users.swap(
                pool, amount_in=amount, token_in=token.symbol, kind=Kind.INFORMED, slippage_bps=300
            )
            await world.has_judged(number, "pending_understood")
            await world.door.admin("devnet_clearFaults", view="node")
            assert not world.net.chain.bundles.entries()
            await world.drain()
    # One that came in the same instant as the block before it was dropped without a count of its own.
    assert (await world.figures())["counts"]["skips"]["informed"] >= 1
    await world.jit_block("WETH/DAI-0.3%")

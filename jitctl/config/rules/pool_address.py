"""The address of a pool follows from its factory, its tokens and its fee."""

from __future__ import annotations

from collections.abc import Iterator

from jitctl.config import checksums
from jitctl.config.models import MainConfig, PoolsConfig
from jitctl.config.rules.finding import Finding
from jitctl.config.rules.pools import on_ethereum

FACTORY = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
POOL_INIT_CODE_HASH = "0xe34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"


def follows_from_its_key(pools: PoolsConfig, main: MainConfig | None = None) -> Iterator[Finding]:
    """JC211 CREATE2 gives the address; elsewhere than on Ethereum once a factory is configured."""
    named = main.uniswap.factory if main is not None else None
    if named is None and not on_ethereum(main, pools):
        return
    factory = named or FACTORY
    code = (main.uniswap.pool_init_code_hash if main is not None else None) or POOL_INIT_CODE_HASH
    for index, pool in enumerate(pools.pools):
        token0, token1 = pool.token0.address, pool.token1.address
        if int(token0, 16) >= int(token1, 16):
            continue  # JC204 says what is wrong with it
        right = checksums.pool_address(factory, token0, token1, pool.fee_pips, code)
        if pool.address != right:
            pair = f"{pool.token0.symbol}, {pool.token1.symbol} and {pool.fee_pips} pips"
            shown = checksums.checksummed(right)
            message = f"the factory's pool of {pair} is {shown}; found {checksums.checksummed(pool.address)}"
            hint = "if it is a pool of another factory, the bot cannot trade in it"
            yield Finding("JC211", "pools", ("pools", index, "address"), message, hint)


CHECKS = (follows_from_its_key,)

"""Whole configurations as texts by stem: the shipped one, and one such as the devnet writes."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from jitctl.devnet.config_files import write_config
from jitctl.domain.values import Address, PoolSpec, Token

REPO = Path(__file__).parents[2]
FACTORY = Address("0x5fbdb2315678afecb367f032d93f642f64180aa3")
EXECUTOR = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"


def shipped() -> dict[str, str]:
    """Return config/ with an executor in the place of the zero address."""
    texts = {path.stem: path.read_text() for path in sorted((REPO / "config").glob("*.toml"))}
    return {stem: text.replace("0x" + "0" * 40, EXECUTOR) for stem, text in texts.items()}


def devnet_like() -> dict[str, str]:
    """Return what the devnet's own writer writes for a chain that is not there."""
    return dict(_devnet_like())


@cache
def _devnet_like() -> dict[str, str]:
    from jitctl.config.checksums import pool_address
    from jitctl.config.rules.pool_address import POOL_INIT_CODE_HASH

    weth = Token("WETH", Address("0xc3e53f4d16ae77db1c982e75a937b9f60fe63690"), 18)
    usdc = Token("USDC", Address("0x84ea74d481ee0a5332c457a4d796187f6ba67feb"), 6)
    dai = Token("DAI", Address("0xde9a5bd7c9e1a4c8a3f2e8e3a1e5f0a1b2c3d4e5"), 18)

    def pool(token0: Token, token1: Token, fee_pips: int, spacing: int) -> PoolSpec:
        name = f"{token0.symbol}/{token1.symbol}-{fee_pips / 10_000:g}%"
        place = pool_address(FACTORY, token0.address, token1.address, fee_pips, POOL_INIT_CODE_HASH)
        return PoolSpec(name, Address(place), token0, token1, fee_pips, spacing, token0 is weth)

    with tempfile.TemporaryDirectory() as folder:
        config = write_config(
            Path(folder),
            urls={
                "node": "http://127.0.0.1:8545/", "node_ws": "ws://127.0.0.1:8545/",
                "verify": "http://127.0.0.1:8545/node/second", "relay": "http://127.0.0.1:8545/relay",
            },
            chain_id=31337,
            slot_seconds=12.0,
            executor=Address(EXECUTOR.lower()),
            deploy_block=17,
            factory=FACTORY,
            pools=(pool(usdc, weth, 500, 10), pool(usdc, weth, 3_000, 60), pool(weth, dai, 3_000, 60)),
            price_feeds={
                token.symbol: Address("0x" + f"{index:02x}b7" * 10)
                for index, token in enumerate((weth, usdc, dai), 160)
            },
            routers={
                "v3": Address("0x" + "a1c3" * 10), "swapRouter02": Address("0x" + "a2c3" * 10),
                "universal": Address("0x" + "a3c3" * 10),
            },
            operators=2,
            http_port=0,
        )  # fmt: skip
        return {path.stem: path.read_text() for path in sorted(config.glob("*.toml"))}

"""Gives the devnet's people their money, and the users the approvals that a user has who trades often."""

from __future__ import annotations

from jitctl.devnet.accounts import Cast, DevAccount
from jitctl.devnet.calldata import Interface
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.genesis import Genesis
from jitctl.devnet.market import TOKEN_PLANS
from jitctl.devnet.toolchain import artifact
from jitctl.devnet.uniswap import Uniswap, give

USER_ETH_WEI = 50_000 * 10**18
USER_USD = 50_000_000
STAFF_ETH_WEI = 100 * 10**18
MAX_UINT160 = 2**160 - 1
MAX_UINT48 = 2**48 - 1
MAX_UINT256 = 2**256 - 1


async def settle_people(genesis: Genesis, uniswap: Uniswap, people: Cast) -> None:
    """Fund everyone and queue the users' tokens and approvals."""
    for account in (people.owner, people.guardian, *people.operators):
        await genesis.set_balance(account.address, STAFF_ETH_WEI)
    for index, user in enumerate(people.users):
        await genesis.set_balance(user.address, 2 * USER_ETH_WEI)
        _outfit(genesis, uniswap, user, signs_permits(index))


def signs_permits(user_index: int) -> bool:
    """Whether this user lets Permit2 spend by a signature with each trade, not by a standing approval."""
    return user_index % 4 == 3


def _outfit(genesis: Genesis, uniswap: Uniswap, user: DevAccount, by_signature: bool) -> None:
    erc20 = Interface(fixture("TestToken")["abi"])
    permit2 = Interface(artifact("permit2", "Permit2")["abi"])
    weth = Interface(artifact("weth", "WETH9")["abi"])
    spenders = (uniswap.routers["v3"], uniswap.routers["swapRouter02"], uniswap.permit2)
    for token in uniswap.tokens.values():
        if token.symbol == "WETH":
            wrap = weth.call("deposit")
            genesis.call("user wraps", token.address, wrap, sender=user.address, wei=USER_ETH_WEI // 2)
        else:
            give(genesis, token, user.address, USER_USD * 10**token.decimals // TOKEN_PLANS[token.symbol].usd)
        for spender in spenders:
            data = erc20.call("approve", spender, MAX_UINT256)
            genesis.call(f"approve {token.symbol}", token.address, data, sender=user.address)
        if not by_signature:
            data = permit2.call(
                "approve", token.address, uniswap.routers["universal"], MAX_UINT160, MAX_UINT48
            )
            genesis.call(f"permit2 {token.symbol}", uniswap.permit2, data, sender=user.address)

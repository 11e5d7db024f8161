"""Deploys the bot's executor contract on the devnet and sets it up as its owner would."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jitctl.devnet.accounts import Cast
from jitctl.devnet.calldata import Interface
from jitctl.devnet.genesis import Genesis
from jitctl.devnet.market import TOKEN_PLANS
from jitctl.devnet.uniswap import Uniswap, give
from jitctl.domain.values import Address

CAPITAL_WEI = 4_000 * 10**18
CAPITAL_USD = 8_000_000
"""What the executor holds of WETH, and of every other token."""
MAX_NOTIONAL_WEI = 2_000 * 10**18
BUDGET_WEI = 100 * 10**18
MAX_SPOT_TICKS = 500
MAX_RANGE_TICKS = 1_000
TWAP_WINDOW_SLOTS = 60
"""Pools remember one observation a slot: the window must fit into what they remember."""
MAX_TIP_BPS = 9_500


def executor_artifact() -> dict[str, Any]:
    """Return the committed artifact of the executor: abi, bytecode and more."""
    text = resources.files("jitctl.contracts").joinpath("JitExecutor.json").read_text()
    artifact: dict[str, Any] = json.loads(text)
    return artifact


def deploy_executor(genesis: Genesis, uniswap: Uniswap, people: Cast, slot_s: int) -> Address:
    """Queue the executor's creation, roles, pools, budget and capital; return its address."""
    artifact = executor_artifact()
    abi = Interface(artifact["abi"])
    owner = people.owner.address
    creation = abi.creation(artifact["bytecode"], owner, uniswap.weth, uniswap.factory)
    executor = genesis.create("executor", creation)

    def as_owner(name: str, *args: object) -> None:
        genesis.call(f"executor.{name}", executor, abi.call(name, *args), sender=owner)

    as_owner("setGuardian", people.guardian.address)
    for operator in people.operators:
        as_owner("setOperator", operator.address, True)
    for pool in uniswap.pools:
        as_owner(
            "setPool",
            pool.address,
            True,
            MAX_SPOT_TICKS,
            MAX_RANGE_TICKS,
            TWAP_WINDOW_SLOTS * slot_s,
            MAX_NOTIONAL_WEI,
            MAX_TIP_BPS,
        )
    as_owner("setBudget", BUDGET_WEI)
    for token in uniswap.tokens.values():
        plan = TOKEN_PLANS[token.symbol]
        amount = CAPITAL_WEI if token.symbol == "WETH" else CAPITAL_USD * 10**token.decimals // plan.usd
        give(genesis, token, executor, amount)
    return executor

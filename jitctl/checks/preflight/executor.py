"""executor-code, executor-halted, operators, guardian, pool-rules, loss-budget and allowances."""

from __future__ import annotations

import asyncio
from fractions import Fraction

from jitctl.chain.lens import is_revert, view
from jitctl.chain.wallet import keccak256
from jitctl.checks.preflight.amounts import ether
from jitctl.checks.preflight.context import Believed, Context, factory_of, is_executor
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, unknown, warned
from jitctl.config.domain_types import tokens, weth_address
from jitctl.contracts import calls
from jitctl.domain.values import ZERO_ADDRESS, Address
from jitctl.errors import NodeError

MAINNET_CHAIN_ID = 1
MAINNET_FACTORY = Address("0x1f98431c8ad98523631ae4a59f267346ea31f984")
PERMIT2 = Address("0x000000000022d473030f116ddee9f6b43ac78ba3")
WIDE_SPOT_TICKS = 1_000
"""About a tenth of the price: what a thief who owns blocks in a row could take of the capital each time."""
LOW_BUDGET = Fraction(1, 5)
"""What should be left of the loss budget: with less, one more bad day's losses stop the bot."""
_ALLOWANCE = bytes.fromhex("dd62ed3e")


async def executor_code(context: Context) -> Verdict:
    """The code is the committed artifact's, made for our WETH and, on mainnet, for Uniswap's own factory."""
    code, weth = await context.code(), weth_address(context.config)
    where = context.executor_address
    if not code:
        return failed(f"there is no code at {where}", "correct [executor] address, or deploy the executor")
    shown = f"0x{keccak256(code).hex()[:16]}…"
    if not is_executor(code, weth):
        text = f"the code at {where} ({shown}, {len(code)} bytes) is not this version's for WETH {weth}"
        return failed(text, "do not fund it; correct [executor] address, or use the jitctl that deployed it")
    factory = factory_of(code)
    if context.config.main.chain.chain_id == MAINNET_CHAIN_ID and factory != MAINNET_FACTORY:
        return failed(f"the executor trusts the factory {factory}", "do not fund it; deploy it again")
    return passed(f"{where} is this version's ({shown})")


async def executor_halted(context: Context) -> Verdict:
    if (await context.guards()).halted:
        remedy = "find out who halted it and why; then its owner calls unhalt()"
        return failed("the executor is halted: it refuses every mint", remedy)
    return passed("not halted")


async def operators(context: Context) -> Verdict:
    node, ours = await context.executor(), await context.operators()
    flags = await asyncio.gather(*(_word(context, node, calls.is_operator(each)) for each in ours))
    wrong = [
        failed(f"{each} is not an operator of the executor", f"its owner calls setOperator({each}, true)")
        for each, flag in zip(ours, flags, strict=True)
        if flag != 1
    ]
    return together(wrong, f"{len(ours)} allowed")


async def guardian(context: Context) -> Verdict:
    """A guardian is named, and neither it nor the owner is one of the hot keys."""
    node = await context.executor()
    owner, named = await asyncio.gather(
        *(_address(context, node, calls.SELECTORS[name]) for name in ("owner", "guardian"))
    )
    hot = frozenset(await context.operators())
    if owner in hot:
        remedy = "move the ownership to a cold key: transferOwnership, then acceptOwnership"
        return failed(f"the owner {owner} is an operator: a stolen operator key takes everything", remedy)
    if named == ZERO_ADDRESS:
        return warned("none: only the owner can halt", "the owner calls setGuardian with a key of its own")
    if named in hot:
        return warned(f"the guardian {named} is an operator", "the owner calls setGuardian with another key")
    return passed(str(named))


async def pool_rules(context: Context) -> Verdict:
    guards = await context.guards()
    verdicts = []
    for spec in context.specs:
        rules = guards.rules[spec.address]
        fix = "its owner calls setPool, or disable it in pools.toml"
        if not rules.may_open and spec.address in guards.twap_ticks:
            verdicts.append(failed(f"{spec.name} is not allowed by the executor", fix))
        elif not rules.may_open:
            text = f"{spec.name}: no TWAP: not set up, or the pool does not remember the window yet"
            verdicts.append(failed(text, fix + "; else raise the pool's observation cardinality"))
        elif not (rules.max_spot_ticks and rules.max_range_ticks and rules.max_notional_wei):
            verdicts.append(failed(f"{spec.name}: a limit of 0 refuses every mint", fix))
        elif rules.max_spot_ticks > WIDE_SPOT_TICKS:
            text = f"{spec.name}: allows {rules.max_spot_ticks} ticks from the TWAP"
            verdicts.append(warned(text, f"its owner calls setPool with at most {WIDE_SPOT_TICKS} ticks"))
    return together(verdicts, f"{len(context.specs)} pools allowed")


async def loss_budget(context: Context) -> Verdict:
    left_wei = (await context.guards()).loss_budget_left_wei
    whole_wei = await _word(context, await context.executor(), calls.SELECTORS["budget"])
    remedy = "look at what was lost; the budget slides over 24 h, or its owner calls setBudget"
    if not left_wei:
        return failed("nothing is left of the loss budget: the executor refuses every mint", remedy)
    left = f"{ether(left_wei)} left of {ether(whole_wei)}"
    return warned(left, remedy) if left_wei < whole_wei * LOW_BUDGET else passed(left)


async def allowances(context: Context) -> Verdict:
    """No router, and not Permit2, may spend the executor's tokens; its code gives no allowance to anyone."""
    node = await context.executor()
    routers = context.config.main.routers
    spenders = [Address(each) for each in (*routers.v3, *routers.swap_router02, *routers.universal)]

    async def one(symbol: str, token: Address, spender: Address) -> Verdict:
        calldata = _ALLOWANCE + _padded(context.executor_address) + _padded(spender)
        try:
            answer = await view(node.nodes, token, calldata, node.head.hash)
        except NodeError as error:
            if not is_revert(error):
                raise
            answer = b""
        if len(answer) != 32:
            return unknown(f"{symbol} does not answer allowance", "look at the token's contract")
        if any(answer):
            text = f"{spender} may spend the executor's {symbol}"
            return failed(text, "the executor's code cannot do that: take it out of use and look")
        return passed("")

    asked = [
        one(symbol, token.address, spender)
        for symbol, token in tokens(context.config).items()
        for spender in dict.fromkeys((*spenders, PERMIT2))
    ]
    return together(await asyncio.gather(*asked), f"none of {len(asked)} asked for")


async def _word(context: Context, node: Believed, calldata: bytes) -> int:
    answer = await view(node.nodes, context.executor_address, calldata, node.head.hash)
    if len(answer) != 32:
        raise NodeError(f"{context.executor_address} does not answer as an executor")
    return int.from_bytes(answer, "big")


async def _address(context: Context, node: Believed, calldata: bytes) -> Address:
    return Address(f"0x{await _word(context, node, calldata):040x}")


def _padded(who: Address) -> bytes:
    return bytes(12) + bytes.fromhex(who[2:])

"""gas-money and capital: what the operators and the executor hold."""

from __future__ import annotations

import asyncio

from jitctl.checks.preflight.amounts import amount, ether
from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, warned
from jitctl.domain.values import Token

ATTEMPT_GAS = 500_000
"""Both legs of one attempt, amply."""
ATTEMPTS_WANTED = 20


async def gas_money(context: Context) -> Verdict:
    """At the base fee of now each operator can pay for some attempts, and for closing what they opened."""
    node, ours = await context.node(), await context.operators()
    attempt_wei = ATTEMPT_GAS * max(node.head.base_fee_wei, 1)
    verdicts = []
    for who, wei in zip(ours, await asyncio.gather(*map(node.reader.eth_balance, ours)), strict=True):
        attempts = wei // attempt_wei
        text = f"{who} has {ether(wei)}, the gas of {attempts} attempts"
        remedy = f"send ether to {who}: an attempt costs {ether(attempt_wei)} at the base fee of now"
        if attempts < 1:
            verdicts.append(failed(text, remedy))
        elif attempts < ATTEMPTS_WANTED:
            verdicts.append(warned(text, remedy))
        else:
            verdicts.append(passed(ether(wei)))
    return together(verdicts, ", ".join(each.detail for each in verdicts))


async def capital(context: Context) -> Verdict:
    """The executor holds WETH and every token of the watched pools, as far as it should trade them."""
    node = await context.executor()
    traded: dict[str, Token] = {
        token.symbol: token for spec in context.specs for token in (spec.weth, spec.quote_token)
    }
    held = await asyncio.gather(
        *(
            node.reader.token_balance(token.address, context.executor_address, node.head.hash)
            for token in traded.values()
        )
    )
    amounts = list(zip(traded.values(), held, strict=True))
    missing = [token.symbol for token, units in amounts if not units]
    shown = ", ".join(amount(units, token) for token, units in amounts if units)
    if missing:
        text = f"no {', no '.join(missing)}" + (f"; {shown}" if shown else "")
        return warned(text, f"send what should be traded to the executor {context.executor_address}")
    return passed(shown)

"""What an attempt earned and what else moved our balances, to the wei, from the chain's own records.

The identity that these two satisfy together, per block and token:
    balance change of the executor = sum over attempts of (collected - minted - tip in WETH) + flows
    balance change of an operator  = flows - sum over its transactions of gas
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction

from jitctl.domain.attempt_state import AttemptEvent
from jitctl.domain.bundle import LegAmounts, MinedBundle
from jitctl.domain.chain import Block, Log, MinedTx
from jitctl.domain.records import ETH, AttemptRecord, AttemptResult, Flow, FlowKind
from jitctl.domain.values import Address, Hash32

SWAP_TOPIC = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
"""keccak256 of `Swap(address,address,int256,int256,uint160,uint128,int24)` of a v3 pool."""
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak256 of `Transfer(address,address,uint256)` of an ERC-20 token."""
NOTHING = LegAmounts(0, 0, 0, 0, 0, 0, 0)
_Q192 = 1 << 192
_SWAP_BYTES = 160


@dataclass(frozen=True, slots=True)
class PoolPrices:
    """A pool's sqrt price (Q64.96) just before our mint and just after the victim's swap."""

    before_x96: int
    after_x96: int


def classify(mined: MinedBundle) -> tuple[AttemptEvent, str]:
    """Return what happened to a bundle whose target block has been seen, and a word for it.

    Landed is both legs in one block and successful. Anything else of ours that was mined cost gas for
    nothing, or left a position open: `lone_mint`.
    """
    mint, burn = mined.mint, mined.burn
    if mint is None and burn is None:
        return AttemptEvent.SEEN_ABSENT, "victim_landed_without_us" if mined.victim else "victim_not_landed"
    minted = mint is not None and mint.success
    burned = burn is not None and burn.success
    if mint is not None and burn is not None and minted and burned:
        same_block = mint.block_hash == burn.block_hash
        return (AttemptEvent.SEEN_LANDED, "") if same_block else (AttemptEvent.SEEN_REVERTED, "burned_later")
    if minted:
        return AttemptEvent.SEEN_REVERTED, "lone_mint"
    return AttemptEvent.SEEN_REVERTED, "mint_reverted" if mint is not None else "lone_burn"


def leaves_position(mined: MinedBundle) -> bool:
    """Whether the mint landed and the burn did not."""
    return bool(mined.mint and mined.mint.success and not (mined.burn and mined.burn.success))


def weth_per_quote(sqrt_price_x96: int, weth_is_token0: bool) -> Fraction:
    """Return WETH wei per base unit of the pool's other token, at a sqrt price of token1 per token0."""
    squared = sqrt_price_x96 * sqrt_price_x96
    return Fraction(_Q192, squared) if weth_is_token0 else Fraction(squared, _Q192)


def value_wei(delta0: int, delta1: int, weth_is_token0: bool, price: Fraction) -> int:
    """Return token changes in WETH wei at `price` (WETH wei per base unit of the other token), floored."""
    weth, quote = (delta0, delta1) if weth_is_token0 else (delta1, delta0)
    return weth + quote * price.numerator // price.denominator


def net_wei(amounts: LegAmounts, gas_wei: int, weth_is_token0: bool, price: Fraction) -> int:
    """Return what an attempt's balances changed by at `price` (as `value_wei`), less gas and tip."""
    delta0 = amounts.collected0 - amounts.minted0
    delta1 = amounts.collected1 - amounts.minted1
    return value_wei(delta0, delta1, weth_is_token0, price) - gas_wei - amounts.tip_wei


def result_of(
    mined: MinedBundle, record: AttemptRecord, prices: PoolPrices, fallback: tuple[int, Hash32]
) -> AttemptResult:
    """Return the exact figures of an attempt; `fallback` is the block for one of which nothing is mined."""
    legs = [leg for leg in (mined.mint, mined.burn) if leg is not None]
    number, block_hash = (legs[0].block_number, legs[0].block_hash) if legs else fallback
    gas_wei = sum(leg.gas_cost_wei for leg in legs)
    return _valued(number, block_hash, mined.amounts, gas_wei, record, prices, None)


def with_close(
    result: AttemptResult, close: MinedBundle, record: AttemptRecord, prices: PoolPrices
) -> AttemptResult:
    """Return a lone mint's figures with what its later close brought back and cost."""
    leg = close.burn
    if leg is None:
        return result
    before, more = result.amounts, close.amounts
    amounts = LegAmounts(
        before.minted0,
        before.minted1,
        before.collected0 + more.collected0,
        before.collected1 + more.collected1,
        before.fees0 + more.fees0,
        before.fees1 + more.fees1,
        before.tip_wei + more.tip_wei,
    )
    gas_wei = result.gas_wei + leg.gas_cost_wei
    return _valued(result.block_number, result.block_hash, amounts, gas_wei, record, prices, leg.tx_hash)


def _valued(
    number: int,
    block_hash: Hash32,
    amounts: LegAmounts,
    gas_wei: int,
    record: AttemptRecord,
    prices: PoolPrices,
    close_tx: Hash32 | None,
) -> AttemptResult:
    def net(price: Fraction) -> int:
        return net_wei(amounts, gas_wei, record.weth_is_token0, price)

    return AttemptResult(
        block_number=number,
        block_hash=block_hash,
        amounts=amounts,
        gas_wei=gas_wei,
        net_pre_wei=net(weth_per_quote(prices.before_x96, record.weth_is_token0)),
        net_post_wei=net(weth_per_quote(prices.after_x96, record.weth_is_token0)),
        net_mark_wei=net(record.mark),
        close_tx=close_tx,
    )


def pool_prices(block: Block | None, pool: Address, mined: MinedBundle, parent_x96: int) -> PoolPrices:
    """Return the prices around the victim, from the block's Swap logs; the parent's where none tells."""
    before = after = parent_x96
    if block is None:
        return PoolPrices(before, after)
    mint_index = mined.mint.tx_index if mined.mint is not None else None
    victim_hash = mined.victim.tx_hash if mined.victim is not None else None
    for log in block.pool_logs:
        if log.address != pool or not log.topics or log.topics[0] != SWAP_TOPIC:
            continue
        price = int.from_bytes(log.data[64:96], "big")
        if len(log.data) != _SWAP_BYTES or not price:
            continue  # a node's nonsense: the parent's price is the better guess
        if mint_index is not None and log.tx_index < mint_index:
            before = after = price
        if log.tx_hash == victim_hash:
            after = price
    return PoolPrices(before, after)


def external_flows(
    block: Block,
    *,
    executor: Address,
    owner: Address | None,
    operators: Collection[Address],
    pools: Collection[Address],
    is_an_attempts: Callable[[Hash32], bool],
) -> tuple[Flow, ...]:
    """Return every change of our balances in a block that no attempt explains, named.

    Tokens: Transfer logs to and from the executor outside our attempts' own transactions (a gift inside
    the victim's transaction counts). Ether: what reaches an operator by a plain transfer; for the rest,
    which no transaction shows, see `engine.ether`.
    """
    senders = {tx.hash: tx.sender for tx in block.txs}
    flows = [
        flow
        for log in block.executor_logs
        if not is_an_attempts(log.tx_hash)
        for flow in _token_flows(log, block, executor, owner, senders.get(log.tx_hash), pools)
    ]
    flows += [_ether_flow(tx, block, owner) for tx in block.txs if plain_ether_wei(tx, operators)]
    return tuple(flows)


def plain_ether_wei(tx: MinedTx, operators: Collection[Address]) -> int:
    """Return the ether that a transaction itself, not a call within it, brings to an operator."""
    return tx.value_wei if tx.to in operators and tx.sender not in operators else 0


def _token_flows(
    log: Log,
    block: Block,
    executor: Address,
    owner: Address | None,
    tx_sender: Address | None,
    pools: Collection[Address],
) -> list[Flow]:
    if len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) < 32:
        return []
    source, target = (Address("0x" + topic[-40:]) for topic in log.topics[1:])
    amount = int.from_bytes(log.data[:32], "big")
    by_owner = owner is not None and tx_sender == owner
    if source == target or amount == 0:
        return []
    if target == executor:
        given = FlowKind.DEPOSIT if by_owner else FlowKind.DONATION
        kind = FlowKind.TRANSFER if source in pools else given
        return [_flow(block, log.tx_hash, log.log_index, executor, log.address, amount, kind, source)]
    if source == executor:
        kind = FlowKind.WITHDRAWAL if by_owner else FlowKind.TRANSFER
        return [_flow(block, log.tx_hash, log.log_index, executor, log.address, -amount, kind, target)]
    return []


def _ether_flow(tx: MinedTx, block: Block, owner: Address | None) -> Flow:
    kind = FlowKind.DEPOSIT if owner is not None and tx.sender == owner else FlowKind.DONATION
    assert tx.to is not None
    return _flow(block, tx.hash, -1, tx.to, ETH, tx.value_wei, kind, tx.sender)


def _flow(
    block: Block,
    tx_hash: Hash32,
    log_index: int,
    account: Address,
    token: Address,
    amount: int,
    kind: FlowKind,
    counterparty: Address,
) -> Flow:
    return Flow(
        block.head.number, block.head.hash, tx_hash, log_index, account, token, amount, kind, counterparty
    )

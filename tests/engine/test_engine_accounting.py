"""Attempts and named flows explain every change of a balance, to the wei."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

from engine_world import (
    BASE_FEE,
    DAI,
    EXECUTOR,
    OPERATOR,
    OPERATOR_2,
    OWNER,
    POOL,
    POOL_2,
    SPEC,
    SPEC_2,
    USDC,
    USER,
    WETH,
    FakeChain,
    a_hash,
    a_pool,
    account,
    swap_log,
    transfer_log,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from jitctl.domain.bundle import LegAmounts, MinedBundle, MinedLeg
from jitctl.domain.chain import Log, MinedTx
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import ETH, AttemptRecord, FlowKind, Mode
from jitctl.engine.accounting import (
    PoolPrices,
    external_flows,
    pool_prices,
    result_of,
    value_wei,
    weth_per_quote,
    with_close,
)

amounts = st.integers(0, 10**24)
WALLETS = {OPERATOR, OPERATOR_2}


def a_record(pool: str, *, weth_is_token0: bool = True) -> AttemptRecord:
    plan = JitPlan(
        **{name: 0 for name in JitPlan.__dataclass_fields__ if name not in ("victim_hash", "pool", "notes")}
        | {"victim_hash": a_hash(1), "pool": pool, "notes": {}},
    )
    price = a_pool().sqrt_price_x96
    return AttemptRecord("a", Mode.TEST, plan, OPERATOR, 0, Fraction(3, 7), weth_is_token0, price, 0.0)


def a_leg(number: int, gas: int = 100_000) -> MinedLeg:
    return MinedLeg(a_hash(number), 101, a_hash(101), number, True, gas, gas * BASE_FEE)


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[tuple[LegAmounts, str]], list[tuple[str, str, str, int, bool]]]:
    """Up to two JITs in one block, and any transfers by anybody in between."""
    attempts = [
        (LegAmounts(*(draw(amounts) for _ in range(7))), pool)
        for pool in (POOL, POOL_2)[: draw(st.integers(0, 2))]
    ]
    parties = st.sampled_from([EXECUTOR, OWNER, USER, POOL, POOL_2, account(5)])
    transfers = draw(
        st.lists(
            st.tuples(st.sampled_from([WETH, USDC, DAI]), parties, parties, amounts, st.booleans()),
            max_size=6,
        )
    )
    return attempts, transfers


@settings(max_examples=200, deadline=None)
@given(blocks(), st.integers(0, 10**20))
def test_attempts_and_flows_are_the_balance_change(
    made: tuple[list[tuple[LegAmounts, str]], list[tuple[str, str, str, int, bool]]], topped_up_wei: int
) -> None:
    attempts, transfers = made
    before_after: Counter[tuple[str, str]] = Counter()
    explained: Counter[tuple[str, str]] = Counter()
    txs: list[MinedTx] = []
    logs: list[Log] = []
    own: set[str] = set()

    def move(token: str, source: str, target: str, amount: int, tx_hash: str) -> None:
        before_after[source, token] -= amount
        before_after[target, token] += amount
        if EXECUTOR in (source, target):
            logs.append(transfer_log(token, source, target, amount, tx_hash))

    for number, (moved, pool) in enumerate(attempts):
        quote = USDC if pool == POOL else DAI
        mint, burn = a_hash(2 * number + 10), a_hash(2 * number + 11)
        own |= {mint, burn}
        txs += [MinedTx(mint, OPERATOR, EXECUTOR, 0, 0), MinedTx(burn, OPERATOR, EXECUTOR, 1, 0)]
        move(WETH, EXECUTOR, pool, moved.minted0, mint)
        move(quote, EXECUTOR, pool, moved.minted1, mint)
        move(WETH, pool, EXECUTOR, moved.collected0, burn)
        move(quote, pool, EXECUTOR, moved.collected1, burn)
        # The tip is unwrapped: WETH goes, and no Transfer says so.
        before_after[EXECUTOR, WETH] -= moved.tip_wei
        spec = SPEC if pool == POOL else SPEC_2
        explained[EXECUTOR, WETH] += moved.collected0 - moved.minted0 - moved.tip_wei
        explained[EXECUTOR, spec.quote_token.address] += moved.collected1 - moved.minted1
    for number, (token, source, target, amount, by_owner) in enumerate(transfers):
        tx_hash = a_hash(100 + number)
        txs.append(MinedTx(tx_hash, OWNER if by_owner else USER, token, number, 0))
        move(token, source, target, amount, tx_hash)
    txs.append(MinedTx(a_hash(200), OWNER, OPERATOR_2, 0, topped_up_wei))
    before_after[OPERATOR_2, ETH] += topped_up_wei

    block = FakeChain((OPERATOR,)).add_block(txs, (), logs)
    flows = external_flows(
        block, executor=EXECUTOR, owner=OWNER, operators=WALLETS, pools=(POOL, POOL_2),
        is_an_attempts=lambda tx_hash: tx_hash in own,
    )  # fmt: skip
    for flow in flows:
        explained[flow.account, flow.token] += flow.amount
    ours = {(account, token) for account, token in before_after if account in {EXECUTOR, *WALLETS}}
    for key in ours:
        assert explained[key] == before_after[key]
    assert not [key for key in explained if key not in ours and explained[key]]


def test_flows_are_named_by_who_sent_them() -> None:
    chain = FakeChain((OPERATOR,))
    senders = {1: OWNER, 2: USER, 3: OWNER, 4: USER, 5: USER}
    txs = [MinedTx(a_hash(number), sender, WETH, 0, 0) for number, sender in senders.items()]
    logs = [
        transfer_log(WETH, OWNER, EXECUTOR, 1, a_hash(1)),
        transfer_log(WETH, USER, EXECUTOR, 2, a_hash(2)),
        transfer_log(WETH, EXECUTOR, USER, 3, a_hash(3)),
        transfer_log(WETH, EXECUTOR, USER, 4, a_hash(4)),
        transfer_log(WETH, POOL, EXECUTOR, 5, a_hash(5)),
        transfer_log(WETH, EXECUTOR, EXECUTOR, 6, a_hash(5)),
        transfer_log(WETH, USER, EXECUTOR, 0, a_hash(5)),
    ]
    block = chain.add_block(txs, (), logs)
    flows = external_flows(
        block, executor=EXECUTOR, owner=OWNER, operators=WALLETS, pools=(POOL,),
        is_an_attempts=lambda _: False,
    )  # fmt: skip
    assert [(flow.kind, flow.amount) for flow in flows] == [
        (FlowKind.DEPOSIT, 1),
        (FlowKind.DONATION, 2),
        (FlowKind.WITHDRAWAL, -3),
        (FlowKind.TRANSFER, -4),
        (FlowKind.TRANSFER, 5),
    ]
    unknown = external_flows(
        block, executor=EXECUTOR, owner=None, operators=WALLETS, pools=(), is_an_attempts=lambda _: False
    )  # fmt: skip
    assert {flow.kind for flow in unknown} == {FlowKind.DONATION, FlowKind.TRANSFER}


def test_three_marks_value_the_same_changes() -> None:
    moved = LegAmounts(10**18, 5 * 10**9, 3 * 10**18, 10**9, 0, 0, 10**15)
    mined = MinedBundle(a_leg(1), a_leg(2), a_leg(3), moved)
    prices = PoolPrices(a_pool().sqrt_price_x96, a_pool().sqrt_price_x96 * 99 // 100)
    record = a_record(POOL)
    result = result_of(mined, record, prices, (0, a_hash(0)))
    cost = 2 * 100_000 * BASE_FEE + 10**15
    for net, price in (
        (result.net_pre_wei, weth_per_quote(prices.before_x96, True)),
        (result.net_post_wei, weth_per_quote(prices.after_x96, True)),
        (result.net_mark_wei, record.mark),
    ):
        assert net == value_wei(2 * 10**18, -4 * 10**9, True, price) - cost
    # The same pool the other way round: the same value.
    mirrored = LegAmounts(5 * 10**9, 10**18, 10**9, 3 * 10**18, 0, 0, 10**15)
    flipped = PoolPrices((1 << 192) // prices.before_x96, (1 << 192) // prices.after_x96)
    other = result_of(
        MinedBundle(a_leg(1), a_leg(2), a_leg(3), mirrored), a_record(POOL, weth_is_token0=False), flipped,
        (0, a_hash(0)),
    )  # fmt: skip
    assert abs(other.net_pre_wei - result.net_pre_wei) < 10**4
    assert other.net_mark_wei == result.net_mark_wei


def test_prices_are_those_around_the_victim() -> None:
    chain = FakeChain((OPERATOR,))
    logs = [
        swap_log(POOL, a_hash(50), 0, 111),
        swap_log(POOL_2, a_hash(50), 0, 999),
        swap_log(POOL, a_hash(51), 2, 222),
        swap_log(POOL, a_hash(52), 5, 333),
    ]
    block = chain.add_block([], logs)
    mined = MinedBundle(
        a_leg(1), MinedLeg(a_hash(51), 101, a_hash(101), 2, True, 1, 1), a_leg(3), LegAmounts(*[0] * 7)
    )
    assert pool_prices(block, POOL, mined, 7) == PoolPrices(111, 222)
    assert pool_prices(None, POOL, mined, 7) == PoolPrices(7, 7)
    for data in (b"", b"\x12", bytes(160), bytes(159)):
        nonsense = [replace(log, data=data) for log in logs]
        assert pool_prices(chain.add_block([], nonsense), POOL, mined, 7) == PoolPrices(7, 7)
    lone = MinedBundle(MinedLeg(a_hash(1), 101, a_hash(101), 0, True, 1, 1), None, None, mined.amounts)
    assert pool_prices(block, POOL, lone, 7) == PoolPrices(7, 7)


def test_a_close_adds_to_what_the_mint_took() -> None:
    record, prices = a_record(POOL), PoolPrices(a_pool().sqrt_price_x96, a_pool().sqrt_price_x96)
    lone = MinedBundle(a_leg(1), None, None, LegAmounts(100, 200, 0, 0, 0, 0, 0))
    before = result_of(lone, record, prices, (0, a_hash(0)))
    close = MinedBundle(None, None, a_leg(9, 50_000), LegAmounts(0, 0, 99, 201, 0, 1, 0))
    after = with_close(before, close, record, prices)
    assert after.amounts == LegAmounts(100, 200, 99, 201, 0, 1, 0)
    assert after.gas_wei == 150_000 * BASE_FEE
    assert after.close_tx == a_hash(9)
    assert with_close(before, lone, record, prices) == before

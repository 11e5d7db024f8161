"""Point reads against the devnet, pinned where they say so, and replies that are none."""

from __future__ import annotations

import pytest

from jitctl.chain.guards import ExecutorGuards
from jitctl.chain.reader import ChainReader
from jitctl.contracts import calls
from jitctl.devnet.executor_setup import (
    BUDGET_WEI,
    MAX_NOTIONAL_WEI,
    MAX_RANGE_TICKS,
    MAX_SPOT_TICKS,
    MAX_TIP_BPS,
)
from jitctl.domain.guards import PoolRules
from jitctl.errors import NodeError
from jitctl.execution.closer import PublicCloser
from tests.chain.devnet_rig import DevnetRig

POOL = "WETH/USDC-0.05%"


async def minted_alone(rig: DevnetRig) -> None:
    """A position of the executor, left open."""
    spec, operator = rig.spec(POOL), rig.net.people.operators[0]
    head = await rig.reader.head()
    await rig.book.load([spec], head)
    pool = rig.book.pools()[spec.address]
    lower = pool.tick // 10 * 10
    data = calls.mint(
        spec.address,
        lower,
        lower + 10,
        pool.liquidity // 10,
        2**100,
        2**100,
        head.number + 1,
        head.hash,
        0,
        2**160 - 1,
    )
    await rig.send(
        {
            "to": rig._checksum(rig.executor), "data": "0x" + data.hex(), "gas": 1_500_000, "value": 0,
            "nonce": await rig.reader.nonce(operator.address), "chainId": rig.nodes.chain_id, "type": 2,
            "maxFeePerGas": 2 * head.base_fee_wei, "maxPriorityFeePerGas": 1,
        },
        operator.private_key,
    )  # fmt: skip
    await rig.net.slot()


async def test_reads_are_pinned_to_their_block(rig: DevnetRig):
    reader, spec = rig.reader, rig.spec(POOL)
    user = rig.net.people.users[0].address
    before = await reader.head()
    assert await reader.chain_id() == rig.net.manifest.chain_id
    weth, nonce = await reader.token_balance(spec.weth.address, user), await reader.nonce(user)
    eth = await reader.eth_balance(user)
    await rig.swap(spec, 10**18)
    assert await reader.nonce(user) == nonce
    await rig.net.slot()
    after = await reader.head()
    assert await reader.header(before.number) == before and after.parent_hash == before.hash
    assert await reader.token_balance(spec.weth.address, user) == weth - 10**18
    assert await reader.token_balance(spec.weth.address, user, before.hash) == weth
    assert (await reader.nonce(user), await reader.nonce(user, before.hash)) == (nonce + 1, nonce)
    assert await reader.eth_balance(user) < eth == await reader.eth_balance(user, before.hash)


async def test_finality_follows_the_head(rig: DevnetRig):
    for _ in range(9):
        await rig.net.slot()
    head = await rig.reader.head()
    assert await rig.reader.finalized_number() == head.number - 8


async def test_what_is_not_there_is_said(rig: DevnetRig):
    with pytest.raises(NodeError, match="no block"):
        await rig.reader.header(10**6)
    with pytest.raises(NodeError):
        await rig.reader.nonce(rig.executor, "0x" + "77" * 32)
    mined = await rig.reader.mined("0x" + "01" * 32, "0x" + "02" * 32, "0x" + "03" * 32)
    assert (mined.mint, mined.victim, mined.burn) == (None, None, None) and mined.amounts.minted0 == 0
    with pytest.raises(NodeError, match="openPosition"):
        await rig.reader.open_positions(
            "0x" + "77" * 20, [rig.spec(POOL).address], (await rig.reader.head()).hash
        )


async def test_an_open_position_is_counted_and_closed_in_public(rig: DevnetRig):
    pools = [spec.address for spec in rig.specs]
    before = await rig.reader.head()
    guards = ExecutorGuards(rig.nodes, executor=rig.executor)
    assert (await guards.read(pools, before)).loss_budget_left_wei == BUDGET_WEI
    await minted_alone(rig)
    head = await rig.reader.head()
    assert await rig.reader.open_positions(rig.executor, pools, head.hash) == 1
    assert await rig.reader.open_positions(rig.executor, pools, before.hash) == 0
    assert await rig.reader.reserved_wei(rig.executor, head.hash) > 0
    assert await rig.reader.reserved_wei(rig.executor, before.hash) == 0
    assert (await guards.read(pools, head)).loss_budget_left_wei < BUDGET_WEI

    closer = PublicCloser(
        rig.nodes, rig.reader, rig.wallet(), chain_id=rig.nodes.chain_id, executor=rig.executor
    )
    operator = rig.net.people.operators[1].address
    nonce = await rig.reader.nonce(operator)
    signed = closer.sign(rig.spec(POOL).address, operator, nonce, head)
    tx_hash = signed.tx_hash
    await closer.send(signed)
    await closer.send(signed)
    assert await closer.closed(tx_hash) is None
    await rig.net.slot()
    closed = await closer.closed(tx_hash)
    assert closed is not None and closed.burn is not None and closed.burn.success
    assert (closed.mint, closed.victim, closed.amounts.tip_wei, closed.amounts.minted0) == (None, None, 0, 0)
    assert closed.amounts.collected0 > 0 or closed.amounts.collected1 > 0
    assert await rig.reader.open_positions(rig.executor, pools, closed.burn.block_hash) == 0


async def test_guards_tell_each_pools_twap(rig: DevnetRig):
    pools = [spec.address for spec in rig.specs]
    head = await rig.reader.head()
    reading = await ExecutorGuards(rig.nodes, executor=rig.executor).read(
        [*pools, rig.net.uniswap.factory], head
    )
    await rig.book.load(rig.specs, head)
    assert reading.twap_ticks == {pool: rig.book.pools()[pool].tick for pool in pools}
    rules = PoolRules(True, MAX_SPOT_TICKS, MAX_RANGE_TICKS, MAX_NOTIONAL_WEI, MAX_TIP_BPS)
    none = PoolRules(False, 0, 0, 0, 0)
    assert reading.rules == {**dict.fromkeys(pools, rules), rig.net.uniswap.factory: none}
    assert not reading.halted


class Saying:
    def __init__(self, answer) -> None:
        self.answer = answer

    async def call(self, method, params=(), *, timeout_s=None, only=None):
        return self.answer


@pytest.mark.parametrize(
    "answer", [None, 5, "", "5", "0x", "0xzz", "0x" + "1" * 70, [], {}, {"hash": 1}, True], ids=str
)
async def test_replies_of_the_wrong_shape_are_node_errors(answer):
    executor = "0x" + "ee" * 20
    reader = ChainReader(Saying(answer), executor=executor)
    block = "0x" + "11" * 32
    reads = [
        reader.head(), reader.chain_id(), reader.nonce(executor), reader.eth_balance(executor, block),
        reader.token_balance(executor, executor, block), reader.open_positions(executor, [executor], block),
        ExecutorGuards(Saying(answer), executor=executor)._budget_left_wei(block),
        reader.reserved_wei(executor, block),
    ]  # fmt: skip
    if answer is not None:
        reads += [reader.mined(block, block, block), reader.leg(block)]
    for read in reads:
        with pytest.raises(NodeError):
            await read

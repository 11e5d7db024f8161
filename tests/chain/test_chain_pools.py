"""The pool book on the real contracts: after every block and every reorg it equals a fresh read."""

from __future__ import annotations

import dataclasses
import random

import pytest

from jitctl.chain.blocks import BlockFeed
from jitctl.chain.pool_state import BURN, INITIALIZE, MINT, SWAP, follow, load_pool
from jitctl.chain.pools import ChainPoolBook
from jitctl.contracts import calls
from jitctl.devnet.calldata import Interface
from jitctl.devnet.reorg import ReorgMode
from jitctl.devnet.toolchain import artifact
from jitctl.domain.chain import ChainMoved
from jitctl.errors import NodeError
from tests.chain.devnet_rig import DevnetRig


class Follower:
    """A block feed and a book, advanced by hand."""

    def __init__(self, rig: DevnetRig, depth: int = 16, settle_depth: int = 64) -> None:
        self.rig = rig
        self.feed = BlockFeed(
            rig.nodes,
            executor=rig.executor,
            pools=[spec.address for spec in rig.specs],
            max_reorg_depth=depth,
            settle_depth=settle_depth,
        )
        self.book = ChainPoolBook(rig.nodes, max_reorg_depth=depth)

    async def start(self) -> None:
        moved = await self.feed.advance()
        assert moved is not None and moved.resynced
        await self.book.load(self.rig.specs, moved.head)
        await self.book.apply(moved)

    async def advance(self) -> ChainMoved:
        moved = await self.feed.advance()
        assert moved is not None
        await self.book.apply(moved)
        return moved

    async def agrees(self) -> None:
        head = self.book.head()
        assert head == await self.rig.reader.head()
        for spec in self.rig.specs:
            fresh = await load_pool(self.rig.nodes, spec, head.hash)
            assert self.book.pools()[spec.address] == fresh, spec.name


async def traded(rig: DevnetRig, rng: random.Random, count: int) -> None:
    for _ in range(count):
        spec = rng.choice([spec for spec in rig.specs if spec.quote_token.symbol in ("USDC", "USDT", "DAI")])
        weth_in = rng.random() < 0.5
        usd = rng.choice([500, 20_000, 300_000])
        amount = usd * 10**18 // 2_500 if weth_in else usd * 10**spec.quote_token.decimals
        await rig.swap(spec, amount, weth_in=weth_in, user=rng.randrange(8), gas=1_500_000)


async def positions_moved(
    rig: DevnetRig, rng: random.Random, mined: bool, offsets: tuple[int, int] = (-3, 3)
) -> None:
    """Open or close the executor's position in a pool, so that Mint and Burn logs are followed too."""
    operator = rig.net.people.operators[0]
    spec = rig.spec("WETH/USDC-0.05%")
    head = await rig.reader.head()
    pool = await load_pool(rig.nodes, spec, head.hash)
    if mined:
        data = calls.close(spec.address)
    else:
        lower = pool.tick // 10 * 10 + 10 * rng.randint(*offsets)
        data = calls.mint(
            spec.address, lower, lower + 10 * rng.randint(1, 4), pool.liquidity // 10, 2**100, 2**100,
            head.number + 1, head.hash, 0, 2**160 - 1,
        )  # fmt: skip
    await rig.send(
        {
            "to": rig._checksum(rig.executor), "data": "0x" + data.hex(), "gas": 1_500_000, "value": 0,
            "nonce": await rig.reader.nonce(operator.address), "chainId": rig.nodes.chain_id, "type": 2,
            "maxFeePerGas": 2 * head.base_fee_wei + 10**10, "maxPriorityFeePerGas": 10**10,
        },
        operator.private_key,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_it_equals_a_fresh_read_after_every_block(rig: DevnetRig, seed):
    rng = random.Random(seed)
    follower = Follower(rig)
    await follower.start()
    topics = set()
    for number in range(8):
        await traded(rig, rng, 4)
        await positions_moved(rig, rng, mined=bool(number % 2))
        await rig.net.slot()
        moved = await follower.advance()
        topics |= {log.topics[0] for log in moved.added[0].pool_logs}
        await follower.agrees()
    assert follower.book.counters["loads"] == len(rig.specs)
    assert follower.book.counters["inconsistent"] == 0
    assert topics >= {SWAP, MINT, BURN}
    assert await follower.book.check() == ()


@pytest.mark.parametrize("mode", [ReorgMode.EMPTY, ReorgMode.LOSE])
async def test_reorgs_are_rolled_back_without_reading(rig: DevnetRig, mode):
    rng = random.Random(3)
    follower = Follower(rig)
    await follower.start()
    for depth in (1, 3, 2):
        for _ in range(3):
            await traded(rig, rng, 3)
            await rig.net.slot()
            await follower.advance()
        before = await _heads(rig, depth)
        await rig.net.reorg(depth, mode=mode, blocks=depth + 1)
        moved = await follower.advance()
        assert [head.hash for head in moved.removed] == before
        assert len(moved.added) == depth + 1 and not moved.resynced
        await follower.agrees()
    assert follower.book.counters["loads"] == len(rig.specs)
    assert follower.book.counters["rollbacks"] == 3


async def _heads(rig: DevnetRig, depth: int) -> list[str]:
    head = await rig.reader.head()
    return [(await rig.reader.header(head.number - back)).hash for back in range(depth)]


async def test_a_gap_is_walked(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    for _ in range(5):
        await traded(rig, random.Random(4), 2)
        await rig.net.slot()
    moved = await follower.advance()
    assert len(moved.added) == 5 and not moved.resynced
    await follower.agrees()


async def test_a_gap_too_deep_to_walk_is_resynced_and_everything_loaded_again(rig: DevnetRig):
    follower = Follower(rig, depth=3)
    await follower.start()
    await traded(rig, random.Random(4), 2)
    for _ in range(6):
        await rig.net.slot()
    moved = await follower.advance()
    assert moved.resynced and not moved.too_deep and moved.removed == () and len(moved.added) == 1
    await follower.agrees()
    assert follower.book.counters["loads"] == 2 * len(rig.specs)


async def test_a_reorg_deeper_than_allowed_is_said(rig: DevnetRig):
    follower = Follower(rig, depth=3)
    await follower.start()
    for _ in range(6):
        await traded(rig, random.Random(4), 1)
        await rig.net.slot()
        await follower.advance()
    before = await _heads(rig, 4)
    await rig.net.reorg(6, mode=ReorgMode.EMPTY, blocks=7)
    moved = await follower.advance()
    assert moved.resynced and moved.too_deep
    assert [head.hash for head in moved.removed] == before
    await follower.agrees()


@pytest.mark.parametrize(("reorg_depth", "too_deep"), [(1, False), (7, False), (10, True)])
async def test_a_reorg_below_the_first_block_that_was_followed(
    rig: DevnetRig, reorg_depth: int, too_deep: bool
):
    for _ in range(10):
        await traded(rig, random.Random(4), 1)
        await rig.net.slot()
    follower = Follower(rig, settle_depth=8)
    await follower.start()
    (first,) = await _heads(rig, 1)
    await rig.net.reorg(reorg_depth, mode=ReorgMode.EMPTY)
    moved = await follower.advance()
    assert moved.resynced and moved.too_deep is too_deep
    assert [head.hash for head in moved.removed] == [first]
    await follower.agrees()


async def test_a_reorg_and_a_gap_at_once_say_what_was_removed(rig: DevnetRig):
    follower = Follower(rig, depth=3)
    await follower.start()
    for _ in range(3):
        await traded(rig, random.Random(4), 1)
        await rig.net.slot()
        await follower.advance()
    before = await _heads(rig, 2)
    await rig.net.reorg(2, mode=ReorgMode.EMPTY, blocks=6)
    moved = await follower.advance()
    assert moved.resynced and not moved.too_deep
    assert [head.hash for head in moved.removed] == before
    await follower.agrees()


async def test_a_wrong_snapshot_is_found_and_replaced(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    book, spec = follower.book, rig.specs[0]
    right = book.pools()[spec.address]
    wrong = right.with_mint(right.tick // 10 * 10 - 10, right.tick // 10 * 10 + 20, 10**15)
    book._set(book.head(), {**book.pools(), spec.address: wrong})
    assert await book.check() == (spec.address,)
    assert book.counters["mismatch"] == 1
    await follower.agrees()


async def test_a_wrong_tick_far_away_is_found_when_its_turn_comes(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    book, spec = follower.book, rig.specs[0]
    right = book.pools()[spec.address]
    wrong = right.with_mint(right.tick // 10 * 10 + 5_000, right.tick // 10 * 10 + 6_000, 10**15)
    book._set(book.head(), {**book.pools(), spec.address: wrong})
    found = [await book.check() for _ in rig.specs]
    assert found.count((spec.address,)) == 1
    await follower.agrees()


async def test_a_lost_log_takes_the_pool_out_and_it_is_loaded_again(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    await positions_moved(rig, random.Random(1), mined=False, offsets=(0, 0))
    await rig.net.slot()
    moved = await follower.feed.advance()
    assert moved is not None
    (block,) = moved.added
    kept = tuple(log for log in block.pool_logs if log.topics[0] != MINT)
    await follower.book.apply(dataclasses.replace(moved, added=(dataclasses.replace(block, pool_logs=kept),)))
    spec = rig.spec("WETH/USDC-0.05%")
    await rig.swap(spec, 10**18)
    await rig.net.slot()
    await follower.advance()
    assert follower.book.counters["inconsistent"] == 1
    await follower.agrees()


async def test_pools_can_be_added_and_dropped_while_following(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    some = rig.specs[:3]
    await follower.book.load(some, follower.book.head())
    assert set(follower.book.pools()) == {spec.address for spec in some}
    assert follower.book.counters["loads"] == len(rig.specs)
    await follower.book.load(rig.specs, follower.book.head())
    await follower.agrees()


async def test_what_is_no_pool_is_left_out(rig: DevnetRig):
    head = await rig.reader.head()
    nobody = dataclasses.replace(rig.specs[0], address="0x" + "77" * 20)
    other_fee = dataclasses.replace(rig.specs[1], fee_pips=100)
    book = ChainPoolBook(rig.nodes)
    await book.load([nobody, other_fee, rig.specs[2]], head)
    assert set(book.pools()) == {rig.specs[2].address}
    assert book.counters["not_usable"] == 2


async def test_a_pool_becomes_usable_when_it_is_initialised(rig: DevnetRig):
    link, world = rig.net.chain.link, rig.net.uniswap
    factory = Interface(artifact("v3-core", "UniswapV3Factory")["abi"])
    pool_abi = Interface(artifact("v3-core", "UniswapV3Pool")["abi"])
    base = rig.spec("WETH/DAI-0.3%")
    deployer = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"

    async def sent(to: str, data: str) -> None:
        await link.request("anvil_impersonateAccount", deployer)
        await link.request("anvil_setBalance", deployer, hex(10**20))
        await link.request(
            "eth_sendTransaction", {"from": deployer, "to": to, "data": data, "gas": hex(8_000_000)}
        )
        await link.request("evm_mine")

    await sent(world.factory, factory.call("createPool", base.token0.address, base.token1.address, 500))
    found = await rig.net.read(
        world.factory, artifact("v3-core", "UniswapV3Factory")["abi"], "getPool", base.token0.address,
        base.token1.address, 500,
    )  # fmt: skip
    spec = dataclasses.replace(base, address=found[0].lower(), fee_pips=500, tick_spacing=10)
    feed = BlockFeed(rig.nodes, executor=rig.executor, pools=[spec.address])
    book = ChainPoolBook(rig.nodes)
    moved = await feed.advance()
    assert moved is not None
    await book.load([spec], moved.head)
    assert book.pools() == {}
    await sent(spec.address, pool_abi.call("initialize", 2**96))
    moved = await feed.advance()
    assert moved is not None and moved.added[0].pool_logs[0].topics[0] == INITIALIZE
    await book.apply(moved)
    assert book.pools()[spec.address].sqrt_price_x96 == 2**96


async def test_while_the_node_is_away_pools_are_absent_and_then_back(rig: DevnetRig):
    follower = Follower(rig, depth=2)
    await follower.start()
    for _ in range(5):
        await rig.net.slot()
    moved = await follower.feed.advance()
    assert moved is not None and moved.resynced

    real = follower.book._node

    class Away:
        async def call(self, method, params=(), *, timeout_s=None):
            raise NodeError("away")

    follower.book._node = Away()
    await follower.book.apply(moved)
    assert follower.book.pools() == {} and follower.book.head() == moved.head
    follower.book._node = real
    await rig.net.slot()
    await follower.advance()
    await follower.agrees()


def test_before_the_first_load_there_is_no_head():
    with pytest.raises(NodeError):
        ChainPoolBook(None).head()


async def test_malformed_logs_do_not_raise_out_of_the_book(rig: DevnetRig):
    follower = Follower(rig)
    await follower.start()
    spec = rig.spec("WETH/USDC-0.05%")
    await rig.swap(spec, 10**18)
    await rig.net.slot()
    moved = await follower.feed.advance()
    assert moved is not None
    (block,) = moved.added
    pool = follower.book.pools()[spec.address]
    for log in block.pool_logs:
        for cut in (0, 31, 159, 161):
            with pytest.raises(ValueError, match="bytes"):
                follow(pool, dataclasses.replace(log, data=bytes(cut)))
    bad = tuple(dataclasses.replace(log, data=b"") for log in block.pool_logs)
    await follower.book.apply(dataclasses.replace(moved, added=(dataclasses.replace(block, pool_logs=bad),)))
    assert follower.book.counters["inconsistent"] == 1
    await follower.agrees()


async def test_a_pool_that_is_dropped_is_in_the_logs_as_long_as_a_reorg_may_matter(rig: DevnetRig):
    """What was begun in it is mined after that, and valued at the prices around it."""
    spec = rig.spec("WETH/USDC-0.05%")
    feed = BlockFeed(rig.nodes, executor=rig.executor, pools=[spec.address], max_reorg_depth=2)
    await feed.advance()
    feed.watch_pools([rig.spec("WETH/DAI-0.3%").address])
    logs = []
    for _ in range(4):
        await rig.swap(spec, 10**18)
        await rig.net.slot()
        moved = await feed.advance()
        assert moved is not None
        logs.append({log.address for log in moved.added[0].pool_logs})
    assert logs == [{spec.address}, {spec.address}, {spec.address}, set()]


async def test_a_new_pool_must_be_what_it_is_said_to_be_or_nothing_changes(rig: DevnetRig):
    head, told = await rig.reader.head(), []
    some, other = rig.specs[:2], rig.spec("WETH/DAI-0.3%")
    book = ChainPoolBook(rig.nodes, on_load=told.append)
    nobody = dataclasses.replace(some[1], address="0x" + "77" * 20)
    await book.load([*some, nobody], head)
    before = book.pools()
    six = dataclasses.replace(other.quote_token, decimals=6)
    where = "token1" if other.weth_is_token0 else "token0"
    wrong = {
        "there is no pool": dataclasses.replace(other, address="0x" + "78" * 20),
        "DAI has 18 decimals, not 6": dataclasses.replace(other, **{where: six}),
        "not the pool's token": dataclasses.replace(other, token0=other.token1, token1=other.token0),
        "fee 3000": dataclasses.replace(other, fee_pips=500),
    }
    for text, spec in wrong.items():
        with pytest.raises(NodeError, match=text):
            await book.load([some[0], spec], head, proven=True)
        assert book.pools() is before
        assert list(told[-1]) == [*some, nobody]
    # One that was let in before, and is no better now, does not stand in the way of others.
    await book.load([some[0], nobody, other], head, proven=True)
    assert set(book.pools()) == {some[0].address, other.address}

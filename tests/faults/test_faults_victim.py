"""Victims that revert, are replaced or are mined with somebody else, and a token that takes a fee."""

from __future__ import annotations

import time

import pytest
import pytest_asyncio
from rig import SLOT_SECONDS

from jitctl.devnet.calldata import Interface
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.user_wallet import Fees, Order, sign_order
from jitctl.domain.records import Outcome
from tests.devnet.door_people import Searcher

pytestmark = pytest.mark.asyncio(loop_scope="module")

GWEI = 10**9
USER, RIVAL = 6, 7
"""Users who do not take part in the market's own trade."""
POOL, SOLD_WEI = "WETH/USDC-0.05%", 60 * 10**18
SLOW_SLOT_S = 1.5


@pytest_asyncio.fixture(loop_scope="module")
async def slow(rig):
    """Slots in which there is time to come in between, and nobody else trading."""
    await rig.quiet()
    await rig.admin.admin("devnet_setSlotSeconds", seconds=SLOW_SLOT_S)
    await rig.blocks(1)
    yield rig
    await rig.admin.admin("devnet_setSlotSeconds", seconds=SLOT_SECONDS)
    rig.trade()
    await rig.lands()
    await rig.whole()


async def sign(rig, user, to, data="0x", *, gas=21_000, tip_wei=5 * GWEI, nonce=None):
    account = rig.net.people.users[user]
    if nonce is None:
        nonce = int(await rig.admin.call("eth_getTransactionCount", account.address, "pending"), 16)
    order = Order(2, nonce, to, data, 0, gas, Fees(50 * GWEI, tip_wei))
    return sign_order(account.private_key, rig.net.manifest.chain_id, order)


async def hunted(rig):
    """Send a swap and return its hash once a bundle around it has reached the relay."""
    await rig.blocks(1)
    began_s = time.monotonic()
    victim = await rig.users.swap(
        POOL, amount_in=SOLD_WEI, user=USER, slippage_bps=300, gas_factor=2.0, tip_wei=GWEI
    )
    raw = "0x" + rig.net.chain.find_raw(victim).hex()
    await rig.until(
        lambda: any(raw in each.params[0]["txs"] for each in rig.door.bundles(began_s)), "a bundle with it", 5
    )
    return victim, raw


async def attempt_on(rig, victim, outcome):
    def found():
        return next(
            (
                each
                for each in rig.ledger().attempts()
                if each.record.plan.victim_hash == victim and each.outcome is outcome
            ),
            None,
        )

    return await rig.until(found, f"an attempt on {victim} is {outcome}")


async def test_a_victim_that_reverts_is_left_after_its_simulation(slow):
    rig = slow
    erc20 = Interface(fixture("TestToken")["abi"])
    router = rig.net.manifest.router("v3")
    weth = rig.net.uniswap.weth
    revoked = await sign(rig, USER, weth, erc20.call("approve", router, 0), gas=80_000)
    await rig.admin.call("eth_sendRawTransaction", revoked)
    await rig.blocks(1)
    before = await rig.count("abandons", "victim_reverts")
    began_s = time.monotonic()
    victim = await rig.users.swap(POOL, amount_in=SOLD_WEI, user=USER, slippage_bps=300)
    await rig.grows("abandons", "victim_reverts", beyond=before)
    attempt = await attempt_on(rig, victim, Outcome.ABANDONED)
    assert attempt.reason == "victim_reverts"
    assert rig.door.bundles(began_s) == []
    await rig.until(lambda: rig.net.chain.mempool.get(victim) is None, "it is mined, reverted")
    allowed = await sign(rig, USER, weth, erc20.call("approve", router, 2**256 - 1), gas=80_000)
    await rig.admin.call("eth_sendRawTransaction", allowed)
    await rig.blocks(1)


async def test_a_victim_that_is_replaced_is_given_up_and_its_bundle_cancelled(slow):
    rig = slow
    before = await rig.counts()
    victim, _ = await hunted(rig)
    account = rig.net.people.users[USER].address
    nonce = int(await rig.admin.call("eth_getTransactionCount", account, "pending"), 16) - 1
    # The replacement is a transfer of nothing: no swap, and still the end of what was built on the swap.
    await rig.admin.call("eth_sendRawTransaction", await sign(rig, USER, account, nonce=nonce))
    await rig.grows("happenings", "victims_replaced", beyond=before["happenings"]["victims_replaced"])
    await rig.grows("happenings", "cancels", beyond=before["happenings"]["cancels"])
    attempt = await attempt_on(rig, victim, Outcome.MISSED)
    assert attempt.reason == "victim_not_landed"


async def test_a_victim_that_somebody_else_takes_is_missed(slow):
    rig = slow
    victim, raw = await hunted(rig)
    rival = Searcher(rig.net.manifest.data["relayUrl"] + "/rival", "0x" + "77" * 32)
    payment = await sign_rich(rig)
    await rival.bundle([raw, payment], rig.net.chain.head.number + 1)
    attempt = await attempt_on(rig, victim, Outcome.MISSED)
    assert attempt.reason == "victim_landed_without_us"


async def sign_rich(rig):
    """A transaction that pays the builder more than any JIT can."""
    account = rig.net.people.users[RIVAL]
    nonce = int(await rig.admin.call("eth_getTransactionCount", account.address, "pending"), 16)
    order = Order(2, nonce, account.address, "0x", 0, 21_000, Fees(10**16, 10**15))
    return sign_order(account.private_key, rig.net.manifest.chain_id, order)


async def test_a_token_that_takes_a_fee_on_transfer_ends_in_a_named_outcome(slow):
    rig = slow
    before = await rig.counts()
    began_s = time.monotonic()
    victim = await rig.users.swap("WETH/TAX-0.3%", amount_in=SOLD_WEI, user=USER, slippage_bps=3000)
    await rig.until(lambda: rig.net.chain.mempool.get(victim) is None, "it is mined")
    after = await rig.counts()
    named = {
        f"{family}.{name}": after[family][name] - before[family][name]
        for family in ("abandons", "skips")
        for name in after[family]
        if after[family][name] > before[family][name]
    }
    print(f"a swap in the pool of a token that takes a fee: {named}")
    assert named
    tried = [each for each in rig.ledger().attempts() if each.record.plan.victim_hash == victim]
    assert {each.reason for each in tried} <= {"mint_reverts", "burn_reverts", "unprofitable"}
    assert rig.door.bundles(began_s) == []

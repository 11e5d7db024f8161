"""Whose a mined transaction is, and answers that do not fit the blocks that we saw."""

import asyncio
from dataclasses import replace
from pathlib import Path

from engine_world import World, a_hash, a_swap

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import BundleDraft, MinedBundle, SignedBundle
from jitctl.domain.records import Outcome
from jitctl.domain.values import Hash32


async def test_an_answer_without_a_leg_that_we_saw_mined_is_no_lone_mint(tmp_path: Path) -> None:
    """Receipts asked one by one, or of a node that lags, may lack the burn: a whole mint would be lost."""
    world = await World(tmp_path).start()
    whole, lacking = world.chain.mined, 2

    async def mined(mint: Hash32, victim: Hash32, burn: Hash32) -> MinedBundle:
        nonlocal lacking
        found = await whole(mint, victim, burn)
        lacking -= 1
        return replace(found, burn=None) if lacking >= 0 else found

    world.chain.mined = mined
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    assert world.engine.figures()["openPositions"] == []
    await world.clock.advance(3.1)
    attempt = (await world.written())[0]
    assert lacking < 0
    assert (attempt.state, attempt.outcome) == (AttemptState.INCLUDED, Outcome.LANDED)
    assert world.count("outcomes", "reverted") == world.count("happenings", "lone_mints") == 0
    assert world.closer.sent == []
    await world.stop()


async def test_two_attempts_never_share_a_transaction(tmp_path: Path) -> None:
    """What would be byte for byte another attempt's mint is not sent: its outcome could be booked twice."""
    world = await World(tmp_path).start()
    sign, mint = world.signer.sign, a_hash(0x5A3E)

    def same_mint(draft: BundleDraft) -> SignedBundle:
        signed = sign(draft)
        return replace(signed, tx_hashes=(mint, *signed.tx_hashes[1:]))

    world.signer.sign = same_mint
    first = a_swap()
    await world.pend(first)
    await world.pend(
        a_swap(sender=first.sender, nonce=first.nonce, max_fee_wei=2 * first.max_fee_per_gas_wei)
    )
    assert len(world.relays.submitted) == 1
    assert world.count("abandons", "superseded") == 1
    await world.mine(world.relays.submitted[0])
    outcomes = [attempt.outcome for attempt in await world.written()]
    assert sorted(outcomes) == [Outcome.ABANDONED, Outcome.LANDED]
    await world.stop()


async def test_a_cancellation_never_overtakes_its_bundle(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    arrived = asyncio.Event()

    async def slow(bundle: SignedBundle) -> None:
        await arrived.wait()

    world.relays.before = slow
    first = a_swap()
    await world.pend(first)
    await world.pend(a_swap(sender=first.sender, nonce=first.nonce, calldata=b""))
    await world.clock.advance(0.05)
    assert world.relays.cancelled == []
    arrived.set()
    await world.clock.advance(0.05)
    assert world.relays.cancelled == [world.relays.submitted[0].uuid]
    await world.stop()

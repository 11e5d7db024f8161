"""Whole attempt life cycles, from a pending transaction to a settled row."""

from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import (
    BASE_FEE,
    BURN_GAS,
    DAI,
    EXECUTOR,
    MARK,
    MINT_GAS,
    OPERATOR,
    OPERATOR_2,
    OWNER,
    POOL,
    POOL_2,
    ROUTER,
    SPEC,
    SPEC_2,
    USER,
    WETH,
    World,
    a_hash,
    a_swap,
    account,
    amounts_of,
    transfer_log,
)

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.bundle import BundleDraft
from jitctl.domain.chain import ChainMoved, MinedTx
from jitctl.domain.records import Mode, Outcome
from jitctl.engine.accounting import value_wei
from jitctl.strategy.decode import RouterKind, Routers, decode


async def test_an_attempt_lands_and_settles_to_the_wei(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    (bundle,) = world.relays.submitted
    assert bundle.target_block == 101
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.SUBMITTED
    assert attempt.uuid == bundle.uuid
    assert (attempt.mint_tx, attempt.burn_tx) == (bundle.tx_hashes[0], bundle.tx_hashes[2])
    assert {reply.outcome for reply in world.ledger.relay_replies()} == {"accepted"}

    await world.mine(bundle)
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.INCLUDED
    assert attempt.outcome is Outcome.LANDED
    plan = attempt.record.plan
    result = attempt.result
    assert result is not None
    assert result.amounts == amounts_of(plan)
    assert result.gas_wei == (MINT_GAS + BURN_GAS) * BASE_FEE
    delta0 = plan.expected_burn0 + plan.expected_fees0 - plan.expected_mint0
    delta1 = plan.expected_burn1 + plan.expected_fees1 - plan.expected_mint1
    gained = value_wei(delta0, delta1, True, MARK)
    assert result.net_mark_wei == gained - result.gas_wei - plan.bid_wei
    assert result.net_pre_wei == result.net_mark_wei
    # The pool fell, so the WETH that we took over is worth more of the other token, less in WETH terms.
    assert result.net_post_wei != result.net_pre_wei
    assert world.count("happenings", "simulations_compared") == 1
    assert world.count("happenings", "simulation_gas_differs") == 0
    assert world.count("happenings", "simulation_amounts_differ") == 0

    await world.empty_blocks(8)
    (attempt,) = await world.written()
    assert attempt.state is AttemptState.SETTLED
    assert attempt.result is not None
    assert replace(attempt.result, markouts_wei={}) == result
    states = [event.data["state"] for event in world.ledger.events() if event.type == "attempt"]
    assert states == ["PLANNED", "SIMULATED", "SUBMITTING", "SUBMITTED", "INCLUDED", "SETTLED"]
    await world.stop()


async def test_mode_test_ends_after_the_simulation_and_signs_nothing(tmp_path: Path) -> None:
    world = await World(tmp_path, mode=Mode.TEST).start()
    await world.pend(a_swap())
    (attempt,) = await world.written()
    assert (attempt.state, attempt.reason) == (AttemptState.ABANDONED, "mode_test")
    assert attempt.simulated["mint_gas"] == MINT_GAS
    assert len(world.simulator.drafts) == 1
    assert not world.signer.signed
    assert not world.relays.submitted
    # With the next head it is simulated again: still wanted.
    await world.mine()
    assert len(world.simulator.drafts) == 2
    await world.stop()


async def test_a_missed_bundle_frees_its_lane_and_is_planned_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    victim = a_swap()
    await world.pend(victim)
    await world.mine()
    first, second = world.relays.submitted
    assert (first.target_block, second.target_block) == (101, 102)
    assert [draft.nonce for draft in world.signer.signed] == [7, 7]
    await world.mine(second)
    missed, landed = await world.written()
    assert (missed.state, missed.outcome, missed.reason) == (
        AttemptState.MISSED, Outcome.MISSED, "victim_not_landed",
    )  # fmt: skip
    assert landed.outcome is Outcome.LANDED
    await world.pend(a_swap(nonce=6))
    assert world.signer.signed[-1].nonce == 9
    await world.stop()


async def test_a_victim_that_lands_without_us_is_not_wanted_any_more(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0], legs="v")
    (attempt,) = await world.written()
    assert (attempt.outcome, attempt.reason) == (Outcome.MISSED, "victim_landed_without_us")
    assert world.engine.figures()["wantedSwaps"] == 0
    assert len(world.relays.submitted) == 1
    await world.stop()


@pytest.mark.parametrize(
    ("legs", "failed", "reason"),
    [
        ("mvb", "b", "lone_mint"),
        ("mvb", "mb", "mint_reverted"),
        ("b", "b", "lone_burn"),
        ("m", "m", "mint_reverted"),
    ],
)
async def test_reverted_legs_cost_their_gas(tmp_path: Path, legs: str, failed: str, reason: str) -> None:
    world = await World(tmp_path, with_closer=False).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0], legs=legs, failed=failed)
    attempt, *_ = await world.written()
    assert (attempt.state, attempt.outcome, attempt.reason) == (
        AttemptState.REVERTED, Outcome.REVERTED, reason,
    )  # fmt: skip
    assert attempt.result is not None
    gas = {"m": MINT_GAS, "b": BURN_GAS}
    assert attempt.result.gas_wei == sum(gas.get(leg, 0) for leg in legs) * BASE_FEE
    assert attempt.result.net_mark_wei < 0
    await world.stop()


async def test_reorged_out_and_in_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    bundle = world.relays.submitted[0]
    block = await world.mine(bundle)
    (attempt,) = await world.written()
    first = attempt.result
    assert attempt.state is AttemptState.INCLUDED

    await world.reorg(1, [])
    (attempt, *_) = await world.written()
    assert (attempt.state, attempt.result) == (AttemptState.MISSED, None)
    assert world.engine.figures()["lanes"][0]["nextNonce"] == 7

    await world.reorg(1, block.txs)
    attempt = next(a for a in await world.written() if a.uuid == bundle.uuid)
    assert attempt.state is AttemptState.INCLUDED
    assert attempt.result is not None
    assert first is not None
    assert attempt.result.block_hash != first.block_hash
    assert attempt.result.amounts == first.amounts
    assert attempt.result.gas_wei == first.gas_wei
    assert world.engine.figures()["lanes"][0]["nextNonce"] == 9
    assert world.count("happenings", "reorged_attempts") >= 2
    await world.stop()


async def test_a_reorg_below_what_is_settled_halts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.empty_blocks(10)
    await world.reorg(3, [], [], [])
    assert world.engine.state == "RUNNING"
    await world.empty_blocks(1)
    await world.reorg(9, *[[] for _ in range(9)])
    assert world.engine.state == "HALTED"
    assert not world.latch.armed()
    await world.pend(a_swap())
    assert not world.relays.submitted
    await world.stop()


async def test_a_reorg_too_deep_to_walk_halts(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    block = world.chain.add_block([])
    world.emit(ChainMoved((block,), resynced=True, too_deep=True))
    await world.clock.advance(0.1)
    assert world.engine.state == "HALTED"
    await world.stop()


async def test_a_replaced_victim_is_cancelled_by_uuid_and_evaluated_anew(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    first = world.relays.submitted[0]
    await world.pend(a_swap(60))
    assert world.relays.cancelled == [first.uuid]
    second = world.relays.submitted[1]
    assert second.target_block == first.target_block
    # The same nonce: only one of the two can land.
    assert {draft.nonce for draft in world.signer.signed} == {7}
    await world.mine(second)
    by_uuid = {attempt.uuid: attempt for attempt in await world.written()}
    assert by_uuid[first.uuid].outcome is Outcome.MISSED
    assert by_uuid[second.uuid].outcome is Outcome.LANDED
    assert world.count("happenings", "victims_replaced") == 1
    await world.stop()


async def test_a_cancelled_bundle_that_lands_all_the_same_is_accounted_for(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.pend(a_swap(60))
    first, second = world.relays.submitted
    await world.mine(first)
    by_uuid = {attempt.uuid: attempt for attempt in await world.written()}
    assert by_uuid[first.uuid].outcome is Outcome.LANDED
    assert by_uuid[second.uuid].outcome is Outcome.MISSED
    assert world.engine.state == "RUNNING"
    await world.stop()


async def test_replacement_by_something_else_gives_the_attempt_up(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.pend(a_swap(to=account(9), calldata=b""))
    assert world.relays.cancelled == [world.relays.submitted[0].uuid]
    await world.mine()
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_victim_gas_tries_the_alternatives_in_the_same_block(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.simulator.verdicts = [("victim_gas", "needs more"), ("victim_gas", "needs more")]
    await world.pend(a_swap())
    first, second, third = world.simulator.drafts
    assert first.plan.tick_lower != second.plan.tick_lower or first.plan.tick_upper != second.plan.tick_upper
    assert {draft.target_block for draft in (first, second, third)} == {101}
    assert len(world.relays.submitted) == 1
    reasons = sorted(attempt.reason for attempt in await world.written())
    assert reasons == ["", "victim_gas", "victim_gas"]
    assert world.count("happenings", "alternatives") == 2
    await world.stop()


async def test_an_alternative_whose_pool_is_being_read_again_is_left_alone(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.simulator.verdicts = [("victim_gas", "needs more")]

    async def pool_found_wrong(_: BundleDraft) -> None:
        world.pools.forget(POOL)

    world.simulator.before = pool_found_wrong
    await world.pend(a_swap())
    figures = world.engine.figures()
    assert len(world.simulator.drafts) == 1
    assert figures["state"] == "RUNNING"
    assert [lane["busy"] for lane in figures["lanes"]] == [False]
    await world.stop()


@pytest.mark.parametrize(
    "reason", ["mint_reverts", "victim_reverts", "burn_reverts", "victim_gone", "never heard of"]
)
async def test_a_failed_simulation_ends_the_attempt_and_frees_the_lane(tmp_path: Path, reason: str) -> None:
    world = await World(tmp_path).start()
    world.simulator.verdicts = [(reason, "why")]
    await world.pend(a_swap())
    (attempt,) = await world.written()
    expected = reason if reason != "never heard of" else "simulation_failed"
    assert (attempt.state, attempt.reason, attempt.detail) == (AttemptState.ABANDONED, expected, "why")
    assert not world.relays.submitted
    await world.pend(a_swap(nonce=6))
    assert len(world.relays.submitted) == 1
    await world.stop()


async def test_what_the_simulation_pays_too_little_for_is_left(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.simulator.amounts = lambda plan: amounts_of(plan).__class__(0, 0, 0, 0, 0, 0, plan.bid_wei)
    await world.pend(a_swap())
    (attempt,) = await world.written()
    assert attempt.reason == "unprofitable"
    await world.stop()


async def test_own_senders_repeats_blobs_and_small_fry_are_left_alone(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(
        a_swap(sender=OPERATOR),
        a_swap(nonce=10, tx_type=3),
        a_swap(nonce=11, max_fee_wei=BASE_FEE - 1),
        a_swap(nonce=12, to=USER, calldata=b"\x01" * 100),
        a_swap(nonce=13, calldata=b"\x01" * 100),
        a_swap(nonce=14, token_out=DAI),
        a_swap(nonce=15, calldata=b""),
    )
    again = a_swap(nonce=16, calldata=b"")
    await world.pend(again, again)
    found = {name: count for name, count in world.engine.metrics.snapshot()["skips"].items() if count}
    assert found == {
        "own_tx": 1, "blob_tx": 1, "fee_too_low": 1, "not_a_swap": 1, "undecodable": 3,
        "unwatched_pool": 1, "repeated": 1,
    }  # fmt: skip
    assert [tx.nonce for tx in world.tracer.asked] == [13, 15, 16]
    await world.clock.advance(1.1)
    assert sum(row.count for row in world.ledger.skips()) == 9
    assert not world.relays.submitted
    await world.stop()


async def test_what_only_the_node_understands_takes_the_slower_path(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    known = a_swap()
    world.tracer.answer = decode(known, Routers({ROUTER: RouterKind.V3}, WETH))
    names_usdc = b"\xde\xad\xbe\xef" + bytes.fromhex(SPEC.quote_token.address[2:])
    await world.pend(a_swap(to=USER, calldata=names_usdc, hash=known.hash))
    assert len(world.relays.submitted) == 1
    assert world.count("happenings", "traces") == 1
    await world.stop()


async def test_one_attempt_per_pool_and_one_per_lane(tmp_path: Path) -> None:
    world = World(tmp_path, operators=(OPERATOR, OPERATOR_2), specs=(SPEC, SPEC_2))
    world = await world.start()
    await world.pend(a_swap(), a_swap(sender=account(1)), a_swap(sender=account(2), token_out=DAI))
    assert [world.draft_of(bundle).plan.pool for bundle in world.relays.submitted] == [POOL, POOL_2]
    assert len({draft.operator for draft in world.signer.signed}) == 2
    assert world.count("skips", "pool_busy") == 1
    await world.pend(a_swap(sender=account(3)))
    assert world.count("skips", "no_lane") == 1
    # Both land in one block, and every lane and pool is free again.
    await world.mine(*world.relays.submitted)
    attempts = await world.written()
    assert [a.outcome for a in attempts[:2]] == [Outcome.LANDED, Outcome.LANDED]
    assert {a.result.block_number for a in attempts[:2] if a.result} == {101}
    assert len(world.relays.submitted) == 3
    await world.stop()


async def test_capital_on_its_way_is_not_used_twice(tmp_path: Path) -> None:
    world = World(tmp_path, operators=(OPERATOR, OPERATOR_2), specs=(SPEC, SPEC_2))
    world.chain.balances[WETH] = 3 * 10**18
    world = await world.start()
    await world.pend(a_swap(), a_swap(sender=account(2), token_out=DAI))
    needs = [draft.plan.amount0_max for draft in world.simulator.drafts]
    assert sum(needs) <= 3 * 10**18
    await world.stop()


async def test_a_lone_leg_in_a_later_block_is_found_and_costed(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    bundle = world.relays.submitted[0]
    await world.mine()
    await world.mine(bundle, legs="m", failed="m")
    attempt = next(a for a in await world.written() if a.uuid == bundle.uuid)
    assert (attempt.outcome, attempt.reason) == (Outcome.REVERTED, "mint_reverted")
    assert world.engine.state == "RUNNING"
    await world.stop()


async def test_a_head_that_moves_during_the_simulation_sends_nothing_for_the_old_one(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def move_head(draft: object) -> None:
        world.simulator.before = None
        world.emit(ChainMoved((world.chain.add_block([]),)))
        await world.clock.sleep(0.05)

    world.simulator.before = move_head
    await world.pend(a_swap())
    await world.clock.advance(0.1)
    assert [bundle.target_block for bundle in world.relays.submitted] == [102]
    reasons = [attempt.reason for attempt in await world.written()]
    assert "too_late" in reasons
    await world.stop()


async def test_a_slow_simulation_is_given_up_at_its_limit(tmp_path: Path) -> None:
    world = await World(tmp_path).start()

    async def hang(draft: object) -> None:
        await world.clock.sleep(1000)

    world.simulator.before = hang
    await world.pend(a_swap())
    await world.clock.advance(0.31)
    (attempt,) = await world.written()
    assert attempt.reason == "simulation_timeout"
    assert attempt.latencies_ms["simulate"] == pytest.approx(300.0)
    await world.stop()


async def test_external_flows_are_named_and_reorged(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    gift, deposit, drawn = a_hash(0xA1), a_hash(0xA2), a_hash(0xA3)
    others = [
        MinedTx(gift, USER, EXECUTOR, 1, 0),
        MinedTx(deposit, OWNER, EXECUTOR, 1, 0),
        MinedTx(drawn, OWNER, EXECUTOR, 2, 0),
        MinedTx(a_hash(0xA4), OWNER, OPERATOR, 3, 10**18),
    ]
    logs = [
        transfer_log(WETH, USER, EXECUTOR, 5, gift),
        transfer_log(WETH, OWNER, EXECUTOR, 7, deposit),
        transfer_log(WETH, EXECUTOR, OWNER, 11, drawn),
    ]
    await world.mine(others=others, executor_logs=logs)
    await world.clock.advance(1.1)
    found = [(flow.kind.value, flow.amount) for flow in world.ledger.flows()]
    assert sorted(found) == [("deposit", 7), ("deposit", 10**18), ("donation", 5), ("withdrawal", -11)]
    await world.reorg(1, [])
    await world.clock.advance(1.1)
    assert world.ledger.flows() == ()
    await world.stop()


async def test_a_rich_swap_that_never_works_does_not_keep_the_lane(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    bait = a_swap(200)
    world.simulator.refused[bait.hash] = "victim_reverts"
    await world.pend(bait)
    honest = a_swap(sender=account(9))
    await world.pend(honest)
    # With every head the one that failed comes after the one that did not, though it looks richer.
    await world.empty_blocks(2)
    assert [draft.victim.hash for draft in world.simulator.drafts] == [bait.hash, *[honest.hash] * 3]
    await world.stop()


async def test_a_victim_that_fails_again_and_again_is_dropped(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.simulator.verdicts = [("victim_reverts", "")] * 10
    await world.pend(a_swap())
    await world.empty_blocks(8)
    assert len(world.simulator.drafts) == 5
    assert world.engine.figures()["wantedSwaps"] == 0
    await world.stop()

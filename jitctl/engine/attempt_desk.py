"""Attempts begin and are given up here: lane, draft, the last look under the barrier, cancellation."""

from __future__ import annotations

import itertools

from jitctl.domain.attempt_state import OPEN_STATES, AttemptState
from jitctl.domain.bundle import BundleDraft, BundleSimulation
from jitctl.domain.plan import JitPlan
from jitctl.domain.records import AttemptRecord
from jitctl.engine.accounting import value_wei
from jitctl.engine.attempts import Attempt, AttemptRunner, new_attempt_id
from jitctl.engine.book import Wanted
from jitctl.engine.events import AttemptEnded, Note
from jitctl.engine.parts import Parts
from jitctl.engine.picture import plan_needs
from jitctl.engine.within import within
from jitctl.errors import JitError
from jitctl.strategy.jit import next_block_time_s

_BPS = 10_000
_SERIALS = 10_000
CANCEL_POLL_S = 0.005


class AttemptDesk:
    """Starts attempts and answers what their tasks ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._serial = itertools.cycle(range(_SERIALS))
        self._runner = AttemptRunner(
            parts.ports,
            parts.settings,
            parts.metrics,
            parts.barrier,
            self.last_look,
            self.worth_it,
            parts.follower.track,
        )

    def start(
        self, wanted: Wanted, plan: JitPlan, alternatives: tuple[JitPlan, ...], evaluate_ms: float = 0.0
    ) -> bool:
        """Begin an attempt in a free lane; False if there is none, or its pool or mark is not known any more.

        Raises `LedgerError`.
        """
        parts = self._parts
        clock, picture, head = parts.ports.clock, parts.picture, parts.picture.head
        assert head is not None
        attempt_id = new_attempt_id()
        spec, pool = picture.specs.get(plan.pool), parts.ports.pool_book.pools().get(plan.pool)
        marks = picture.marks.weth_wei_per_base_unit if picture.marks is not None else {}
        mark = marks.get(spec.quote_token.address) if spec is not None else None
        if spec is None or pool is None or mark is None:
            return False
        lane = parts.lanes.acquire(attempt_id, plan.target_block)
        if lane is None:
            return False
        params, margin = picture.params, parts.settings.gas_limit_margin_bps
        mint_gas = params.mint_gas_units + 2 * params.tick_init_gas_units
        record = AttemptRecord(
            attempt_id=attempt_id,
            mode=parts.standing.mode,
            plan=plan,
            operator=lane.operator,
            nonce=lane.next_nonce,
            mark=mark,
            weth_is_token0=spec.weth_is_token0,
            parent_sqrt_price_x96=pool.sqrt_price_x96,
            planned_s=clock.wall_s(),
        )
        # Two attempts of one lane may plan the very same legs. Gas limits of their own make them different
        # transactions, so that what is mined belongs to exactly one attempt.
        serial = next(self._serial)
        draft = BundleDraft(
            attempt_id=attempt_id,
            plan=plan,
            victim=wanted.tx,
            operator=lane.operator,
            nonce=lane.next_nonce,
            parent=head,
            base_fee_wei=picture.base_fee_wei,
            timestamp_s=int(next_block_time_s(head, clock.wall_s(), parts.settings.slot_s)),
            mint_gas_limit=mint_gas * margin // _BPS + serial,
            burn_gas_limit=params.burn_gas_units * margin // _BPS + serial,
        )
        attempt = Attempt(record, AttemptState.PLANNED, draft, alternatives)
        now_ns = clock.monotonic_ns()
        if wanted.tx.seen_ns >= picture.head_ns:
            attempt.seen_ns = wanted.tx.seen_ns
            planned_ms = (now_ns - wanted.tx.seen_ns) / 1e6
            parts.metrics.time("seen_to_planned", planned_ms)
            taken = {"decode": wanted.decode_ms, "evaluate": evaluate_ms, "seen_to_planned": planned_ms}
            attempt.latencies_ms |= {stage: round(each, 3) for stage, each in taken.items()}
        else:
            attempt.head_ns = picture.head_ns
            parts.metrics.time("head_to_planned", (now_ns - picture.head_ns) / 1e6)
        parts.ports.ledger.open_attempt(record)
        parts.follower.add(attempt)
        parts.metrics.happenings.add("attempts")
        if not parts.background.start(f"attempt:{attempt_id}", lambda: self._run(attempt)):
            self._runner.abandon(attempt, "superseded", "too many tasks")
            parts.follower.forget(attempt_id)
            parts.lanes.release(attempt_id)
            return False
        return True

    def give_up(self, attempt: Attempt, reason: str) -> None:
        """Drop an attempt: nothing more is sent for it, and what was sent is cancelled by its uuid."""
        parts = self._parts
        if attempt.dropped or attempt.state not in OPEN_STATES:
            return
        attempt.dropped = reason
        # The nonce stays the same: what takes the lane next can only land instead of this one.
        parts.lanes.release(attempt.attempt_id)
        if attempt.uuid is not None:
            parts.background.start(f"cancel:{attempt.attempt_id}", lambda: self._cancel(attempt))

    async def _cancel(self, attempt: Attempt) -> Note | None:
        ports = self._parts.ports
        assert attempt.uuid is not None
        while attempt.state is AttemptState.SUBMITTING:
            # A cancellation that overtakes its bundle cancels nothing; the submission has its own time limit.
            await ports.clock.sleep(CANCEL_POLL_S)
        self._parts.metrics.happenings.add("cancels")
        try:
            replies = await within(
                ports.clock,
                self._parts.settings.submit_timeout_s,
                "the cancellation",
                ports.relays.cancel(attempt.uuid),
            )
        except JitError:
            self._parts.metrics.happenings.add("relay_errors")
            return None
        ports.ledger.add_relay_replies(attempt.attempt_id, "cancel", replies, ports.clock.wall_s())
        return None

    def last_look(self, attempt: Attempt) -> str:
        """Return why nothing may be sent now, "" if it may: asked with the barrier held."""
        parts = self._parts
        if not parts.latch.armed():
            return "not_armed"
        if not parts.standing.running or parts.latch.paused():
            return "stopping" if parts.standing.state == "STOPPED" else "paused"
        if attempt.dropped:
            return attempt.dropped
        head, draft, plan = parts.picture.head, attempt.draft, attempt.record.plan
        if draft is None or head is None or head.hash != plan.parent_hash:
            return "too_late" if head is not None and head.number >= attempt.target_block else "parent_moved"
        if not parts.picture.current:
            return "parent_moved"
        if parts.book.get(attempt.victim_hash) is None:
            return "victim_gone"
        lane = parts.lanes.get(attempt.record.operator)
        if lane is None or lane.owner != attempt.attempt_id:
            return "superseded"
        if lane.next_nonce != draft.nonce:
            return "nonce_mismatch"
        return "" if self._within_limits(attempt) and not len(parts.watch) else "limits"

    def worth_it(self, attempt: Attempt, simulation: BundleSimulation) -> bool:
        """Whether the simulated amounts and gas still clear the profit floor at the external mark."""
        net_wei = self.simulated_net_wei(attempt, simulation)
        params = self._parts.picture.params_under(self._parts.standing.crisis)
        return net_wei is None or net_wei >= params.min_profit_wei

    def simulated_net_wei(self, attempt: Attempt, simulation: BundleSimulation) -> int | None:
        """Return what the simulation says the attempt would earn; None where it gives no amounts."""
        amounts, mint, burn = simulation.amounts, simulation.mint, simulation.burn
        if amounts is None or mint is None or burn is None or attempt.draft is None:
            return None
        gas_wei = (mint.gas_used + burn.gas_used) * attempt.draft.base_fee_wei
        gained = value_wei(
            amounts.collected0 - amounts.minted0,
            amounts.collected1 - amounts.minted1,
            attempt.record.weth_is_token0,
            attempt.record.mark,
        )
        return gained - gas_wei - amounts.tip_wei

    def _within_limits(self, attempt: Attempt) -> bool:
        parts, plan = self._parts, attempt.record.plan
        params = parts.picture.params_under(parts.standing.crisis)
        if (
            not params.new_attempts
            or plan.pool not in parts.picture.specs
            or plan.net_wei < params.min_profit_wei
        ):
            return False
        if attempt.simulation is not None and not self.worth_it(attempt, attempt.simulation):
            return False
        notional_wei = value_wei(
            plan.expected_mint0, plan.expected_mint1, attempt.record.weth_is_token0, attempt.record.mark
        )
        caps = [params.max_notional_wei]
        # The operator's own: what the contract allows is valued at its TWAP, and was part of the simulation.
        of_pool = parts.picture.params.under(parts.standing.crisis).pool_limits.get(plan.pool)
        if of_pool is not None and of_pool.max_notional_wei is not None:
            caps.append(of_pool.max_notional_wei)
        # The plan was capped at the pool's own price, this is at the external mark: they differ a little.
        if notional_wei > min(caps) * 102 // 100:
            return False
        return all(
            amount <= min(params.max_per_token.get(token, amount), parts.picture.balances.get(token, 0))
            for token, amount in plan_needs(plan, parts.picture.specs)
        )

    async def _run(self, attempt: Attempt) -> Note | None:
        try:
            await self._runner.run(attempt)
            return None
        finally:
            self._parts.inbox.note(AttemptEnded(attempt.attempt_id))

"""Pending transactions: understood, kept while they are wanted, evaluated, and turned into attempts."""

from __future__ import annotations

from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.chain import PendingTx
from jitctl.domain.plan import Propose, Skip, SkipReason
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address, Hash32
from jitctl.engine.attempt_desk import AttemptDesk
from jitctl.engine.book import Wanted
from jitctl.engine.events import AttemptEnded, Replan, Traced
from jitctl.engine.parts import Parts
from jitctl.engine.within import within
from jitctl.errors import JitError
from jitctl.strategy.decode import decode
from jitctl.strategy.jit import evaluate

_BLOB_TX = 3
_TRACE_TIMEOUT_S = 1.0
MAX_FAILURES = 5
"""A victim whose simulation failed so often is not wanted any more."""
_VICTIM_FAILED = frozenset(
    {
        "victim_reverts", "victim_gone", "victim_gas", "unprofitable", "simulation_failed", "raw_mismatch",
        "burn_reverts", "nonce_mismatch", "balance_short", "victim_queued", "victim_short",
    }
)  # fmt: skip
_NOT_YET = Skip(SkipReason.POOL_STALE, "the head's pools are not known yet")
"""No answer: it is looked at again as soon as they are."""
_MAY_PASS = frozenset({SkipReason.POOL_BUSY, SkipReason.NO_CAPITAL, SkipReason.MARK_STALE})
"""Reasons that may go away on the same head, when another attempt ends or prices are read."""


class PendingDesk:
    """Decides about every pending transaction; deciding itself is `strategy.jit.evaluate`, which is pure."""

    def __init__(self, parts: Parts, attempts: AttemptDesk) -> None:
        self._parts = parts
        self._attempts = attempts
        self._tracing: dict[tuple[Address, int], Hash32] = {}

    def on_pending(self, tx: PendingTx) -> None:
        """Look at a transaction for the first time; its skip, if any, is counted here and only here."""
        parts = self._parts
        parts.metrics.happenings.add("pending_seen")
        if not parts.seen.first_time(tx.hash):
            parts.count_skip(SkipReason.REPEATED)
            return
        if tx.sender in parts.lanes.operators():
            parts.count_skip(SkipReason.OWN_TX)
            return
        rival = parts.book.rival_of(tx)
        if rival is not None:
            self._replaced(rival)
        self._tracing.pop((tx.sender, tx.nonce), None)
        if tx.tx_type == _BLOB_TX:
            parts.count_skip(SkipReason.BLOB_TX)
            return
        began_ns = parts.ports.clock.monotonic_ns()
        swap = decode(tx, parts.routers)
        if swap is None:
            self._unknown(tx)
            return
        decode_ms = (parts.ports.clock.monotonic_ns() - began_ns) / 1e6
        parts.metrics.time("decode", decode_ms)
        self._understood(tx, swap, decode_ms)

    def on_traced(self, traced: Traced) -> None:
        """Take over the slower path's answer, unless its sender has replaced the transaction meanwhile."""
        slot = (traced.tx.sender, traced.tx.nonce)
        if self._tracing.get(slot) != traced.tx.hash:
            self._parts.count_skip(SkipReason.TOO_LATE)
            return
        del self._tracing[slot]
        if traced.swap is None:
            self._parts.count_skip(SkipReason.UNDECODABLE)
        else:
            self._understood(traced.tx, traced.swap)

    def on_replan(self, replan: Replan) -> None:
        """Evaluate a victim that is still wanted on the newest head."""
        wanted = self._parts.book.get(replan.tx_hash)
        if wanted is not None:
            self._look_at(wanted)

    def on_ended(self, ended: AttemptEnded) -> None:
        """Free what an abandoned attempt held, and try its alternative where only the plan was wrong."""
        parts = self._parts
        attempt = parts.follower.live.get(ended.attempt_id)
        if attempt is None or attempt.state is not AttemptState.ABANDONED:
            return
        parts.follower.forget(attempt.attempt_id)
        parts.lanes.release(attempt.attempt_id)
        head = parts.picture.head
        if head is None or not parts.standing.running:
            return
        wanted = parts.book.get(attempt.victim_hash)
        if wanted is not None and attempt.reason in _VICTIM_FAILED:
            wanted.failures += 1
            if wanted.failures >= MAX_FAILURES:
                parts.book.remove(wanted.tx.hash)
        if wanted is not None and attempt.reason == "victim_gas" and attempt.alternatives:
            plan, *rest = attempt.alternatives
            if plan.parent_hash == head.hash:
                parts.metrics.happenings.add("alternatives")
                self._attempts.start(wanted, plan, tuple(rest))
        if parts.lanes.any_free():
            self.replan()

    def replan(self) -> None:
        """Evaluate again what is still wanted and has not had its turn on this head, the best first."""
        self._parts.inbox.replan(map(Replan, self._parts.book.best_first()))

    def _replaced(self, victim_hash: Hash32) -> None:
        """A victim was replaced by its sender: give up what is built on it."""
        parts = self._parts
        parts.metrics.happenings.add("victims_replaced")
        parts.book.remove(victim_hash)
        for attempt in parts.follower.of_victim(victim_hash):
            self._attempts.give_up(attempt, "superseded")

    def _unknown(self, tx: PendingTx) -> None:
        parts = self._parts
        known_router = parts.routers.router_of(tx.to) is not None
        if not known_router and not self._names_a_token_of_ours(tx):
            parts.count_skip(SkipReason.NOT_A_SWAP)
            return
        head, tracer = parts.picture.head, parts.ports.tracer
        if tracer is None or head is None or not parts.settings.slow_path or not parts.standing.running:
            parts.count_skip(SkipReason.UNDECODABLE)
            return
        free = parts.background.count("trace:") < parts.settings.traces_at_once
        if free and parts.background.start(f"trace:{tx.hash}", lambda: self._trace(tx)):
            self._tracing[tx.sender, tx.nonce] = tx.hash
            parts.metrics.happenings.add("traces")
        else:
            parts.metrics.happenings.add("traces_dropped")
            parts.count_skip(SkipReason.UNDECODABLE)

    async def _trace(self, tx: PendingTx) -> Traced:
        parts = self._parts
        tracer, head = parts.ports.tracer, parts.picture.head
        assert tracer is not None
        assert head is not None
        swap: SwapTx | None = None
        try:
            swap = await within(parts.ports.clock, _TRACE_TIMEOUT_S, "the trace", tracer.observe(tx, head))
        except JitError:
            parts.metrics.happenings.add("node_errors")
        return Traced(tx, swap)

    def _names_a_token_of_ours(self, tx: PendingTx) -> bool:
        """Whether the calldata holds the address of a watched pool's other token: worth asking the node."""
        return len(tx.calldata) > 4 and any(needle in tx.calldata for needle in self._parts.picture.needles)

    def _understood(self, tx: PendingTx, swap: SwapTx, decode_ms: float = 0.0) -> None:
        parts = self._parts
        by_pair = parts.picture.view(parts.ports.pool_book) if parts.picture.head is not None else None
        if not swap.intents:
            parts.count_skip(SkipReason.NOT_A_SWAP)
            return
        hops = [hop for intent in swap.intents for hop in intent.hops]
        if by_pair is not None and not any(
            by_pair.pool_at(hop.token_in, hop.token_out, hop.fee_pips) is not None for hop in hops
        ):
            parts.count_skip(SkipReason.UNWATCHED_POOL)
            return
        if parts.mined_slots.too_late(tx):
            parts.count_skip(SkipReason.TOO_LATE)
            return
        parts.metrics.happenings.add("pending_understood")
        parts.metrics.happenings.add("swaps_seen_pending")
        first_head = parts.picture.head.number if parts.picture.head is not None else 0
        wanted = Wanted(tx, swap, first_head, decode_ms=decode_ms)
        if parts.book.add(wanted) is not None:
            parts.metrics.happenings.add("wanted_dropped")
        self._look_at(wanted)

    def _look_at(self, wanted: Wanted) -> None:
        """Consider a wanted swap, and count its skip the first time that there is an answer."""
        skip = self._consider(wanted)
        if skip is not _NOT_YET and not wanted.judged:
            wanted.judged = True
            if skip is not None:
                self._parts.count_skip(skip.reason, skip.pool)
                self._tell(wanted.tx.hash, skip)

    def _consider(self, wanted: Wanted) -> Skip | None:
        """Evaluate a wanted swap on the current head and start an attempt if it is worth one."""
        parts = self._parts
        picture, head = parts.picture, parts.picture.head
        if not parts.standing.running:
            return Skip(SkipReason.NOT_RUNNING, parts.standing.state)
        if head is None or not picture.current:
            return _NOT_YET
        if picture.marks is None:
            return Skip(SkipReason.MARK_STALE, "the marks could not be read at this head")
        if len(parts.watch):
            # The executor refuses every mint until it is closed.
            return Skip(SkipReason.NOT_RUNNING, "a position is open")
        guards = picture.guards
        if guards is not None and guards.halted:
            return Skip(SkipReason.NOT_RUNNING, "the executor contract is halted")
        if wanted.tx.max_fee_per_gas_wei < picture.base_fee_wei:
            return Skip(SkipReason.FEE_TOO_LOW, f"{wanted.tx.max_fee_per_gas_wei} < {picture.base_fee_wei}")
        if wanted.tried_on == head.hash:
            return None
        if not parts.lanes.any_free():
            return Skip(SkipReason.NO_LANE)
        on_their_way = parts.follower.open_in(head.number + 1)
        began_ns = parts.ports.clock.monotonic_ns()
        decision = evaluate(
            picture.view(parts.ports.pool_book),
            wanted.swap,
            picture.params_under(parts.standing.crisis),
            picture.capital_left(parts.follower.live.values()),
            picture.marks,
            parts.ports.clock.wall_s(),
            picture.base_fee_wei,
            frozenset(attempt.pool for attempt in on_their_way),
            twap_ticks=guards.twap_ticks if guards is not None else None,
            loss_budget_left_wei=guards.loss_budget_left_wei if guards is not None else None,
        )
        evaluate_ms = (parts.ports.clock.monotonic_ns() - began_ns) / 1e6
        parts.metrics.time("evaluate", evaluate_ms)
        if isinstance(decision, Skip):
            wanted.worth_wei = 0
            if decision.reason not in _MAY_PASS:
                wanted.tried_on = head.hash
            return decision
        wanted.tried_on = head.hash
        wanted.worth_wei = decision.plan.net_wei
        self._tell(wanted.tx.hash, decision)
        started = self._attempts.start(wanted, decision.plan, decision.alternatives, evaluate_ms)
        return None if started else Skip(SkipReason.NO_LANE)

    def _tell(self, victim: Hash32, decision: Skip | Propose) -> None:
        told: dict[str, object] = {"victim": victim}
        if isinstance(decision, Skip):
            told |= {"decision": "skip", "reason": decision.reason.value, "detail": decision.detail}
        else:
            plan = decision.plan
            told |= {
                "decision": "propose", "pool": plan.pool, "target_block": plan.target_block,
                "net_wei": plan.net_wei, "bid_wei": plan.bid_wei, "alternatives": len(decision.alternatives),
            }  # fmt: skip
        self._parts.ports.observer.event("strategy_decision", told)

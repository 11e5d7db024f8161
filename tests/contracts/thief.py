"""A thief with the operator key, more capital than the pool, and a friendly builder; and the books he spoils.

The books are kept from token balances, apart from the contract's own: for every position, what left the
executor and what came back (the tip has left), valued at the TWAP tick that stood when it was opened and at
the tick that its block began with, whichever is worse. What was left open is also valued at the tick that the
block of its closing began with: no reserve covers that, but what is left of the budget pays for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from executor_world import ETH, GUARDIAN, STRANGER, ExecutorPool, Reverted, Rules, World, compiled

from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.contracts import calls

DAY_S = 86_400
FURTHEST_TICK = 332_000
"""The contract values nothing beyond it."""
WHATEVER_THE_SIZE = {
    "already open",
    "halted",
    "left open",
    "market far from twap",
    "pool not allowed",
    "range far from twap",
    "spot far from twap",
    "twap unsteady",
}
Flow = tuple[int, int]
"""Base units of (WETH, the other token) into the executor."""


@dataclass
class Opened:
    flow: Flow
    twap_tick: int
    began_tick: int
    market_tick: int
    block: int


@dataclass
class Closed:
    second: int
    loss: Fraction
    """In WETH wei at the worse of the two prices of the opening; negative for a gain."""
    market_loss: Fraction
    """The same at the market's price at the opening."""


@dataclass
class Books:
    open: dict[str, Opened] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)

    def lost_in_24h(self) -> Fraction:
        """Losses booked in the last 24 hours before the latest closing; gains do not count."""
        return sum((max(row.loss, Fraction(0)) for row in self._recent()), Fraction(0))

    def lost_in_24h_at_market(self) -> Fraction:
        """The same at the market's prices."""
        return sum((max(row.market_loss, Fraction(0)) for row in self._recent()), Fraction(0))

    def _recent(self) -> list[Closed]:
        last_s = self.closed[-1].second if self.closed else 0
        return [row for row in self.closed if row.second > last_s - DAY_S]


class Thief:
    """Random but greedy. `market`: somebody else brings every pool back to the true price in every block."""

    def __init__(
        self,
        seed: int,
        *,
        market: bool,
        rules: Rules,
        budget_wei: int,
        pools: tuple[bool, ...] = (False, True),
    ) -> None:
        self.rng = random.Random(seed)
        self.market = market
        self.rules = rules
        self.budget_wei = budget_wei
        self.world = World(budget_wei=budget_wei, capital_weth=50_000 * ETH)
        self.world.set_coinbase(STRANGER)
        self.probe = self.world.deploy(compiled("TwapProbe"))
        self.pools = [self.world.new_pool(weth_is_token0=side, rules=rules) for side in pools]
        self.market_tick = 0
        self.home = {pool.address: pool.tick for pool in self.pools}
        self.began = {pool.address: pool.tick for pool in self.pools}
        self.books = Books()
        self.most_lost = Fraction(0)
        self.most_lost_at_market = Fraction(0)
        self.refusals: dict[str, int] = {}
        self.latest_refusal = ""

    # The books

    def flow_of(self, pool: ExecutorPool, act: Callable[[], object]) -> Flow:
        """What `act` moved into the executor; a revert moves nothing and passes through."""
        before = self.held(pool)
        act()
        after = self.held(pool)
        return after[0] - before[0], after[1] - before[1]

    def held(self, pool: ExecutorPool) -> Flow:
        """What the executor holds of WETH and of the pool's other token."""
        executor = self.world.executor
        return self.world.balance(self.world.weth, executor), self.world.balance(pool.token, executor)

    def lost_at_market(self, pool: ExecutorPool, before: Flow) -> Fraction:
        """How much less the executor holds than before, in WETH wei at the market's price now."""
        after = self.held(pool)
        return before[0] - after[0] + (before[1] - after[1]) * self._price(pool, self.market_of(pool))

    def twap_tick(self, pool: ExecutorPool) -> int:
        arguments = (pool.address, self.rules.twap_window_s, 10**9)
        tick: int = self.world.read(self.probe, "read(address,uint256,int256)", "int256,int256", *arguments)[
            0
        ]
        return tick

    def market_of(self, pool: ExecutorPool) -> int:
        """The market's tick now: where the pool stood at first, and what the market moved since."""
        return self.home[pool.address] + self.market_tick

    def try_mint(self, pool: ExecutorPool, lower: int, upper: int, liquidity: int) -> bool:
        try:
            flow = self.flow_of(pool, lambda: pool.mint(lower, upper, liquidity))
        except Reverted as refused:
            self.refusals[str(refused)] = self.refusals.get(str(refused), 0) + 1
            self.latest_refusal = str(refused)
            return False
        self.books.open[pool.address] = Opened(
            flow, self.twap_tick(pool), self.began[pool.address], self.market_of(pool), self.world.number
        )
        return True

    def mint_most(self, pool: ExecutorPool, lower: int, upper: int) -> bool:
        """Open as much as is accepted, halving from far too much."""
        liquidity = 1 << 92
        while liquidity > 1 << 40:
            if self.try_mint(pool, lower, upper, liquidity):
                return True
            if self.latest_refusal in WHATEVER_THE_SIZE:
                break
            liquidity >>= 1
        return False

    def close(self, pool: ExecutorPool, act: Callable[[], dict[str, int]]) -> None:
        """Close with `act` and hold the contract's own figure of the loss against ours."""
        said: dict[str, int] = {}
        spent_before = self.world.spent
        flow = self.flow_of(pool, lambda: said.update(act()))
        opened = self.books.open.pop(pool.address)
        weth, token = opened.flow[0] + flow[0], opened.flow[1] + flow[1]
        now_tick = min(max(self.began[pool.address], -FURTHEST_TICK), FURTHEST_TICK)
        ticks = (opened.twap_tick, opened.began_tick, opened.market_tick, now_tick)
        prices = [self._price(pool, tick) for tick in ticks]
        at_twap, at_began, at_market, now = (-(weth + token * price) for price in prices)
        loss = max(at_twap, at_began)
        self.books.closed.append(Closed(self.world.timestamp_s, loss, at_market))
        worst = max(loss, now) if opened.block != self.world.number else loss
        assert worst <= said["lossWei"] <= max(worst, 0) + 4 * (1 + max(prices)), "the contract's own figure"
        left = self.world.view("budget()", "uint256") - spent_before - self.world.reserved
        assert self.world.spent - spent_before >= min(worst, left), "what was left open is paid for as well"
        lost, at_market = self.books.lost_in_24h(), self.books.lost_in_24h_at_market()
        self.most_lost = max(self.most_lost, lost)
        self.most_lost_at_market = max(self.most_lost_at_market, at_market)
        assert lost <= self.budget_wei, "the promise"
        if self.market:
            assert at_market <= self.budget_wei, "the promise, where blocks begin at the market's price"

    def _price(self, pool: ExecutorPool, tick: int) -> Fraction:
        """WETH wei for one base unit of the other token."""
        price = Fraction(get_sqrt_ratio_at_tick(tick) ** 2, 1 << 192)
        return 1 / price if pool.weth_is_token0 else price

    # What he does

    def begin_block(self, seconds: int = 12) -> None:
        """Go on to the next block, and note with which ticks it begins."""
        self.world.next_block(seconds=seconds)
        self.began = {pool.address: pool.tick for pool in self.pools}

    def run(self, blocks: int) -> None:
        for _ in range(blocks):
            for _ in range(self.rng.randint(1, 4)):
                self._act(self.rng.choice(self.pools))
            self._end_block()
        for pool in self.pools:
            if pool.address in self.books.open:
                self.close(pool, lambda pool=pool: pool.close(sender=GUARDIAN))
        assert self.world.reserved == 0

    def _act(self, pool: ExecutorPool) -> None:
        is_open = pool.address in self.books.open
        choice = self.rng.random()
        if choice < 0.25:
            self.shove(pool)
        elif choice < 0.35:
            pool.swap(self.rng.random() < 0.5, self.rng.randint(1, 100) * ETH)
        elif choice < 0.42:
            self._give(pool)
        elif is_open:
            self._close_somehow(pool)
        elif choice < 0.65:
            self.squeeze(pool)
        else:
            lower, upper = self._any_range(pool)
            self.try_mint(pool, lower, upper, 1 << self.rng.randint(50, 92))

    def shove(self, pool: ExecutorPool) -> None:
        """Put the price where it suits him: at the edge of what is allowed, or anywhere."""
        edge = self.rules.max_spot_ticks
        near = self.twap_tick(pool) + self.rng.choice([-1, 1]) * self.rng.choice(
            [edge, edge - 1, edge // 2, 0]
        )
        far = self.home[pool.address] + self.rng.randint(-20_000, 20_000)
        pool.move_to(self.rng.choice([near, near, near, far]))

    def squeeze(self, pool: ExecutorPool) -> None:
        """The best attack inside a block: open where the price was put, trade through it, close."""
        mean = self.twap_tick(pool)
        side = self.rng.choice([-1, 1])
        pool.move_to(
            mean + side * self.rng.randint(self.rules.max_spot_ticks // 2, self.rules.max_spot_ticks)
        )
        lower, upper = self._range_between(pool, mean)
        if self.mint_most(pool, lower, upper):
            pool.move_to(mean)
            self._close_somehow(pool)

    def _range_between(self, pool: ExecutorPool, mean: int) -> tuple[int, int]:
        """The spacing next to the price on the side of the mean."""
        spacing = pool.tick_spacing
        at = pool.tick // spacing * spacing
        width = spacing * self.rng.randint(1, 3)
        return (at - width, at) if pool.tick > mean else (at + spacing, at + spacing + width)

    def _any_range(self, pool: ExecutorPool) -> tuple[int, int]:
        spacing = pool.tick_spacing
        reach = self.rules.max_range_ticks // spacing
        lower = self.twap_tick(pool) // spacing + self.rng.randint(-reach, reach)
        upper = lower + self.rng.choice([1, 1, 2, self.rng.randint(1, 2 * reach)])
        return lower * spacing, upper * spacing

    def _give(self, pool: ExecutorPool) -> None:
        lower, upper = self._any_range(pool)
        pool.provide(lower, upper, 1 << self.rng.randint(1, 60), self.world.executor)
        if self.rng.random() < 0.5 and pool.address not in self.books.open:
            self.world.call(GUARDIAN, self.world.executor, calls.sweep(pool.address, lower, upper))

    def _close_somehow(self, pool: ExecutorPool) -> None:
        if self.rng.random() < 0.5:
            for _ in range(self.rng.randint(0, 3)):
                pool.swap(self.rng.random() < 0.5, self.rng.randint(1, 1_000) * ETH)
        if self.rng.random() < 0.3:
            self.close(pool, pool.close)
            return
        for tip in (self.rng.randint(1, 10) * ETH, ETH // 10, ETH // 1_000, 10**12, 0):
            try:
                self.close(pool, lambda tip=tip: pool.burn(tip=tip))
                return
            except Reverted as refused:
                assert str(refused) in ("tip over share", "tip refused")

    def _end_block(self) -> None:
        if self.rng.random() < 0.1:
            for pool in self.pools:
                if pool.address in self.books.open:
                    self.close(pool, lambda pool=pool: pool.close(sender=GUARDIAN))
        if self.world.halted and self.rng.random() < 0.3:
            self.world.owner_calls(calls.unhalt())
        if self.market:
            self.market_tick += round(self.rng.gauss(0, 8))
            if self.rng.random() < 0.02:
                self.market_tick += round(self.rng.gauss(0, 150))
            for pool in self.pools:
                pool.move_to(self.market_of(pool))
        hours = self.rng.choice([1, 3, 13, 20, 24, 30]) if self.rng.random() < 0.04 else 0
        self.begin_block(hours * 3_600 if hours else 12)

"""A thief with help: a second stolen key, more pools, lagging means, dust, timing, and meddling owners.

Beside the books of every position (see `thief`) three things are held after each act: nothing leaves the
executor but into a position, the contract never counts less than was lost in the last 24 hours, and what
is spent and at stake is within the budget as it stood at the latest opening.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from eth_abi import encode as abi_encode
from executor_world import ETH, GUARDIAN, OPERATOR, STRANGER, ExecutorPool, Reverted, Rules, compiled
from thief import DAY_S, Flow, Thief

from jitctl.contracts import calls
from jitctl.domain.values import Address

SECOND_KEY = Address("0x" + "a4" * 20)
HOUR_S = 3_600


class Gang(Thief):
    def __init__(self, seed: int, *, market: bool, rules: Rules, budget_wei: int) -> None:
        super().__init__(seed, market=market, rules=rules, budget_wei=budget_wei)
        world = self.world
        world.evm.set_balance(SECOND_KEY, 1 << 110)
        world.owner_calls(calls.set_operator(SECOND_KEY, True))
        first = self.pools[0]
        self.pools.append(
            world.new_pool(token=first.token, weth_is_token0=False, fee_pips=3_000, rules=rules)
        )
        self.pools.append(world.new_pool(tick=-200_000, depth=10**26, rules=rules))
        self.home = {pool.address: pool.tick for pool in self.pools}
        self.began = dict(self.home)
        self.recipients = [STRANGER, STRANGER, self._spinner()]
        self.limit_wei = budget_wei
        self.known = self._holdings()

    def _spinner(self) -> Address:
        """A fee recipient that burns the gas of every tip."""
        arguments = abi_encode(["address", "bytes", "bool"], [STRANGER, b"", False])
        return self.world.deploy(compiled("GreedyBuilder") + arguments)

    # The invariants

    def flow_of(self, pool: ExecutorPool, act: Callable[[], object]) -> Flow:
        self._check_holdings()
        flow = super().flow_of(pool, act)
        self.known = self._holdings()
        return flow

    def try_mint(self, pool: ExecutorPool, lower: int, upper: int, liquidity: int) -> bool:
        opened = super().try_mint(pool, lower, upper, liquidity)
        if opened:
            self.budget_wei = self.limit_wei
        return opened

    def _holdings(self) -> dict[Address, int]:
        tokens = {self.world.weth, *(pool.token for pool in self.pools)}
        return {token: self.world.balance(token, self.world.executor) for token in tokens}

    def _check_holdings(self) -> None:
        now = self._holdings()
        assert all(now[token] >= held for token, held in self.known.items()), "it left another way"
        self.known = now

    def check(self) -> None:
        self._check_holdings()
        since_s = self.world.timestamp_s - DAY_S
        lost = sum(
            (max(row.loss, Fraction(0)) for row in self.books.closed if row.second > since_s), Fraction(0)
        )
        spent = self.world.spent
        assert lost <= spent, "it counts less than was lost"
        most = max(self.budget_wei, self.limit_wei)
        assert spent + self.world.reserved <= most or not self.books.open, "more than was allowed"
        assert self.world.evm.get_balance(self.world.executor) == 0

    # What they do

    def _act(self, pool: ExecutorPool) -> None:
        acts = [
            (30, lambda: super(Gang, self)._act(pool)),
            (14, lambda: self.lag(pool)),
            (8, self.in_two_pools),
            (8, lambda: self.wash(pool)),
            (6, lambda: self.dust(pool)),
            (6, lambda: self.donate(pool)),
            (4, self.meddle),
        ]
        weights, actions = zip(*acts, strict=True)
        self.rng.choices(actions, weights)[0]()
        self.check()

    def sender(self) -> Address:
        return self.rng.choice([OPERATOR, SECOND_KEY])

    def lag(self, pool: ExecutorPool) -> None:
        """Between the mean, the block's first price and the price that it should be: at the best of them."""
        if pool.address in self.books.open:
            return
        ticks = [self.twap_tick(pool), self.began[pool.address], self.market_of(pool)]
        begin, end = self.rng.sample(ticks, 2)
        pool.move_to(begin + self.rng.randint(-2, 2))
        lower, upper = self._range_between(pool, end)
        if self.mint_most(pool, lower, upper):
            pool.move_to(end)
            if self.rng.random() < 0.85:
                self._close_somehow(pool)

    def in_two_pools(self) -> None:
        """Open in two pools of one token, trade through both against each other, close in any order."""
        pair = [self.pools[0], self.pools[2]]
        for pool in pair:
            if pool.address not in self.books.open:
                self.shove(pool)
                self.mint_most(pool, *self._range_between(pool, self.twap_tick(pool)))
        self.rng.shuffle(pair)
        for pool in pair:
            pool.move_to(self.twap_tick(pool) + self.rng.randint(-60, 60))
        for pool in pair:
            if pool.address in self.books.open and self.rng.random() < 0.8:
                self._close_somehow(pool)

    def wash(self, pool: ExecutorPool) -> None:
        """Pay fees, and take out in the tip all that is allowed."""
        if pool.address not in self.books.open and not self.mint_most(pool, *self._around(pool)):
            return
        home = pool.tick
        for _ in range(self.rng.randint(1, 3)):
            pool.move_to(home + self.rng.randint(-30, 30))
        pool.move_to(home)
        for tip in (1 << bit for bit in range(62, 0, -1)):
            try:
                self.close(pool, lambda tip=tip: pool.burn(sender=self.sender(), tip=tip))
                return
            except Reverted as refused:
                assert str(refused) in ("tip over share", "tip refused")
        self.close(pool, pool.burn)

    def _around(self, pool: ExecutorPool) -> tuple[int, int]:
        lower = pool.tick // pool.tick_spacing * pool.tick_spacing
        return lower, lower + pool.tick_spacing

    def dust(self, pool: ExecutorPool) -> None:
        """Rounding only, many times."""
        for _ in range(self.rng.randint(1, 8)):
            if pool.address in self.books.open:
                return
            if self.try_mint(pool, *self._around(pool), self.rng.randint(1, 1 << self.rng.randint(1, 40))):
                self.close(pool, self.rng.choice([pool.close, pool.burn]))

    def donate(self, pool: ExecutorPool) -> None:
        world = self.world
        if self.rng.random() < 0.5:
            world.give(pool.token, world.executor, self.rng.randint(1, ETH))
        else:
            world.give_weth(world.executor, self.rng.randint(1, ETH))

    def meddle(self) -> None:
        """What owner and guardian may do at any moment, also while something is open."""
        world, pool = self.world, self.rng.choice(self.pools)
        choice = self.rng.randrange(6)
        if choice == 0:
            self.limit_wei = self.rng.randint(1, 20) * ETH
            world.owner_calls(calls.set_budget(self.limit_wei))
        elif choice == 1:
            pool.allow(replace(self.rules, allowed=self.rng.random() < 0.2))
        elif choice == 2:
            pool.allow(replace(self.rules, max_tip_bps=self.rng.choice([0, 5_000, 10_000])))
        elif choice == 3:
            world.call(GUARDIAN, world.executor, calls.halt())
        elif choice == 4:
            world.owner_calls(calls.unhalt())
        else:
            pool.allow(self.rules)

    def _end_block(self) -> None:
        self.world.set_coinbase(self.rng.choice(self.recipients))
        if self.books.open and self.rng.random() < 0.3:
            for pool in self.pools:
                if pool.address in self.books.open:
                    self.close(pool, lambda pool=pool: pool.close(sender=GUARDIAN))
        super()._end_block()
        if self.rng.random() < 0.05:
            # To the last second of an hour, the first, or 24 hours after a loss and a second around it.
            now_s = self.world.timestamp_s
            targets = [(now_s // HOUR_S + 1) * HOUR_S, (now_s // HOUR_S + 25) * HOUR_S]
            targets += [row.second + DAY_S for row in self.books.closed[-3:]]
            at_s = self.rng.choice(targets) + self.rng.randint(-1, 1)
            if at_s > now_s:
                self.begin_block(at_s - now_s)
        self.check()

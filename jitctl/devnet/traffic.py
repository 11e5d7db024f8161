"""Seeded users who trade through the real routers as people do: sizes, routes, mistakes and all.

Everything goes through the front door. Randomness comes from the seed alone; what the chain answers
(nonces, quotes, gas) is read when a trade is made.
"""

from __future__ import annotations

import contextlib
import math
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from eth_utils.crypto import keccak

from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorError
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.people import signs_permits
from jitctl.devnet.router_calls import ROUTER_NAMES, Permit, Trade, encode_trade
from jitctl.devnet.toolchain import artifact
from jitctl.devnet.user_link import UserLink
from jitctl.devnet.user_wallet import Fees, Order, sign_permit
from jitctl.domain.values import Address, Hash32, PoolSpec, Token, address
from jitctl.errors import UsageError

GWEI = 10**9
MAX_SIGNED_FOR_S = 1_800
BASE_FEE_AIM_WEI = GWEI
TARGET_GAS = 15_000_000
BURNER_OVERHEAD_GAS = 60_000
_TAX = "TAX"


class Kind(StrEnum):
    """What sort of trade: sizes in USD, or what goes wrong with it."""

    NORMAL = "normal"
    BIG = "big"
    SMALL = "small"
    INFORMED = "informed"
    """The external market moves first, by more than the pool's fee; the trade then takes the difference."""
    EXPIRED = "expired"
    """Its deadline is over before any block can hold it."""
    FAILING = "failing"
    """It wants more than the pool gives."""
    REPLACED = "replaced"
    """Sent, then replaced by another trade of the same nonce at 15% higher fees."""


SIZES_USD = {
    Kind.NORMAL: (2_000, 60_000),
    Kind.BIG: (150_000, 1_500_000),
    Kind.SMALL: (1, 30),
    Kind.INFORMED: (80_000, 600_000),
    Kind.EXPIRED: (20_000, 200_000),
    Kind.FAILING: (20_000, 200_000),
    Kind.REPLACED: (20_000, 200_000),
}
MIX = {
    Kind.NORMAL: 46, Kind.BIG: 24, Kind.SMALL: 8, Kind.INFORMED: 7, Kind.EXPIRED: 4, Kind.FAILING: 5,
    Kind.REPLACED: 6,
}  # fmt: skip
TX_TYPES = {2: 70, 0: 18, 1: 6, 4: 6}


@dataclass(frozen=True, slots=True)
class SentSwap:
    """A trade that was handed to the door; `replaces` is the transaction that it took the place of."""

    hash: Hash32
    kind: Kind
    router: str
    tx_type: int
    pools: tuple[str, ...]
    trade: Trade
    replaces: Hash32 | None = None


class Traffic:
    """Users of one devnet; `sent` lists what they did."""

    def __init__(self, door_url: str, devnet: Manifest, seed: int) -> None:
        self._devnet = devnet
        self._rng = random.Random(seed)
        self._seed = seed
        self._users = dict(devnet.users)
        self._authorities = 0
        self._link = UserLink(door_url, devnet)
        self._feed_abi = Interface(fixture("PriceFeed")["abi"])
        self._permit2_abi = Interface(artifact("permit2", "Permit2")["abi"])
        self.sent: list[SentSwap] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def swap(
        self,
        pool: str | PoolSpec | tuple[PoolSpec, ...],
        *,
        amount_in: int | None = None,
        amount_out: int | None = None,
        token_in: str | None = None,
        router: str = "v3",
        kind: Kind | str = Kind.NORMAL,
        tx_type: int = 2,
        user: int | None = None,
        native: bool = False,
        slippage_bps: int = 100,
        gas_factor: float | None = None,
        tip_wei: int | None = None,
    ) -> Hash32:
        """Trade through a pool (or along several) and return the transaction's hash.

        Amounts are base units of `token_in` (WETH if not given) or of the token that comes out. `native`
        uses ETH at the ends that are WETH. Raises `UsageError` for what cannot be asked, `DoorError` for
        what the pool refuses.
        """
        if (amount_in is None) == (amount_out is None):
            raise UsageError("give either amount_in or amount_out")
        if router not in ROUTER_NAMES:
            raise UsageError(f"no router {router!r}", hint=f"one of {', '.join(ROUTER_NAMES)}")
        kind = Kind(kind)
        route = self._route(pool)
        tokens = _tokens_along(route, token_in or "WETH")
        index = await self._free_user(router) if user is None else user
        if kind is Kind.INFORMED:
            await self.move_market(tokens[-1].symbol, tokens[0].symbol, route[0].fee_pips)
        exact_in = amount_in is not None
        trade = await self._trade(
            index, tuple(token.address for token in tokens), route, exact_in,
            amount_in if amount_in is not None else amount_out or 0, kind, slippage_bps, native,
        )  # fmt: skip
        fees = await self._fees(tx_type, tip_wei)
        sent = await self._send(index, router, route, trade, kind, tx_type, fees, gas_factor)
        if kind is Kind.REPLACED:
            bigger = await self._trade(
                index,
                trade.tokens,
                route,
                exact_in,
                trade.amount * 11 // 10,
                Kind.NORMAL,
                slippage_bps,
                native,
            )
            # Where a block came in between there is nothing left to replace.
            with contextlib.suppress(DoorError):
                sent = await self._send(
                    index, router, route, bigger, kind, tx_type, fees.raised(15), gas_factor, replaces=sent
                )
        return sent.hash

    async def random_swap(self) -> Hash32:
        """Make the next trade of the seed's sequence; prices tend back to the external market."""
        rng = self._rng
        kind = rng.choices(list(MIX), weights=list(MIX.values()))[0]
        route = self._random_route()
        token_in = await self._leaning(route[0])
        if len(route) == 2 and _touches(route[1], token_in):
            route = route[:1]  # it would not come out at the token that the two pools share
        tokens = _tokens_along(route, token_in)
        if any(token.symbol == _TAX for token in tokens[:-1]):
            # A pool cannot be paid in a token that keeps a part of what is sent.
            route, token_in = route[:1], "WETH"
            tokens = _tokens_along(route, token_in)
        exact_in = tokens[-1].symbol == _TAX or rng.random() < 0.75
        low, high = SIZES_USD[kind]
        usd = math.exp(rng.uniform(math.log(low), math.log(high)))
        token = tokens[0] if exact_in else tokens[-1]
        amount = max(1, int(usd / await self._link.usd(token.symbol) * 10**token.decimals))
        return await self.swap(
            route,
            amount_in=amount if exact_in else None,
            amount_out=None if exact_in else amount,
            token_in=token_in,
            router=rng.choice(list(ROUTER_NAMES)),
            kind=kind,
            tx_type=rng.choices(list(TX_TYPES), weights=list(TX_TYPES.values()))[0],
            native=tokens[-1].symbol != _TAX and rng.random() < 0.4,
            slippage_bps=rng.choice((20, 50, 100, 100, 300)),
        )

    async def move_market(self, up: str, down: str, beyond_pips: int) -> Hash32:
        """Make `up` dearer against `down` by a little more than `beyond_pips`; returns when it is mined."""
        symbol, sign = (up, 1) if up != "WETH" else (down, -1)
        if symbol == "WETH":
            raise UsageError("a market needs two tokens")
        now = await self._link.feed(symbol)
        change = beyond_pips * self._rng.uniform(1.5, 4.0) / 1e6
        return await self.set_price(symbol, int(now * (1 + sign * change)))

    async def set_price(self, symbol: str, answer: int) -> Hash32:
        """Set a token's USD feed (8 decimals) by a transaction; returns when it is mined."""
        user = len(self._users) - 1
        feed = address(self._devnet.data["priceFeeds"][symbol])
        data = self._feed_abi.call("set", answer)
        order = Order(2, await self._link.nonce(user), feed, data, 0, 120_000, await self._fees(2, 5 * GWEI))
        tx_hash = await self._link.submit(user, order)
        await self._link.until_mined(tx_hash)
        return tx_hash

    async def give(self, symbol: str, to: Address, amount: int) -> Hash32:
        """Transfer a user's tokens to an account, for nothing in return."""
        user = self._rng.randrange(len(self._users))
        data = Interface(fixture("TestToken")["abi"]).call("transfer", to, amount)
        token = self._devnet.tokens[symbol].address
        order = Order(2, await self._link.nonce(user), token, data, 0, 120_000, await self._fees(2, GWEI))
        return await self._link.submit(user, order)

    async def background(self) -> tuple[Hash32, ...]:
        """Use up gas as the rest of the world does, so that the base fee stays about where it began."""
        base_fee = await self._link.base_fee()
        drift = max(-0.9, min(0.8, 2 * math.log(BASE_FEE_AIM_WEI / base_fee)))
        gas = int(TARGET_GAS * (1 + drift) * self._rng.uniform(0.8, 1.1))
        user = len(self._users) - 1
        nonce = await self._link.nonce(user)
        sent = []
        # Two, because one transaction may not use more than half a block.
        for index in range(2):
            data = Interface(fixture("GasBurner")["abi"]).call("burn", gas // 2 - BURNER_OVERHEAD_GAS)
            to, fees = self._devnet.at("gasBurner"), Fees(4 * base_fee, 1)
            sent.append(await self._link.submit(user, Order(2, nonce + index, to, data, 0, gas // 2, fees)))
        return tuple(sent)

    async def _free_user(self, router: str) -> int:
        """Return a random user; not one whose signed allowance may still be on its way."""
        index = self._rng.randrange(len(self._users))
        if router != "universal" or not signs_permits(index):
            return index
        settled = await self._link.nonce(index, "latest") == await self._link.nonce(index)
        return index if settled else index - 1

    def _route(self, pool: str | PoolSpec | tuple[PoolSpec, ...]) -> tuple[PoolSpec, ...]:
        if isinstance(pool, PoolSpec):
            return (pool,)
        if isinstance(pool, tuple):
            return pool
        try:
            return (self._devnet.pool(pool),)
        except KeyError:
            known = ", ".join(spec.name for spec in self._devnet.pools)
            raise UsageError(f"no pool {pool!r}", hint=f"one of {known}") from None

    def _random_route(self) -> tuple[PoolSpec, ...]:
        rng = self._rng
        pools = self._devnet.pools
        first = rng.choices(pools, weights=[_popularity(pool) for pool in pools])[0]
        if rng.random() >= 0.2:
            return (first,)
        first_symbols = {first.token0.symbol, first.token1.symbol}
        nexts = [
            pool
            for pool in (*pools, *self._devnet.other_pools)
            if len(first_symbols & {pool.token0.symbol, pool.token1.symbol}) == 1
            and _TAX not in first_symbols | {pool.token0.symbol, pool.token1.symbol}
        ]
        return (first, rng.choice(nexts)) if nexts else (first,)

    async def _leaning(self, pool: PoolSpec) -> str:
        """Return the token to sell: more likely the one that the pool values above the market."""
        usd0, usd1 = await self._link.usd(pool.token0.symbol), await self._link.usd(pool.token1.symbol)
        raw = (await self._link.sqrt_price_x96(pool) / 2**96) ** 2
        inside = raw * 10 ** (pool.token0.decimals - pool.token1.decimals)
        excess_bps = (inside / (usd0 / usd1) - 1) * 1e4
        sell0 = 1 / (1 + math.exp(-excess_bps / 15))
        return pool.token0.symbol if self._rng.random() < sell0 else pool.token1.symbol

    async def _trade(
        self,
        user: int,
        tokens: tuple[Address, ...],
        route: tuple[PoolSpec, ...],
        exact_in: bool,
        amount: int,
        kind: Kind,
        slippage_bps: int,
        native: bool,
    ) -> Trade:
        weth = self._devnet.tokens["WETH"].address
        now_s = await self._link.head_time_s()
        trade = Trade(
            user=list(self._users)[user],
            tokens=tokens,
            fees=tuple(pool.fee_pips for pool in route),
            exact_in=exact_in,
            amount=amount,
            limit_amount=0,
            deadline_s=now_s - 1 if kind is Kind.EXPIRED else now_s + self._rng.randint(300, 1_800),
            native_in=native and tokens[0] == weth,
            native_out=native and tokens[-1] == weth,
        )
        quote = await self._link.quote(trade)
        if kind is Kind.FAILING:
            slippage_bps = -300
        factor = 10_000 - slippage_bps if exact_in else 10_000 + slippage_bps
        return Trade(
            trade.user, tokens, trade.fees, exact_in, amount, max(1, quote * factor // 10_000),
            trade.deadline_s, trade.native_in, trade.native_out,
        )  # fmt: skip

    async def _send(
        self,
        user: int,
        router: str,
        route: tuple[PoolSpec, ...],
        trade: Trade,
        kind: Kind,
        tx_type: int,
        fees: Fees,
        gas_factor: float | None,
        *,
        replaces: SentSwap | None = None,
    ) -> SentSwap:
        to = self._devnet.router(ROUTER_NAMES[router])
        permit = await self._permit(user, trade, to) if router == "universal" else None
        data = encode_trade(router, trade, permit)
        factor = self._rng.uniform(1.0, 1.2) if gas_factor is None else gas_factor
        gas = int(await self._link.estimate(trade, to, data) * factor)
        delegation = None
        if tx_type == 4:
            self._authorities += 1
            delegation = (self._authority(), self._devnet.at("gasBurner"))
            gas += 25_000
        nonce = await self._link.nonce(user) - (1 if replaces is not None else 0)
        order = Order(tx_type, nonce, to, data, trade.value_wei, gas, fees, delegation)
        tx_hash = await self._link.submit(user, order)
        sent = SentSwap(
            tx_hash, kind, router, tx_type, tuple(pool.name for pool in route), trade,
            None if replaces is None else replaces.hash,
        )  # fmt: skip
        self.sent.append(sent)
        return sent

    async def _permit(self, user: int, trade: Trade, spender: Address) -> Permit | None:
        """Return a signed allowance where this user has no standing one."""
        if trade.native_in or not signs_permits(user):
            return None
        account, token = trade.user, trade.tokens[0]
        data = self._permit2_abi.call("allowance", account, token, spender)
        reply = await self._link.call(self._devnet.at("permit2"), data)
        amount, expiration_s, nonce = self._permit2_abi.result("allowance", reply, 3)
        now_s = await self._link.head_time_s()
        # Enough for an hour of trades: the next one needs no signature, as with real wallets.
        if amount > 2**159 and expiration_s > now_s + 60:
            return None
        return sign_permit(
            self._users[account], self._devnet.chain_id, self._devnet.at("permit2"), token, spender,
            nonce, now_s + MAX_SIGNED_FOR_S,
        )  # fmt: skip

    async def _fees(self, tx_type: int, tip_wei: int | None) -> Fees:
        base_fee = await self._link.base_fee()
        tip = (
            int(math.exp(self._rng.uniform(math.log(GWEI // 50), math.log(2 * GWEI))))
            if tip_wei is None
            else tip_wei
        )
        if tx_type <= 1:
            return Fees(base_fee * 5 // 4 + tip, tip)
        return Fees(2 * base_fee + tip, tip)

    def _authority(self) -> str:
        text = f"jitctl devnet authority {self._seed} {self._authorities}"
        return "0x" + keccak(text=text).hex()


def _tokens_along(route: tuple[PoolSpec, ...], token_in: str) -> tuple[Token, ...]:
    """Return the tokens that a trade passes; `UsageError` if the route does not begin with `token_in`."""
    path: list[Token] = []
    symbol = token_in
    for pool in route:
        sides = {pool.token0.symbol: pool.token0, pool.token1.symbol: pool.token1}
        if symbol not in sides:
            raise UsageError(f"{pool.name} has no {symbol}", hint=f"it has {' and '.join(sides)}")
        if not path:
            path.append(sides[symbol])
        path.append(next(token for name, token in sides.items() if name != symbol))
        symbol = path[-1].symbol
    return tuple(path)


def _touches(pool: PoolSpec, symbol: str) -> bool:
    return symbol in (pool.token0.symbol, pool.token1.symbol)


def _popularity(pool: PoolSpec) -> int:
    """Return how much of the flow a pool gets: most goes to the cheap pools of the large tokens."""
    if _touches(pool, _TAX) or _touches(pool, "BLK"):
        return 2
    return {500: 20, 3_000: 10}.get(pool.fee_pips, 3)

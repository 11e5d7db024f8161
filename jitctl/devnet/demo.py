"""The whole system on a private chain, through its own verbs: what `jitctl demo` shows.

A devnet in this process, the daemon as its own processes, users who trade through all three routers, and at
the end the proof, read from the chain. Everything that was started is gone afterwards.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jitctl.devnet.captured_swap import capture
from jitctl.devnet.door_client import DoorError
from jitctl.devnet.network import Devnet
from jitctl.devnet.plot import draw
from jitctl.devnet.proof import LandedJit, Proof, Prover
from jitctl.devnet.traffic import Traffic
from jitctl.domain.records import ETH
from jitctl.domain.values import Address, PoolSpec
from jitctl.errors import ERRORS_BY_CODE, JitError, TimedOut

SLOT_SECONDS = 1.0
SETTLE_SLOTS = 8
VERB_TIMEOUT_S = 60

Say = Callable[[str, int, int], None]
"""What is going on, steps done, steps in all."""


@dataclass(frozen=True, slots=True)
class Order:
    """A user's swap of so much `weth`, sold or bought; `then` names the pool of a second hop."""

    pool: str
    weth: float
    router: str
    kind: str = "normal"
    buy_weth: bool = False
    exact_out: bool = False
    native: bool = False
    tx_type: int = 2
    then: str = ""


# One list a slot. The users sell and buy in turn, so that prices stay about where the market is.
TEST_SLOTS: tuple[tuple[Order, ...], ...] = (
    (Order("WETH/USDC-0.05%", 60, "v3"),),
    (Order("WETH/USDC-0.05%", 60, "02", buy_weth=True),),
)
PRODUCTION_SLOTS: tuple[tuple[Order, ...], ...] = (
    (Order("WETH/USDC-0.05%", 80, "v3"),),
    (Order("WETH/USDC-0.05%", 80, "02", buy_weth=True, exact_out=True),),
    (Order("WETH/USDC-0.05%", 0.01, "universal", kind="small"), Order("WETH/USDC-0.3%", 40, "universal")),
    (Order("WETH/USDC-0.3%", 40, "v3", buy_weth=True, native=True),),
    # Two pools in one block, two lanes.
    (Order("WETH/WBTC-0.05%", 60, "02", native=True), Order("WETH/DAI-0.3%", 30, "v3")),
    (
        Order("WETH/WBTC-0.05%", 60, "universal", buy_weth=True),
        Order("WETH/DAI-0.3%", 30, "02", buy_weth=True),
    ),
    (Order("WETH/USDC-0.05%", 70, "v3", kind="expired"),),
    (Order("WETH/USDT-0.05%", 90, "universal", native=True),),
    (Order("WETH/USDT-0.05%", 90, "v3", buy_weth=True),),
    (Order("WETH/DAI-1%", 25, "02", kind="failing"), Order("WETH/WBTC-0.3%", 35, "v3", tx_type=0)),
    (Order("WETH/WBTC-0.3%", 35, "universal", buy_weth=True, exact_out=True),),
    (Order("WETH/DAI-1%", 20, "02", exact_out=True),),
    (Order("WETH/DAI-1%", 20, "v3", buy_weth=True, native=True),),
    (Order("WETH/USDC-0.05%", 90, "universal", tx_type=1), Order("WETH/USDT-0.05%", 60, "02")),
    (
        Order("WETH/USDC-0.05%", 90, "v3", buy_weth=True),
        Order("WETH/USDT-0.05%", 60, "universal", buy_weth=True),
    ),
    (Order("WETH/USDC-0.3%", 45, "02", kind="replaced"),),
    (Order("WETH/USDC-0.3%", 45, "v3", buy_weth=True),),
    (Order("WETH/DAI-0.3%", 0.005, "v3", kind="small"),),
    (Order("WETH/DAI-0.3%", 40, "universal", exact_out=True),),
    (Order("WETH/DAI-0.3%", 40, "02", buy_weth=True),),
    (Order("WETH/USDC-0.05%", 70, "02", then="USDC/DAI-0.05%"),),
    (Order("WETH/USDC-0.05%", 70, "universal", buy_weth=True, tx_type=4), Order("WETH/BLK-0.3%", 15, "v3")),
    (Order("WETH/BLK-0.3%", 15, "02", buy_weth=True), Order("WETH/WBTC-0.3%", 30, "universal")),
    (Order("WETH/WBTC-0.3%", 30, "v3", buy_weth=True), Order("WETH/DAI-1%", 0.01, "02", kind="small")),
    (Order("WETH/WBTC-0.05%", 12, "v3", kind="informed", buy_weth=True),),
    (Order("WETH/USDT-0.05%", 12, "02", kind="informed", buy_weth=True),),
)
DONATION_SLOT, DONATION = 7, ("WETH", 3 * 10**15)


@dataclass(slots=True)
class DemoResult:
    """Everything that the demo found; amounts in base units, `*_wei` in wei."""

    folder: Path
    swaps_sent: int
    swaps_refused: int
    proof: Proof
    nets: dict[str, dict[str, int]]
    outcomes: dict[str, int]
    skips: dict[str, int]
    daily_summary: dict[str, Any]
    daily_summary_text: str
    plot: Path | None
    elapsed_s: float
    symbols: dict[Address, tuple[str, int]] = field(default_factory=dict)
    pools: dict[Address, PoolSpec] = field(default_factory=dict)


async def run_demo(folder: Path, plot_path: Path, say: Say, *, seed: int = 1) -> DemoResult:
    """Run the demo with its files in `folder` and return what happened; raises `JitError` if a verb fails."""
    started = time.monotonic()
    steps = len(TEST_SLOTS) + len(PRODUCTION_SLOTS) + SETTLE_SLOTS + 7
    done = 0

    def step(what: str) -> None:
        nonlocal done
        say(what, done, steps)
        done += 1

    step("starting a real EVM with the real Uniswap v3, users and a builder")
    async with (
        Devnet(folder, SLOT_SECONDS, seed) as net,
        Traffic(net.manifest.rpc_url, net.manifest, seed) as users,
    ):
        bot = Bot(folder / "config")
        try:
            step("starting the bot in test mode: everything but submitting")
            await bot.verb("start", "--mode", "test", "--yes", "--reason", "demo")
            first_block = net.chain.head.number + 1
            refused = 0
            for orders in TEST_SLOTS:
                await net.chain.next_block()
                step(f"test mode, block {net.chain.head.number}: {_described(orders)}")
                refused += await _trade(net, users, orders)
            step("proving the test bot fit for production, and switching")
            await bot.verb("validate-live")
            await bot.verb("start", "--mode", "production", "--yes", "--reason", "demo")
            for index, orders in enumerate(PRODUCTION_SLOTS):
                await net.chain.next_block()
                step(f"production, block {net.chain.head.number}: {_described(orders)}")
                if index == DONATION_SLOT:
                    await users.give(DONATION[0], net.executor, DONATION[1])
                refused += await _trade(net, users, orders)
            for left in range(SETTLE_SLOTS, 0, -1):
                await net.chain.next_block()
                step(f"letting the attempts settle, {left} blocks to go")
            await _settled(bot, net)
            last_block = net.chain.head.number
            step("reading the day's summary")
            text = await bot.output("daily-summary")
            summary = await bot.verb("daily-summary")
            step("stopping the bot")
            await bot.verb("stop", "--reason", "demo is over")
        finally:
            await bot.ensure_gone()
        step("proving it from the chain: replaying every block with and without us, comparing every balance")
        found = await asyncio.to_thread(_examine, net, folder, first_block, last_block)
        step("drawing one captured swap")
        plot = await asyncio.to_thread(_picture, net, found.proof, plot_path)
    say("done", steps, steps)
    return DemoResult(
        folder=folder,
        swaps_sent=len(users.sent),
        swaps_refused=refused,
        proof=found.proof,
        nets=found.nets,
        outcomes=found.outcomes,
        skips=found.skips,
        daily_summary=summary,
        daily_summary_text=text,
        plot=plot,
        elapsed_s=time.monotonic() - started,
        symbols={
            ETH: ("ETH", 18),
            **{token.address: (token.symbol, token.decimals) for token in net.uniswap.tokens.values()},
        },
        pools={spec.address: spec for spec in net.uniswap.pools},
    )


class Bot:
    """The daemon of one configuration folder, driven as an operator does: by the command line.

    Devnets of one seed share keys and chain id, so each bot has a folder of its own for signer locks.
    """

    def __init__(self, config_dir: Path) -> None:
        self._config_dir = config_dir

    async def verb(self, *words: str) -> dict[str, Any]:
        """Run a verb and return its JSON; raises the `JitError` that it ended with."""
        reply: dict[str, Any] = json.loads(await self.output(*words, "-o", "json"))
        return reply

    async def output(self, *words: str) -> str:
        """Run a verb and return its stdout; raises the `JitError` that it ended with."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jitctl", "--config-dir", str(self._config_dir), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NO_COLOR": "1", "JITCTL_LOCK_DIR": str(self._config_dir.parent / "locks")},
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), VERB_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise TimedOut(f"jitctl {words[0]} did not end within {VERB_TIMEOUT_S} s") from None
        if process.returncode:
            raise _error_of(words[0], err.decode(errors="replace"))
        return out.decode()

    async def ensure_gone(self) -> None:
        """Stop the daemon if it still runs; a daemon that is not there is fine."""
        try:
            await self.verb("stop", "--reason", "demo is over")
        except JitError as error:
            if error.exit_code != 3:
                raise


def _error_of(verb: str, stderr: str) -> JitError:
    last = stderr.strip().splitlines()[-1] if stderr.strip() else ""
    try:
        body = json.loads(last)["error"]
        return ERRORS_BY_CODE.get(body["code"], JitError)(f"{verb}: {body['message']}", hint=body["hint"])
    except (ValueError, KeyError, TypeError):
        return JitError(f"{verb} failed: {last or 'it said nothing'}")


async def _trade(net: Devnet, users: Traffic, orders: tuple[Order, ...]) -> int:
    """Send a slot's orders; return how many the network itself refused."""
    refused = 0
    for order in orders:
        spec = net.uniswap.pool(order.pool)
        other = spec.quote_token
        weth = int(order.weth * 10**18)
        if order.buy_weth:
            sold = other
            amount_in = int(weth * await _price(net, other.symbol) * 10**other.decimals) // 10**18
        else:
            sold = spec.weth
            amount_in = weth
        amount_out = (
            weth
            if order.buy_weth
            else int(weth * await _price(net, other.symbol) * 10**other.decimals) // 10**18
        )
        try:
            await users.swap(
                tuple(net.uniswap.pool(name) for name in (order.pool, order.then) if name),
                amount_in=None if order.exact_out else amount_in,
                amount_out=amount_out if order.exact_out else None,
                token_in=sold.symbol,
                router=order.router,
                kind=order.kind,
                native=order.native,
                tx_type=order.tx_type,
                slippage_bps=300,
            )
        except DoorError:
            refused += 1
    return refused


async def _price(net: Devnet, symbol: str) -> float:
    """Whole tokens of `symbol` for one WETH at the feeds' prices."""
    return await net.usd("WETH") / await net.usd(symbol)


async def _settled(bot: Bot, net: Devnet) -> None:
    for _ in range(2 * SETTLE_SLOTS):
        if not (await bot.verb("status"))["figures"]["unsettledAttempts"]:
            return
        await net.chain.next_block()
    raise TimedOut("attempts are still unsettled", hint="see the bot's log in the demo's folder (--dir)")


@dataclass(frozen=True, slots=True)
class _Found:
    proof: Proof
    nets: dict[str, dict[str, int]]
    outcomes: dict[str, int]
    skips: dict[str, int]


def _examine(net: Devnet, folder: Path, first_block: int, last_block: int) -> _Found:
    from jitctl.ledger.queries import LedgerReader

    path = folder / "data" / "ledger.db"
    operators = [account.address for account in net.people.operators]
    proof = Prover(net.manifest.rpc_url, net.executor, operators, net.uniswap.pools).prove(
        path, first_block, last_block
    )
    reader = LedgerReader(path)
    attempts = reader.attempts()
    nets = {
        str(attempt.burn_tx): {
            "netPreWei": attempt.result.net_pre_wei,
            "netPostWei": attempt.result.net_post_wei,
            "netMarkWei": attempt.result.net_mark_wei,
        }
        for attempt in attempts
        if attempt.result is not None
    }
    outcomes = Counter(f"{attempt.outcome or attempt.state}" for attempt in attempts)
    skips: Counter[str] = Counter()
    for row in reader.skips():
        skips[row.reason] += row.count
    return _Found(proof, nets, dict(outcomes), dict(skips))


def _picture(net: Devnet, proof: Proof, path: Path) -> Path | None:
    """Draw the JIT whose victim we helped the most: the largest difference in the price that it left."""

    def helped(jit: LandedJit) -> float:
        with_us, without_us = jit.sqrt_price_after_x96, jit.sqrt_price_without_us_x96
        return abs(math.log(without_us / with_us)) if with_us and without_us else 0.0

    if not proof.landed:
        return None
    best = max(proof.landed, key=helped)
    return draw(capture(net.manifest.rpc_url, net.uniswap.pool(best.pool), best), path)


def _described(orders: tuple[Order, ...]) -> str:
    return ", ".join(
        f"{order.kind + ' ' if order.kind != 'normal' else ''}swap in {order.pool} through {order.router}"
        for order in orders
    )

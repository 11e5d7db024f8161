"""A devnet with manual slots, its users, and the real daemon in production, driven by its own verbs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jitctl.contracts import calls
from jitctl.control.client import Client
from jitctl.devnet.calldata import Interface
from jitctl.devnet.chain_record import BlockRecord
from jitctl.devnet.demo import Bot
from jitctl.devnet.door_client import DoorClient
from jitctl.devnet.executor_setup import executor_artifact
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.network import Devnet
from jitctl.devnet.proof import Proof, Prover
from jitctl.devnet.reorg import ReorgMode
from jitctl.devnet.traffic import Traffic
from jitctl.devnet.user_wallet import Fees, Order, sign_order
from jitctl.domain.attempt_state import AttemptState
from jitctl.domain.records import FlowKind, Outcome, StoredAttempt
from jitctl.ledger.queries import LedgerReader

WAIT_S = 20.0
MAX_SWAPS = 6
LOOK_S = 0.02
GWEI = 10**9
_BEFORE_SENT = {AttemptState.PLANNED, AttemptState.SIMULATED, AttemptState.SUBMITTING}
_SENT = {
    AttemptState.SUBMITTING, AttemptState.SUBMITTED, AttemptState.INCLUDED, AttemptState.MISSED,
    AttemptState.REVERTED, AttemptState.SETTLED,
}  # fmt: skip


class World:
    """One devnet and one bot; `first_block` is the first that the bot saw being built."""

    executor_abi = Interface(executor_artifact()["abi"])
    token_abi = Interface(fixture("TestToken")["abi"])

    def __init__(self, net: Devnet, users: Traffic, bot: Bot, door: DoorClient, rng: random.Random) -> None:
        self.net, self.users, self.bot, self.door, self.rng = net, users, bot, door, rng
        self.ledger_path = net.folder / "data" / "ledger.db"
        self.ledger = LedgerReader(self.ledger_path)
        self.first_block = net.chain.head.number + 1
        self._client = Client(net.folder / "run" / "jitctl.sock", timeout_s=5.0)
        self._idle_tasks = 0
        self._weth_sold: dict[str, bool] = {}
        self._skipped: set[str] = set()
        self._log_read = 0

    # -- waiting: always for something that can be seen, never for time --------------------------------

    async def until(self, what: str, look: Callable[[], Any]) -> Any:
        """Return the first true thing that `look` finds (it may be a coroutine function)."""
        deadline = time.monotonic() + WAIT_S
        while True:
            found = look()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {WAIT_S:g} s: {what}; the bot: {await self.figures()}")
            await asyncio.sleep(LOOK_S)

    async def status(self) -> dict[str, Any]:
        return await asyncio.to_thread(self._client.call, "status")

    async def figures(self) -> dict[str, Any]:
        """Return what `status` shows of the engine."""
        return (await self.status())["figures"]

    async def kill_engine(self) -> None:
        """End the engine as a crash does; its keeper stays."""
        status = await self.status()
        os.kill(status["engine"]["pid"], signal.SIGKILL)

        async def stopped() -> bool:
            return (await self.status())["state"] == "STOPPED"

        await self.until("the keeper sees the engine's end", stopped)

    async def in_step(self) -> dict[str, Any]:
        """Return the engine's figures once it stands on the newest head and has nothing left to do."""

        found: dict[str, Any] = await self.until("the bot stands on the head", self._quiet)
        self._idle_tasks = min(self._idle_tasks or found["tasks"], found["tasks"])
        return found

    async def _quiet(self) -> dict[str, Any] | None:
        now = await self.figures()
        head = self.net.chain.head.block["hash"]
        heads = [now.get(name) for name in ("headHash", "poolsHeadHash", "marksHeadHash")]
        at_head = heads == [head] * 3 and now["synced"]
        busy = now["state"] != "RUNNING" or not now["tradingReady"] or any(now["queues"].values())
        busy = busy or bool(_BEFORE_SENT & now["unsettledAttempts"].keys())
        if not at_head or busy or now["tasks"] > (self._idle_tasks or now["tasks"]):
            return None
        return now

    async def bundle_for(self, victim: str, seen: int) -> bool:
        """Return once the relay holds a bundle with `victim` for the next block, or the bot left it alone.

        `seen` is how many pending transactions the bot had seen before this one was sent.
        """

        async def answer() -> str:
            number = self.net.chain.head.number + 1
            if any(
                entry.outcome.state == "pending"
                and entry.bundle.target_block == number
                and victim in [tx.hash for tx in entry.bundle.txs]
                for entry in self.net.chain.bundles.entries()
            ):
                return "bundle"
            if victim in self._left_alone():
                return "left alone"
            now = await self._quiet()
            # It was tried on an older head and is worth nothing on this one: that is not told again.
            return "left alone" if now is not None and _pending_seen(now) > seen else ""

        return await self.until(f"a bundle around {victim}", answer) == "bundle"

    def _left_alone(self) -> set[str]:
        """Return the swaps that the bot has skipped, from what its log says that is new."""
        with (self.net.folder / "logs" / "jit-bot.log").open() as log:
            log.seek(self._log_read)
            while (line := log.readline()).endswith("\n"):
                self._log_read = log.tell()
                said = json.loads(line)
                if said["event"] == "strategy_decision" and said["decision"] == "skip":
                    self._skipped.add(said["victim"])
        return self._skipped

    async def pending_seen(self) -> int:
        """Return how many pending transactions the bot has looked at, once nothing is left to look at."""
        return _pending_seen(await self.in_step())

    async def has_judged(self, count: int, what: str = "pending_seen") -> dict[str, Any]:
        """Return the figures once the bot has looked at so many transactions and acted on them."""

        async def done() -> dict[str, Any] | None:
            now = await self._quiet()
            return now if now is not None and now["counts"]["happenings"][what] >= count else None

        found: dict[str, Any] = await self.until(f"{count} {what} have been judged", done)
        return found

    # -- what happens ----------------------------------------------------------------------------------

    async def big_swap(self, pool: str | None = None, **more: Any) -> str:
        """Let a user make a swap that is worth a JIT, in turn in both directions; return its hash."""
        name = pool or self.rng.choice(
            ("WETH/USDC-0.05%", "WETH/USDC-0.3%", "WETH/WBTC-0.05%", "WETH/DAI-0.3%")
        )
        token = self.net.uniswap.pool(name).quote_token
        weth = self.rng.randint(50, 90) * 10**18
        self._weth_sold[name] = not self._weth_sold.get(name)
        more = {"user": await self._free_user(), "gas_factor": 1.8, **more}
        if self._weth_sold[name]:
            return await self.users.swap(name, amount_in=weth, slippage_bps=300, **more)
        usd, weth_usd = await self.net.usd(token.symbol), await self.net.usd("WETH")
        amount = weth * weth_usd * 10**token.decimals // usd // 10**18
        return await self.users.swap(name, amount_in=amount, token_in=token.symbol, slippage_bps=300, **more)

    async def _free_user(self) -> int:
        """Return a user of whom nothing waits: what is sent next can be in the next block."""
        waiting = set(self.net.chain.mempool.senders())
        return self.rng.choice(
            [at for at, user in enumerate(self.net.people.users) if user.address not in waiting]
        )

    async def drain(self) -> None:
        """Build blocks, with whatever the bot does in them, until no user's transaction waits."""
        users = {user.address for user in self.net.people.users}
        for _ in range(8):
            if not users & set(self.net.chain.mempool.senders()):
                return
            await self.net.slot()
            await self.in_step()
        raise AssertionError("users' transactions stay in the pool")

    async def jit_block(self, pool: str | None = None, **more: Any) -> str:
        """Build a block around one user's swap that the bot has a bundle for; return the swap's hash."""
        for _ in range(MAX_SWAPS):
            seen = await self.pending_seen()
            victim = await self.big_swap(pool, **more)
            bundled = await self.bundle_for(victim, seen)
            await self.net.slot()
            if bundled:
                return victim
        raise AssertionError(f"the bot left {MAX_SWAPS} swaps alone")

    async def reorg(self, depth: int, mode: ReorgMode, blocks: int | None = None) -> list[BlockRecord]:
        return await self.net.reorg(depth, mode=mode, blocks=blocks)

    async def send(
        self,
        account: Any,
        to: str,
        data: str = "0x",
        *,
        wei: int = 0,
        nonce: int | None = None,
        tip: int = GWEI,
    ) -> str:
        """Send a plain transaction of one of the devnet's people to the public pool; return its hash."""
        if nonce is None:
            nonce = int(await self.door.call("eth_getTransactionCount", account.address, "pending"), 16)
        order = Order(2, nonce, to, data, wei, 200_000, Fees(20 * GWEI + tip, tip))
        raw = sign_order(account.private_key, self.net.manifest.chain_id, order)
        return await self.door.call("eth_sendRawTransaction", raw)

    # -- what is true ----------------------------------------------------------------------------------

    async def open_pools(self) -> list[str]:
        """Return the watched pools in which the executor has an open position."""
        found = []
        for spec in self.net.uniswap.pools:
            call = {"to": self.net.executor, "data": "0x" + calls.open_position(spec.address).hex()}
            if int((await self.door.call("eth_call", call, "latest"))[2:66], 16):
                found.append(spec.name)
        return found

    def sent_attempts(self) -> list[StoredAttempt]:
        """Return the attempts of which bytes may have left."""
        return [attempt for attempt in self.ledger.attempts() if attempt.state in _SENT]

    async def disagreements(self, *, settled: bool = False) -> list[str]:
        """Return where the ledger's attempts are not what the chain shows of their legs."""
        wrong = []
        for attempt in self.sent_attempts():
            if attempt.state is AttemptState.SETTLED and attempt.outcome is Outcome.MISSED:
                wrong += await self._unbooked_gas(attempt)
                continue
            expected = await self._expected(attempt)
            result = attempt.result
            found = (
                attempt.outcome,
                result.block_hash if result is not None else None,
                result.gas_wei if result is not None and result.close_tx is None else expected[2],
            )
            states = {AttemptState.SETTLED} if settled else _states_of(expected[0])
            if found != expected or attempt.state not in states:
                wrong.append(
                    f"{attempt.record.attempt_id[:8]} for {attempt.record.target_block} is {attempt.state} "
                    f"{attempt.reason} {found}, the chain says {expected}"
                )
        return wrong

    async def _unbooked_gas(self, attempt: StoredAttempt) -> list[str]:
        """A leg that leaked and was mined after all is no attempt's any more: its gas is a named flow."""
        booked = {flow.tx_hash: -flow.amount for flow in self.ledger.flows() if flow.kind is FlowKind.GAS}
        mined = [
            (tx, int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16))
            for tx in (attempt.mint_tx, attempt.burn_tx)
            if (receipt := await self.door.call("eth_getTransactionReceipt", tx)) is not None
        ]
        return [f"{tx} cost {gas}, booked {booked.get(tx)}" for tx, gas in mined if booked.get(tx) != gas]

    async def _expected(self, attempt: StoredAttempt) -> tuple[Outcome | None, str | None, int | None]:
        legs = [
            receipt
            for tx in (attempt.mint_tx, attempt.burn_tx)
            if (receipt := await self.door.call("eth_getTransactionReceipt", tx)) is not None
        ]
        if not legs:
            over = attempt.record.target_block <= self.net.chain.head.number
            return (Outcome.MISSED if over else None), None, None
        landed = (
            len(legs) == 2
            and all(leg["status"] == "0x1" for leg in legs)
            and legs[0]["blockHash"] == legs[1]["blockHash"]
        )
        gas = sum(int(leg["gasUsed"], 16) * int(leg["effectiveGasPrice"], 16) for leg in legs)
        return (Outcome.LANDED if landed else Outcome.REVERTED), legs[0]["blockHash"], gas

    async def ledger_agrees(self) -> None:
        """Return once the ledger says of every attempt what the chain says."""

        async def agrees() -> bool:
            return not await self.disagreements()

        try:
            await self.until("the ledger agrees with the chain", agrees)
        except AssertionError as error:
            raise AssertionError("\n".join(await self.disagreements())) from error

    async def settle_and_stop(self) -> int:
        """Build blocks until every attempt is settled, stop the bot, and return the last block's number."""
        for _ in range(12):
            await self.net.slot()
        await self.in_step()

        async def settled() -> bool:
            return not (await self.figures())["unsettledAttempts"]

        await self.until("every attempt is settled", settled)
        await self.bot.verb("stop", "--reason", "the test is over")
        assert await self.disagreements(settled=True) == []
        return self.net.chain.head.number

    async def prove(self, last_block: int) -> Proof:
        """Return the proof over every block that the bot saw."""
        operators = [account.address for account in self.net.people.operators]
        prover = Prover(self.net.manifest.rpc_url, self.net.executor, operators, self.net.uniswap.pools)
        return await asyncio.to_thread(prover.prove, self.ledger_path, self.first_block, last_block)


def _pending_seen(figures: dict[str, Any]) -> int:
    return int(figures["counts"]["happenings"]["pending_seen"])


def _states_of(outcome: Outcome | None) -> set[AttemptState]:
    state = {
        Outcome.LANDED: AttemptState.INCLUDED,
        Outcome.MISSED: AttemptState.MISSED,
        Outcome.REVERTED: AttemptState.REVERTED,
    }
    return {AttemptState.SUBMITTED} if outcome is None else {state[outcome], AttemptState.SETTLED}


Configure = Callable[[Path], None]


@contextlib.asynccontextmanager
async def running_world(
    folder: Path, rng: random.Random, configure: Configure | None = None
) -> AsyncIterator[World]:
    """Yield the bot in production, in step with a devnet; `configure` may edit its configuration first."""
    seed = rng.randrange(2, 1 << 30)
    print(f"devnet seed: {seed}")
    async with contextlib.AsyncExitStack() as stack:
        net = await stack.enter_async_context(Devnet(folder, None, seed))
        users = await stack.enter_async_context(Traffic(net.manifest.rpc_url, net.manifest, seed))
        door = await stack.enter_async_context(DoorClient(net.manifest.rpc_url, net.manifest.admin_url))
        bot = Bot(net.folder / "config")
        stack.push_async_callback(bot.ensure_gone)
        if configure is not None:
            configure(net.folder / "config")
        await bot.verb("start", "--mode", "production", "--yes", "--force", "--reason", "test")
        running = World(net, users, bot, door, rng)
        await running.in_step()
        yield running


@pytest.fixture
async def world(tmp_path: Path, rng: random.Random) -> AsyncIterator[World]:
    """The bot in production, in step with a devnet whose slots the test builds."""
    async with running_world(tmp_path / "net", rng) as running:
        yield running

"""The whole system: a devnet with slots by the clock, users who keep trading, a real daemon."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jitctl.control.client import Client
from jitctl.devnet.demo import Bot
from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.devnet.network import Devnet
from jitctl.devnet.traffic import Traffic
from jitctl.domain.attempt_state import OPEN_STATES, AttemptState
from jitctl.domain.records import Outcome, StoredAttempt
from jitctl.errors import JitError
from jitctl.ledger.journal import JOURNAL_NAME, verify_lines
from jitctl.ledger.queries import LedgerReader
from jitctl.safety.process_identity import ProcessIdentity

SLOT_SECONDS = 0.4
POLL_S = 0.02
NODES = ("node", "node/second")

TRADES = (
    ("WETH/USDC-0.05%", "USDC", 60),
    ("WETH/DAI-0.3%", "DAI", 30),
    ("WETH/WBTC-0.05%", "WBTC", 50),
    ("WETH/USDT-0.05%", "USDT", 50),
)
"""Pools in which the users sell WETH and buy it back in turn, with the size that is worth a JIT."""

Condition = Callable[[], Any | Awaitable[Any]]


@dataclass(slots=True)
class Heard:
    """One request as it reached the door; `at_s` is the monotonic clock's."""

    at_s: float
    view: str
    method: str
    params: Any


@dataclass(slots=True)
class DoorLog:
    """Everything that the bot asked the door (users have a view of their own)."""

    heard: list[Heard] = field(default_factory=list)

    def listen(self, view: str, method: str, params: Any) -> None:
        if view in (*NODES, "relay"):
            kept = params if method == "eth_sendBundle" else None
            self.heard.append(Heard(time.monotonic(), view, method, kept))

    def since(self, at_s: float, view: str | None = None, method: str | None = None) -> list[Heard]:
        return [
            each
            for each in self.heard
            if each.at_s >= at_s and view in (None, each.view) and method in (None, each.method)
        ]

    def busiest_second(self, since_s: float, view: str) -> int:
        """Return the most requests that a view got within any one second."""
        times = [each.at_s for each in self.since(since_s, view)]
        first = most = 0
        for last, at_s in enumerate(times):
            while times[first] < at_s - 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most

    def bundles(self, since_s: float = 0.0) -> list[Heard]:
        return self.since(since_s, "relay", "eth_sendBundle")


class Rig:
    """A running installation, and what a test asks of it; every wait is bounded and says what for."""

    def __init__(self, net: Devnet, users: Traffic, admin: DoorClient) -> None:
        self.net = net
        self.users = users
        self.admin = admin
        self.bot = Bot(net.folder / "config")
        self.client = Client(net.folder / "run" / "jitctl.sock")
        self.door = DoorLog()
        self.refused_swaps = 0
        self._market: asyncio.Task[None] | None = None
        self._turn = 0
        self._pids: set[int] = set()
        self._own: list[str] = []
        self._read_upto = 0
        net.door.listeners.append(self.door.listen)

    # -- the daemon

    async def start(self, mode: str = "production") -> dict[str, Any]:
        """Start the daemon by its verb; return the status it ends with."""
        status = await self.bot.verb("start", "--mode", mode, "--yes", "--force", "--reason", "test")
        self._pids |= {status["keeperPid"], status["engine"]["pid"]}
        return status

    async def ask(self, verb: str, **body: Any) -> dict[str, Any]:
        """Call the daemon's socket without blocking the door."""
        return await asyncio.to_thread(self.client.call, verb, body=body)

    async def status(self) -> dict[str, Any]:
        return await self.ask("status")

    async def counts(self) -> dict[str, dict[str, int]]:
        """Return the engine's counts by family."""
        return (await self.status())["figures"].get("counts", {})

    async def count(self, family: str, *names: str) -> int:
        found = (await self.counts()).get(family, {})
        return sum(found[name] for name in names)

    async def trading(self) -> bool:
        return bool((await self.status())["tradingReady"])

    async def end(self) -> None:
        """Leave nothing running, whatever a test did."""
        await self.quiet()
        with contextlib.suppress(JitError, TimeoutError):
            await self.bot.ensure_gone()
        for pid in self._pids:
            if (process := ProcessIdentity.of(pid)) is not None and process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # -- the market

    def trade(self) -> None:
        """Keep the users trading, two swaps a block in turn, until `quiet`."""
        if self._market is None:
            self._market = asyncio.create_task(self._keep_trading())

    async def quiet(self) -> None:
        market, self._market = self._market, None
        if market is not None:
            market.cancel()
            await asyncio.gather(market, return_exceptions=True)

    async def _keep_trading(self) -> None:
        while True:
            await self.net.chain.next_block()
            await asyncio.gather(self.swap(), self.swap())

    async def swap(self) -> str | None:
        """Make the next trade of the round; None if the network itself refused it."""
        turn, self._turn = self._turn, self._turn + 1
        pool, other, weth = TRADES[turn % len(TRADES)]
        buys = turn // len(TRADES) % 2 == 1
        size = {"amount_out" if buys else "amount_in": weth * 10**18}
        try:
            return await self.users.swap(
                pool,
                token_in=other if buys else "WETH",
                router=("v3", "02")[turn % 2],
                user=turn % 6,
                slippage_bps=300,
                gas_factor=2.0,
                **size,
            )
        except DoorError:
            self.refused_swaps += 1
            return None

    # -- waiting

    async def until(self, condition: Condition, what: str, limit_s: float = 25.0) -> Any:
        """Poll until the condition holds and return what it returned."""
        deadline_s = time.monotonic() + limit_s
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            if time.monotonic() >= deadline_s:
                raise AssertionError(f"not within {limit_s} s: {what}\n{self.last_words()}")
            await asyncio.sleep(POLL_S)

    async def blocks(self, number: int) -> None:
        for _ in range(number):
            await self.net.chain.next_block()

    async def grows(self, family: str, *names: str, beyond: int, limit_s: float = 25.0) -> None:
        """Wait until a count is more than it was."""

        async def grown() -> bool:
            return await self.count(family, *names) > beyond

        await self.until(grown, f"{family}: {' or '.join(names)} counted", limit_s)

    async def lands(self, limit_s: float = 30.0) -> StoredAttempt:
        """Wait for a JIT that is planned from now on to land; users must be trading."""
        now_s, head = time.time(), self.net.chain.head.number

        def landed() -> StoredAttempt | None:
            found = [each for each in self.ledger().attempts(now_s) if each.outcome is Outcome.LANDED]
            return next((each for each in found if each.record.target_block > head), None)

        return await self.until(landed, "a JIT lands", limit_s)

    # -- faults

    @asynccontextmanager
    async def fault(self, kind: str, *views: str, value: int = 0, methods: list[str] | None = None):
        """Lay a fault on views of the door for the time of the block."""
        for view in views:
            await self.admin.admin("devnet_fault", view=view, fault=kind, value=value, methods=methods)
        try:
            yield
        finally:
            for view in views:
                await self.admin.admin("devnet_clearFaults", view=view)

    # -- the evidence

    def ledger(self) -> LedgerReader:
        return LedgerReader(self.net.folder / "data" / "ledger.db")

    def log_lines(self) -> list[dict[str, Any]]:
        path = self.net.folder / "logs" / "jit-bot.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def last_words(self) -> str:
        lines = [json.dumps(line) for line in self.log_lines()[-25:]]
        return "\n".join(lines)

    def no_traceback(self) -> None:
        for path in (self.net.folder / "logs").iterdir():
            text = path.read_text()
            at = text.find("Traceback")
            assert at < 0, f"{path.name}: {text[max(0, at - 500) : at + 3000]}"

    async def decided(self, limit_s: float = 25.0) -> tuple[StoredAttempt, ...]:
        """Return all attempts once nothing is on its way any more."""

        def all_decided() -> tuple[StoredAttempt, ...]:
            attempts = self.ledger().attempts()
            return () if any(each.state in OPEN_STATES for each in attempts) else attempts

        return await self.until(all_decided, "every attempt decided", limit_s)

    async def whole(self) -> None:
        """No lost record: ledger, journal, relay and chain say the same. Users stop for it."""
        await self.quiet()
        attempts = await self.decided()
        self.no_traceback()
        reader = self.ledger()
        assert reader.integrity() == []
        await self._events_without_gaps(reader)
        for each in attempts:
            _consistent(each)
        known = {tx for each in reader.attempts() for tx in (each.mint_tx, each.burn_tx) if tx}
        mined = await self._own_transactions()
        assert set(mined) <= known, "a transaction of ours is on chain and not in the ledger"
        landed = Counter(
            (each.record.operator, each.record.nonce) for each in attempts if each.outcome is Outcome.LANDED
        )
        assert [lane for lane, times in landed.items() if times > 1] == []
        sent = Counter(tuple(each.params[0]["txs"]) for each in self.door.bundles())
        assert [bundle for bundle, times in sent.items() if times > 1] == [], "a bundle was sent twice"

    async def _own_transactions(self) -> list[str]:
        """Return the hashes of everything that the operators ever had mined; no test here reorgs."""
        operators = {account.address for account in self.net.people.operators}
        head = self.net.chain.head.number
        for number in range(self._read_upto + 1, head + 1):
            block = await self.admin.call("eth_getBlockByNumber", hex(number), True)
            self._own += [tx["hash"] for tx in block["transactions"] if tx["from"].lower() in operators]
        self._read_upto = head
        return self._own

    async def _events_without_gaps(self, reader: LedgerReader) -> None:
        last = 0
        while events := reader.events(last):
            assert [event.seq for event in events] == list(range(last + 1, last + 1 + len(events)))
            last = events[-1].seq
        path = self.net.folder / "data" / JOURNAL_NAME

        def caught_up() -> bool:
            whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
            return verify_lines(whole)[0] >= last

        await self.until(lambda: path.exists() and caught_up(), f"the journal holds event {last}", 5.0)


def _consistent(attempt: StoredAttempt) -> None:
    """Hold an attempt's columns to its state."""
    state, outcome = attempt.state, attempt.outcome
    told = (attempt.record.attempt_id, state, outcome, attempt.reason)
    if state is AttemptState.ABANDONED:
        assert outcome is Outcome.ABANDONED, told
        assert attempt.reason, told
    elif state is AttemptState.INCLUDED:
        assert outcome is Outcome.LANDED, told
        assert attempt.result is not None, told
    elif state is AttemptState.MISSED:
        assert outcome is Outcome.MISSED, told
        assert attempt.reason, told
    elif state is AttemptState.REVERTED:
        assert outcome is Outcome.REVERTED, told
        assert attempt.reason, told
    else:
        assert state is AttemptState.SETTLED, told
        assert outcome in (Outcome.LANDED, Outcome.MISSED, Outcome.REVERTED), told
    if state is not AttemptState.ABANDONED:
        assert attempt.mint_tx, told
        assert attempt.burn_tx, told


Configure = Callable[[Path], None]


@asynccontextmanager
async def installed(folder: Path, seed: int, configure: Configure | None = None):
    """Yield a rig whose daemon is not started yet; `configure` may edit the configuration folder."""
    async with Devnet(folder, SLOT_SECONDS, seed) as net:
        base = net.manifest.rpc_url
        async with (
            Traffic(f"{base}node/users", net.manifest, seed) as users,
            DoorClient(f"{base}node/users", net.manifest.admin_url) as admin,
        ):
            if configure is not None:
                configure(net.folder / "config")
            rig = Rig(net, users, admin)
            try:
                yield rig
            finally:
                await rig.end()


def two_nodes(config: Path) -> None:
    """Configure the door's second view as a second node."""
    path = config / "jitctl.toml"
    text = path.read_text()
    first = next(line for line in text.splitlines() if 'name = "door", http_url' in line)
    http_url = first.split('http_url = "')[1].split('"')[0]
    ws_url = http_url.replace("http", "ws")
    second = first.replace('"door"', '"second"').replace(f'"{http_url}"', f'"{http_url}node/second"')
    second = second.replace(f'"{ws_url}"', f'"{ws_url}node/second"')
    path.write_text(text.replace(first, first + "\n" + second, 1))

"""A small world for the engine: fakes at its ports only, a clock and a chain that move when told.

The strategy, the pools' arithmetic, the ledger (SQLite), the latch and the barrier are the real ones.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from jitctl.amm.pool import Pool
from jitctl.amm.tick_math import get_sqrt_ratio_at_tick
from jitctl.domain.bundle import (
    BundleDraft,
    BundleSimulation,
    LegAmounts,
    LegResult,
    MinedBundle,
    MinedLeg,
    RelayReply,
    SignedBundle,
    SignedTx,
)
from jitctl.domain.chain import Block, ChainMoved, Head, Log, MinedTx, PendingTx
from jitctl.domain.plan import JitPlan, Marks
from jitctl.domain.records import Mode, StoredAttempt
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import ZERO_ADDRESS, Address, Hash32, PoolSpec, Token
from jitctl.engine.accounting import SWAP_TOPIC, TRANSFER_TOPIC
from jitctl.engine.engine import Engine
from jitctl.engine.ports import Guards, Ledger, Sink
from jitctl.engine.settings import EngineSettings, Ports
from jitctl.errors import JitError, NodeError
from jitctl.ledger.journal import Journal
from jitctl.ledger.queries import LedgerReader
from jitctl.ledger.store import LedgerStore
from jitctl.safety.latch import Latch
from jitctl.strategy.decode import RouterKind, Routers
from jitctl.strategy.limits import StrategyParams

GWEI = 10**9
ETHER = 10**18
WETH = Address("0x" + "11" * 20)
USDC = Address("0x" + "22" * 20)
DAI = Address("0x" + "33" * 20)
POOL = Address("0x" + "aa" * 20)
POOL_2 = Address("0x" + "ab" * 20)
ROUTER = Address("0x" + "bb" * 20)
EXECUTOR = Address("0x" + "ee" * 20)
OWNER = Address("0x" + "0c" * 20)
OPERATOR = Address("0x" + "01" * 20)
OPERATOR_2 = Address("0x" + "02" * 20)
USER = Address("0x" + "77" * 20)
CHAIN_ID = 31337
START_S = 1_700_000_000.0
BASE_FEE = 10 * GWEI

_TICK = -200311
_LIQUIDITY = 2 * 10**18


def a_pool() -> Pool:
    return Pool.from_state(
        fee_pips=500,
        tick_spacing=10,
        sqrt_price_x96=get_sqrt_ratio_at_tick(_TICK) + 12345,
        tick=_TICK,
        liquidity=_LIQUIDITY,
        ticks={-210310: (_LIQUIDITY, _LIQUIDITY), -190310: (_LIQUIDITY, -_LIQUIDITY)},
    )


def reprice(pool: Pool, tick: int) -> Pool:
    return pool.with_swap(get_sqrt_ratio_at_tick(tick), tick, _LIQUIDITY)


SPEC = PoolSpec(
    "WETH/USDC-0.05%", POOL, Token("WETH", WETH, 18), Token("USDC", USDC, 6), 500, 10, weth_is_token0=True
)
SPEC_2 = PoolSpec(
    "WETH/DAI-0.05%", POOL_2, Token("WETH", WETH, 18), Token("DAI", DAI, 6), 500, 10, weth_is_token0=True
)
PRICE = Fraction(a_pool().sqrt_price_x96 ** 2, 1 << 192)
MARK = 1 / PRICE


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def account(number: int) -> Address:
    return Address(f"0x{number:040x}")


def a_hash(number: int) -> Hash32:
    return Hash32(f"0x{number:064x}")


def swap_calldata(amount: int, token_out: Address = USDC) -> bytes:
    """exactInputSingle of SwapRouter: WETH for the other token."""
    arguments = (int(WETH, 16), int(token_out, 16), 500, int(USER, 16), 10**12, amount, 0, 0)
    return bytes.fromhex("414bf389") + b"".join(map(word, arguments))


_numbers = itertools.count(0x1000)


def a_swap(
    amount_ether: int = 50,
    *,
    sender: Address = USER,
    nonce: int = 5,
    token_out: Address = USDC,
    seen_ns: int = 0,
    max_fee_wei: int = 100 * GWEI,
    **changes: object,
) -> PendingTx:
    """A pending swap that is worth an attempt."""
    tx = PendingTx(
        hash=a_hash(next(_numbers)),
        sender=sender,
        to=ROUTER,
        nonce=nonce,
        value_wei=0,
        calldata=swap_calldata(amount_ether * ETHER, token_out),
        gas_limit=900_000,
        tx_type=2,
        max_fee_per_gas_wei=max_fee_wei,
        max_priority_fee_per_gas_wei=GWEI,
        rpc_body={},
        seen_ns=seen_ns,
    )
    return replace(tx, **changes)


class FakeClock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_s(self) -> float:
        return START_S + (self.now_ns - 1_000_000_000) / 1e9

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due_ns = self.now_ns + max(0, int(seconds * 1e9))
        heapq.heappush(self._sleepers, (due_ns, next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking whoever is due in order."""
        until_ns = self.now_ns + int(seconds * 1e9)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until_ns:
            due_ns, _, wake = heapq.heappop(self._sleepers)
            self.now_ns = max(self.now_ns, due_ns)
            if not wake.done():
                wake.set_result(None)
                await settle()
        self.now_ns = until_ns
        await settle()


async def settle(turns: int = 60) -> None:
    """Let every task run until it waits for the world."""
    for _ in range(turns):
        await asyncio.sleep(0)


class FakeObserver:
    def __init__(self) -> None:
        self.events: MutableSequence[tuple[str, dict[str, object]]] = []

    def event(self, name: str, fields: Mapping[str, object]) -> None:
        self.events.append((name, dict(fields)))

    def named(self, name: str) -> list[dict[str, object]]:
        return [fields for found, fields in self.events if found == name]


class FakePoolBook:
    def __init__(self, pools: Mapping[Address, Pool]) -> None:
        self.all = dict(pools)
        self.failure: NodeError | None = None
        self.loads = 0
        self._pools: dict[Address, Pool] = {}
        self._head: Head | None = None

    async def load(self, specs: Sequence[PoolSpec], head: Head, *, proven: bool = False) -> None:
        if self.failure is not None:
            raise self.failure
        if proven and (unknown := [spec.name for spec in specs if spec.address not in self.all]):
            raise NodeError(f"there is no pool {unknown[0]}")
        self.loads += 1
        self._pools = {spec.address: self.all[spec.address] for spec in specs if spec.address in self.all}
        self._head = head

    async def apply(self, moved: ChainMoved) -> None:
        if self.failure is not None:
            raise self.failure
        self._head = moved.head

    def move(self, address: Address, pool: Pool) -> None:
        """Let a pool be as given from now on."""
        self._pools[address] = pool

    def forget(self, address: Address) -> None:
        del self._pools[address]

    def pools(self) -> Mapping[Address, Pool]:
        return self._pools

    def head(self) -> Head:
        assert self._head is not None
        return self._head


class FakePrices:
    """Answers with `market` unless the head has a mark of its own; a head may have to wait for `gates`."""

    def __init__(self) -> None:
        self.market = MARK
        self.at: dict[Hash32, Fraction] = {}
        self.gates: dict[Hash32, asyncio.Event] = {}
        self.asked: list[Hash32] = []
        self.age_s = 0.0
        self.failure: JitError | None = None

    def hold(self, head: Head) -> asyncio.Event:
        """Let the answer at a head wait until the event is set."""
        return self.gates.setdefault(head.hash, asyncio.Event())

    async def read(self, head: Head) -> Marks:
        self.asked.append(head.hash)
        if head.hash in self.gates:
            await self.gates[head.hash].wait()
        if self.failure is not None:
            raise self.failure
        mark = self.at.get(head.hash, self.market)
        return Marks(
            {WETH: Fraction(1), USDC: mark, DAI: mark}, Fraction(2000), "test", self.age_s, head.hash
        )


def amounts_of(plan: JitPlan) -> LegAmounts:
    """What the two legs move if everything goes as planned."""
    return LegAmounts(
        plan.expected_mint0,
        plan.expected_mint1,
        plan.expected_burn0 + plan.expected_fees0,
        plan.expected_burn1 + plan.expected_fees1,
        plan.expected_fees0,
        plan.expected_fees1,
        plan.bid_wei,
    )


MINT_GAS, VICTIM_GAS, BURN_GAS = 300_000, 200_000, 120_000


class FakeSimulator:
    """Agrees with the plan unless told otherwise; `before` runs first and may change the world, or wait."""

    def __init__(self) -> None:
        self.drafts: list[BundleDraft] = []
        self.verdicts: list[tuple[str, str]] = []
        self.refused: dict[Hash32, str] = {}
        self.failure: Exception | None = None
        self.before: Callable[[BundleDraft], Awaitable[None]] | None = None
        self.amounts: Callable[[JitPlan], LegAmounts] = amounts_of

    async def simulate(self, draft: BundleDraft) -> BundleSimulation:
        self.drafts.append(draft)
        if self.before is not None:
            await self.before(draft)
        if self.failure is not None:
            raise self.failure
        if draft.victim.hash in self.refused:
            return BundleSimulation(False, self.refused[draft.victim.hash], "")
        if self.verdicts:
            reason, detail = self.verdicts.pop(0)
            if reason:
                return BundleSimulation(False, reason, detail)
        return BundleSimulation(
            True,
            "",
            "",
            LegResult(True, MINT_GAS),
            LegResult(True, VICTIM_GAS),
            LegResult(True, BURN_GAS),
            self.amounts(draft.plan),
        )


class FakeSigner:
    def __init__(self, operators: Sequence[Address]) -> None:
        self._operators = tuple(operators)
        self.signed: list[BundleDraft] = []
        self.failure: Exception | None = None

    def operators(self) -> tuple[Address, ...]:
        return self._operators

    def sign(self, draft: BundleDraft) -> SignedBundle:
        if self.failure is not None:
            raise self.failure
        self.signed.append(draft)
        number = next(_numbers)
        hashes = (a_hash(number << 64 | 1), draft.victim.hash, a_hash(number << 64 | 2))
        return SignedBundle(
            f"uuid-{number}", (b"m", b"v", b"b"), hashes, draft.target_block, None, draft.timestamp_s
        )


class FakeRelays:
    """Accepts everything unless told otherwise; `before` runs before the bytes count as sent."""

    def __init__(self) -> None:
        self.submitted: list[SignedBundle] = []
        self.cancelled: list[str] = []
        self.outcome = "accepted"
        self.failure: Exception | None = None
        self.before: Callable[[SignedBundle], Awaitable[None]] | None = None

    async def submit(self, bundle: SignedBundle) -> tuple[RelayReply, ...]:
        self.submitted.append(bundle)
        if self.before is not None:
            await self.before(bundle)
        if self.failure is not None:
            raise self.failure
        return (RelayReply("one", self.outcome, "", 1.0), RelayReply("two", self.outcome, "", 2.0))

    async def cancel(self, uuid: str) -> tuple[RelayReply, ...]:
        self.cancelled.append(uuid)
        return (RelayReply("one", "accepted", "", 1.0),)


class FakeChain:
    """The chain as `ChainReader` and as blocks; receipts are what tests put into `receipts`."""

    def __init__(self, operators: Sequence[Address]) -> None:
        self.operators = tuple(operators)
        self.blocks: list[Block] = [Block(self._head(100, a_hash(0xF0_0000), a_hash(0xE0_0000)), (), (), ())]
        self.receipts: dict[Hash32, tuple[bool, int]] = {}
        self.amounts: dict[Hash32, LegAmounts] = {}
        self.start_nonces = dict.fromkeys(operators, 7)
        self.balances = {WETH: 1000 * ETHER, USDC: 10**13, DAI: 10**13}
        self.open: set[Address] = set()
        self.quiet_ether: dict[tuple[Hash32, Address], int] = {}
        self.finalized: int | None = None
        self.failure: Exception | None = None
        self.ether_failure: Callable[[Hash32 | None], Exception | None] = lambda at: None
        """Why the ether at a block cannot be read, if so."""
        self.chain = CHAIN_ID
        self._fork = itertools.count(1)

    def _head(self, number: int, block_hash: Hash32, parent: Hash32) -> Head:
        return Head(
            number, block_hash, parent, int(START_S) + 12 * (number - 100), BASE_FEE, 30_000_000, 15_000_000,
            ZERO_ADDRESS,
        )  # fmt: skip

    @property
    def tip(self) -> Head:
        return self.blocks[-1].head

    def add_block(
        self, txs: Sequence[MinedTx], pool_logs: Sequence[Log] = (), executor_logs: Sequence[Log] = ()
    ) -> Block:
        number = self.tip.number + 1
        block_hash = a_hash(number << 96 | next(self._fork))
        head = self._head(number, block_hash, self.tip.hash)
        block = Block(
            head,
            tuple(txs),
            tuple(replace(log, block_hash=block_hash) for log in pool_logs),
            tuple(replace(log, block_hash=block_hash) for log in executor_logs),
        )
        self.blocks.append(block)
        return block

    def drop_blocks(self, count: int) -> tuple[Head, ...]:
        dropped = self.blocks[-count:]
        del self.blocks[-count:]
        return tuple(block.head for block in reversed(dropped))

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _leg(self, tx_hash: Hash32) -> MinedLeg | None:
        for block in self.blocks:
            for index, tx in enumerate(block.txs):
                if tx.hash == tx_hash:
                    success, gas = self.receipts.get(tx_hash, (True, 21_000))
                    return MinedLeg(
                        tx_hash, block.head.number, block.head.hash, index, success, gas, gas * BASE_FEE
                    )
        return None

    async def head(self) -> Head:
        self._check()
        return self.tip

    async def chain_id(self) -> int:
        self._check()
        return self.chain

    async def nonce(self, account: Address, at: Hash32 | None = None) -> int:
        self._check()
        mined = [tx.nonce for block in self.blocks for tx in block.txs if tx.sender == account]
        return max([*mined, self.start_nonces[account] - 1]) + 1

    async def eth_balance(self, account: Address, at: Hash32 | None = None) -> int:
        """Ten ether, and what the blocks up to `at` moved: gas, plain transfers and `quiet_ether`."""
        self._check()
        refused = self.ether_failure(at)
        if refused is not None:
            raise refused
        numbers = {block.head.hash: block.head.number for block in self.blocks}
        upto = numbers.get(at, -1) if at is not None else self.tip.number
        balance = 10 * ETHER
        for block in self.blocks:
            if block.head.number > upto:
                break
            balance += self.quiet_ether.get((block.head.hash, account), 0)
            for tx in block.txs:
                if tx.to == account:
                    balance += tx.value_wei
                if tx.sender == account:
                    leg = self._leg(tx.hash)
                    balance -= tx.value_wei + (leg.gas_cost_wei if leg is not None else 0)
        return balance

    async def token_balance(self, token: Address, account: Address, at: Hash32 | None = None) -> int:
        self._check()
        return self.balances[token]

    async def finalized_number(self) -> int | None:
        self._check()
        return self.finalized

    async def block(self, number: int) -> Block:
        self._check()
        return next(block for block in self.blocks if block.head.number == number)

    async def mined(self, mint: Hash32, victim: Hash32, burn: Hash32) -> MinedBundle:
        self._check()
        nothing = LegAmounts(0, 0, 0, 0, 0, 0, 0)
        minted = self._leg(mint)
        burned = self._leg(burn)
        amounts = self.amounts.get(mint, nothing)
        if minted is None or not minted.success:
            amounts = nothing
        elif burned is None or not burned.success:
            amounts = replace(nothing, minted0=amounts.minted0, minted1=amounts.minted1)
        return MinedBundle(minted, self._leg(victim), burned, amounts)

    async def leg(self, tx_hash: Hash32) -> tuple[MinedLeg, LegAmounts] | None:
        self._check()
        leg = self._leg(tx_hash)
        return None if leg is None else (leg, self.amounts.get(tx_hash, LegAmounts(0, 0, 0, 0, 0, 0, 0)))

    async def open_positions(self, executor: Address, pools: Sequence[Address], at: Hash32) -> int:
        self._check()
        return sum(1 for pool in pools if pool in self.open)

    async def reserved_wei(self, executor: Address, at: Hash32) -> int:
        self._check()
        return 10**16 * len(self.open)


class FakeCloser:
    def __init__(self, chain: FakeChain) -> None:
        self.signed: dict[Hash32, tuple[Address, Address, int, Hash32]] = {}
        self.sent: list[tuple[Address, Address, int, Hash32]] = []
        self.amounts = LegAmounts(0, 0, 0, 0, 0, 0, 0)
        self.failure: Exception | None = None
        self._chain = chain

    def sign(self, pool: Address, operator: Address, nonce: int, parent: Head) -> SignedTx:
        signed = SignedTx(a_hash(next(_numbers) << 64 | 3), b"close")
        self.signed[signed.tx_hash] = (pool, operator, nonce, signed.tx_hash)
        return signed

    async def send(self, signed: SignedTx) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(self.signed[signed.tx_hash])

    async def closed(self, tx_hash: Hash32) -> MinedBundle | None:
        leg = self._chain._leg(tx_hash)
        return None if leg is None else MinedBundle(None, None, leg, self.amounts)


class FakeSource:
    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.runs = 0
        self.failure: Exception | None = None
        self._fail = asyncio.Event()

    async def run(self, sink: Sink) -> None:
        self.sink, self.runs = sink, self.runs + 1
        self._fail.clear()
        await self._fail.wait()
        if self.failure is not None:
            raise self.failure

    def end(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self._fail.set()


class FakeTracer:
    def __init__(self) -> None:
        self.asked: list[PendingTx] = []
        self.answer: SwapTx | None = None

    async def observe(self, tx: PendingTx, parent: Head) -> SwapTx | None:
        self.asked.append(tx)
        return self.answer


@dataclass
class World:
    """Everything around one engine; `start` it, `pend` transactions, `mine` blocks, ask commands."""

    folder: Path
    mode: Mode = Mode.PRODUCTION
    operators: Sequence[Address] = (OPERATOR,)
    specs: Sequence[PoolSpec] = (SPEC,)
    params: StrategyParams = field(default_factory=StrategyParams)
    changes: dict[str, object] = field(default_factory=dict)
    chain: FakeChain = None  # made below unless a test brings one
    wrap_ledger: Callable[[LedgerStore], Ledger] = lambda store: store
    with_closer: bool = True
    guards: Guards | None = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.observer = FakeObserver()
        self.chain = self.chain or FakeChain(self.operators)
        self.pools = FakePoolBook({spec.address: a_pool() for spec in (SPEC, SPEC_2)})
        self.prices = FakePrices()
        self.simulator = FakeSimulator()
        self.signer = FakeSigner(self.operators)
        self.relays = FakeRelays()
        self.closer = FakeCloser(self.chain)
        self.tracer = FakeTracer()
        self.source = FakeSource()
        self.task: asyncio.Task[None] | None = None

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def latch(self) -> Latch:
        return Latch(self.data_dir)

    async def boot(self) -> None:
        """Construct the engine and run it, without any block yet."""
        if self.latch.is_new():
            self.latch.arm_initial("test", self.clock.wall_s())
        path = self.data_dir / "ledger.db"
        store = LedgerStore(path, self.clock.wall_s)
        settings = EngineSettings(CHAIN_ID, EXECUTOR, self.data_dir, owner=OWNER, settle_depth=8)
        self.engine = Engine(
            Ports(
                clock=self.clock,
                sources=[self.source],
                pool_book=self.pools,
                prices=self.prices,
                simulator=self.simulator,
                signer=self.signer,
                relays=self.relays,
                chain=self.chain,
                ledger=self.wrap_ledger(store),
                observer=self.observer,
                tracer=self.tracer,
                closer=self.closer if self.with_closer else None,
                guards=self.guards,
                journal=Journal(self.data_dir, path),
            ),
            replace(settings, **self.changes),
            self.params,
            self.specs,
            Routers({ROUTER: RouterKind.V3}, WETH),
            self.mode,
        )
        self.task = asyncio.create_task(self.engine.run())
        await settle()

    async def start(self) -> "World":
        """Boot and deliver the first head, from which the engine syncs."""
        await self.boot()
        self.emit(ChainMoved((self.chain.blocks[-1],), resynced=True))
        await settle()
        return self

    def emit(self, event: ChainMoved) -> None:
        assert self.source.sink is not None
        self.source.sink.put(event)

    async def pend(self, *txs: PendingTx) -> None:
        assert self.source.sink is not None
        for tx in txs:
            self.source.sink.offer_pending(tx)
        await settle()

    async def mine(
        self,
        *bundles: SignedBundle,
        legs: str = "mvb",
        failed: str = "",
        others: Sequence[MinedTx] = (),
        executor_logs: Sequence[Log] = (),
        emit: bool = True,
    ) -> Block:
        """Mine bundles (of each the `legs`, of which `failed` revert) and other transactions."""
        txs: list[MinedTx] = []
        logs: list[Log] = []
        for bundle in bundles:
            txs += self._bundle_txs(bundle, legs, failed, logs, len(txs))
        block = self.chain.add_block([*txs, *others], logs, executor_logs)
        await self.clock.advance(12)
        if emit:
            await self.deliver(block)
        return block

    async def deliver(self, block: Block) -> None:
        """Let the engine see a block that was mined."""
        self.emit(ChainMoved((block,)))
        await settle()

    def _bundle_txs(
        self, bundle: SignedBundle, legs: str, failed: str, logs: list[Log], start: int
    ) -> list[MinedTx]:
        draft = self.draft_of(bundle)
        mint, victim, burn = bundle.tx_hashes
        gas = {"m": MINT_GAS, "v": VICTIM_GAS, "b": BURN_GAS}
        named = {"m": mint, "v": victim, "b": burn}
        for leg, tx_hash in named.items():
            self.chain.receipts[tx_hash] = (leg not in failed, gas[leg])
        self.chain.amounts[mint] = amounts_of(draft.plan)
        txs = {
            "m": MinedTx(mint, draft.operator, EXECUTOR, draft.nonce, 0),
            "v": MinedTx(victim, draft.victim.sender, ROUTER, draft.victim.nonce, 0),
            "b": MinedTx(burn, draft.operator, EXECUTOR, draft.nonce + 1, 0),
        }
        if "v" in legs:
            index = start + legs.index("v")
            logs.append(swap_log(draft.plan.pool, victim, index, get_sqrt_ratio_at_tick(-200325)))
        return [txs[leg] for leg in legs]

    def draft_of(self, bundle: SignedBundle) -> BundleDraft:
        drafts = [draft for draft in self.signer.signed if draft.victim.hash == bundle.tx_hashes[1]]
        return next(draft for draft in reversed(drafts) if draft.target_block == bundle.target_block)

    async def empty_blocks(self, count: int) -> None:
        for _ in range(count):
            await self.mine()

    async def reorg(self, depth: int, *new: Sequence[MinedTx]) -> None:
        """Replace the last blocks by new ones with the given transactions."""
        removed = self.chain.drop_blocks(depth)
        blocks = tuple(self.chain.add_block(txs) for txs in new)
        self.emit(ChainMoved(blocks, removed))
        await settle()

    async def command(self, verb: str, reason: str = "test", **args: object) -> dict[str, object]:
        asked = asyncio.create_task(self.engine.command(verb, who="ann", reason=reason, args=args))
        await settle()
        for _ in range(2000):
            if asked.done():
                break
            await self.clock.advance(0.001)
        return await asked

    async def stop(self) -> None:
        """Stop in good order."""
        await self.command("stop")
        assert self.task is not None
        await self.task

    async def kill(self) -> None:
        """End the engine as far as a test within one process can: nothing of it runs any more."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def ledger(self) -> LedgerReader:
        return LedgerReader(self.data_dir / "ledger.db")

    def attempts(self) -> tuple[StoredAttempt, ...]:
        """Every attempt in the ledger; what waits in memory is written first by a tick."""
        return self.ledger.attempts()

    async def written(self) -> tuple[StoredAttempt, ...]:
        await self.clock.advance(1.1)
        return self.attempts()

    def count(self, family: str, name: str) -> int:
        return self.engine.metrics.snapshot()[family][name]


def swap_log(pool: Address, tx_hash: Hash32, tx_index: int, sqrt_price_x96: int) -> Log:
    data = word(0) + word(0) + word(sqrt_price_x96) + word(_LIQUIDITY) + word(0)
    return Log(pool, (SWAP_TOPIC, "0x", "0x"), data, a_hash(0), tx_hash, tx_index, 0)


def transfer_log(token: Address, source: Address, target: Address, amount: int, tx_hash: Hash32) -> Log:
    def topic(account: Address) -> str:
        return "0x" + "00" * 12 + account[2:]

    return Log(token, (TRANSFER_TOPIC, topic(source), topic(target)), word(amount), a_hash(0), tx_hash, 0, 3)

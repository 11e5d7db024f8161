"""The composition root: from a configuration to an engine with real adapters. Nothing else builds them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jitctl.chain.blocks import BlockFeed
from jitctl.chain.clock import SystemClock
from jitctl.chain.guards import ExecutorGuards
from jitctl.chain.lens import view
from jitctl.chain.pending import PendingFeed
from jitctl.chain.pending_filter import PendingWatch
from jitctl.chain.pools import ChainPoolBook
from jitctl.chain.prices import FeedPrices, PoolTwapPrices
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodePool
from jitctl.chain.wallet import KeyFiles, SigningKey, Wallet
from jitctl.config.domain_types import pool_specs, routers, strategy_params, tokens
from jitctl.config.endpoints import node_endpoints
from jitctl.config.load import Config
from jitctl.config.models import RelayConfig
from jitctl.daemon.instruments import AdapterInstruments
from jitctl.daemon.node_proof import NodeProof
from jitctl.daemon.reloading import Reloader, Retarget
from jitctl.daemon.self_check import SelfCheck
from jitctl.domain.chain import Head
from jitctl.domain.records import Mode
from jitctl.domain.values import Address, PoolSpec, Token
from jitctl.engine.engine import Engine
from jitctl.engine.ports import Observer, Sink
from jitctl.engine.settings import EngineSettings, Ports
from jitctl.errors import ConfigError
from jitctl.execution.bundle import BundleSigner
from jitctl.execution.closer import PublicCloser
from jitctl.execution.relay import RelayEndpoint
from jitctl.execution.relays import HttpRelays
from jitctl.execution.simulate import NodeSimulator
from jitctl.execution.tracer import NodeTracer
from jitctl.ledger.journal import Journal
from jitctl.ledger.store import LedgerStore
from jitctl.safety.signer_lock import SignerLock

LEDGER_NAME = "ledger.db"
_OWNER = bytes.fromhex("8da5cb5b")
"""The selector of `owner()`."""


class Errand:
    """Background work in the shape of a `Source`, so that the engine runs, watches and restarts it too."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work

    async def run(self, sink: Sink) -> None:
        await self._work()


@dataclass(frozen=True)
class Keys:
    """Everything that signs, loaded before anything else happens."""

    wallet: Wallet
    identities: tuple[SigningKey, ...]


@dataclass(frozen=True)
class Assembly:
    """An engine, and what its process answers besides: reloads and questions about its adapters."""

    engine: Engine
    reloader: Reloader
    self_check: SelfCheck


@asynccontextmanager
async def assembled(config: Config, mode: Mode, observer: Observer) -> AsyncIterator[Assembly]:
    """Yield an engine that is ready to run and what belongs to it; all is closed on the way out.

    Raises `ConfigError` or `Refused` for keys, `Refused` if a signer is in use on this machine,
    `NodeError` if no node is to be believed, `LedgerError` if the ledger cannot be opened.
    """
    async with AsyncExitStack() as open_things:
        if mode is Mode.PRODUCTION and not config.main.relays:
            raise ConfigError(
                "mode production needs at least one relay", hint="add [[relays]] to jitctl.toml"
            )
        keys = await asyncio.to_thread(load_keys, config)
        chain_id = config.main.chain.chain_id
        about = f"{mode} engine of {config.folders.config}"
        lock = SignerLock.acquire(chain_id, keys.wallet.addresses, about)
        open_things.callback(lock.release)

        nodes = NodePool(node_endpoints(config), chain_id)
        await open_things.enter_async_context(nodes)
        executor = Address(config.main.executor.address)
        reader = ChainReader(nodes, executor=executor)
        proof = NodeProof(nodes, reader, observer)
        await proof.first()
        head = await reader.head()
        owner = await _owner(nodes, executor, head, chain_id)

        ledger = LedgerStore(config.folders.data / LEDGER_NAME)
        open_things.callback(ledger.close)
        relays = HttpRelays(_relays(config, keys))
        open_things.push_async_callback(relays.close)

        specs = pool_specs(config, enabled_only=True)
        feeds = Feeds.of(config, nodes, specs, keys.wallet.addresses)
        ports = _ports(config, keys, nodes, reader, proof, ledger, relays, observer, feeds)
        engine = Engine(
            ports, settings_of(config, owner), strategy_params(config), specs, routers(config), mode
        )
        yield Assembly(
            engine,
            Reloader(config, engine, feeds.retargets(keys.wallet.addresses)),
            SelfCheck(feeds.book, relays, ledger, ports.clock),
        )


@dataclass(frozen=True)
class Feeds:
    """The adapters that look at the configured pools, and that a reload points at others."""

    blocks: BlockFeed
    book: ChainPoolBook
    pending: PendingFeed
    prices: FeedPrices | PoolTwapPrices
    tracer: NodeTracer | None

    @classmethod
    def of(cls, config: Config, nodes: NodePool, specs: Sequence[PoolSpec], own: Sequence[Address]) -> Feeds:
        main = config.main
        blocks = BlockFeed(
            nodes,
            executor=Address(main.executor.address),
            pools=tuple(spec.address for spec in specs),
            max_reorg_depth=main.chain.max_reorg_depth,
            settle_depth=main.chain.settle_depth,
            stall_s=1.5 * main.chain.slot_seconds,
            poll_s=min(1.0, main.chain.slot_seconds / 4),
        )
        book = ChainPoolBook(
            nodes,
            max_reorg_depth=main.chain.max_reorg_depth,
            on_load=lambda loading: blocks.watch_pools(spec.address for spec in loading),
        )
        tracer = NodeTracer(nodes, specs, slot_seconds=main.chain.slot_seconds)
        return cls(
            blocks,
            book,
            PendingFeed(nodes, _watch(config, specs, own)),
            _prices(config, nodes, specs),
            tracer if main.engine.slow_path else None,
        )

    def retargets(self, own: Sequence[Address]) -> tuple[Retarget, ...]:
        """Return what points each of them at a configuration; the book and the blocks follow the engine."""

        def pending(config: Config) -> None:
            self.pending.watch(_watch(config, pool_specs(config, enabled_only=True), own))

        def prices(config: Config) -> None:
            specs = pool_specs(config, enabled_only=True)
            if isinstance(self.prices, FeedPrices):
                self.prices.watch(_traded(specs), _feeds(config))
            else:
                self.prices.watch(specs)

        def tracer(config: Config) -> None:
            if self.tracer is not None:
                self.tracer.watch_pools(pool_specs(config, enabled_only=True))

        return pending, prices, tracer


def _ports(
    config: Config,
    keys: Keys,
    nodes: NodePool,
    reader: ChainReader,
    proof: NodeProof,
    ledger: LedgerStore,
    relays: HttpRelays,
    observer: Observer,
    feeds: Feeds,
) -> Ports:
    main = config.main
    executor = Address(main.executor.address)
    simulator = NodeSimulator(nodes, executor=executor, timeout_s=main.engine.simulate_timeout_ms / 1000)
    counted = {
        "prices": feeds.prices.counters,
        "block_feed": feeds.blocks.counters,
        "pending_feed": feeds.pending.counters,
        "pool_book": feeds.book.counters,
        "simulations": simulator.counters,
    }
    return Ports(
        clock=SystemClock(),
        sources=(
            feeds.blocks,
            feeds.pending,
            Errand(feeds.book.run),
            Errand(relays.keep_warm),
            Errand(proof.run),
        ),
        pool_book=feeds.book,
        prices=feeds.prices,
        simulator=simulator,
        signer=BundleSigner(keys.wallet, chain_id=main.chain.chain_id, executor=executor),
        relays=relays,
        chain=reader,
        ledger=ledger,
        observer=observer,
        tracer=feeds.tracer,
        closer=PublicCloser(nodes, reader, keys.wallet, chain_id=main.chain.chain_id, executor=executor),
        guards=ExecutorGuards(nodes, executor=executor),
        journal=Journal(config.folders.data, config.folders.data / LEDGER_NAME),
        instruments=AdapterInstruments(nodes, relays, counted),
    )


async def _owner(nodes: NodePool, executor: Address, head: Head, chain_id: int) -> Address:
    """Return the executor's owner; raises `ConfigError` if there is no executor at that address."""
    answer = await view(nodes, executor, _OWNER, head.hash)
    if len(answer) != 32:
        raise ConfigError(
            f"there is no JitExecutor at {executor} on chain {chain_id}",
            hint="correct [executor] address in jitctl.toml, or deploy it",
        )
    return Address("0x" + answer[12:].hex())


def settings_of(config: Config, owner: Address | None = None) -> EngineSettings:
    """Return the engine's fixed numbers; `owner` names the flows between executor and owner."""
    main = config.main
    return EngineSettings(
        chain_id=main.chain.chain_id,
        executor=Address(main.executor.address),
        data_dir=config.folders.data,
        owner=owner,
        slot_s=main.chain.slot_seconds,
        settle_depth=main.chain.settle_depth,
        pending_queue=main.engine.pending_queue,
        slow_path=main.engine.slow_path,
        simulate_timeout_s=main.engine.simulate_timeout_ms / 1000,
        submit_timeout_s=main.engine.submit_timeout_ms / 1000,
        resume_after_crash=main.engine.resume_after_crash,
        head_stale_s=10 * main.chain.slot_seconds,
    )


def load_keys(config: Config) -> Keys:
    """Decrypt the operators' and the relay identities' keys; takes about a second a key."""
    operators = [
        KeyFiles(config.resolve(each.keystore), config.resolve(each.passphrase_file))
        for each in config.main.wallet.operators
    ]
    by_files: dict[KeyFiles, SigningKey] = {}
    identities = []
    for relay in config.main.relays:
        files = KeyFiles(
            config.resolve(relay.identity_keystore), config.resolve(relay.identity_passphrase_file)
        )
        if files not in by_files:
            by_files[files] = SigningKey.load(files)
        identities.append(by_files[files])
    return Keys(Wallet.load(operators), tuple(identities))


def _relays(config: Config, keys: Keys) -> list[RelayEndpoint]:
    def endpoint(relay: RelayConfig, identity: SigningKey) -> RelayEndpoint:
        return RelayEndpoint(relay.name, relay.url, identity, relay.timeout_ms / 1000)

    return [endpoint(*pair) for pair in zip(config.main.relays, keys.identities, strict=True)]


def _prices(config: Config, nodes: NodePool, specs: Sequence[PoolSpec]) -> FeedPrices | PoolTwapPrices:
    if config.main.prices.source == "pool_twap":
        return PoolTwapPrices(nodes, specs=specs)
    return FeedPrices(nodes, weth=tokens(config)["WETH"], tokens=_traded(specs), feeds=_feeds(config))


def _traded(specs: Sequence[PoolSpec]) -> list[Token]:
    return list({token.symbol: token for spec in specs for token in (spec.token0, spec.token1)}.values())


def _feeds(config: Config) -> dict[str, Address]:
    return {symbol: Address(feed) for symbol, feed in config.main.prices.feeds.items()}


def _watch(config: Config, specs: Sequence[PoolSpec], own: Sequence[Address]) -> PendingWatch:
    """Routers by address, and anything else that names a pool of ours or what it trades."""
    quotes = {spec.quote_token.address for spec in specs}
    pools = {spec.address for spec in specs}
    return PendingWatch(frozenset(routers(config).kinds), frozenset(quotes | pools), frozenset(own))

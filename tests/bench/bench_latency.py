"""From a pending notification to the relay's accepting reply, in the real daemon, beside a bare script.

The devnet, the daemon's two processes and the script are processes of their own and share the machine's two
cores. In every slot the bot has its turn and then the script; the script sends the same three calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from eth_account import Account

from jitctl.chain.pending_body import parse_pending
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.wallet import SigningKey, Wallet
from jitctl.devnet.accounts import Cast, cast
from jitctl.devnet.door_client import DoorClient, DoorError
from jitctl.devnet.manifest import Manifest
from jitctl.devnet.traffic import Traffic
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.bundle import BundleDraft
from jitctl.domain.records import StoredAttempt
from jitctl.execution.bundle import BundleSigner
from jitctl.execution.relay import signature_header
from jitctl.execution.relays import bundle_params
from jitctl.execution.simulate import NodeSimulator
from jitctl.ledger.queries import LedgerReader
from jitctl.ledger.rows import plan_to_json
from tests.bench.live_bot import (
    REPOSITORY,
    Row,
    devnet,
    one,
    pending_seen,
    proxied,
    row,
    small_swap,
    started_bot,
    wanted_swap,
)

ROUNDS = int(os.environ.get("JITCTL_BENCH_ROUNDS", "100"))
SEED = "4001"
"""Keys of its own: a signer runs once on a machine, and a demo may be running."""
STAGES = (
    "decode", "evaluate", "seen_to_planned", "simulate", "parent_reread", "barrier_wait", "sign", "commit",
    "seen_to_sent", "submit",
)  # fmt: skip
FLOOR_STAGES = ("simulate", "parent_reread", "commit", "submit")
FLOOD, FLOOD_PER_S, SLOT_S = 100_000, 2_000, 12
SETTLE_S = 0.25
"""Long enough for everyone to have followed a block, read balances and gone idle again."""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Row]:
    async with devnet(folder, SEED) as manifest:
        async with started_bot(manifest) as (_, data):
            ours, floor = await _rounds(manifest, data, folder)
        flooded = await _flooded(manifest)
    total = [each["seen_to_sent"] + each["submit"] for each in ours]
    floor_total = [each["total"] for each in floor]
    note = f"{len(total)} attempts; the notification is stamped 0.1 ms after its bytes were read"
    found = [
        row("pending notification to the relay's reply", total, "ms", "8 / 25", note),
        row("the same round trips without logic", floor_total, "ms", "", "the floor, interleaved"),
    ]
    ratio = found[0]["p50"] / found[1]["p50"]
    found.append({"name": "ours against the floor", "p50": round(ratio, 2), "p99": None, "unit": "x",
                  "goal": "3", "note": "medians"})  # fmt: skip
    for stage in STAGES:
        samples = [each[stage] for each in ours if stage in each]
        if samples:
            found.append(row(f"stage {stage}", samples, "ms"))
    found += [row(f"floor {stage}", [each[stage] for each in floor], "ms") for stage in FLOOR_STAGES]
    return found + flooded


# -- who takes part


class Floor:
    """The script of `latency_floor`, as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, manifest: Manifest, folder: Path) -> AsyncIterator[Floor]:
        # The same desk, but what it accepts it forgets: a second bundle with our nonces must not land.
        relay_url = manifest.data["relayUrl"] + "/floor"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.latency_floor", manifest.data["wsUrl"], relay_url, str(folder),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )  # fmt: skip
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
            if process.returncode is None:
                process.kill()

    async def arm(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        assert await self._line() == b"armed"

    async def stages(self) -> dict[str, float]:
        reply = json.loads(await self._line())
        assert reply["ok"], "the floor's simulation or bundle failed"
        stages: dict[str, float] = reply["stages"]
        return stages

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(10):
            return (await self._process.stdout.readline()).strip()


# -- the rounds


async def _rounds(
    manifest: Manifest, data: Path, folder: Path
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    ledger = LedgerReader(data / "ledger.db")
    people = cast(manifest.data["seed"])
    rival = Rival(manifest, people)
    floor_times: list[dict[str, float]] = []
    begun_s = time.time()
    async with (
        DoorClient(manifest.rpc_url, manifest.admin_url) as door,
        Traffic(manifest.rpc_url, manifest, seed=3) as users,
        Floor.started(manifest, folder) as floor,
        rival,
    ):
        await door.admin("devnet_fault", view="relay/floor", fault="lie")
        for index in range(ROUNDS):
            known = {each.record.attempt_id for each in ledger.unsettled()}
            with contextlib.suppress(DoorError):
                await wanted_swap(users, index)
            await asyncio.sleep(SETTLE_S)
            fresh = [each for each in ledger.unsettled() if each.record.attempt_id not in known and each.uuid]
            if fresh:
                await floor.arm(await rival.prepare(fresh[-1]))
                await asyncio.sleep(SETTLE_S / 5)
                await rival.announce(index)
                floor_times.append(await floor.stages())
            await door.admin("devnet_slot")
            await asyncio.sleep(SETTLE_S)
        await asyncio.sleep(1)
    done = [each for each in ledger.attempts(begun_s) if "submit" in each.latencies_ms]
    measured = [each.latencies_ms for each in done if "seen_to_sent" in each.latencies_ms]
    _check(ledger, done, begun_s)
    # The first turns of both load code and open files.
    return measured[3:], floor_times[3:]


def _check(ledger: LedgerReader, attempts: Sequence[StoredAttempt], since_s: float) -> None:
    """What was timed must have been accepted, and enough of it."""
    accepted = {reply.attempt_id for reply in ledger.relay_replies(since_s) if reply.outcome == "accepted"}
    assert len(accepted) == len(attempts) >= 0.6 * ROUNDS, (len(accepted), ledger.outcomes(since_s))


class Rival:
    """Prepares for the floor what the bot sent in this slot, and announces what only the floor heeds."""

    def __init__(self, manifest: Manifest, people: Cast) -> None:
        self._manifest = manifest
        self._people = people
        self._nodes = NodePool([NodeEndpoint("door", manifest.rpc_url)], manifest.chain_id)
        self._executor = manifest.at("executor")
        self._reader = ChainReader(self._nodes, executor=self._executor)
        wallet = Wallet([SigningKey(bytes.fromhex(each.private_key[2:])) for each in people.operators])
        self._signer = BundleSigner(wallet, chain_id=manifest.chain_id, executor=self._executor)
        self._identity = SigningKey(bytes.fromhex(people.relay_identity.private_key[2:]))

    async def __aenter__(self) -> Rival:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._nodes.close()

    async def prepare(self, attempt: StoredAttempt) -> dict[str, Any]:
        plan = attempt.record.plan
        body = await self._nodes.call("eth_getTransactionByHash", [plan.victim_hash])
        victim, head = parse_pending(body, 0), await self._reader.head()
        assert victim is not None and head.hash == plan.parent_hash
        draft = BundleDraft(
            attempt_id=attempt.record.attempt_id,
            plan=plan,
            victim=victim,
            operator=attempt.record.operator,
            nonce=attempt.record.nonce,
            parent=head,
            base_fee_wei=next_base_fee_wei(head),
            timestamp_s=head.timestamp_s + 12,
            mint_gas_limit=1_000_000,
            burn_gas_limit=600_000,
        )
        heard = Listener(self._nodes)
        assert (await NodeSimulator(heard, executor=self._executor, timeout_s=5).simulate(draft)).ok
        bundle = orjson.dumps(
            {
                "jsonrpc": "2.0", "id": 1, "method": "eth_sendBundle",
                "params": [bundle_params(self._signer.sign(draft))],
            }
        )  # fmt: skip
        return {
            "simulate": heard.simulated,
            "bundle": bundle.decode(),
            "headers": {"X-Flashbots-Signature": signature_header(self._identity, bundle)},
            # An attempt's row and three events of it.
            "statements": [plan_to_json(plan) + json.dumps(dict(attempt.simulated)), *["x" * 400] * 3],
        }

    async def announce(self, index: int) -> None:
        """A call to nobody, as long as a swap: the bot rejects it by its bytes."""
        account = self._people.users[index % 2 - 1]
        nonce = int(await self._nodes.call("eth_getTransactionCount", [account.address, "pending"]), 16)
        fields = {
            "to": "0x" + "77" * 20, "data": "0x" + "ab" * 300, "value": 0, "gas": 60_000, "nonce": nonce,
            "chainId": self._manifest.chain_id, "type": 2, "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 1,
        }  # fmt: skip
        raw = Account.sign_transaction(fields, account.private_key).raw_transaction
        await self._nodes.call("eth_sendRawTransaction", ["0x" + bytes(raw).hex()])


class Listener:
    """A node that remembers what it was asked to simulate."""

    def __init__(self, nodes: NodePool) -> None:
        self._nodes = nodes
        self.simulated: list[Any] = []

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout_s: float | None = None,
        only: str | None = None,
    ) -> Any:
        if method == "eth_simulateV1":
            self.simulated = list(params)
        return await self._nodes.call(method, params, timeout_s=timeout_s, only=only)

    async def call_many(self, requests: Sequence[tuple[str, Sequence[Any]]], **options: Any) -> Any:
        for method, params in requests:
            if method == "eth_simulateV1":
                self.simulated = list(params)
        return await self._nodes.call_many(requests, **options)


# -- the flood


async def _flooded(manifest: Manifest) -> list[Row]:
    """The real engine under 2,000 pending transactions a second, one in fifty a swap that is not worth it."""
    async with (
        DoorClient(manifest.rpc_url, manifest.admin_url) as door,
        Traffic(manifest.rpc_url, manifest, seed=4) as users,
        proxied(
            manifest,
            await door.call("eth_getTransactionByHash", await small_swap(users)),
            count=FLOOD,
            per_s=FLOOD_PER_S,
        ) as told,
        started_bot(manifest) as (bot, _),
    ):
        status = await bot.verb("status")
        pid, before = status["engine"]["pid"], pending_seen(status)
        while pending_seen(await bot.verb("status")) < before + 10_000:
            await asyncio.sleep(0.5)
        rss_mib, cpu_s, begun_s = _rss_mib(pid), _cpu_s(pid), time.monotonic()
        over = asyncio.ensure_future(told.readline())
        while not over.done():
            await door.admin("devnet_slot")
            await asyncio.wait({over}, timeout=SLOT_S)
        wall_s, cpu_s, after_mib = time.monotonic() - begun_s, _cpu_s(pid) - cpu_s, _rss_mib(pid)
        flood = json.loads(over.result())
        await asyncio.sleep(2)
        seen = pending_seen(await bot.verb("status"))
        assert seen >= flood["sent"] == FLOOD, (seen, flood)
    rate = f"{flood['sent'] / flood['seconds']:,.0f} a second, 1 in 50 a swap, a block every {SLOT_S} s"
    share = 100 * cpu_s / wall_s
    grown = f"{after_mib - rss_mib:+.1f} MiB since the first 10,000"
    return [
        one("resident memory of the engine after 100,000 pending", round(after_mib, 1), "MiB", "200", grown),
        one("a core's share of the engine at 2,000 pending a second", round(share, 1), "%", note=rate),
    ]


def _rss_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

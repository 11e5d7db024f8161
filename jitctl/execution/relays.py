"""All configured relays at once: submit a bundle, cancel it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from Crypto.Hash import keccak

from jitctl.domain.bundle import RelayOutcome, RelayReply, SignedBundle
from jitctl.execution.relay import KEEP_WARM_S, HttpRelay, RelayEndpoint


class HttpRelays:
    """Replies come in configured order; what a relay does wrong is its reply's `outcome`, never raised."""

    def __init__(
        self, endpoints: Sequence[RelayEndpoint], *, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._relays = [HttpRelay(endpoint, monotonic_ns=monotonic_ns) for endpoint in endpoints]

    async def submit(self, bundle: SignedBundle) -> tuple[RelayReply, ...]:
        """`eth_sendBundle` to every relay at the same time."""
        params = [bundle_params(bundle)]
        expected = bundle_hash(bundle)
        return await self._ask_all(lambda relay: _submit_one(relay, params, expected))

    async def cancel(self, uuid: str) -> tuple[RelayReply, ...]:
        """`eth_cancelBundle` to every relay; a bid already placed may win all the same."""
        params = [{"replacementUuid": uuid}]

        async def one(relay: HttpRelay) -> RelayReply:
            return (await relay.request("eth_cancelBundle", params)).as_reply(relay.name)

        return await self._ask_all(one)

    async def check(self, head_number: int) -> tuple[RelayReply, ...]:
        """Ask every relay something that needs our signature and changes nothing: our own statistics."""
        params = [{"blockNumber": hex(head_number)}]

        async def one(relay: HttpRelay) -> RelayReply:
            return (await relay.request("flashbots_getUserStatsV2", params)).as_reply(relay.name)

        return await self._ask_all(one)

    async def keep_warm(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Keep a connection open to every relay, for ever."""
        while True:
            await asyncio.gather(*(relay.warm() for relay in self._relays))
            await sleep(KEEP_WARM_S)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(relay.close() for relay in self._relays))

    def counters(self) -> dict[str, Mapping[str, int]]:
        """Counts per relay."""
        return {relay.name: relay.counters.snapshot() for relay in self._relays}

    async def _ask_all(self, ask: Callable[[HttpRelay], Awaitable[RelayReply]]) -> tuple[RelayReply, ...]:
        if len(self._relays) == 1:
            # A task for it would cost turns of the event loop on the way out and back.
            return (await ask(self._relays[0]),)
        outcomes = await asyncio.gather(*(ask(relay) for relay in self._relays), return_exceptions=True)
        # Whoever asks holds the submit barrier: even a defect in one must not leave the others sending.
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return tuple(outcome for outcome in outcomes if isinstance(outcome, RelayReply))


def bundle_params(bundle: SignedBundle) -> dict[str, Any]:
    """The one parameter of `eth_sendBundle`; no transaction may revert."""
    params: dict[str, Any] = {
        "txs": ["0x" + raw.hex() for raw in bundle.raw_txs],
        "blockNumber": hex(bundle.target_block),
        "replacementUuid": bundle.uuid,
        "revertingTxHashes": [],
    }
    if bundle.min_timestamp_s is not None:
        params["minTimestamp"] = bundle.min_timestamp_s
    if bundle.max_timestamp_s is not None:
        params["maxTimestamp"] = bundle.max_timestamp_s
    return params


def bundle_hash(bundle: SignedBundle) -> str:
    """keccak256 of the transactions' hashes in order, as relays report it."""
    joined = b"".join(bytes.fromhex(each[2:]) for each in bundle.tx_hashes)
    return "0x" + keccak.new(data=joined, digest_bits=256).hexdigest()


async def _submit_one(relay: HttpRelay, params: Sequence[Any], expected: str) -> RelayReply:
    answer = await relay.request("eth_sendBundle", params)
    told = answer.result.get("bundleHash") if isinstance(answer.result, dict) else None
    if isinstance(told, str) and told.lower() != expected:
        relay.counters.add(RelayOutcome.ACCEPTED, -1)
        relay.counters.add(RelayOutcome.BAD_REPLY)
        return RelayReply(
            relay.name, RelayOutcome.BAD_REPLY, "it acknowledged another bundle", answer.elapsed_ms
        )
    return answer.as_reply(relay.name)

"""pending-feed and simulate: what the engine asks of each trading node beyond answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jitctl.chain.pending_body import parse_pending
from jitctl.chain.quantities import quantity
from jitctl.chain.rpc import NodeEndpoint
from jitctl.chain.ws import WsRpc
from jitctl.checks.preflight.context import Believed, Context
from jitctl.checks.preflight.verdict import NotAsked, Verdict, failed, passed, together, unknown, warned
from jitctl.control.schema import FAIL
from jitctl.errors import NodeError, TimedOut
from jitctl.execution.probe import probe_node

_FULL_BODIES = "use a node that sends full bodies (geth 1.11 or later, reth, nethermind)"


async def pending_feed(context: Context) -> Verdict:
    return await _each(context, _listen)


async def simulate(context: Context) -> Verdict:
    return await _each(context, _probe)


async def _each(
    context: Context, ask: Callable[[Context, NodeEndpoint, Believed], Awaitable[Verdict]]
) -> Verdict:
    """Ask every node that answers; where one serves, a failure of another is a warning."""
    endpoints = context.endpoints()

    async def one(endpoint: NodeEndpoint) -> Verdict | None:
        try:
            node = await context.node_named(endpoint)
        except (NodeError, TimedOut):
            return None
        return await ask(context, endpoint, node)

    verdicts = [each for each in await asyncio.gather(*map(one, endpoints)) if each is not None]
    if not verdicts:
        raise NotAsked("no node to ask", "see node-reachable, chain-id and node-sync")
    if any(each.result != FAIL for each in verdicts):
        verdicts = [warned(each.detail, each.remedy) if each.result == FAIL else each for each in verdicts]
    return together(verdicts, "; ".join(each.detail for each in verdicts))


async def _listen(context: Context, endpoint: NodeEndpoint, node: Believed) -> Verdict:
    name, limit_s, listen_s = endpoint.name, context.bounds.node_s, context.bounds.listen_s
    whole, others = asyncio.Event(), set[str]()

    def heard(result: Any) -> None:
        if parse_pending(result, 0) is not None:
            whole.set()
        else:
            others.add("hashes only" if isinstance(result, str) else "something else than full bodies")

    remedy = f"check ws_url of node {name}, and that the node offers eth_subscribe there"
    try:
        socket = await WsRpc.open(name, endpoint.ws_url, timeout_s=limit_s)
    except (NodeError, TimedOut) as error:
        return failed(error.message, remedy)
    try:
        chain_id = quantity(await socket.call("eth_chainId", timeout_s=limit_s), name, "eth_chainId")
        if chain_id != context.config.main.chain.chain_id:
            return failed(f"{name}: its WebSocket is on chain {chain_id}", remedy)
        await socket.subscribe(["newPendingTransactions", True], heard, timeout_s=limit_s)
        # One odd transaction says nothing: wait for one that is whole.
        async with asyncio.timeout(listen_s):
            await whole.wait()
    except NodeError as error:
        return failed(f"{name} refuses pending transactions with bodies: {error.message}", _FULL_BODIES)
    except TimedOut as error:
        return unknown(error.message, remedy)
    except TimeoutError:
        if others:
            return failed(f"{name} sends {' and '.join(sorted(others))}", _FULL_BODIES)
        text = f"{name}: subscribed; none arrived in {listen_s:g} s"
        return warned(text, f"on mainnet there is always one: check the peers and the pool of node {name}")
    finally:
        await socket.close()
    return passed(f"{name} sends full bodies")


async def _probe(context: Context, endpoint: NodeEndpoint, node: Believed) -> Verdict:
    try:
        await probe_node(node.nodes, node.head, only=endpoint.name)
    except TimedOut as error:
        return unknown(error.message, f"check the load of node {endpoint.name}")
    except NodeError as error:
        return failed(error.message, error.hint)
    return passed(f"{endpoint.name} proved")

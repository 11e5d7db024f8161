"""pending-feed and simulate: what the engine asks of each trading node beyond answering."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from jitctl.chain.pending_body import parse_pending
from jitctl.chain.rpc import NodeEndpoint
from jitctl.chain.ws import WsRpc
from jitctl.checks.preflight.context import Believed, Context
from jitctl.checks.preflight.verdict import NotAsked, Verdict, failed, passed, together, unknown, warned
from jitctl.control.schema import FAIL
from jitctl.errors import NodeError, TimedOut
from jitctl.execution.probe import probe_node


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
        await context.node()
        raise NotAsked("no node answers", "see node-reachable")
    if any(each.result != FAIL for each in verdicts):
        verdicts = [warned(each.detail, each.remedy) if each.result == FAIL else each for each in verdicts]
    return together(verdicts, "; ".join(each.detail for each in verdicts))


async def _listen(context: Context, endpoint: NodeEndpoint, node: Believed) -> Verdict:
    name = endpoint.name
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def first(result: Any) -> None:
        if not arrived.done():
            arrived.set_result(result)

    remedy = f"check ws_url of node {name}, and that the node offers eth_subscribe there"
    try:
        socket = await WsRpc.open(name, endpoint.ws_url, timeout_s=context.bounds.node_s)
    except (NodeError, TimedOut) as error:
        return failed(error.message, remedy)
    try:
        await socket.subscribe(["newPendingTransactions", True], first, timeout_s=context.bounds.node_s)
        async with asyncio.timeout(context.bounds.listen_s):
            body = await arrived
    except NodeError as error:
        text = f"{name} refuses pending transactions with bodies: {error.message}"
        return failed(text, "use a node that sends full bodies (geth 1.11 or later, reth, nethermind)")
    except TimedOut as error:
        return unknown(error.message, remedy)
    except TimeoutError:
        text = f"{name}: subscribed; none arrived in {context.bounds.listen_s:g} s"
        return warned(text, f"on mainnet there is always one: check the peers and the pool of node {name}")
    finally:
        await socket.close()
    if parse_pending(body, 0) is None:
        what = "hashes only" if isinstance(body, str) else "something else than full bodies"
        text = f"{name} sends {what}"
        return failed(text, "use a node that sends full bodies (geth 1.11 or later, reth, nethermind)")
    return passed(f"{name} sends full bodies")


async def _probe(context: Context, endpoint: NodeEndpoint, node: Believed) -> Verdict:
    try:
        await probe_node(node.nodes, node.head, timeout_s=context.bounds.node_s, only=endpoint.name)
    except TimedOut as error:
        return unknown(error.message, f"check the load of node {endpoint.name}")
    except NodeError as error:
        return failed(error.message, error.hint)
    return passed(f"{endpoint.name} proved")

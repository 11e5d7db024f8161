"""Whether every configured node is there, on the right chain, synced, fresh and of one mind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

from jitctl.checks.node_look import Look, NodeLooker
from jitctl.config.endpoints import node_endpoints, verify_endpoints
from jitctl.config.load import Config
from jitctl.control.schema import FAIL, PASS, UNKNOWN, WARN, CheckReport, Finding
from jitctl.domain.chain import Head
from jitctl.errors import JitError, NodeError

TIMEOUT_S = 2.0
WARN_AGE_SLOTS, FAIL_AGE_SLOTS = 3, 10
WARN_LAG_BLOCKS, FAIL_LAG_BLOCKS = 1, 3
_UNREADABLE = "its answer cannot be used: see the node's own log, or a proxy in front of it"


async def node_sync(
    config: Config, *, wall_s: Callable[[], float] = time.time, timeout_s: float = TIMEOUT_S
) -> CheckReport:
    """Look at every trading and verify node at once; done within `timeout_s`, and half of it more to compare.

    Whatever nodes do ends in findings. Raises `ConfigError` for an unreadable `*_file` of a node's URL.
    """
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    lookers = [NodeLooker(each, "nodes") for each in node_endpoints(config)]
    lookers += [NodeLooker(each, "verify_nodes") for each in verify_endpoints(config)]
    chain = config.main.chain
    findings: list[Finding] = []
    try:
        looks = await asyncio.gather(*(looker.look(timeout_s) for looker in lookers))
        now_s = wall_s()
        for look in looks:
            findings += _of_node(look, chain.chain_id, now_s, chain.slot_seconds)
        comparable = [
            (looker, look.head)
            for looker, look in zip(lookers, looks, strict=True)
            if look.chain_id == chain.chain_id and isinstance(look.head, Head)
        ]
        if len(comparable) > 1:
            findings.append(_lag(comparable))
            findings += await _same_block(comparable, timeout_s / 2)
    finally:
        await asyncio.gather(*(looker.close() for looker in lookers))
    return CheckReport.of(
        "check-node-sync", findings, config_hash=config.hash, elapsed_ms=(loop.time() - begun_s) * 1000
    )


def _of_node(look: Look, chain_id: int, now_s: float, slot_s: float) -> Iterator[Finding]:
    name, took_ms = f"{look.where}.reachable", round(look.elapsed_ms, 1)
    if not look.answered:
        error = look.chain_id
        assert isinstance(error, JitError)
        remedy = error.hint or "check that the node runs and that its URL in jitctl.toml is right"
        yield Finding(name, UNKNOWN, error.message, remedy, took_ms)
        return
    yield Finding(name, PASS, f"answered in {took_ms:.0f} ms", "", took_ms)
    yield _chain_id(look, chain_id)
    yield _syncing(look)
    yield _head(look, now_s, slot_s)
    yield _peers(look)


def _chain_id(look: Look, chain_id: int) -> Finding:
    name, found = f"{look.where}.chain_id", look.chain_id
    if isinstance(found, JitError):
        return Finding(name, UNKNOWN, found.message, _UNREADABLE)
    if found != chain_id:
        remedy = f"the URL belongs to another network: correct [[{look.where.split('.')[0]}]] in jitctl.toml"
        return Finding(name, FAIL, f"chain id {found}, not {chain_id}", remedy)
    return Finding(name, PASS, f"chain id {found}")


def _syncing(look: Look) -> Finding:
    name, found = f"{look.where}.syncing", look.syncing
    if isinstance(found, JitError):
        return Finding(name, UNKNOWN, found.message, _UNREADABLE)
    if found is None:
        return Finding(name, PASS, "synced")
    shown = [("unknown" if each is None else str(each)) for each in (found.current, found.highest)]
    left = ""
    if found.current is not None and found.highest is not None:
        left = f", {max(0, found.highest - found.current)} to go"
    detail = f"still syncing: block {shown[0]} of {shown[1]}{left}"
    return Finding(name, FAIL, detail, "wait until the node has synced; do not trade with it before")


def _head(look: Look, now_s: float, slot_s: float) -> Finding:
    name, head = f"{look.where}.head", look.head
    if isinstance(head, JitError):
        return Finding(name, UNKNOWN, head.message, _UNREADABLE)
    age_s = now_s - head.timestamp_s
    slots = abs(age_s) / slot_s
    result = FAIL if slots > FAIL_AGE_SLOTS else WARN if slots > WARN_AGE_SLOTS else PASS
    if age_s < 0:
        detail = f"block {head.number}, {-age_s:.0f} s in the future"
        remedy = "clock skew: synchronise this machine's clock (chrony, timedatectl), then the node's"
    else:
        detail = f"block {head.number}, {age_s:.0f} s old"
        remedy = "the node does not follow the chain: look at its peers and at its consensus client"
    return Finding(name, result, detail, "" if result == PASS else remedy)


def _peers(look: Look) -> Finding:
    name, found = f"{look.where}.peers", look.peers
    if isinstance(found, NodeError) and found.rpc_code is not None:
        # Providers do not tell, and need not.
        return Finding(name, PASS, "the node does not tell its peers")
    if isinstance(found, JitError):
        return Finding(name, UNKNOWN, found.message, _UNREADABLE)
    if found == 0:
        return Finding(name, WARN, "no peers", "check the node's network port and its bootnodes")
    return Finding(name, PASS, f"{found} peers")


Comparable = Sequence[tuple[NodeLooker, Head]]


def _lag(nodes: Comparable) -> Finding:
    best = max(head.number for _, head in nodes)
    behind = {looker.where: best - head.number for looker, head in nodes if head.number < best}
    most = max(behind.values(), default=0)
    result = FAIL if most > FAIL_LAG_BLOCKS else WARN if most > WARN_LAG_BLOCKS else PASS
    detail = ", ".join(f"{where} is {blocks} behind" for where, blocks in behind.items())
    remedy = "" if result == PASS else f"best is block {best}: see why the others follow late, or lie"
    return Finding("lag", result, detail or f"all at block {best}", remedy)


async def _same_block(nodes: Comparable, timeout_s: float) -> list[Finding]:
    """Compare the hashes at the newest block that all have which are not far behind."""
    best = max(head.number for _, head in nodes)
    near = [(looker, head) for looker, head in nodes if best - head.number <= FAIL_LAG_BLOCKS]
    if len(near) < 2:
        return []
    number = min(head.number for _, head in near)
    blocks = await asyncio.gather(*(looker.block(hex(number), timeout_s) for looker, _ in near))
    hashes: dict[str, list[str]] = {}
    unread = []
    for (looker, _), block in zip(near, blocks, strict=True):
        if isinstance(block, JitError):
            unread.append(block.message)
        elif block.number != number:
            unread.append(f"{looker.where}: asked for block {number}, it gave block {block.number}")
        else:
            hashes.setdefault(block.hash, []).append(looker.where)
    if len(hashes) > 1:
        detail = "; ".join(f"{' and '.join(names)}: {block_hash}" for block_hash, names in hashes.items())
        remedy = "a reorg ends in a slot or two: check again then; if it stays, one of them is on a fork"
        return [Finding("same_block", FAIL, f"different blocks {number}: {detail}", remedy)]
    if unread:
        return [Finding("same_block", UNKNOWN, "; ".join(unread), _UNREADABLE)]
    return [Finding("same_block", PASS, f"one block {number} ({next(iter(hashes))})")]

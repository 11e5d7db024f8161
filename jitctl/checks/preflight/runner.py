"""Runs the checks side by side: none waits long, none takes another with it, none shows a traceback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from jitctl.checks.preflight import (
    balances,
    clock,
    daemon,
    executor,
    feed,
    host,
    keys,
    ledger,
    nodes,
    pools,
    relays,
)
from jitctl.checks.preflight.bounds import Bounds
from jitctl.checks.preflight.context import Context, Host
from jitctl.checks.preflight.names import chosen
from jitctl.checks.preflight.verdict import NotAsked, Verdict, unknown
from jitctl.config.load import Config
from jitctl.control.schema import UNKNOWN, CheckReport, Finding
from jitctl.errors import JitError

VERB = "preflight"


@dataclass(frozen=True)
class Check:
    """`waits_for` is what has not answered when the time is over."""

    run: Callable[[Context], Awaitable[Verdict]]
    waits_for: str


_DISK, _KEYS, _NODES, _RELAYS, _DAEMON = (
    "the file system", "the keystores", "the nodes", "relays or keystores", "the daemon or the file system",
)  # fmt: skip
CHECKS: dict[str, Check] = {
    "clock-skew": Check(clock.clock_skew, "nodes or relays"),
    "disk-space": Check(host.disk_space, _DISK),
    "file-descriptors": Check(host.file_descriptors, _DAEMON),
    "key-permissions": Check(keys.key_permissions, _DISK),
    "keys-open": Check(keys.keys_open, _KEYS),
    "socket-folder": Check(host.socket_folder, _DISK),
    "daemon": Check(daemon.daemon, _DAEMON),
    "http-port": Check(daemon.http_port, _DAEMON),
    "signer-lock": Check(daemon.signer_lock, _KEYS),
    "node-reachable": Check(nodes.reachable, _NODES),
    "chain-id": Check(nodes.fact("chain_id"), _NODES),
    "node-sync": Check(nodes.fact("syncing"), _NODES),
    "head-age": Check(nodes.fact("head"), _NODES),
    "peers": Check(nodes.fact("peers"), _NODES),
    "nodes-agree": Check(nodes.agree, _NODES),
    "pending-feed": Check(feed.pending_feed, _NODES),
    "simulate": Check(feed.simulate, _NODES),
    "relays": Check(relays.relays, _RELAYS),
    "executor-code": Check(executor.executor_code, _NODES),
    "executor-halted": Check(executor.executor_halted, _NODES),
    "operators": Check(executor.operators, _NODES),
    "guardian": Check(executor.guardian, _NODES),
    "pool-rules": Check(executor.pool_rules, _NODES),
    "loss-budget": Check(executor.loss_budget, _NODES),
    "allowances": Check(executor.allowances, _NODES),
    "gas-money": Check(balances.gas_money, _NODES),
    "capital": Check(balances.capital, _NODES),
    "pools": Check(pools.pools, _NODES),
    "price-marks": Check(pools.price_marks, _NODES),
    "ledger": Check(ledger.ledger, _DISK),
    "open-positions": Check(nodes.positions, _NODES),
    "alert-routes": Check(daemon.alert_routes, _DISK),
}

Heard = Callable[[str, Verdict], None]
"""Told of each verdict with its parts, of which a finding keeps only the text."""
Ended = Callable[[str, int, int], None]
"""Told of each check that ends: its name, how many have, and how many there are."""


async def preflight(
    config: Config,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    host: Host | None = None,
    ended: Ended = lambda _name, _done, _all: None,
    heard: Heard = lambda _name, _verdict: None,
    bounds: Bounds = Bounds(),  # noqa: B008  # frozen
) -> CheckReport:
    """Return a finding for each chosen check within `bounds`; raises `UsageError` for a wrong name.

    Nothing is changed: not on chain, not at a relay, not on disk.
    """
    names = chosen(only, skip)
    began = time.monotonic()
    context = Context(config, host or Host(), bounds)
    tasks = {asyncio.create_task(_run(name, CHECKS[name], context, heard), name=name): name for name in names}
    found: dict[str, Finding] = {}
    try:
        try:
            async with asyncio.timeout(bounds.whole_s):
                for each in asyncio.as_completed(tasks):
                    finding = await each
                    found[finding.name] = finding
                    ended(finding.name, len(found), len(names))
        except TimeoutError:
            pass
        for task, name in tasks.items():
            task.cancel()
            if name not in found:
                found[name] = _late(name, CHECKS[name], bounds.whole_s)
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await context.close()
    elapsed_ms = 1000 * (time.monotonic() - began)
    return CheckReport.of(
        VERB, (found[name] for name in names), config_hash=config.hash, elapsed_ms=elapsed_ms
    )


async def _run(name: str, check: Check, context: Context, heard: Heard) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(context.bounds.check_s):
            verdict = await check.run(context)
    except NotAsked as missing:
        verdict = unknown(f"not asked: {missing.why}", missing.remedy or _again(name))
    except JitError as error:
        verdict = unknown(error.message, error.hint or _again(name))
    except TimeoutError:
        return _late(name, check, context.bounds.check_s)
    except Exception as defect:
        text = f"this check has a defect: {type(defect).__name__}"
        verdict = unknown(text, "please report it; the other checks are not affected")
    heard(name, verdict)
    elapsed_ms = round(1000 * (time.monotonic() - began), 1)
    return Finding(name, verdict.result, verdict.detail, verdict.remedy, elapsed_ms)


def _late(name: str, check: Check, limit_s: float) -> Finding:
    text = f"no answer within {limit_s:g} s from {check.waits_for}"
    return Finding(name, UNKNOWN, text, f"look at what it waited for, or {_again(name)}", 1000 * limit_s)


def _again(name: str) -> str:
    return f"ask again, with more time: `jitctl preflight --only {name} --timeout 20`"

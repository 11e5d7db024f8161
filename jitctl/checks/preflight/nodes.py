"""node-reachable, chain-id, node-sync, head-age, peers and nodes-agree, from one look; and open-positions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from jitctl.checks.node_sync import node_sync
from jitctl.checks.positions import NONE, OPEN, open_positions
from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.verdict import (
    NotAsked,
    Verdict,
    failed,
    passed,
    together,
    unknown,
    warned,
)
from jitctl.control.schema import PASS, Finding
from jitctl.errors import ConfigError

_TRADING, _VERIFY = "nodes.", "verify_nodes."


async def reachable(context: Context) -> Verdict:
    """Fail if no trading node answers, warn if some do not: the engine goes on with the others."""
    found = [each for each in await _look(context, "reachable") if each.name.startswith(_TRADING)]
    silent = [each for each in found if each.result != PASS]
    if not silent:
        return passed("; ".join(f"{_name(each)} {each.detail}" for each in found))
    judge = failed if len(silent) == len(found) else warned
    return together([judge(each.detail, each.remedy) for each in silent], "")


def fact(suffix: str) -> Callable[[Context], Awaitable[Verdict]]:
    """Return the check of one fact of every node that answers; `suffix` is its name in `check-node-sync`."""

    async def check(context: Context) -> Verdict:
        found = await _look(context, suffix)
        if not found:
            raise NotAsked("no node answers", "see node-reachable")
        if suffix == "syncing":
            found += await _look(context, "lag")
        return together(
            [
                Verdict(each.result, f"{_name(each)}: {each.detail}", each.remedy, about=_name(each))
                for each in found
            ],
            "; ".join(_distinct(found)),
        )

    return check


async def agree(context: Context) -> Verdict:
    """All nodes have the same block at a common height, and a node of the second opinion is among them."""
    silent = [
        each
        for each in await _look(context, "reachable")
        if each.name.startswith(_VERIFY) and each.result != PASS
    ]
    verdicts = [unknown(each.detail, each.remedy) for each in silent]
    compared = await _look(context, "same_block")
    verdicts += [Verdict(each.result, each.detail, each.remedy) for each in compared]
    if not context.config.main.verify_nodes:
        text = "no node for a second opinion is configured"
        verdicts.append(
            warned(text, "add [[verify_nodes]]: a node of somebody else's, to check ours against")
        )
    elif not compared and not verdicts:
        raise NotAsked("there are no two nodes to compare", "see node-reachable, chain-id and node-sync")
    return together(verdicts, "; ".join(each.detail for each in compared))


async def positions(context: Context) -> Verdict:
    """The chain says by more than one node that nothing is open."""
    try:
        found = await open_positions(
            context.config, wall_s=context.host.wall_s, timeout_s=context.bounds.positions_s
        )
    except ConfigError as error:
        raise NotAsked(error.message, context.as_daemon_user()) from None
    if found.result == NONE:
        return passed(found.reason)
    if found.result == OPEN:
        remedy = (
            "the engine closes what is open once it runs; else the guardian or the owner calls close(pool)"
        )
        return failed(found.reason, remedy)
    return unknown(found.reason, "see node-reachable, nodes-agree and executor-code")


async def _look(context: Context, suffix: str) -> list[Finding]:
    async def look() -> tuple[Finding, ...]:
        try:
            report = await node_sync(
                context.config, wall_s=context.host.wall_s, timeout_s=context.bounds.look_s
            )
        except ConfigError as error:
            raise NotAsked(error.message, context.as_daemon_user()) from None
        return report.checks

    found = await context.once("a look at the nodes", look)
    return [each for each in found if each.name.rsplit(".", 1)[-1] == suffix]


def _name(finding: Finding) -> str:
    """Return the node's name of a finding `nodes.NAME.fact`, or the finding's own."""
    return finding.name.partition(".")[2].rpartition(".")[0] or finding.name


def _distinct(findings: Iterable[Finding]) -> list[str]:
    """Return each detail once, with the nodes that it is true of."""
    by_detail: dict[str, list[str]] = {}
    for each in findings:
        by_detail.setdefault(each.detail, []).append(_name(each))
    return [f"{', '.join(names)}: {detail}" for detail, names in by_detail.items()]

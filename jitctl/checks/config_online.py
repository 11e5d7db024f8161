"""What the chain says of a configuration: `preflight`'s own checks, as problems of the keys concerned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jitctl.checks.preflight.bounds import Bounds
from jitctl.checks.preflight.runner import preflight
from jitctl.checks.preflight.verdict import Verdict
from jitctl.config.load import Config, load
from jitctl.config.problems import Problem, dotted
from jitctl.config.source import Source, Texts, parse
from jitctl.control.schema import FAIL, UNKNOWN

RULE_BY_CHECK = {
    "node-reachable": "JC503",
    "chain-id": "JC503",
    "executor-code": "JC504",
    "pools": "JC501",
    "price-marks": "JC502",
}
_REACHABLE = "node-reachable"
PATIENT = Bounds(check_s=10.0)
"""Nobody waits for this as for a start."""
KeyPath = tuple[str | int, ...]


class Answer(NamedTuple):
    """`unknown` is what the chain did not tell, and why: never to be taken for fine."""

    problems: list[Problem]
    unknown: list[tuple[str, str]]


async def ask_chain(folder: Path, texts: Texts, *, bounds: Bounds = PATIENT) -> Answer:
    """Ask the nodes that a valid configuration names about it; needs no key."""
    config = load(folder, texts)
    sources = {stem: source for stem, text in texts.items() if isinstance(source := parse(text), Source)}
    whole: dict[str, Verdict] = {}
    report = await preflight(config, only=tuple(RULE_BY_CHECK), heard=whole.__setitem__, bounds=bounds)
    problems: list[Problem] = []
    unknown: list[tuple[str, str]] = []
    for finding in report.checks:
        verdict = whole.get(finding.name, Verdict(finding.result, finding.detail, finding.remedy))
        for part in verdict.parts or (verdict,):
            if part.result == UNKNOWN or (part.result == FAIL and finding.name == _REACHABLE):
                # A node that is down says nothing against the configuration.
                unknown.append((f"{finding.name} on the chain", part.detail))
            elif part.result == FAIL:
                stem, path = _key(config, finding.name, part.about)
                problems.append(_problem(RULE_BY_CHECK[finding.name], sources, stem, path, part))
    return Answer(problems, unknown)


def _problem(rule: str, sources: Mapping[str, Source], stem: str, path: KeyPath, verdict: Verdict) -> Problem:
    source = sources[stem]
    line, column = source.positions.of(path)
    return Problem(rule, source.name, line, column, dotted(path), verdict.detail, verdict.remedy)


def _key(config: Config, check: str, about: str) -> tuple[str, KeyPath]:
    """Return the file and key that a verdict is about: what the operator would have to change."""
    if check == "pools":
        return "pools", _pool_key(config, about)
    if check == "executor-code":
        return "jitctl", ("executor", "address")
    if check == "price-marks":
        symbol = about or "WETH"
        return "jitctl", ("prices", "feeds", symbol) if symbol in config.main.prices.feeds else ("prices",)
    names = {
        "nodes": [node.name for node in config.main.nodes],
        "verify_nodes": [node.name for node in config.main.verify_nodes],
    }
    for section, known in names.items():
        if about in known:
            return "jitctl", (section, known.index(about))
    return "jitctl", ("chain", "chain_id")


def _pool_key(config: Config, about: str) -> KeyPath:
    """Return the key of a pool by its name, or of a token's decimals by its symbol."""
    for index, pool in enumerate(config.pools.pools):
        if pool.name == about:
            return "pools", index, "address"
    for index, pool in enumerate(config.pools.pools):
        for side, token in (("token0", pool.token0), ("token1", pool.token1)):
            if token.symbol == about and pool.enabled:
                return "pools", index, side, "decimals"
    return ("pools",)

"""Rules of jitctl.toml, by itself and beside the other files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from jitctl.config.models import MainConfig, PoolsConfig
from jitctl.config.nearest import did_you_mean
from jitctl.config.rules.finding import Finding, needs_whole


@needs_whole("main.prices.feeds")
def every_token_priced(main: MainConfig, pools: PoolsConfig) -> Iterator[Finding]:
    """JC209 every token has a mark."""
    if main.prices.source != "feeds":
        return
    known = _symbols(pools)
    unknown = [symbol for symbol in main.prices.feeds if symbol not in known]
    for symbol in known:
        if symbol not in main.prices.feeds:
            message = f"no USD feed for {symbol}, so a position in it cannot be valued"
            yield Finding("JC209", "jitctl", ("prices", "feeds"), message, did_you_mean(symbol, unknown))


@needs_whole("pools.pools")
def every_feed_read(main: MainConfig, pools: PoolsConfig) -> Iterator[Finding]:
    """JC231 every mark has a token."""
    if main.prices.source != "feeds":
        return
    known = _symbols(pools)
    for symbol in main.prices.feeds:
        if symbol not in known:
            message = f"no pool has a token {symbol!r}: this feed is never read"
            path = ("prices", "feeds", symbol)
            yield Finding("JC231", "jitctl", path, message, did_you_mean(symbol, known))


def _symbols(pools: PoolsConfig) -> list[str]:
    return list(dict.fromkeys(token.symbol for pool in pools.pools for token in (pool.token0, pool.token1)))


def used_once(main: MainConfig) -> Iterator[Finding]:
    """JC210 a lane's keystore, a node's name and a relay's name are each used once."""
    keystores = [operator.keystore for operator in main.wallet.operators]
    groups = (
        (("wallet", "operators"), "keystore", keystores),
        (("nodes",), "name", [node.name for node in main.nodes]),
        (("verify_nodes",), "name", [node.name for node in main.verify_nodes]),
        (("relays",), "name", [relay.name for relay in main.relays]),
    )
    for prefix, key, values in groups:
        counts = Counter(values)
        for index, value in enumerate(values):
            if counts[value] > 1:
                yield Finding("JC210", "jitctl", (*prefix, index, key), f"{value!r} is used more than once")


def routers_once(main: MainConfig) -> Iterator[Finding]:
    """JC234 a router is listed once: its kind says how its calls are read."""
    seen: set[str] = set()
    for kind in ("v3", "swap_router02", "universal"):
        for index, router in enumerate(getattr(main.routers, kind)):
            if router in seen:
                message = "this router is listed before: one kind only can be right"
                yield Finding("JC234", "jitctl", ("routers", kind, index), message)
            seen.add(router)


def times_fit(main: MainConfig) -> Iterator[Finding]:
    """JC225 a mark may be as old as a slot; JC226, JC227 timeouts fit."""
    slot_s, engine = main.chain.slot_seconds, main.engine
    if main.prices.max_age_s < slot_s:
        message = f"no mark is ever younger than {main.prices.max_age_s:g} s with slots of {slot_s:g} s"
        yield Finding("JC225", "jitctl", ("prices", "max_age_s"), message, f"at least {slot_s:g} (seconds)")
    both_ms = engine.simulate_timeout_ms + engine.submit_timeout_ms
    if both_ms >= slot_s * 1000:
        message = f"simulating and submitting may take {both_ms} ms, a whole slot of {slot_s:g} s"
        key = (
            "simulate_timeout_ms" if "simulate_timeout_ms" in engine.model_fields_set else "submit_timeout_ms"
        )
        yield Finding("JC226", "jitctl", ("engine", key), message, "a bundle would come too late")
    for index, relay in enumerate(main.relays):
        if relay.timeout_ms > engine.submit_timeout_ms:
            limit = engine.submit_timeout_ms
            message = f"{relay.timeout_ms} ms is never waited: engine.submit_timeout_ms ends it after {limit}"
            yield Finding("JC227", "jitctl", ("relays", index, "timeout_ms"), message)


def role_has_a_token(main: MainConfig) -> Iterator[Finding]:
    """JC233 a token's role needs a token."""
    if main.http.token_file is None and "token_role" in main.http.model_fields_set:
        message = "without token_file nobody has this role: the TCP door only reads"
        yield Finding("JC233", "jitctl", ("http", "token_role"), message)


CHECKS = (every_token_priced, every_feed_read, used_once, routers_once, times_fit, role_has_a_token)

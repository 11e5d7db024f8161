"""`jitctl pool-status`."""

from __future__ import annotations

from typing import Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption, StrictOption
from jitctl.cli.render import Format

NARROW, WIDE = 66, 100
"""From these widths on there is room for the net result; for liquidity and protocol fee too."""
WIDEST, SHORT = 140, 48
"""From this width on there is room for reasons of this length; else they are below the table."""


def pool_status(ctx: typer.Context, strict: StrictOption = False, output: OutputOption = Format.TEXT) -> None:
    """Show every configured pool, and why one is not traded.

    Price and liquidity are those that the engine decides with; attempts and net are today's, by UTC. Exit
    code 0 all enabled pools are healthy, 1 one is not, 8 the engine does not tell, 10 one is disabled and
    --strict was given.

    Example: jitctl pool-status
    """
    asked = options.client(ctx, timeout_s=5.0)
    found = asked.call("pool-status", probe=True)
    options.warn_of_version(asked)
    render.result(found, output, _text)
    code = _exit_code(found, strict)
    if code:
        raise typer.Exit(code)


def _exit_code(found: dict[str, Any], strict: bool) -> int:
    enabled = [pool for pool in found.get("pools", []) if pool.get("enabled")]
    if any(pool.get("healthy") is False for pool in enabled):
        return 1
    if any(pool.get("healthy") is None for pool in enabled):
        return 8
    return 10 if strict and len(enabled) < len(found.get("pools", [])) else 0


def _text(found: dict[str, Any]) -> str:
    from rich import box
    from rich.table import Table

    from jitctl.cli.figures import ether

    width = render.terminal_width()
    wide = width is None or width >= WIDE
    narrow = width is not None and width < NARROW
    reasons = [
        (pool.get("name"), str(pool["reason"])) for pool in found.get("pools", []) if pool.get("reason")
    ]
    beside = (width is None or width >= WIDEST) and all(len(why) <= SHORT for _, why in reasons)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    more = ("liquidity", "protocol fee") if wide else ()
    # Names are folded where there is no room, never cut: those of two pools may begin alike.
    table.add_column("pool", overflow="fold")
    table.add_column("healthy", no_wrap=True)
    for title in ("1 WETH is", *more, "landed", *(() if narrow else ("net today",))):
        table.add_column(title, justify="right", no_wrap=True)
    if beside:
        table.add_column("why not", no_wrap=True)
    for pool in found.get("pools", []):
        table.add_row(
            render.printable(str(pool.get("name"))),
            health_word(pool),
            str(pool.get("price") or ""),
            *([_short(pool.get("liquidity")), _protocol_fee(pool.get("feeProtocol"))] if wide else []),
            f"{pool.get('landedToday')} of {pool.get('attemptsToday')}",
            *(() if narrow else (ether(pool.get("netWeiToday") or "0", 6 if wide else 3),)),
            *([render.printable(str(pool.get("reason") or ""))] if beside else []),
        )
    lines = [render.rich_text(table).strip("\n")]
    if not beside:
        lines += [render.wrapped("", render.printable(f"{name}: {why}"), indent=0) for name, why in reasons]
    if found.get("headNumber") is not None:
        age_s = found.get("headAgeS")
        aged = f", {render.duration(age_s)} old" if age_s is not None else ""
        lines.append(f"as of block {found['headNumber']}{aged}")
    if found.get("problem"):
        lines.append(f"not known: {render.printable(str(found['problem']))}")
    return "\n".join(lines)


def health_word(pool: dict[str, Any]) -> str:
    """Return one word for a pool: yes, no, unknown or off."""
    if not pool.get("enabled"):
        return "off"
    return {True: "yes", False: "NO", None: "unknown"}[pool.get("healthy")]


def _protocol_fee(packed: int | None) -> str:
    """Return slot0's feeProtocol as shares of the fee: `1/4`, or one for each token, `1/4 1/6`."""
    if packed is None:
        return ""
    shares = [f"1/{each}" if each else "none" for each in (packed % 16, packed >> 4)]
    return shares[0] if shares[0] == shares[1] else " ".join(shares)


def _short(amount: str | None) -> str:
    return "" if amount is None else f"{int(amount):.3g}"

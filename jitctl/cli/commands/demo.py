"""`jitctl demo`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jitctl.cli import render
from jitctl.cli.options import OutputOption, make_folder
from jitctl.cli.render import Format
from jitctl.domain.values import Address

if TYPE_CHECKING:
    from jitctl.devnet.demo import DemoResult
    from jitctl.devnet.proof import LandedJit


def demo(
    plot: Annotated[
        Path, typer.Option("--plot", help="Where the picture of one captured swap goes (.png or .svg).")
    ] = Path("out/captured-swap.png"),
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep all files here (an empty folder).", file_okay=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Other accounts, other liquidity.")] = 1,
    output: OutputOption = Format.TEXT,
) -> None:
    """Show the bot at work on a private chain.

    A real EVM with the real Uniswap v3, the bot in test mode, then in production, user swaps through
    all three routers, and at the end the proof from the chain. Takes about a minute; everything it
    started is gone afterwards.

    Example: jitctl demo -o json
    """
    import asyncio
    import tempfile

    from jitctl.devnet.demo import run_demo
    from jitctl.errors import JitError, UsageError

    if plot.suffix not in (".png", ".svg"):
        raise UsageError(f"--plot {plot}: the picture is .png or .svg")
    if directory is not None and directory.exists() and any(directory.iterdir()):
        raise UsageError(f"--dir {directory} is not empty", hint="name a new folder")
    for folder in (plot.parent, directory):
        if folder is not None:
            make_folder(folder)
    with tempfile.TemporaryDirectory(prefix="jitctl-demo-") as scratch, render.progress() as say:
        found = asyncio.run(run_demo(directory or Path(scratch), plot.absolute(), say, seed=seed))
    render.result(_data(found), output, lambda _: _text(found))
    if not found.proof.holds:
        raise JitError("the proof does not hold", hint="the problems are listed above; --dir keeps the files")
    if not found.proof.landed:
        raise JitError("no JIT landed", hint="run again with --dir and read the bot's log there")


def _data(found: DemoResult) -> dict[str, Any]:
    return {
        "landed": [_landed(jit, found) for jit in found.proof.landed],
        "proof": {
            "holds": found.proof.holds,
            "blocksChecked": found.proof.balances.blocks,
            "balancesCompared": found.proof.balances.compared,
            "problems": found.proof.problems,
            "flows": [
                {
                    "block": flow.block_number, "kind": str(flow.kind), "token": flow.token,
                    "account": flow.account,
                    "amount": str(flow.amount), "transactionHash": flow.tx_hash,
                }
                for flow in found.proof.balances.flows
            ],
        },
        "swapsSent": found.swaps_sent,
        "attempts": found.outcomes,
        "skips": found.skips,
        "dailySummary": found.daily_summary,
        "plot": str(found.plot) if found.plot else None,
        "elapsedS": round(found.elapsed_s, 1),
    }  # fmt: skip


def _landed(jit: LandedJit, found: DemoResult) -> dict[str, Any]:
    return {
        "block": jit.block,
        "pool": jit.pool,
        "poolName": jit.pool_name,
        "mintHash": jit.mint_hash,
        "victimHash": jit.victim_hash,
        "burnHash": jit.burn_hash,
        "tickLower": jit.tick_lower,
        "tickUpper": jit.tick_upper,
        "liquidity": str(jit.liquidity),
        "minted0": str(jit.minted0),
        "minted1": str(jit.minted1),
        "collected0": str(jit.collected0),
        "collected1": str(jit.collected1),
        "fees0": str(jit.fees0),
        "fees1": str(jit.fees1),
        "gasUsed": jit.gas_used,
        "gasWei": str(jit.gas_wei),
        "tipWei": str(jit.tip_wei),
        **{name: str(wei) for name, wei in found.nets.get(jit.burn_hash, {}).items()},
        "victimGain": {token: str(amount) for token, amount in jit.victim_gain.items()},
        "problems": list(jit.problems),
    }


def _text(found: DemoResult) -> str:
    from rich.table import Table

    table = Table(title="Landed JITs, read from the chain (ETH)", title_justify="left")
    for name in ("block", "pool", "victim", "range"):
        table.add_column(name)
    for name in ("size", "fees", "gas", "bid", "net", "user gained"):
        table.add_column(name, justify="right")
    for jit in found.proof.landed:
        net = found.nets.get(jit.burn_hash, {}).get("netMarkWei", 0)
        table.add_row(
            str(jit.block), jit.pool_name, jit.victim_hash[:10], f"{jit.tick_lower} to {jit.tick_upper}",
            _pair(jit.minted0, jit.minted1, jit, found), _pair(jit.fees0, jit.fees1, jit, found),
            _eth(jit.gas_wei), _eth(jit.tip_wei), _eth(net), _gain(jit, found),
        )  # fmt: skip
    total = sum(net["netMarkWei"] for net in found.nets.values())
    table.caption = f"net of all attempts, own gas and bids paid: {_eth(total)} ETH"
    proof = found.proof
    verdict = "holds" if proof.holds else "DOES NOT HOLD"
    flows = [
        f"  named flow: {flow.kind} of {_amount(flow.amount, flow.token, found)} in block {flow.block_number}"
        for flow in proof.balances.flows
    ]
    lines = [
        render.rich_text(table),
        "",
        f"{found.swaps_sent} swaps were sent; attempts: {_counts(found.outcomes)};",
        f"left alone: {_counts(found.skips)}",
        "",
        found.daily_summary_text.rstrip(),
        "",
        f"Proof: {verdict}. {len(proof.landed)} JITs: mint, swap, burn side by side, positions empty after;",
        "  no user got less than without us (each block replayed both ways);",
        f"  {proof.balances.compared} balances over {proof.balances.blocks} blocks changed"
        " as the ledger says, to the wei.",
        *flows,
        *(f"  PROBLEM: {problem}" for problem in proof.problems),
        "",
        f"Picture of one of them: {found.plot}" if found.plot else "",
        f"Took {found.elapsed_s:.0f} s; everything that was started is gone.",
    ]
    return "\n".join(lines)


def _pair(amount0: int, amount1: int, jit: LandedJit, found: DemoResult) -> str:
    spec = found.pools[jit.pool]
    shown = [
        _amount(amount, token.address, found)
        for amount, token in ((amount0, spec.token0), (amount1, spec.token1))
        if amount
    ]
    return " + ".join(shown)


def _gain(jit: LandedJit, found: DemoResult) -> str:
    if jit.sqrt_price_without_us_x96 is None:
        return "would have failed"
    return ", ".join(_amount(amount, token, found) for token, amount in jit.victim_gain.items())


def _amount(amount: int, token: str, found: DemoResult) -> str:
    symbol, decimals = found.symbols.get(Address(token), (token, 18))
    return f"{_significant(Decimal(amount).scaleb(-decimals))} {symbol}"


def _eth(wei: int) -> str:
    return _significant(Decimal(wei).scaleb(-18))


def _significant(value: Decimal) -> str:
    """Return about four significant digits, never in exponent form."""
    if value == 0:
        return "0"
    digits = max(0, 3 - value.adjusted())
    return f"{value:,.{min(digits, 8)}f}"


def _counts(counts: dict[str, int]) -> str:
    return (
        ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
        or "none"
    )

"""`jitctl devnet`: a private chain with Uniswap v3, users and a builder."""

from __future__ import annotations

from decimal import Decimal, DecimalException
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from jitctl.cli import render
from jitctl.cli.options import OutputOption, Seconds, make_folder
from jitctl.cli.render import Format
from jitctl.domain.values import Token
from jitctl.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Run a private chain with Uniswap v3, users and a builder.")

DirOption = Annotated[Path, typer.Option("--dir", help="The devnet's folder.", file_okay=False)]
_DEFAULT_DIR = Path("devnet")
MAX_AMOUNT = 2**128
"""More than any token's supply; the routers' own types take no more."""


class Router(StrEnum):
    """The routers by the names that people use."""

    V3 = "v3"
    ROUTER02 = "02"
    UNIVERSAL = "universal"


@app.command()
def up(
    folder: DirOption = _DEFAULT_DIR,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it runs.")] = False,
    slot_seconds: Annotated[
        float,
        typer.Option(
            "--slot-seconds",
            help="Seconds from block to block; 0: only when asked.",
            click_type=Seconds(min=0),
        ),
    ] = 12.0,
    seed: Annotated[int, typer.Option("--seed", help="Accounts, liquidity and traffic follow from it.")] = 1,
    port: Annotated[int, typer.Option("--port", help="The front door's port; 0: any.", min=0, max=65535)] = 0,
    http_port: Annotated[
        int, typer.Option("--http-port", help="The bot's own port, as written into its configuration.", min=0)
    ] = 0,
    swaps: Annotated[int, typer.Option("--swaps", help="Trades of random users per slot.", min=0)] = 0,
    output: OutputOption = Format.TEXT,
) -> None:
    """Start a devnet and write a ready configuration for a bot on it.

    DIR/config is a ready configuration, DIR/devnet.json says where everything is. Runs until SIGINT or
    SIGTERM and leaves no process behind. Where one runs already: exit code 0, and its status.

    Example: jitctl devnet up --dir /tmp/net --detach --slot-seconds 2 --swaps 4
    """
    from jitctl.devnet import running

    folder = folder.absolute()
    found = running.find(folder)
    if found is not None:
        render.note(f"already running in {folder}")
        render.result(_described(found.data), output, _up_text)
        return
    make_folder(folder)
    if detach:
        arguments = [
            "--slot-seconds", str(slot_seconds), "--seed", str(seed), "--port", str(port),
            "--http-port", str(http_port), "--swaps", str(swaps),
        ]  # fmt: skip
        render.result(_described(running.start_detached(folder, arguments).data), output, _up_text)
        return
    running.serve(
        folder,
        slot_seconds=slot_seconds or None,
        seed=seed,
        port=port,
        http_port=http_port,
        swaps_per_slot=swaps,
        say=render.note,
        ready=lambda manifest: render.result(_described(manifest.data), output, _up_text),
    )


@app.command()
def down(folder: DirOption = _DEFAULT_DIR, output: OutputOption = Format.TEXT) -> None:
    """End the devnet of a folder. Where none runs, that is done already, exit code 0.

    Example: jitctl devnet down --dir /tmp/net
    """
    from jitctl.devnet import running

    pid = running.stop(folder.absolute())
    message = "no devnet runs here" if pid is None else f"ended (pid {pid})"
    render.result(
        {"changed": pid is not None, "pid": pid, "message": message}, output, lambda d: d["message"]
    )


@app.command()
def status(folder: DirOption = _DEFAULT_DIR, output: OutputOption = Format.TEXT) -> None:
    """Show a running devnet: its addresses, its head, its pool, its faults.

    Example: jitctl devnet status --dir /tmp/net -o json
    """
    from jitctl.devnet import running

    render.result(running.status(folder.absolute()), output, _status_text)


@app.command()
def swap(
    pool: Annotated[str, typer.Option("--pool", help="A pool's name or address, such as WETH/USDC-0.05%.")],
    folder: DirOption = _DEFAULT_DIR,
    amount_in: Annotated[
        str | None, typer.Option("--amount-in", help="What is sold, in whole tokens: 10, 0.5.")
    ] = None,
    amount_out: Annotated[str | None, typer.Option("--amount-out", help="Or what is bought.")] = None,
    token_in: Annotated[str, typer.Option("--token-in", help="The token that is sold.")] = "WETH",  # noqa: S107 - a symbol
    router: Annotated[Router, typer.Option("--router", help="Which of the three routers.")] = Router.V3,
    native: Annotated[bool, typer.Option("--native", help="ETH in place of WETH.")] = False,
    output: OutputOption = Format.TEXT,
) -> None:
    """Have a user of the devnet trade; returns once the transaction is in the public pool.

    Example: jitctl devnet swap --dir /tmp/net --pool WETH/USDC-0.05% --amount-in 100
    """
    from jitctl.devnet import running

    if (amount_in is None) == (amount_out is None):
        raise UsageError("give either --amount-in or --amount-out")
    manifest = running.require(folder.absolute())
    try:
        spec = manifest.pool(pool)
    except KeyError:
        known = ", ".join(row.name for row in manifest.pools)
        raise UsageError(f"no pool {pool!r}", hint=f"one of {known}") from None
    sides = {token.symbol: token for token in (spec.token0, spec.token1)}
    if token_in not in sides:
        raise UsageError(f"{spec.name} has no {token_in}", hint=f"it has {' and '.join(sides)}")
    token_out = next(token for symbol, token in sides.items() if symbol != token_in)
    sent = running.swap(
        folder.absolute(),
        pool=spec,
        amount_in=None if amount_in is None else _base_units(amount_in, sides[token_in].decimals),
        amount_out=None if amount_out is None else _base_units(amount_out, token_out.decimals),
        token_in=token_in,
        router=router.value,
        native=native,
    )
    sold, bought = sides[token_in], token_out
    render.result(sent, output, lambda data: _swap_text(data, sold, bought))


def _base_units(text: str, decimals: int) -> int:
    try:
        amount = Decimal(text).scaleb(decimals)
    except DecimalException:
        raise UsageError(f"{text!r} is not an amount") from None
    if not (amount.is_finite() and 0 < amount < MAX_AMOUNT and amount == amount.to_integral_value()):
        raise UsageError(f"{text!r} is not an amount of a token with {decimals} decimals")
    return int(amount)


def _described(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what is worth showing of a manifest: no keys."""
    wanted = ("rpcUrl", "wsUrl", "relayUrl", "chainId", "slotSeconds", "seed", "executor", "configDir")
    return {"pid": manifest["process"]["pid"], **{key: manifest[key] for key in wanted}}


def _up_text(data: dict[str, Any]) -> str:
    slots = data["slotSeconds"]
    return render.table(
        [
            ("node", data["rpcUrl"]),
            ("relay", data["relayUrl"]),
            ("slots", "only when asked" if slots is None else f"every {slots:g} s"),
            ("executor", data["executor"]),
            ("config", data["configDir"]),
            ("pid", str(data["pid"])),
        ]
    )


def _status_text(data: dict[str, Any]) -> str:
    slots = data["slotSeconds"]
    faults = ", ".join(f"{view}: {' '.join(kinds)}" for view, kinds in data["faults"].items())
    return render.table(
        [
            ("running", f"pid {data['pid']} in {data['dir']}"),
            ("node", data["rpcUrl"]),
            ("relay", data["relayUrl"]),
            ("block", f"{data['blockNumber']} {data['blockHash']}"),
            ("base fee", f"{data['baseFeeWei'] / 1e9:.3f} gwei"),
            ("slots", "only when asked" if slots is None else f"every {slots:g} s"),
            ("pending", f"{data['pendingTransactions']} transactions"),
            ("faults", faults),
            ("failure", data["lastFailure"]),
            ("config", data["configDir"]),
        ]
    )


def _swap_text(data: dict[str, Any], sold: Token, bought: Token) -> str:
    exact, other = (sold, bought) if data["exactIn"] else (bought, sold)
    amount, limit = _whole(data["amount"], exact), _whole(data["limitAmount"], other)
    what, bound = ("sells", "for at least") if data["exactIn"] else ("buys", "for at most")
    return render.table(
        [
            ("transaction", data["hash"]),
            ("user", data["user"]),
            (what, f"{amount} {bound} {limit}, through {data['router']} in {data['pool']}"),
        ]
    )


def _whole(amount: str | int, token: Token) -> str:
    return f"{Decimal(amount).scaleb(-token.decimals).normalize():f} {token.symbol}"

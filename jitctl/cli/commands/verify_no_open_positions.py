"""`jitctl verify-no-open-positions`."""

from __future__ import annotations

from typing import Any

import typer

from jitctl.cli import options, render
from jitctl.cli.options import OutputOption
from jitctl.cli.render import Format


def verify_no_open_positions(ctx: typer.Context, output: OutputOption = Format.TEXT) -> None:
    """Ask the chain whether anything is open.

    From the chain, never from the ledger: every trading node that answers and every verify node are
    asked about one and the same block. Exit code 0 only if all of them say that nothing is open, 7 if any
    shows a position, 8 if they disagree, lag, or do not answer. emergency-position-check is the same.

    Example: jitctl verify-no-open-positions -o json

    Example: jitctl emergency-position-check
    """
    from jitctl.checks import one_shot
    from jitctl.checks.positions import NONE, OPEN, open_positions
    from jitctl.config.load import load
    from jitctl.control.schema import to_wire
    from jitctl.errors import CannotDetermine, PositionsOpen

    config = load(options.config_dir(ctx))
    found = to_wire(one_shot.run(open_positions(config)))
    render.result(found, output, _text)
    if found["result"] == OPEN:
        raise PositionsOpen(
            found["reason"],
            hint="a running bot closes them by itself; else the guardian or the owner calls the executor's "
            "`close(pool)`, and `sweep` for what is left; then check again",
        )
    if found["result"] != NONE:
        raise CannotDetermine(
            f"cannot determine whether positions are open: {found['reason']}",
            hint="take it that they are: see to the node that is named (`jitctl check-node-sync`), then "
            "check again",
        )


def _text(found: dict[str, Any]) -> str:
    lines = [_node_line(node) for node in found["nodes"]]
    lines += [_position_line(position) for position in found["positions"]]
    if found["result"] == "none":
        lines.append(render.wrapped("", render.printable(found["reason"]), indent=0))
    return "\n".join(lines)


def _node_line(node: dict[str, Any]) -> str:
    colour = {"none": "green", "open": "red"}.get(node["result"], "yellow")
    at = "" if node["blockNumber"] is None else f"block {node['blockNumber']}, {node['ageS']:.0f} s old"
    parts = [part for part in (at, render.printable(node["detail"])) if part]
    mark = render.mark(node["result"].ljust(7), colour)
    return render.wrapped(f"{mark}  ", f"{node['name']} ({node['role']}): {'; '.join(parts)}", indent=9)


def _position_line(position: dict[str, Any]) -> str:
    if position["kind"] == "elsewhere":
        return "open     in a pool that is not configured: the executor keeps a reserve for it"
    held = f"liquidity {position['liquidity']}"
    if position["owed0"] is not None:
        held += f", owed {position['owed0']} and {position['owed1']}"
    where = f"{position['pool']} {position['address']}"
    ticks = f"ticks {position['tickLower']} to {position['tickUpper']}"
    return render.wrapped(f"{position['kind'].ljust(7)}  ", f"{where}, {ticks}, {held}", indent=9)

"""Gas of the executor's two legs in one block with a swap between them, from receipts of a real node.

The victim's swap moves the price inside our range. "Fresh ticks": nobody has liquidity at the range's edges
and the executor was never in this range; "used ticks": others have, and it was. Base gas and calldata are in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from gas_scene import GasScene, anvil_scene

GOAL = "both legs well under 400,000"


def rows() -> list[dict[str, Any]]:
    found = []
    with anvil_scene() as scene:
        for name, lower, upper in _ranges(scene):
            mint, victim, burn, plain = scene.bundle(lower, upper)
            for leg, gas in (("mint", mint), ("burn", burn), ("both legs", mint + burn)):
                goal = GOAL if leg == "both legs" else ""
                found.append(_row(f"{leg}, {name}", gas, goal, ""))
            note = f"{plain:,} without us"
            found.append(_row(f"victim's swap, {name}", victim, "", note))
    return found


def _ranges(scene: GasScene) -> list[tuple[str, int, int]]:
    spacing = scene.tick_spacing
    scene.bundle(-spacing, spacing)  # The first bundle ever also fills the ledger's slots.
    scene.provide(-spacing, 0)
    scene.provide(0, spacing)
    scene.provide(-3 * spacing, 3 * spacing)
    scene.bundle(-spacing, spacing)
    return [
        ("fresh ticks", -2 * spacing, 2 * spacing),
        ("used ticks, position new", -3 * spacing, 3 * spacing),
        ("used ticks, position used", -spacing, spacing),
    ]


def _row(name: str, gas: int, goal: str, note: str) -> dict[str, Any]:
    return {"name": name, "p50": gas, "p99": "", "unit": "gas", "goal": goal, "note": note}

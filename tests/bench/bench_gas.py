"""Gas of the executor's two legs in one block with a swap between them, from receipts of a real node.

The swap moves the price inside our range, each block is 12 s after the one before, and the pool writes an
observation in every block. "Fresh ticks": nobody has liquidity at the range's edges. "Used ticks": others
have. "Position used": the executor was in the same range before. Base gas, calldata and refunds are in.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "contracts"))

from gas_scene import GasScene, anvil_scene


def rows() -> list[dict[str, Any]]:
    """One anvil, three ranges."""
    found = []
    with anvil_scene() as scene:
        for name, lower, upper in _ranges(scene):
            bare = scene.unguarded(lower, upper)
            alone = scene.without_us()
            mint, victim, burn = scene.bundle(lower, upper)
            found += [_row(f"mint, {name}", mint), _row(f"burn, {name}", burn)]
            goal = "400,000 to 500,000"
            note = "" if name.endswith("position used") else f"{bare:,} without any guard, record or tip"
            found.append(_row(f"both legs, {name}", mint + burn, goal, note))
            found.append(_row(f"victim's swap, {name}", victim, "", f"{alone:,} without us"))
    return found


def _ranges(scene: GasScene) -> list[tuple[str, int, int]]:
    spacing = scene.tick_spacing
    for _ in range(2):  # The first bundles ever also fill the executor's own slots.
        scene.bundle(-spacing, spacing)
    scene.provide(-spacing, 0)
    scene.provide(0, spacing)
    scene.provide(-3 * spacing, 0)
    scene.provide(0, 3 * spacing)
    return [
        ("fresh ticks", -2 * spacing, 2 * spacing),
        ("used ticks", -3 * spacing, 3 * spacing),
        ("used ticks, position used", -spacing, spacing),
    ]


def _row(name: str, gas: int, goal: str = "", note: str = "") -> dict[str, Any]:
    return {"name": name, "p50": gas, "p99": "", "unit": "gas", "goal": goal, "note": note}

"""A pool's own price oracle: the mean tick over a window."""

from __future__ import annotations

from jitctl.amm.tick_math import MAX_TICK, MIN_TICK
from jitctl.chain.lens import TIMEOUT_S, Node, signed, view
from jitctl.domain.values import Address, Hash32
from jitctl.errors import NodeError

_OBSERVE = bytes.fromhex("883bdbfd")


async def mean_tick(
    node: Node, pool: Address, window_s: int, at: Hash32, *, timeout_s: float = TIMEOUT_S
) -> int:
    """Return the mean tick over the `window_s` seconds up to block `at`, rounded down.

    Raises `NodeError` or `TimedOut`; a revert is the pool's own refusal (`OLD`: it does not remember that far
    back). Down is how the periphery's OracleLibrary rounds.
    """
    arguments = b"".join(each.to_bytes(32, "big") for each in (32, 2, window_s, 0))
    raw = await view(node, pool, _OBSERVE + arguments, at, timeout_s=timeout_s)
    words = [int.from_bytes(raw[start : start + 32], "big") for start in range(0, len(raw), 32)]
    if len(words) < 5 or words[0] != 64 or words[2] != 2:
        raise NodeError(f"{pool} answers observe in the wrong shape")
    tick = (signed(words[4]) - signed(words[3])) // window_s
    if not MIN_TICK <= tick <= MAX_TICK:
        raise NodeError(f"{pool} answers observe with a tick that no pool has")
    return tick

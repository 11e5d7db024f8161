"""How long anything may take; everything follows from what one check has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """`check_s` bounds each check; with the start of the process itself, an answer comes within 5 s.

    `listen_s` is how long to wait for one pending transaction: on mainnet one comes in milliseconds.
    """

    check_s: float = 3.0
    listen_s: float = 1.2

    @property
    def whole_s(self) -> float:
        """For all checks together, which run side by side."""
        return self.check_s + 0.5

    @property
    def node_s(self) -> float:
        """For one question to one node: half of a check, so that the next node can still be asked."""
        return 0.5 * self.check_s

    @property
    def look_s(self) -> float:
        """For `node_sync`, which takes up to half as much again."""
        return 0.45 * self.check_s

    @property
    def positions_s(self) -> float:
        """For `open_positions`."""
        return 0.8 * self.check_s

    @property
    def head_s(self) -> float:
        """For what can do without a head to wait for one."""
        return 0.3 * self.check_s

    @property
    def relay_s(self) -> float:
        """For one request to a relay with the connection's opening; two may be needed."""
        return 0.3 * self.check_s

    @property
    def keys_s(self) -> float:
        """For opening keystores, a second each by design; what is left over is left to the start."""
        return 0.9 * self.check_s

"""`jitctl emergency-position-check`: `verify-no-open-positions` by the name that it has in an emergency."""

from __future__ import annotations

from jitctl.cli.commands.verify_no_open_positions import verify_no_open_positions as emergency_position_check

__all__ = ["emergency_position_check"]

"""The engine's states and the only table by which they change.

An event that the table does not list for a state raises `IllegalMove` and changes nothing. The crisis
level lives beside the state and has its own small table (`tighten`, `loosen`).
"""

from __future__ import annotations

from enum import StrEnum


class EngineState(StrEnum):
    STARTING = "STARTING"
    SYNCING = "SYNCING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    HALTED = "HALTED"


class EngineEvent(StrEnum):
    BOOT = "boot"
    SYNCED = "synced"
    SYNCED_PAUSED = "synced_paused"
    SYNC_LOST = "sync_lost"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    HALT = "halt"
    CLEAR_HALT = "clear_halt"


class IllegalMove(Exception):
    """The table has no row for this state and event; nothing changed."""


_S, _E = EngineState, EngineEvent

TRANSITIONS: dict[tuple[EngineState, EngineEvent], EngineState] = {
    (_S.STARTING, _E.BOOT): _S.SYNCING,
    (_S.STARTING, _E.STOP): _S.STOPPED,
    (_S.STARTING, _E.HALT): _S.HALTED,
    (_S.SYNCING, _E.SYNCED): _S.RUNNING,
    (_S.SYNCING, _E.SYNCED_PAUSED): _S.PAUSED,
    (_S.SYNCING, _E.PAUSE): _S.PAUSED,
    (_S.SYNCING, _E.STOP): _S.STOPPED,
    (_S.SYNCING, _E.HALT): _S.HALTED,
    (_S.RUNNING, _E.SYNC_LOST): _S.SYNCING,
    (_S.RUNNING, _E.PAUSE): _S.PAUSED,
    (_S.RUNNING, _E.STOP): _S.STOPPED,
    (_S.RUNNING, _E.HALT): _S.HALTED,
    (_S.PAUSED, _E.PAUSE): _S.PAUSED,
    (_S.PAUSED, _E.RESUME): _S.RUNNING,
    (_S.PAUSED, _E.STOP): _S.STOPPED,
    (_S.PAUSED, _E.HALT): _S.HALTED,
    (_S.STOPPED, _E.STOP): _S.STOPPED,
    (_S.STOPPED, _E.HALT): _S.HALTED,
    (_S.HALTED, _E.HALT): _S.HALTED,
    (_S.HALTED, _E.PAUSE): _S.HALTED,
    (_S.HALTED, _E.STOP): _S.HALTED,
    (_S.HALTED, _E.CLEAR_HALT): _S.PAUSED,
}


def move(state: EngineState, event: EngineEvent) -> EngineState:
    """Return the state after `event`; raises `IllegalMove` where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(f"engine: {event} is not possible in {state}") from None


class CrisisLevel(StrEnum):
    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for `off` to 4 for `critical`; a higher rank is tighter."""
        return list(CrisisLevel).index(self)

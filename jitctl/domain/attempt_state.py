"""An attempt's states and the only table by which they change."""

from __future__ import annotations

from enum import StrEnum


class AttemptState(StrEnum):
    PLANNED = "PLANNED"
    SIMULATED = "SIMULATED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    INCLUDED = "INCLUDED"
    MISSED = "MISSED"
    REVERTED = "REVERTED"
    ABANDONED = "ABANDONED"
    SETTLED = "SETTLED"


class AttemptEvent(StrEnum):
    SIMULATE_OK = "simulate_ok"
    ABANDON = "abandon"
    INTEND = "intend"
    SENT = "sent"
    SEEN_LANDED = "seen_landed"
    SEEN_REVERTED = "seen_reverted"
    SEEN_ABSENT = "seen_absent"
    REORGED_OUT = "reorged_out"
    FINALIZE = "finalize"


class IllegalMove(Exception):
    """The table has no row for this state and event; nothing changed."""


_S, _E = AttemptState, AttemptEvent

TRANSITIONS: dict[tuple[AttemptState, AttemptEvent], AttemptState] = {
    (_S.PLANNED, _E.SIMULATE_OK): _S.SIMULATED,
    (_S.PLANNED, _E.ABANDON): _S.ABANDONED,
    (_S.SIMULATED, _E.ABANDON): _S.ABANDONED,
    (_S.SIMULATED, _E.INTEND): _S.SUBMITTING,
    # A crash leaves SUBMITTING; reconciliation may find any outcome of it on the chain.
    (_S.SUBMITTING, _E.SENT): _S.SUBMITTED,
    (_S.SUBMITTING, _E.ABANDON): _S.ABANDONED,
    (_S.SUBMITTING, _E.SEEN_LANDED): _S.INCLUDED,
    (_S.SUBMITTING, _E.SEEN_REVERTED): _S.REVERTED,
    (_S.SUBMITTING, _E.SEEN_ABSENT): _S.MISSED,
    (_S.SUBMITTED, _E.SEEN_LANDED): _S.INCLUDED,
    (_S.SUBMITTED, _E.SEEN_REVERTED): _S.REVERTED,
    (_S.SUBMITTED, _E.SEEN_ABSENT): _S.MISSED,
    # Until finality a reorg can undo or redo an outcome.
    (_S.INCLUDED, _E.REORGED_OUT): _S.SUBMITTED,
    (_S.REVERTED, _E.REORGED_OUT): _S.SUBMITTED,
    (_S.MISSED, _E.REORGED_OUT): _S.SUBMITTED,
    (_S.INCLUDED, _E.FINALIZE): _S.SETTLED,
    (_S.REVERTED, _E.FINALIZE): _S.SETTLED,
    (_S.MISSED, _E.FINALIZE): _S.SETTLED,
}

OPEN_STATES = frozenset({_S.PLANNED, _S.SIMULATED, _S.SUBMITTING, _S.SUBMITTED})
"""States whose outcome is still unknown."""
UNSETTLED_STATES = OPEN_STATES | {_S.INCLUDED, _S.REVERTED, _S.MISSED}
"""States that a reorg or the chain may still change."""


def move(state: AttemptState, event: AttemptEvent) -> AttemptState:
    """Return the state after `event`; raises `IllegalMove` where the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(f"attempt: {event} is not possible in {state}") from None

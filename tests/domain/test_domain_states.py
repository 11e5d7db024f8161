"""Both transition tables, pair by pair: what is listed moves, what is not raises and changes nothing."""

from enum import StrEnum
from itertools import product
from types import ModuleType

import pytest

from jitctl.domain import attempt_state, engine_state
from jitctl.domain.attempt_state import OPEN_STATES, UNSETTLED_STATES, AttemptEvent, AttemptState
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.chain import Head
from jitctl.domain.engine_state import CrisisLevel, EngineEvent, EngineState
from jitctl.domain.values import ZERO_ADDRESS, address, hash32

ENGINE = """
STARTING boot SYNCING        STARTING stop STOPPED         STARTING halt HALTED
SYNCING synced RUNNING       SYNCING synced_paused PAUSED  SYNCING pause PAUSED
SYNCING stop STOPPED         SYNCING halt HALTED
RUNNING sync_lost SYNCING    RUNNING pause PAUSED          RUNNING stop STOPPED    RUNNING halt HALTED
PAUSED pause PAUSED          PAUSED resume RUNNING         PAUSED stop STOPPED     PAUSED halt HALTED
STOPPED stop STOPPED         STOPPED halt HALTED
HALTED halt HALTED           HALTED pause HALTED           HALTED stop HALTED      HALTED clear_halt PAUSED
"""
ATTEMPT = """
PLANNED simulate_ok SIMULATED     PLANNED abandon ABANDONED
SIMULATED abandon ABANDONED       SIMULATED intend SUBMITTING
SUBMITTING sent SUBMITTED         SUBMITTING abandon ABANDONED      SUBMITTING seen_landed INCLUDED
SUBMITTING seen_reverted REVERTED SUBMITTING seen_absent MISSED
SUBMITTED seen_landed INCLUDED    SUBMITTED seen_reverted REVERTED  SUBMITTED seen_absent MISSED
INCLUDED reorged_out SUBMITTED    REVERTED reorged_out SUBMITTED    MISSED reorged_out SUBMITTED
INCLUDED finalize SETTLED         REVERTED finalize SETTLED         MISSED finalize SETTLED
"""


def rows(text: str) -> dict[tuple[str, str], str]:
    words = text.split()
    return {(words[i], words[i + 1]): words[i + 2] for i in range(0, len(words), 3)}


def pairs() -> list[object]:
    found = []
    for module, states, events, table in (
        (engine_state, EngineState, EngineEvent, rows(ENGINE)),
        (attempt_state, AttemptState, AttemptEvent, rows(ATTEMPT)),
    ):
        for state, event in product(states, events):
            name = f"{module.__name__.rpartition('.')[2]}-{state}-{event}"
            found.append(pytest.param(module, state, event, table.get((state, event)), id=name))
    return found


@pytest.mark.parametrize(("module", "state", "event", "after"), pairs())
def test_every_pair(module: ModuleType, state: StrEnum, event: StrEnum, after: str | None) -> None:
    if after is None:
        with pytest.raises(module.IllegalMove, match=f"{event} is not possible in {state}"):
            module.move(state, event)
    else:
        assert module.move(state, event) == after


def test_every_state_is_reached_and_only_the_ends_have_no_way_out() -> None:
    assert set(rows(ATTEMPT).values()) | {"PLANNED"} == set(AttemptState)
    ends = set(AttemptState) - {state for state, _ in rows(ATTEMPT)}
    assert ends == {"ABANDONED", "SETTLED"}
    assert set(AttemptState) - ends == UNSETTLED_STATES
    assert UNSETTLED_STATES > OPEN_STATES
    assert set(rows(ENGINE).values()) | {"STARTING"} == set(EngineState)


def test_halted_is_left_by_clear_halt_alone() -> None:
    out = {event for (state, event), after in rows(ENGINE).items() if state == "HALTED" and after != "HALTED"}
    assert out == {"clear_halt"}


def test_crisis_levels_rank_from_off_to_critical() -> None:
    assert [level.rank for level in CrisisLevel] == [0, 1, 2, 3, 4]
    assert (CrisisLevel.OFF.rank, CrisisLevel.CRITICAL.rank) == (0, 4)


@pytest.mark.parametrize(
    ("base_fee", "gas_used", "expected"),
    [
        (100, 15_000_000, 100),
        (100, 30_000_000, 112),
        (100, 0, 88),
        (7, 15_000_001, 8),
        (7, 14_999_999, 7),
        (0, 30_000_000, 1),
        (10**9, 20_000_000, 10**9 + 10**9 * 5 // 15 // 8),
    ],
)
def test_next_base_fee(base_fee: int, gas_used: int, expected: int) -> None:
    zero = hash32("0x" + "00" * 32)
    parent = Head(1, zero, zero, 0, base_fee, 30_000_000, gas_used, ZERO_ADDRESS)
    assert next_base_fee_wei(parent) == expected


def test_addresses_and_hashes_are_lower_case_and_of_their_length() -> None:
    assert address("0x" + "AB" * 20) == "0x" + "ab" * 20
    assert hash32("0X" + "CD" * 32) == "0x" + "cd" * 32
    for bad in ("", "0x", "ab" * 20, "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "zz" * 20, "0x" + "é" * 40):
        with pytest.raises(ValueError, match="not a"):
            address(bad)
        with pytest.raises(ValueError, match="not a"):
            hash32(bad)

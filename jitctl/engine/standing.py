"""The engine's state and crisis level: changed by the table, with who, why and when, and kept on disk."""

from __future__ import annotations

from dataclasses import replace

from jitctl.domain.engine_state import CrisisLevel, EngineEvent, EngineState, move
from jitctl.domain.records import EngineRecord, Mode
from jitctl.engine.metrics import Metrics
from jitctl.engine.ports import Clock, Ledger, Observer
from jitctl.errors import LedgerError

_LOOSENING = frozenset({EngineEvent.RESUME, EngineEvent.CLEAR_HALT})


class Standing:
    """Where the engine stands. Tightening takes effect even if the ledger cannot be written."""

    def __init__(
        self, mode: Mode, clock: Clock, ledger: Ledger, metrics: Metrics, observer: Observer
    ) -> None:
        self.state = EngineState.STARTING
        self.crisis = CrisisLevel.OFF
        self.mode = mode
        self.who = "engine"
        self.why = "start"
        self.since_s = clock.wall_s()
        self.crisis_who, self.crisis_why, self.crisis_since_s = "", "", 0.0
        self._clock = clock
        self._ledger = ledger
        self._metrics = metrics
        self._observer = observer
        self._unsaved = False

    @property
    def running(self) -> bool:
        return self.state is EngineState.RUNNING

    def move(self, event: EngineEvent, who: str, why: str) -> EngineState:
        """Make one move of the table; returns the state after it.

        Raises `IllegalMove` where the table has no row and, for a loosening one, `LedgerError`: nothing has
        changed then. A repeat (`pause` in PAUSED) keeps who, why and when.
        """
        before, after = self.state, move(self.state, event)
        if after is before:
            return after
        record = replace(self._record(), state=after, who=who, why=why, time_s=self._clock.wall_s())
        self._keep(record, must=event in _LOOSENING)
        self.state, self.who, self.why, self.since_s = after, who, why, record.time_s
        told = {"before": before.value, "state": after.value, "who": who, "why": why}
        self._observer.event("engine_state", told)
        return after

    def set_crisis(self, level: CrisisLevel, who: str, why: str) -> bool:
        """Change the crisis level; False if it is that already. `LedgerError` only when loosening."""
        if level is self.crisis:
            return False
        now_s = self._clock.wall_s()
        record = replace(self._record(), crisis=level, crisis_who=who, crisis_why=why, crisis_time_s=now_s)
        self._keep(record, must=level.rank < self.crisis.rank)
        told = {"before": self.crisis.value, "crisis": level.value, "who": who, "why": why}
        self._take_crisis(record)
        self._observer.event("crisis_level", told)
        return True

    def save_again(self) -> None:
        """Try again to save what the ledger refused."""
        if self._unsaved:
            self._keep(self._record(), must=False)

    def restore_crisis(self, last: EngineRecord) -> None:
        """Take over the crisis level of the last run: a restart loosens nothing."""
        self._take_crisis(last)

    def _take_crisis(self, record: EngineRecord) -> None:
        self.crisis, self.crisis_who = record.crisis, record.crisis_who
        self.crisis_why, self.crisis_since_s = record.crisis_why, record.crisis_time_s

    def _record(self) -> EngineRecord:
        return EngineRecord(
            self.state, self.crisis, self.mode, self.who, self.why, self.since_s,
            self.crisis_who, self.crisis_why, self.crisis_since_s,
        )  # fmt: skip

    def _keep(self, record: EngineRecord, *, must: bool) -> None:
        try:
            self._ledger.save_engine(record)
            self._unsaved = False
        except LedgerError:
            self._metrics.happenings.add("ledger_errors")
            if must:
                raise
            self._unsaved = True

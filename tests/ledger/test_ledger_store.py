"""The ledger on a real SQLite file: what is durable, what is refused, what survives kill -9."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_records import HUGE, a_flow, a_hash, a_plan, a_result, account, an_attempt

from jitctl.domain.attempt_state import AttemptEvent, AttemptState, IllegalMove
from jitctl.domain.bundle import RelayReply
from jitctl.domain.engine_state import CrisisLevel, EngineState
from jitctl.domain.records import AttemptChange, EngineRecord, IntendedClose, KnownNonce, Mode, Outcome
from jitctl.errors import LedgerError
from jitctl.ledger.migrations import MIGRATIONS, SCHEMA_VERSION, migrate
from jitctl.ledger.queries import LedgerReader
from jitctl.ledger.rows import plan_from_json, plan_to_json
from jitctl.ledger.store import LedgerStore

KILLS = 200 if os.environ.get("JITCTL_FULL") else 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def through(store: LedgerStore, number: int, *events: AttemptEvent) -> None:
    store.open_attempt(an_attempt(number))
    for event in events:
        store.move_attempt(f"attempt-{number}", event, AttemptChange(2000.0))


def test_what_was_signed_for_a_nonce_is_found_again(path: Path) -> None:
    record = an_attempt()
    operator, nonce = record.operator, record.nonce
    close = IntendedClose(a_hash(3), operator, nonce + 1, record.pool, record.attempt_id)
    with LedgerStore(path) as store:
        store.open_attempt(record)
        store.move_attempt(record.attempt_id, AttemptEvent.SIMULATE_OK, AttemptChange(1))
        assert store.sent_with(operator, nonce) == ()
        sent = AttemptChange(2, uuid="u", mint_tx=a_hash(1), burn_tx=a_hash(2))
        store.move_attempt(record.attempt_id, AttemptEvent.INTEND, sent, durable=True)
        store.intend_close(close, record.planned_s + 1)
    with LedgerStore(path) as store:
        assert store.intended_closes() == (close,)
        assert store.sent_with(operator, nonce) == (a_hash(1),)
        assert store.sent_with(operator, nonce + 1) == (a_hash(3), a_hash(2))
        assert store.sent_with(operator, nonce + 2) == store.sent_with(account(9), nonce) == ()


def test_plans_survive_their_json_to_the_wei() -> None:
    plan = a_plan()
    assert plan_from_json(plan_to_json(plan)) == plan
    assert f'"{HUGE + 1}"' in plan_to_json(plan)


def test_an_attempt_is_read_back_as_it_was_written(path: Path) -> None:
    with LedgerStore(path) as store:
        store.open_attempt(an_attempt())
        store.move_attempt(
            "attempt-1", AttemptEvent.SIMULATE_OK, AttemptChange(1, simulated={"mint_gas": HUGE})
        )
        sent = AttemptChange(2, uuid="u", mint_tx=a_hash(1), burn_tx=a_hash(2))
        store.move_attempt("attempt-1", AttemptEvent.INTEND, sent, durable=True)
        store.move_attempt("attempt-1", AttemptEvent.SENT, AttemptChange(3, latencies_ms={"sign": 1.5}))
        landed = AttemptChange(4, outcome=Outcome.LANDED, reason="", result=a_result())
        assert store.move_attempt("attempt-1", AttemptEvent.SEEN_LANDED, landed) is AttemptState.INCLUDED
        (found,) = store.unsettled()
    assert found.record == an_attempt()
    assert found.state is AttemptState.INCLUDED
    assert (found.uuid, found.mint_tx, found.burn_tx) == ("u", a_hash(1), a_hash(2))
    assert (found.outcome, found.result, found.updated_s) == (Outcome.LANDED, a_result(), 4)
    assert (found.simulated, found.latencies_ms) == ({"mint_gas": HUGE}, {"sign": 1.5})
    reader = LedgerReader(path)
    assert reader.attempt("attempt-1") == found
    assert reader.attempts_in_block(101) == (found,)
    assert reader.outcomes() == {("landed", ""): 1}
    states = [event.data["state"] for event in reader.events()]
    assert states == ["PLANNED", "SIMULATED", "SUBMITTING", "SUBMITTED", "INCLUDED"]
    assert [event.seq for event in reader.events()] == [1, 2, 3, 4, 5]


def test_an_illegal_move_raises_and_changes_nothing(path: Path) -> None:
    with LedgerStore(path) as store:
        through(store, 1)
        with pytest.raises(IllegalMove):
            store.move_attempt("attempt-1", AttemptEvent.SENT, AttemptChange(5.0))
        with pytest.raises(LedgerError, match="not in the ledger"):
            store.move_attempt("nobody", AttemptEvent.SENT, AttemptChange(5.0))
        with pytest.raises(LedgerError, match="already"):
            store.open_attempt(an_attempt(1))
        (found,) = store.unsettled()
    assert (found.state, found.updated_s) == (AttemptState.PLANNED, 1000.0)
    assert len(LedgerReader(path).events()) == 1


def test_a_reorg_empties_the_result_and_settled_is_the_end(path: Path) -> None:
    E = AttemptEvent
    with LedgerStore(path) as store:
        through(store, 1, E.SIMULATE_OK, E.INTEND, E.SENT)
        landed = AttemptChange(4, outcome=Outcome.LANDED, result=a_result())
        store.move_attempt("attempt-1", E.SEEN_LANDED, landed)
        store.move_attempt("attempt-1", E.REORGED_OUT, AttemptChange(5))
        (found,) = store.unsettled()
        assert (found.state, found.outcome, found.result) == (AttemptState.SUBMITTED, None, None)
        store.move_attempt("attempt-1", E.SEEN_ABSENT, AttemptChange(6, outcome=Outcome.MISSED))
        store.move_attempt("attempt-1", E.FINALIZE, AttemptChange(7))
        assert store.unsettled() == ()
        for event in AttemptEvent:
            with pytest.raises(IllegalMove):
                store.move_attempt("attempt-1", event, AttemptChange(8))
        store.amend_attempt("attempt-1", AttemptChange(9, result=a_result()))
    found_after = LedgerReader(path).attempt("attempt-1")
    assert found_after is not None
    assert (found_after.state, found_after.result) == (AttemptState.SETTLED, a_result())


def test_what_waits_is_on_disk_with_the_next_durable_call_and_not_before(path: Path) -> None:
    store = LedgerStore(path)
    through(store, 1, AttemptEvent.SIMULATE_OK)
    store.add_skips({(0, "", "too_small"): 3})
    reader = LedgerReader(path)
    assert reader.row_counts()["attempts"] == 0
    store.move_attempt("attempt-1", AttemptEvent.INTEND, AttemptChange(3.0), durable=True)
    assert reader.row_counts() == {"events": 3, "attempts": 1, "flows": 0, "skips": 1, "relay_replies": 0}
    store.record("note", {"a": 1}, 4.0)
    assert reader.row_counts()["events"] == 3
    store.flush()
    assert reader.row_counts()["events"] == 4
    store.record("note", {"a": 2}, 4.0)
    store.close()
    store.close()
    assert reader.row_counts()["events"] == 5


def test_skips_add_up_flows_can_be_dropped_and_replies_are_kept(path: Path) -> None:
    with LedgerStore(path) as store:
        for _ in range(2):
            store.add_skips({(3600, "0xa", "too_small"): 2, (7200, "", "blob_tx"): 1})
        store.add_flows([a_flow(1), a_flow(2), a_flow(3, block=101)])
        store.add_flows([a_flow(1)])
        store.drop_flows(a_flow(3, block=101).block_hash)
        store.add_relay_replies("attempt-1", "submit", [RelayReply("r", "accepted", "x" * 5000, 1.5)], 9.0)
        store.save_lane(account(7), 5, 100)
        store.save_lane(account(7), 6, 101)
        assert store.lanes() == {account(7): KnownNonce(6, 101)}
    reader = LedgerReader(path)
    assert [(row.hour_s, row.reason, row.count) for row in reader.skips()] == [
        (3600, "too_small", 4), (7200, "blob_tx", 2),
    ]  # fmt: skip
    assert [row.reason for row in reader.skips(since_s=3601)] == ["blob_tx"]
    assert reader.flows() == (a_flow(1), a_flow(2))
    assert reader.flows(101) == ()
    (reply,) = reader.relay_replies()
    assert (reply.relay, reply.outcome, reply.verb, len(reply.detail)) == ("r", "accepted", "submit", 1000)


def test_the_engines_state_is_durable_and_tells_its_story(path: Path) -> None:
    record = EngineRecord(EngineState.HALTED, CrisisLevel.HIGH, Mode.TEST, "ann", 'why "so"', 5.0)
    with LedgerStore(path) as store:
        assert store.engine() is None
        store.save_engine(record)
        assert LedgerReader(path).engine() == record
    with LedgerStore(path) as store:
        assert store.engine() == record
    (event,) = LedgerReader(path).events(types=["engine_state"])
    assert (event.data["who"], event.data["state"]) == ("ann", "HALTED")
    assert LedgerReader(path).event_counts() == {"engine_state": 1}


def test_a_failed_commit_keeps_what_waits_and_undoes_the_move(path: Path) -> None:
    store = LedgerStore(path)
    through(store, 1, AttemptEvent.SIMULATE_OK)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked") as caught:
            store.move_attempt("attempt-1", AttemptEvent.INTEND, AttemptChange(3.0), durable=True)
        assert "maintenance" in caught.value.hint
        other.execute("COMMIT")
    assert (
        store.move_attempt("attempt-1", AttemptEvent.INTEND, AttemptChange(3.0), durable=True)
        is AttemptState.SUBMITTING
    )
    store.close()
    assert [event.data["state"] for event in LedgerReader(path).events()] == [
        "PLANNED", "SIMULATED", "SUBMITTING",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_ledger_that_is_removed_under_the_engine_is_no_place_to_write(path: Path, suffix: str) -> None:
    file = path.with_name(path.name + suffix)
    store = LedgerStore(path)
    store.record("note", {}, 1.0)
    copy = file.read_bytes()
    file.unlink()
    with pytest.raises(LedgerError, match=f"{file} was removed"):
        store.flush()
    file.write_bytes(copy)
    with pytest.raises(LedgerError, match=f"{file} was replaced"):
        store.close()


def test_a_row_that_something_else_moved_is_noticed(path: Path) -> None:
    store = LedgerStore(path)
    through(store, 1)
    store.flush()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE attempts SET state = 'SETTLED'")
    with pytest.raises(LedgerError, match="not in the state"):
        store.move_attempt("attempt-1", AttemptEvent.SIMULATE_OK, AttemptChange(3.0), durable=True)


def test_memory_is_bounded_while_the_disk_refuses(path: Path) -> None:
    store = LedgerStore(path, max_waiting=20)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(20):
            store.record("note", {"n": number}, 1.0)
        with pytest.raises(LedgerError):
            store.record("note", {"n": 20}, 1.0)
        other.execute("COMMIT")
    store.record("note", {"n": 21}, 1.0)
    store.close()
    assert [event.data["n"] for event in LedgerReader(path).events()] == [*range(20), 21]


def test_a_newer_schema_and_a_foreign_file_are_refused(path: Path) -> None:
    LedgerStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migrations VALUES (?, 'from the future', 0)", (SCHEMA_VERSION + 1,))
    for opened in (lambda: LedgerStore(path), lambda: LedgerReader(path).engine()):
        with pytest.raises(LedgerError, match=f"schema is {SCHEMA_VERSION + 1}") as caught:
            opened()
        assert "upgrade" in caught.value.hint
    other = path.with_name("other.db")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE theirs (x)")
    for opened in (lambda: LedgerStore(other), lambda: LedgerReader(other).engine()):
        with pytest.raises(LedgerError, match="not a jitctl ledger"):
            opened()
    for content in (
        b"not a database, but longer than a header would be" * 100,
        b"SQLite format 3\0" + bytes(5000),
    ):
        other.write_bytes(content)
        with pytest.raises(LedgerError):
            LedgerStore(other)
    with pytest.raises(LedgerError, match="no ledger"):
        LedgerReader(path.with_name("missing.db")).engine()
    with pytest.raises(LedgerError, match="cannot open"):
        LedgerStore(path / "below a file")


def test_migrations_are_numbered_without_gaps_and_applied_once(path: Path) -> None:
    assert [number for number, _, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    with sqlite3.connect(path, isolation_level=None) as db:
        assert migrate(db, 1.0) == [name for _, name, _ in MIGRATIONS]
        assert migrate(db, 2.0) == []
    assert LedgerReader(path).integrity() == []
    assert LedgerReader(path).last_seq() == 0


def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("disk I/O error")

    with sqlite3.connect(path, isolation_level=None) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, 1.0, (*MIGRATIONS, (SCHEMA_VERSION + 1, "broken", broken)))
        assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'half'").fetchall()
        assert db.execute("SELECT max(number) FROM migrations").fetchone() == (SCHEMA_VERSION,)
    with LedgerStore(path) as store:
        assert store.engine() is None


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from ledger_records import an_attempt
from jitctl.domain.attempt_state import AttemptEvent
from jitctl.domain.records import AttemptChange
from jitctl.ledger.store import LedgerStore
store = LedgerStore(Path(sys.argv[1]))
first = int(sys.argv[2])
for number in range(first, first + 100_000):
    store.open_attempt(an_attempt(number))
    store.move_attempt(f"attempt-{number}", AttemptEvent.SIMULATE_OK, AttemptChange(1.0))
    store.move_attempt(f"attempt-{number}", AttemptEvent.INTEND, AttemptChange(1.0), durable=True)
    print(number, flush=True)
    store.move_attempt(f"attempt-{number}", AttemptEvent.SENT, AttemptChange(1.0))
"""


@pytest.mark.parametrize("seed", [7])
def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    acknowledged: list[int] = []
    for turn in range(KILLS):
        first = turn * 100_000
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(first), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 40)):
            acknowledged.append(int(process.stdout.readline()))
        for _ in range(rng.randrange(0, 20_000)):
            pass
        process.send_signal(signal.SIGKILL)
        # What it still said before it died was acknowledged too.
        acknowledged += [int(line) for line in process.stdout.read().splitlines() if line]
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        with LedgerStore(path) as store:
            states = {found.record.attempt_id: found.state for found in store.unsettled()}
        for number in acknowledged:
            assert states[f"attempt-{number}"] in (AttemptState.SUBMITTING, AttemptState.SUBMITTED)
    assert LedgerReader(path).integrity() == []
    seqs = [event.seq for event in LedgerReader(path).events(limit=1_000_000)]
    assert seqs == list(range(1, len(seqs) + 1))


COUNT_EVENTS = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(db.execute("SELECT count(*) FROM events").fetchone()[0])
db.close()
"""


def test_a_reader_in_the_writers_process_leaves_the_writer_its_log(path: Path) -> None:
    def counted_by_another() -> int:
        # It deletes the log when it closes a ledger that nobody else seems to have open.
        return int(subprocess.check_output([sys.executable, "-c", COUNT_EVENTS, str(path)]))

    with LedgerStore(path) as store:
        assert LedgerReader(path).event_counts() == {}
        assert counted_by_another() == 0
        store.record("reload", {}, 1.0)
        store.flush()
        assert counted_by_another() == 1


def test_an_open_on_a_full_disk_says_so(path):
    LedgerStore(path).close()
    lines = (
        "import pathlib, resource, signal, sys",
        "from jitctl.errors import LedgerError",
        "from jitctl.ledger.store import LedgerStore",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))",
        "try:",
        "    LedgerStore(pathlib.Path(sys.argv[1]))",
        "except LedgerError as error:",
        "    sys.exit(error.hint)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), path], capture_output=True, text=True, check=False
    )
    assert "full: free space" in done.stderr

"""The ARMED/HALTED latch and the pause flag on a real file system."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jitctl.errors import JitError, Refused
from jitctl.safety.durable import RECORD_BYTES, create_record, encode_record, overwrite_record, read_record
from jitctl.safety.latch import Latch, LatchRecord


@pytest.fixture
def latch(tmp_path: Path) -> Latch:
    latch = Latch(tmp_path / "data")
    latch.arm_initial("first", 1.0)
    return latch


def test_a_new_folder_is_halted_until_armed(tmp_path: Path) -> None:
    latch = Latch(tmp_path / "data")
    assert not latch.armed()
    assert latch.is_new()
    latch.arm_initial("someone", 1.0)
    assert latch.armed()
    assert not latch.paused()
    assert not latch.is_new()
    assert latch.halt_record() is None


@pytest.mark.parametrize("trace", ["ARMED", "HALTED", "PAUSED", "submit.lock", "ledger.db", "jit_bot.jsonl"])
def test_a_used_folder_cannot_be_armed_as_new(tmp_path: Path, trace: str) -> None:
    (tmp_path / trace).touch()
    latch = Latch(tmp_path)
    with pytest.raises(Refused, match=trace):
        latch.arm_initial("someone", 1.0)
    assert not latch.armed()


def test_halting_renames_and_says_who_and_why(latch: Latch) -> None:
    inode = (latch.data_dir / "ARMED").stat().st_ino
    assert latch.halt("ann", "nonce moved", 7.5)
    assert not latch.armed()
    assert (latch.data_dir / "HALTED").stat().st_ino == inode
    assert latch.halt_record() == LatchRecord("ann", "nonce moved", 7.5)


def test_halting_twice_keeps_the_first_reason(latch: Latch) -> None:
    latch.halt("ann", "first", 1.0)
    assert not latch.halt("bob", "second", 2.0)
    assert latch.halt_record() == LatchRecord("ann", "first", 1.0)


def test_clearing_arms_and_leaves_it_paused(latch: Latch) -> None:
    latch.halt("ann", "why", 1.0)
    assert latch.clear("bob", "checked", 2.0)
    assert latch.armed()
    assert latch.paused()
    assert latch.pause_record() == LatchRecord("bob", "checked", 2.0)
    assert not latch.clear("bob", "again", 3.0)


def test_a_lost_latch_is_halted_and_clear_makes_a_new_one(latch: Latch) -> None:
    (latch.data_dir / "ARMED").unlink()
    assert not latch.armed()
    assert not latch.halt("ann", "lost", 3.0)
    assert latch.halt_record() == LatchRecord("ann", "lost", 3.0)
    assert latch.clear("bob", "checked", 4.0)
    assert latch.armed()


@pytest.mark.parametrize("content", [b"", b"yes", b"[]", b"{", b"\xff\xfe"])
def test_an_armed_file_that_is_no_record_does_not_arm(latch: Latch, content: bytes) -> None:
    (latch.data_dir / "ARMED").write_bytes(content)
    assert not latch.armed()
    latch.halt("ann", "odd", 3.0)
    assert not latch.armed()
    assert latch.clear("bob", "checked", 4.0)
    assert latch.armed()


def test_an_armed_directory_or_symlink_does_not_arm(latch: Latch, tmp_path: Path) -> None:
    armed = latch.data_dir / "ARMED"
    elsewhere = tmp_path / "elsewhere"
    armed.rename(elsewhere)
    armed.symlink_to(elsewhere)
    assert not latch.armed()
    armed.unlink()
    armed.mkdir()
    assert not latch.armed()
    latch.halt("ann", "odd", 1.0)
    assert not latch.armed()


def test_halted_wins_over_armed(latch: Latch) -> None:
    (latch.data_dir / "HALTED").touch()
    assert not latch.armed()
    assert not latch.halt("ann", "why", 1.0)
    assert latch.halt_record() == LatchRecord()
    assert latch.clear("bob", "checked", 1.0)
    assert latch.armed()


def test_pause_and_resume_are_idempotent_and_reuse_one_file(latch: Latch) -> None:
    assert latch.pause("ann", "lunch", 1.0)
    assert not latch.pause("bob", "dinner", 2.0)
    assert latch.pause_record() == LatchRecord("ann", "lunch", 1.0)
    inode = (latch.data_dir / "PAUSED").stat().st_ino
    assert latch.resume()
    assert not latch.resume()
    assert latch.pause_record() is None
    assert latch.pause("bob", "dinner", 3.0)
    assert (latch.data_dir / "PAUSED").stat().st_ino == inode
    assert latch.pause_record() == LatchRecord("bob", "dinner", 3.0)


def test_what_cannot_be_read_is_halted_and_paused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    latch = Latch(file / "data")  # ENOTDIR, not ENOENT
    assert not latch.armed()
    assert latch.paused()
    with pytest.raises(JitError, match="is not a new data folder"):
        latch.arm_initial("ann", 1.0)


def test_a_folder_that_cannot_change_is_an_error_with_a_hint(tmp_path: Path) -> None:
    latch = Latch(tmp_path / "missing")
    for act in (
        lambda: latch.halt("ann", "why", 1.0),
        lambda: latch.pause("ann", "why", 1.0),
        lambda: latch.clear("ann", "why", 1.0),
    ):
        try:
            act()
        except JitError as error:
            assert error.hint
    assert not latch.armed()


def test_records_are_one_block_and_survive_long_and_odd_texts(tmp_path: Path) -> None:
    for why in ("", "x" * 100_000, "\u2028\U0001f600" * 3000, '"}\n{'):
        block = encode_record({"who": "ann", "why": why, "time_s": 1.0})
        assert len(block) == RECORD_BYTES
        path = tmp_path / "record"
        create_record(path, {"who": "ann", "why": why})
        found = read_record(path)
        assert found is not None
        assert why.startswith(found["why"])
        overwrite_record(path, {"who": "bob"})
        assert read_record(path) == {"who": "bob"}
        assert path.stat().st_size == RECORD_BYTES
    assert [entry.name for entry in tmp_path.iterdir()] == ["record"]


def test_two_first_armings_cannot_both_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_record(tmp_path / "ARMED", {"who": "ann"}, exclusive=True)
    with pytest.raises(FileExistsError):
        create_record(tmp_path / "ARMED", {"who": "bob"}, exclusive=True)
    assert read_record(tmp_path / "ARMED") == {"who": "ann"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ARMED"]


class LatchMachine(RuleBasedStateMachine):
    """Any order of commands, by any number of `Latch` objects, agrees with two booleans."""

    @initialize()
    def new_folder(self) -> None:
        import tempfile

        self._folder = tempfile.TemporaryDirectory()
        self.data_dir = Path(self._folder.name) / "data"
        Latch(self.data_dir).arm_initial("first", 0.0)
        self.armed, self.paused = True, False

    def teardown(self) -> None:
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    @rule()
    def halt(self) -> None:
        assert Latch(self.data_dir).halt("w", "y", 1.0) == self.armed
        self.armed = False

    @rule()
    def clear(self) -> None:
        changed = Latch(self.data_dir).clear("w", "y", 1.0)
        assert changed == (not self.armed)
        self.paused = self.paused or changed
        self.armed = True

    @rule()
    def pause(self) -> None:
        assert Latch(self.data_dir).pause("w", "y", 1.0) == (not self.paused)
        self.paused = True

    @rule()
    def resume(self) -> None:
        assert Latch(self.data_dir).resume() == self.paused
        self.paused = False

    @rule()
    def lose_the_files(self) -> None:
        for name in ("ARMED", "HALTED"):
            (self.data_dir / name).unlink(missing_ok=True)
        self.armed = False

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "data_dir"):
            latch = Latch(self.data_dir)
            assert latch.armed() == self.armed
            assert latch.paused() == self.paused
            assert (latch.halt_record() is None) == self.armed
            assert not list(self.data_dir.glob(".*.new"))


LatchMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLatchMachine = LatchMachine.TestCase

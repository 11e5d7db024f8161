"""The submit barrier between real processes: no signature after the answer, whatever the signer does."""

import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from signing_child import COUNTERS_BYTES, SIGNATURES, TURNS

from jitctl.errors import JitError, TimedOut
from jitctl.safety.barrier import SubmitBarrier, Taken
from jitctl.safety.latch import Latch
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.safety.stopping import halt_now, pause_now

RACES = 10_000 if os.environ.get("JITCTL_FULL") else 200
STOPS = 200 if os.environ.get("JITCTL_FULL") else 4


class SigningChild:
    def __init__(self, process: subprocess.Popen[str], counters: memoryview) -> None:
        self.process = process
        self._counters = counters

    @property
    def signatures(self) -> int:
        return self._counters[SIGNATURES]

    def after_turns(self, more: int) -> None:
        """Return once the child has gone round `more` times; its death is a failure."""
        goal = self._counters[TURNS] + more
        while self._counters[TURNS] < goal:
            assert self.process.poll() is None, "the signer died"

    def after_signature(self) -> None:
        goal = self.signatures + 1
        while self.signatures < goal:
            assert self.process.poll() is None, "the signer died"


@contextmanager
def signing_child(data_dir: Path) -> Iterator[SigningChild]:
    shared_path = data_dir.parent / f"counters-{random.getrandbits(64):x}"
    shared_path.write_bytes(bytes(COUNTERS_BYTES))
    child = Path(__file__).with_name("signing_child.py")
    process = subprocess.Popen(
        [sys.executable, str(child), str(data_dir), str(shared_path)], stdout=subprocess.PIPE, text=True
    )
    with (
        shared_path.open("r+b") as file,
        mmap.mmap(file.fileno(), COUNTERS_BYTES) as shared,
        memoryview(shared).cast("Q") as counters,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield SigningChild(process, counters)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    Latch(folder).arm_initial("test", 1.0)
    return folder


@pytest.mark.parametrize("seed", [20260701])
def test_no_signature_follows_the_answer_to_pause(data_dir: Path, seed: int) -> None:
    rng = random.Random(seed)
    latch = Latch(data_dir)
    with signing_child(data_dir) as child:
        for race in range(RACES):
            latch.resume()
            child.after_turns(rng.randrange(0, 4))
            answer = pause_now(data_dir, "test", f"race {race}", float(race))
            signed_at_answer = child.signatures
            assert answer.changed
            assert answer.killed is None
            child.after_turns(3)
            assert child.signatures == signed_at_answer, f"race {race} of seed {seed}"
        assert child.signatures > RACES // 4, "the signer hardly ran: the races proved nothing"


@pytest.mark.parametrize("seed", range(STOPS))
def test_a_stopped_signer_is_ended_and_never_signs_again(data_dir: Path, seed: int) -> None:
    rng = random.Random(seed)
    with signing_child(data_dir) as child:
        child.after_signature()
        spins = rng.randrange(0, 40_000)
        while spins:
            spins -= 1
        child.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        answer = halt_now(data_dir, "test", "hung", 5.0, patience_s=0.05)
        signed_at_answer = child.signatures
        if answer.killed is None:
            # It was stopped outside the barrier: let it go on, it must find itself halted.
            child.process.send_signal(signal.SIGCONT)
            child.after_turns(3)
        else:
            assert answer.killed.pid == child.process.pid
            assert child.process.wait(timeout=5) == -signal.SIGKILL
        assert time.monotonic() - began < 30
        assert child.signatures == signed_at_answer
    assert not Latch(data_dir).armed()


def test_a_signer_stopped_inside_the_barrier_is_killed(data_dir: Path, tmp_path: Path) -> None:
    hold = (
        "import sys, os, signal; from pathlib import Path\n"
        "from jitctl.safety.barrier import SubmitBarrier\n"
        "from jitctl.safety.process_identity import ProcessIdentity\n"
        "b = SubmitBarrier(Path(sys.argv[1])); b.register_signer(ProcessIdentity.current())\n"
        "held = b.try_shared(); print('held', flush=True); os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", hold, str(data_dir)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TimedOut):
            SubmitBarrier(data_dir).take(patience_s=0.02, kill=False)
        answer = halt_now(data_dir, "test", "hung", 5.0, patience_s=0.05)
        assert answer.changed
        assert answer.killed is not None
        assert answer.killed.pid == process.pid
        assert process.wait(timeout=5) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_shared_holds_stand_side_by_side_and_keep_the_exclusive_one_out(data_dir: Path) -> None:
    barrier = SubmitBarrier(data_dir)
    first, second = barrier.try_shared(), barrier.try_shared()
    assert first is not None
    assert second is not None
    assert barrier.try_exclusive() is None
    first.release()
    first.release()
    assert barrier.try_exclusive() is None
    second.release()
    alone = barrier.try_exclusive()
    assert alone is not None
    assert barrier.try_shared() is None
    alone.release()


def test_a_replaced_lock_file_keeps_nobody_apart_so_it_is_not_trusted(data_dir: Path) -> None:
    barrier = SubmitBarrier(data_dir)
    held = barrier.try_shared()
    assert held is not None
    barrier.path.unlink()
    fresh = barrier.try_exclusive()
    assert fresh is not None
    assert barrier.try_shared() is None
    fresh.release()
    held.release()


def test_waiting_uses_the_given_clock_and_gives_up(data_dir: Path) -> None:
    now = 0.0
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        naps.append(seconds)
        now += seconds

    barrier = SubmitBarrier(data_dir)
    with barrier.try_shared() or pytest.fail("free"):
        barrier.register_signer(ProcessIdentity.current())
        with pytest.raises(TimedOut, match="still held") as caught:
            barrier.take(patience_s=1.0, monotonic_s=lambda: now, sleep=sleep)
    assert 1.0 <= now < 1.01
    assert max(naps) <= 0.005
    assert "fuser" in caught.value.hint
    taken = barrier.take(monotonic_s=lambda: now, sleep=sleep)
    assert taken.killed is None
    taken.held.release()


def test_an_unusable_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    barrier = SubmitBarrier(tmp_path / "missing")
    with pytest.raises(JitError, match="cannot use the submit barrier") as caught:
        barrier.try_shared()
    assert caught.value.hint
    with pytest.raises(JitError):
        barrier.register_signer(ProcessIdentity.current())
    assert barrier.signer() is None


def test_a_lost_latch_stops_the_signer_too(data_dir: Path) -> None:
    with signing_child(data_dir) as child:
        child.after_signature()
        (data_dir / "ARMED").unlink()
        answer = halt_now(data_dir, "test", "gone", 5.0)
        signed_at_answer = child.signatures
        assert not answer.changed
        child.after_turns(3)
        assert child.signatures == signed_at_answer


def test_what_cannot_be_confirmed_is_not_said(data_dir: Path) -> None:
    barrier = SubmitBarrier(data_dir)
    barrier.register_signer(ProcessIdentity.current())
    # The holder is this process, which cannot end itself: as one that the kernel keeps.
    unconfirmed = pytest.raises(TimedOut, match=r"the pause is requested, not confirmed: .* still held")
    with barrier.try_shared() or pytest.fail("free"), unconfirmed:
        pause_now(data_dir, "test", "x", 5.0, patience_s=0.01)
    assert Latch(data_dir).paused()


def test_a_folder_that_cannot_be_changed_ends_the_signer(data_dir: Path) -> None:
    # No flag can be raised over a folder in the place of its record, not even by root.
    (data_dir / ".unpaused").unlink()
    with signing_child(data_dir) as child:
        child.after_signature()
        scratch = data_dir / f".PAUSED.{os.getpid()}.new"
        scratch.mkdir()
        with pytest.raises(TimedOut, match=r"requested, not confirmed: cannot pause: .* has been ended"):
            pause_now(data_dir, "test", "x", 5.0)
        assert child.process.wait(timeout=5) == -signal.SIGKILL


def test_a_resume_between_the_flag_and_the_barrier_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latch = Latch(tmp_path)
    latch.arm_initial("test", 0.0)
    take = SubmitBarrier.take

    def take_after_a_resume(barrier: SubmitBarrier, **limits: float) -> Taken:
        latch.resume()
        return take(barrier, **limits)

    monkeypatch.setattr(SubmitBarrier, "take", take_after_a_resume)
    pause_now(tmp_path, "test", "x", 5.0)
    assert latch.paused()

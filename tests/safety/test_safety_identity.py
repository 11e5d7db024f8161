"""Process identity and the one-signer lock, with real processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jitctl.domain.values import Address
from jitctl.errors import JitError, Refused
from jitctl.safety.process_identity import ProcessIdentity
from jitctl.safety.signer_lock import SignerLock, holder, lock_folder, lock_path

STARTS = 50
OPERATOR = Address("0x" + "ab" * 20)
OTHER = Address("0x" + "cd" * 20)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])


def own_folder(base: Path, number: int) -> Path:
    """Each start has a data folder of its own: what they share is the signer."""
    folder = base / f"bot{number}"
    folder.mkdir()
    return folder


def test_identity_round_trips_and_rejects_anything_else() -> None:
    me = ProcessIdentity.current()
    assert me.pid == os.getpid()
    assert me.is_alive()
    assert ProcessIdentity.from_dict(json.loads(json.dumps(me.as_dict()))) == me
    for odd in (None, [], "1", {}, {"pid": -1, "start_ticks": 1, "boot_id": ""}, {"pid": "1"}):
        assert ProcessIdentity.from_dict(odd) is None


def test_a_reused_number_is_never_signalled() -> None:
    process = sleeper()
    try:
        now = ProcessIdentity.of(process.pid)
        assert now is not None
        for other in (
            ProcessIdentity(now.pid, now.start_ticks - 1, now.boot_id),
            ProcessIdentity(now.pid, now.start_ticks, "another boot"),
        ):
            assert not other.is_alive()
            assert other.kill()
        assert process.poll() is None
        assert now.kill(wait_s=5)
        assert process.wait(timeout=5) == -signal.SIGKILL
        assert not now.is_alive()
        assert now.kill()
    finally:
        process.kill()
        process.wait()


def test_a_zombie_is_dead_and_a_stopped_process_is_not() -> None:
    process = sleeper()
    identity = ProcessIdentity.of(process.pid)
    assert identity is not None
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert identity.is_alive()
    assert identity.kill(wait_s=5)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.is_alive()
    process.wait()
    assert ProcessIdentity.of(process.pid) is None


def test_a_second_holder_is_refused_and_told_who(tmp_path: Path) -> None:
    first = SignerLock.acquire(1, [OPERATOR], "data in /a", folder=tmp_path)
    with pytest.raises(Refused, match=rf"pid {os.getpid()} .*data in /a") as caught:
        SignerLock.acquire(1, [OTHER, OPERATOR], "data in /b", folder=tmp_path)
    assert caught.value.hint
    # The loser kept nothing, another chain is another signer, and release makes room.
    SignerLock.acquire(1, [OTHER], "", folder=tmp_path).release()
    SignerLock.acquire(2, [OPERATOR], "", folder=tmp_path).release()
    first.release()
    SignerLock.acquire(1, [OPERATOR, OPERATOR], "", folder=tmp_path).release()


def test_the_holder_is_named_and_the_lock_left_alone(tmp_path: Path) -> None:
    assert holder(1, OPERATOR, folder=tmp_path) == ""
    held = SignerLock.acquire(1, [OPERATOR], "first", folder=tmp_path)
    assert f"pid {os.getpid()} " in holder(1, OPERATOR, folder=tmp_path)
    assert holder(2, OPERATOR, folder=tmp_path) == ""
    held.release()
    assert holder(1, OPERATOR, folder=tmp_path) == ""


def test_of_many_simultaneous_starts_exactly_one_wins(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from jitctl.safety.signer_lock import SignerLock\n"
        "from jitctl.errors import Refused\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try:\n"
        "    lock = SignerLock.acquire(1, [sys.argv[2]], sys.argv[3], folder=Path(sys.argv[1]))\n"
        "    print('won', os.getpid(), flush=True); sys.stdin.readline()\n"
        "except Refused as error:\n"
        "    print('lost', error.exit_code, error.message, flush=True)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "locks"), OPERATOR, f"in folder {n}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=own_folder(tmp_path, n),
        )
        for n in range(STARTS)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in processes if process.stdout is not None]
        (won,) = (answer for answer in answers if answer.startswith("won"))
        lost = [answer for answer in answers if answer != won]
        assert len(lost) == STARTS - 1
        owner = f"is already in use by pid {won.split()[1]} (user "
        assert all(answer.startswith("lost 9") and owner in answer for answer in lost), lost
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    SignerLock.acquire(1, [OPERATOR], "its lock died with it", folder=tmp_path / "locks").release()


def test_the_lock_folder_does_not_depend_on_the_data_folder(tmp_path: Path) -> None:
    assert lock_folder({"JITCTL_LOCK_DIR": str(tmp_path)}) == tmp_path
    assert lock_folder({}).is_absolute()
    assert lock_path(tmp_path, 5, OPERATOR).name == f"jitctl-signer-5-{OPERATOR}.lock"


def test_an_unusable_lock_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JitError, match="cannot open the signer lock") as caught:
        SignerLock.acquire(1, [OPERATOR], "", folder=tmp_path / "file")
    assert "JITCTL_LOCK_DIR" in caught.value.hint

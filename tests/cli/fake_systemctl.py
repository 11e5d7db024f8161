"""A systemctl for one unit: runs the ExecStart that we ship, waits for READY=1, ends it with SIGTERM.

FAKE_SYSTEMD names its folder: `service.env` is the EnvironmentFile, `calls` lists what was asked, `pid` and
`exit` are the unit's process and how it ended, `said` its status text. The files `denied` and `absent` make
it refuse or unknown; `limited` makes it refuse starts until the counter is reset. With `meanwhile` somebody
else stops the bot when the unit is asked about, with `starting` when its start is asked for but not shown.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

from jitctl.safety.process_identity import ProcessIdentity

STATE = Path(os.environ["FAKE_SYSTEMD"])
UNIT_FILE = Path(__file__).parents[2] / "config" / "systemd" / "jitctl.service"
(EXEC_START,) = (
    line.removeprefix("ExecStart=")
    for line in UNIT_FILE.read_text().splitlines()
    if line.startswith("ExecStart=")
)


def main(words: list[str]) -> int:
    action, unit = words[0], next(word for word in words[1:] if not word.startswith("-"))
    with (STATE / "calls").open("a") as calls:
        calls.write(f"{action} {unit}\n")
    if action == "show":
        return show()
    if (STATE / "denied").exists():
        sys.stderr.write(f"Failed to {action} {unit}: Interactive authentication required.\n")
        return 4
    if action == "reset-failed":
        (STATE / "limited").unlink(missing_ok=True)
        return 0
    if action in ("stop", "restart"):
        stop()
    return start(unit) if action in ("start", "restart") else 0


def show() -> int:
    stop_from_elsewhere("meanwhile")
    (STATE / "exit").touch()
    print("LoadState=" + ("not-found" if (STATE / "absent").exists() else "loaded"))
    print("ActiveState=" + ("active" if process() is not None else "inactive"))
    status = (STATE / "exit").read_text() or "0"
    print("ExecMainStatus=" + status)
    print("Result=" + ("exit-code" if status != "0" else "success"))
    print("StatusText=" + ((STATE / "said").read_text() if (STATE / "said").exists() else ""))
    print("Environment=JITCTL_LOCK_DIR=/run/lock")
    print(f"EnvironmentFiles={STATE}/service.env (ignore_errors=no)")
    print(f"ExecStart={{ path=/usr/local/bin/jitctl ; argv[]={EXEC_START} ; ignore_errors=no ; pid=0 }}")
    return 0


def stop_from_elsewhere(when: str) -> None:
    if (STATE / when).exists():
        (STATE / when).unlink()
        argv = [sys.executable, "-m", "jitctl", "--config-dir", os.environ["FAKE_CONFIG"], "stop"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def start(unit: str) -> int:
    if process() is not None:
        return 0
    stop_from_elsewhere("starting")
    if (STATE / "limited").exists():
        sys.stderr.write(f"Job for {unit} failed because start of the service was attempted too often.\n")
        return 1
    mode = (STATE / "service.env").read_text().strip().removeprefix("JITCTL_MODE=")
    line = EXEC_START.replace("/usr/local/bin/jitctl", f"{sys.executable} -m jitctl")
    line = line.replace("/etc/jitctl", os.environ["FAKE_CONFIG"]).replace("${JITCTL_MODE}", mode)
    address = STATE / "notify"
    address.unlink(missing_ok=True)
    os.chdir(STATE)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        (STATE / "journal").open("wb") as journal,
    ):
        manager.bind("notify")
        child = subprocess.Popen(
            shlex.split(line),
            stdin=subprocess.DEVNULL,
            stdout=journal,
            stderr=journal,
            start_new_session=True,
            env={**os.environ, "NOTIFY_SOCKET": str(address), "INVOCATION_ID": "0" * 32},
        )
        (STATE / "pid").write_text(str(child.pid))
        ended = os.pidfd_open(child.pid)
        while True:
            ready, _, _ = select.select([manager, ended], [], [], 60)
            # What it said before it ended comes first.
            if manager not in ready:
                (STATE / "exit").write_text(str(child.wait(1)))
                sys.stderr.write(
                    f"Job for {unit} failed because the control process exited with error code.\n"
                )
                return 1
            for line in manager.recv(4096).decode().split("\n"):
                if line.startswith("STATUS="):
                    (STATE / "said").write_text(line.removeprefix("STATUS="))
                if line == "READY=1":
                    return 0


def stop() -> None:
    pid = process()
    if pid is not None:
        ended = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        select.select([ended], [], [], 60)


def process() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        pid = int((STATE / "pid").read_text())
        return pid if ProcessIdentity.of(pid) is not None else None
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

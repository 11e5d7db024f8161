"""disk-space, file-descriptors and socket-folder: what the machine must give."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, unknown, warned
from jitctl.errors import JitError

GIB = 1 << 30
WARN_BYTES = 5 * GIB
FAIL_BYTES = GIB
WARN_SHARE = 0.10
FAIL_INODE_SHARE = 0.01
RUN_WARN_BYTES = 16 << 20
RUN_FAIL_BYTES = 1 << 20
"""The run folder holds a socket and a pid file, often in a small file system of its own."""
NODE_DESCRIPTORS = 33
"""A WebSocket and what httpx may keep open to one node."""
RELAY_DESCRIPTORS = 4
DOOR_DESCRIPTORS = 2 * 64
MADE_BY_SYSTEMD = (Path("/run"), Path("/var/lib"), Path("/var/log"))
"""Where a unit's RuntimeDirectory=, StateDirectory= and LogsDirectory= are made, for the unit's user."""
OTHER_DESCRIPTORS = 64
"""Ledger, logs, locks, the link between the processes, libraries."""


async def disk_space(context: Context) -> Verdict:
    folders = context.config.folders
    asked = {
        "data": (folders.data, WARN_BYTES, FAIL_BYTES, WARN_SHARE),
        "logs": (folders.logs, WARN_BYTES, FAIL_BYTES, WARN_SHARE),
        "run": (folders.run, RUN_WARN_BYTES, RUN_FAIL_BYTES, 0.0),
    }
    verdicts = await asyncio.gather(
        *(asyncio.to_thread(_room, context, name, *each) for name, each in asked.items())
    )
    return together(verdicts, "; ".join(each.detail for each in verdicts))


def _room(context: Context, name: str, folder: Path, warn: int, fail: int, share: float) -> Verdict:
    found = existing(folder)
    try:
        disk = context.host.statvfs(found)
    except OSError as error:
        return unknown(f"{name}: {found}: {error.strerror}", context.as_daemon_user())
    free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    inodes = disk.f_favail / disk.f_files if disk.f_files else 1.0
    text = f"{name}: {_size(free)} free"
    remedy = f"free space on the file system of {found}, or move [paths] {name}"
    if free < fail:
        return failed(text, remedy)
    if inodes < FAIL_INODE_SHARE:
        return failed(f"{name}: {inodes:.1%} of the inodes free", remedy)
    if free < warn or (whole and free / whole < share):
        return warned(f"{text} ({free / whole:.0%})" if whole else text, remedy)
    if inodes < WARN_SHARE:
        return warned(f"{name}: {inodes:.0%} of the inodes free", remedy)
    return passed(text)


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / (1 << 20):.1f} MiB"


async def file_descriptors(context: Context) -> Verdict:
    """Fail below what the configuration can open at most, warn below twice that."""
    main = context.config.main
    needed = (
        NODE_DESCRIPTORS * len(main.nodes)
        + RELAY_DESCRIPTORS * len(main.relays)
        + DOOR_DESCRIPTORS
        + OTHER_DESCRIPTORS
    )
    limit, whose = context.host.descriptor_limit(), "this shell"
    daemon = await _daemon_limit(context)
    if daemon is not None:
        limit, whose = daemon, "the daemon that runs"
    detail = f"{limit} for {whose}; this configuration can open {needed}"
    remedy = f"raise it: ulimit -n {4 * needed}, or LimitNOFILE={4 * needed} in the service's unit"
    if limit < needed:
        return failed(detail, remedy)
    return warned(detail, remedy) if limit < 2 * needed else passed(detail)


async def _daemon_limit(context: Context) -> int | None:
    """Return the soft limit of the engine that runs here; None if there is none, or it is not ours to see."""
    try:
        status = await context.daemon()
        if status is None:
            return None
        limits = Path(f"/proc/{int(status['engine']['pid'])}/limits")
        lines = (await asyncio.to_thread(limits.read_text, encoding="ascii")).splitlines()
        return next(int(line.split()[3]) for line in lines if line.startswith("Max open files"))
    except (JitError, OSError, LookupError, TypeError, ValueError, StopIteration):
        return None


async def socket_folder(context: Context) -> Verdict:
    return await asyncio.to_thread(_socket_folder, context)


def _socket_folder(context: Context) -> Verdict:
    folder, socket = context.config.folders.run, context.config.folders.socket
    try:
        info = folder.stat()
        in_the_way = socket.exists() and not socket.is_socket()
    except FileNotFoundError:
        return may_be_made(context, folder)
    except OSError as error:
        return unknown(f"{folder}: {error.strerror}", context.as_daemon_user())
    mode = stat.S_IMODE(info.st_mode)
    if not stat.S_ISDIR(info.st_mode):
        return failed(f"{folder} is not a folder", "correct [paths] run")
    if mode & 0o027:
        return failed(f"{folder} is wider than 0750 ({mode:04o})", f"chmod 750 {folder}")
    if in_the_way:
        return failed(f"{socket} is no socket", "move it elsewhere")
    return may_write(context, folder, f"{folder} is {mode:04o}")


def may_be_made(context: Context, path: Path) -> Verdict:
    """Return a pass if a start would make what is not there: the daemon itself, or systemd its folder."""
    above, unit = existing(path), context.config.main.service.systemd_unit
    if unit and above in MADE_BY_SYSTEMD:
        return passed(f"{path} is not there yet; systemd makes the folder when it starts {unit}")
    return may_write(context, above, f"{path} is not there yet; the first start makes it")


def may_write(context: Context, folder: Path, detail: str) -> Verdict:
    """Return a pass with `detail` if the caller may make files in `folder`."""
    if os.access(folder, os.W_OK | os.X_OK):
        return passed(detail)
    if context.host.uid() != context.daemon_uid():
        return unknown(f"this user may not write to {folder}", context.as_daemon_user())
    return failed(
        f"{folder} is not writable", f"give it to the daemon's user, or mount it writable: {folder}"
    )


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    for each in (folder, *folder.parents):
        try:
            if each.exists():
                return each
        except OSError:
            continue
    return Path("/")

"""disk-space, file-descriptors, key-permissions, keys-open and socket-folder: what the machine must give."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
from pathlib import Path

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.keystores import identity_files, operator_files, plain_address
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
OTHER_DESCRIPTORS = 64
"""Ledger, logs, locks, the link between the processes, libraries."""
OPEN_KEYS_S = 2.2


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
        pid = int(status["engine"]["pid"])
        lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[3]) for line in lines if line.startswith("Max open files"))
    except (JitError, OSError, LookupError, TypeError, ValueError, StopIteration):
        return None


async def key_permissions(context: Context) -> Verdict:
    """Every key file is a regular file of the daemon's user (or root) that nobody else may read."""
    config = context.config
    pairs = [
        *operator_files(config),
        *(identity_files(config, relay) for relay in config.main.relays),
    ]
    secret = dict.fromkeys(path for files in pairs for path in (files.keystore, files.passphrase_file))
    urls = [
        config.resolve(file)
        for node in (*config.main.nodes, *config.main.verify_nodes)
        for file in (node.http_url_file, getattr(node, "ws_url_file", None))
        if file
    ]
    uid = context.daemon_uid()
    verdicts = await asyncio.to_thread(
        lambda: [_private(context, path, uid) for path in secret]
        + [_private(context, path, uid, warned) for path in dict.fromkeys(urls)]
    )
    return together(verdicts, f"{len(verdicts)} files, private, of user {_user(uid)}")


def _private(context: Context, path: Path, uid: int, refuse: type[Verdict] | object = failed) -> Verdict:
    wrong = failed if refuse is failed else warned
    try:
        info = path.stat()
    except PermissionError:
        return unknown(f"{path}: not to be seen by this user", context.as_daemon_user())
    except OSError as error:
        return failed(f"{path}: {error.strerror}", "correct the path in jitctl.toml, or put the file there")
    if not stat.S_ISREG(info.st_mode):
        return failed(f"{path}: not a regular file", "correct the path in jitctl.toml")
    if info.st_mode & 0o077:
        return wrong(f"{path}: others may read it ({stat.S_IMODE(info.st_mode):04o})", f"chmod 600 {path}")
    if info.st_uid not in (uid, 0):
        return wrong(f"{path}: belongs to {_user(info.st_uid)}", f"chown {_user(uid)} {path}")
    return passed(str(path))


async def keys_open(context: Context) -> Verdict:
    """Open what can be opened in the time; the identities first, because the relays wait for them."""
    config = context.config
    identities = [identity_files(config, relay) for relay in config.main.relays]
    operators = operator_files(config)
    uid = context.daemon_uid()
    if os.geteuid() != uid:
        return unknown(f"the keys belong to {_user(uid)}", context.as_daemon_user())
    verdicts, tried = [], 0
    asked = dict.fromkeys((*identities, *operators))
    deadline_s = asyncio.get_running_loop().time() + OPEN_KEYS_S
    for files in asked:
        try:
            async with asyncio.timeout_at(deadline_s):
                key = await context.key(files)
        except TimeoutError:
            break
        except JitError as error:
            verdicts.append(failed(error.message, error.hint))
        else:
            named = await asyncio.to_thread(plain_address, files.keystore)
            if named not in (None, key.address):
                text = f"{files.keystore}: names {named} and holds {key.address}"
                verdicts.append(failed(text, "put the right keystore there"))
        tried += 1
    rest = len(asked) - tried
    return together(verdicts, f"{tried} of {len(asked)} opened" + (f"; no time for {rest}" if rest else ""))


async def socket_folder(context: Context) -> Verdict:
    return await asyncio.to_thread(_socket_folder, context)


def _socket_folder(context: Context) -> Verdict:
    folder, socket = context.config.folders.run, context.config.folders.socket
    try:
        info = folder.stat()
        in_the_way = socket.exists() and not socket.is_socket()
    except FileNotFoundError:
        return may_write(context, existing(folder), f"{folder} is not there yet; the first start makes it")
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


def may_write(context: Context, folder: Path, detail: str) -> Verdict:
    """Return a pass with `detail` if the caller may make files in `folder`."""
    if os.access(folder, os.W_OK | os.X_OK):
        return passed(detail)
    if os.geteuid() != context.daemon_uid():
        return unknown(f"this user may not write to {folder}", context.as_daemon_user())
    return failed(f"{folder} is not writable", f"give it to the daemon's user, or mount it writable: {folder}")


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    for each in (folder, *folder.parents):
        try:
            if each.exists():
                return each
        except OSError:
            continue
    return Path("/")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

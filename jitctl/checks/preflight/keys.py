"""key-permissions and keys-open: the keys are there, nobody else's to read, and their passphrases right."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.keystores import identity_files, operator_files, plain_address
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, unknown, warned
from jitctl.config.load import Config
from jitctl.errors import JitError


async def key_permissions(context: Context) -> Verdict:
    """Every key file is a regular file of the daemon's user (or root) that nobody else may read."""
    config = context.config
    pairs = [
        *operator_files(config),
        *(identity_files(config, relay) for relay in config.main.relays),
    ]
    secret = dict.fromkeys(path for files in pairs for path in (files.keystore, files.passphrase_file))
    uid = context.daemon_uid()
    verdicts = await asyncio.to_thread(
        lambda: [
            *(_private(context, path, uid, failed) for path in secret),
            *(_private(context, path, uid, warned) for path in _url_files(config)),
        ]
    )
    return together(verdicts, f"{len(verdicts)} files, private, of user {_user(uid)}")


def _url_files(config: Config) -> tuple[Path, ...]:
    """Return the files that hold URLs with keys; the daemon reads them whatever their mode is."""
    named: list[str | None] = []
    for node in config.main.nodes:
        named += [node.http_url_file, node.ws_url_file]
    named += [node.http_url_file for node in config.main.verify_nodes]
    return tuple(dict.fromkeys(config.resolve(file) for file in named if file))


def _private(context: Context, path: Path, uid: int, wrong: Callable[[str, str], Verdict]) -> Verdict:
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
    deadline_s = asyncio.get_running_loop().time() + context.bounds.keys_s
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


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

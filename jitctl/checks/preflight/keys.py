"""key-permissions and keys-open: the keys are there, nobody else's to read, and their passphrases right."""

from __future__ import annotations

import asyncio
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

from jitctl.chain.wallet import KeyFiles
from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.keystores import identity_files, operator_files, plain_address
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, unknown, warned
from jitctl.config.load import Config
from jitctl.control.schema import PASS
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
    config, uid = context.config, context.daemon_uid()
    if context.host.uid() != uid:
        return unknown(f"the keys belong to {_user(uid)}", context.as_daemon_user())
    identities = [identity_files(config, relay) for relay in config.main.relays]
    asked = dict.fromkeys((*identities, *operator_files(config)))
    deadline_s = asyncio.get_running_loop().time() + context.bounds.keys_s
    found = await asyncio.gather(*(_opens(context, files, deadline_s) for files in asked))
    tried = [verdict for verdict in found if verdict is not None]
    summary = f"{len(tried)} of {len(asked)} opened"
    if len(tried) < len(asked) and all(each.result == PASS for each in tried):
        judge = warned if tried else unknown
        more = "give it more time: `jitctl preflight --only keys-open --timeout 20`"
        return judge(f"{summary}, no time for the others", more)
    return together(tried, summary)


async def _opens(context: Context, files: KeyFiles, deadline_s: float) -> Verdict | None:
    """Return whether one keystore opens, and is of the address that it names; None if time ran out."""
    try:
        async with asyncio.timeout_at(deadline_s):
            key = await context.key(files)
            named = await asyncio.to_thread(plain_address, files.keystore)
    except TimeoutError:
        return None
    except JitError as error:
        return failed(error.message, error.hint)
    if named not in (None, key.address):
        text = f"{files.keystore}: names {named} and holds {key.address}"
        return failed(text, "put the right keystore there")
    return passed(str(files.keystore))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

"""ledger: the file that must be right can be written, is whole, and is of a schema that we know."""

from __future__ import annotations

import asyncio
import os

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.host import may_be_made, may_write
from jitctl.checks.preflight.verdict import Verdict, failed, passed, unknown
from jitctl.control.schema import PASS
from jitctl.errors import LedgerError
from jitctl.ledger.inspection import inspect
from jitctl.ledger.migrations import SCHEMA_VERSION

LEDGER_NAME = "ledger.db"


async def ledger(context: Context) -> Verdict:
    return await asyncio.to_thread(_ledger, context)


def _ledger(context: Context) -> Verdict:
    folder = context.config.folders.data
    path = folder / LEDGER_NAME
    try:
        there = path.exists()
    except OSError as error:
        return unknown(f"{path}: {error.strerror}", context.as_daemon_user())
    if not there:
        return may_be_made(context, path)
    room = may_write(context, folder, "")
    if room.result != PASS:
        return room
    if not os.access(path, os.W_OK):
        return failed(f"{path} is not writable", f"give it to the daemon's user: chown, or chmod u+w {path}")
    try:
        found = inspect(path)
    except LedgerError as error:
        return failed(error.message, error.hint)
    if found.problems:
        remedy = "stop the bot and restore the last good backup"
        return failed(f"{path} is damaged: {found.problems[0]}", remedy)
    if found.version < SCHEMA_VERSION:
        return passed(f"intact, schema {found.version}; the next start brings it to {SCHEMA_VERSION}")
    return passed(f"intact, schema {found.version}")

"""daemon, http-port, signer-lock and alert-routes: who runs here already, and who is told."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any
from urllib.parse import urlsplit

from jitctl import __version__
from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.verdict import Verdict, failed, passed, together, unknown, warned
from jitctl.errors import JitError, PermissionDenied, TimedOut
from jitctl.safety.keeper_lock import keeper_process
from jitctl.safety.port_owner import port_owner
from jitctl.safety.signer_lock import holder


async def daemon(context: Context) -> Verdict:
    try:
        status = await context.daemon()
    except TimedOut as error:
        keeper = keeper_process(context.config.folders.run)
        end = f"kill -9 {keeper.pid}" if keeper is not None else "end it"
        return failed(
            f"one is there and hangs: {error.message}", f"`jitctl pause`, then {end}, then `jitctl start`"
        )
    except PermissionDenied as error:
        return unknown(error.message, error.hint)
    if status is None:
        return passed("none runs here")
    version, state, mode = status.get("version"), status.get("state"), status.get("mode")
    runs = f"runs in mode {mode}, {state}"
    if version != __version__:
        remedy = "restart the daemon when convenient: `jitctl stop`, then `jitctl start`"
        return warned(f"{runs}; it is jitctl {version}, this is {__version__}", remedy)
    if state == "HALTED":
        why = status.get("reason") or "no reason is known"
        return warned(f"{runs}: {why}", "find out why, then `jitctl clear-halt`")
    return passed(runs)


async def http_port(context: Context) -> Verdict:
    """The port can be bound, or the daemon that answers on our socket has it."""
    host, port = context.config.main.http.host, context.config.main.http.port
    if port == 0:
        return passed("any free port will do")
    status, denied = None, ""
    try:
        status = await context.daemon()
    except PermissionDenied as refusal:
        denied = refusal.hint
    except JitError:
        pass
    if status is not None and urlsplit(str(status.get("http"))).port == port:
        return passed(f"{host}:{port} is our daemon's")
    error = await asyncio.to_thread(_bind_error, host, port)
    if error is None:
        return passed(f"{host}:{port} is free")
    if error.errno != errno.EADDRINUSE:
        return failed(f"{host}:{port}: {error.strerror}", "choose another [http] port in jitctl.toml")
    owner = await asyncio.to_thread(port_owner, port) or "another process"
    keeper = keeper_process(context.config.folders.run)
    if keeper is not None and f"pid {keeper.pid})" in owner:
        return unknown(f"{host}:{port} belongs to our daemon, which does not answer", "see: daemon")
    if denied:
        return unknown(f"{host}:{port} is taken; you may not ask whether by our daemon", denied)
    remedy = "end it, or choose another [http] port in jitctl.toml (9090 is Prometheus's default too)"
    return failed(f"{host}:{port} is taken by {owner}", remedy)


def _bind_error(host: str, port: int) -> OSError | None:
    """Return why the port cannot be bound. Nothing listens meanwhile, so nobody connects to us by mistake."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            return error
    return None


async def signer_lock(context: Context) -> Verdict:
    """Nobody holds the lock of one of our signers but the engine of the daemon that runs here."""
    signers = await context.operators()
    try:
        status = await context.daemon()
    except JitError:
        status = None
    engine = ((status or {}).get("engine") or {}).get("pid")
    chain_id = context.config.main.chain.chain_id
    held: dict[str, Any] = {}
    for signer in signers:
        held[signer] = await asyncio.to_thread(holder, chain_id, signer)
    remedy = "stop that engine first: two signers would use the same nonces"
    wrong = [
        failed(f"{signer} is in use by {who}", remedy)
        for signer, who in held.items()
        if who and not who.startswith(f"pid {engine} ")
    ]
    return together(wrong, "held by our own engine" if any(held.values()) else "free")


async def alert_routes(context: Context) -> Verdict:
    contacts = context.config.alerts.contacts
    if not contacts:
        return warned("nobody is named in alerts.toml", "name who is called under [contacts] in alerts.toml")
    return passed(f"{len(contacts)} contact(s): {', '.join(contacts)}")

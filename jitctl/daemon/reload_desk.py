"""A reload, from the files on disk to what the engine runs by: whole, or nothing changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from jitctl.config.difference import Change, changes
from jitctl.config.generations import Generation
from jitctl.config.load import Config
from jitctl.config.put_back import finish_if_allowed
from jitctl.config.reload import Reload, needs_restart, reloaded
from jitctl.config.still import load_still
from jitctl.control.redact import redact
from jitctl.control.schema import ActionRequest, ChangedValue, ReloadReply
from jitctl.daemon.caller import Caller
from jitctl.daemon.engine_child import reply_of
from jitctl.daemon.keeper import Keeper, Offer
from jitctl.errors import DaemonNotRunning, JitError, LinkClosed, TimedOut

RELOAD_LIMIT_S = 15.0


async def reload(keeper: Keeper, what: Reload, request: ActionRequest, caller: Caller) -> ReloadReply:
    """Read, validate, keep, have the engine take over; call it for one reload at a time.

    Raises `ConfigError` or `Refused` for the files, `JitError` for a full disk, the engine's own error, and
    `TimedOut` where it may still take over. The old configuration goes on then.
    """
    engine = keeper.running_engine(f"reload {_name(what, keeper.config)}")
    await asyncio.to_thread(finish_if_allowed, keeper.config.folders.config)
    found = await asyncio.to_thread(load_still, keeper.config.folders.config)
    name, before = _name(what, found), keeper.config
    wanted = await asyncio.to_thread(reloaded, before, found, what)
    reply = _reply(before, wanted, found)
    kept = keeper.current.generation
    if wanted.hash == before.hash and not keeper.unsure_of_configuration:
        number = kept.number if kept is not None else 0
        message = f"{name} is as it was; nothing to reload"
        return replace(reply, message=message, generation=number, dry=request.dry)
    if request.dry:
        number = kept.number if kept is not None else 0
        message = f"{name} can be reloaded; nothing was changed"
        return replace(reply, message=message, generation=number, config_hash=before.hash, dry=True)
    verb, why = f"reload-{what}", request.reason
    for warning in wanted.warnings:
        keeper.telemetry.log("configuration_warning", level="warning", verb=verb, text=str(warning))
    generation = await asyncio.to_thread(
        keeper.current.keep, wanted, who=caller.person, verb=verb, why=why, restores=request.restores
    )
    args = {"hash": wanted.hash, "folder": str(keeper.current.store.folder_of(generation))}
    try:
        body = await engine.ask("reload", limit_s=RELOAD_LIMIT_S, who=caller.person, reason=why, **args)
    except TimedOut as late:
        keeper.offered(Offer(wanted, generation, verb, caller, why))
        raise TimedOut(
            f"{late.message}: it may still take over {name}",
            hint="`jitctl status` shows by which configuration it trades; repeat the reload then",
        ) from None
    except LinkClosed:
        await asyncio.to_thread(keeper.current.drop, generation)
        raise DaemonNotRunning(
            "the engine ended during the reload",
            hint=f"the next start reads the files anew: jitctl start --mode {keeper.mode}",
        ) from None
    except JitError:
        await asyncio.to_thread(keeper.current.drop, generation)
        raise
    keeper.take_configuration(wanted, generation)
    return await _taken(keeper, name, generation, reply, body)


async def _taken(
    keeper: Keeper, name: str, generation: Generation, reply: ReloadReply, body: dict[str, Any]
) -> ReloadReply:
    """The engine runs by it: whatever happens to the disk now, that is so."""
    unconfirmed = await keeper.confirm_configuration()
    if unconfirmed:
        hint = f"it runs, but is not kept as the current generation yet: {unconfirmed}; this is tried again"
        reply = replace(reply, hint=". ".join(filter(None, (hint, reply.hint))))
    return replace(
        reply,
        changed=reply_of(body).changed,
        message=f"{name} reloaded: generation {generation.number}",
        generation=generation.number,
    )


def _name(what: Reload, config: Config) -> str:
    return "the configuration" if what is Reload.CONFIG else config.texts[what].path.name


def _reply(before: Config, wanted: Config, found: Config) -> ReloadReply:
    left = set(needs_restart(wanted, found))
    differing = changes(wanted, found)
    untaken = [each for each in differing if each.key in left]
    hints = [f"a restart is needed for: {', '.join(each.key for each in untaken)}"] if untaken else []
    for other in ("pools", "strategy"):
        if any(each.file == other for each in differing):
            hints.append(f"{found.texts[other].path.name} has changed too: jitctl reload-{other}")
    return ReloadReply(
        hint="; ".join(hints),
        config_hash=wanted.hash,
        changes=[_shown(each) for each in changes(before, wanted)],
        needs_restart=[_shown(each) for each in untaken],
        warnings=[str(each) for each in wanted.warnings],
    )


def _shown(change: Change) -> ChangedValue:
    before, after = (redact(each, change.key.rpartition(".")[2]) for each in (change.before, change.after))
    return ChangedValue(change.file, change.key, change.kind, before, after)

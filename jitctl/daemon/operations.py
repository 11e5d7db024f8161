"""What an operator has the keeper do: one action after another, each in the audit trail."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jitctl.config.load import Config
from jitctl.config.reload import Reload, needs_restart
from jitctl.config.still import load_still
from jitctl.control.roles import ADMIN, BY_VERB, allows
from jitctl.control.schema import PASS, WARN, ActionReply, ActionRequest, CheckReport
from jitctl.daemon import reload_desk
from jitctl.daemon.caller import Caller
from jitctl.daemon.engine_child import reply_of
from jitctl.daemon.keeper import Keeper
from jitctl.daemon.stopping import Stopping
from jitctl.daemon.validation import validate
from jitctl.errors import JitError, PermissionDenied, Refused, UsageError
from jitctl.safety.keeper_lock import keeper_of, taken

COMMAND_LIMIT_S = 5.0
_KEEPERS_OWN = ("paths.", "http.", "socket.", "chain.chain_id")
"""What the keeper has bound or opened for as long as it lives."""


class Operations:
    """The verbs that change something, whoever asks and through whichever door."""

    def __init__(self, keeper: Keeper, stopping: Stopping) -> None:
        self.stopping = stopping
        self._keeper = keeper
        self._one_action = asyncio.Lock()

    def record_start(self, caller: Caller, *, reason: str, force: bool) -> None:
        """Put the daemon's own start into the audit trail, before its engine exists.

        The files are kept as the generation that the engine is started with. Raises `Refused` for a
        production start that is not validated, or while the trail cannot be written, `JitError` on a full
        disk.
        """
        self._keeper.audit.require()
        self._record_files()
        request = ActionRequest(reason=reason, mode=self._keeper.mode, force=force)
        try:
            if self._keeper.mode == "production":
                self._require_validated(request, self._keeper.config)
            current = self._keeper.current
            current.run_by(
                current.keep(self._keeper.config, who=caller.person, verb="start", why=request.reason)
            )
        except JitError as error:
            self._record("start", request, caller, "STOPPED", error.code, error.message)
            raise
        self._record("start", request, caller, "STOPPED", "ok", "")

    def _record_files(self) -> None:
        """Put into the trail who paused or halted by the data folder while no keeper could write it."""
        for verb, after, found in (
            ("pause", "PAUSED", self._keeper.latch.pause_record()),
            ("emergency-stop", "HALTED", self._keeper.latch.halt_record()),
        ):
            if found is None or found.time_s <= self._keeper.audit.last_time_s or found.who in ("", "engine"):
                continue
            self._keeper.audit.record(
                who=found.who, uid=None, role="", door="files", verb=verb, why=found.why, before="",
                after=after, mode=self._keeper.mode, outcome="ok", at=found.time_s,
            )  # fmt: skip

    async def act(
        self, verb: str, request: ActionRequest, caller: Caller, gone: Callable[[], bool] = lambda: False
    ) -> ActionReply:
        """Do one verb and record it; a verb that loosens is refused while it cannot be recorded.

        It is also refused once its caller is `gone`: whoever gave it up may have paused since.
        """
        route = BY_VERB[verb]
        before, state_before, began = self._standing(verb), self._keeper.state(), time.monotonic()
        mark = request.mark or self._keeper.latch.mark()
        try:
            if not route.tightens:
                self._keeper.audit.require()
            reply = await self._do(verb, request, caller, mark, gone)
        except JitError as error:
            self._record(verb, request, caller, before, error.code, error.message)
            raise
        elapsed_ms = (time.monotonic() - began) * 1000
        self._record(verb, request, caller, before, "ok", reply.message, forced=reply.forced)
        return replace(
            reply,
            verb=verb,
            state_before=state_before,
            state=self._keeper.state(),
            elapsed_ms=round(elapsed_ms, 3),
        )

    async def _do(
        self, verb: str, request: ActionRequest, caller: Caller, mark: str, gone: Callable[[], bool]
    ) -> ActionReply:
        # Tightening is not behind the lock: a start or stop that hangs must not keep anyone from it.
        match verb:
            case "pause":
                return await self.stopping.pause(request, caller)
            case "emergency-stop":
                return await self.stopping.emergency_stop(request, caller)
            case "crisis-mode":
                return await self._crisis_mode(request, caller, gone)
            case "stop":
                return await self.stopping.stop(request, caller)
        async with self._one_action:
            if gone():
                raise _too_late(verb)
            match verb:
                case "resume" | "clear-halt":
                    return await self._loosen(verb, request, caller, mark)
                case "reload-pools" | "reload-strategy" | "reload-config":
                    what = Reload(verb.removeprefix("reload-"))
                    return await reload_desk.reload(self._keeper, what, request, caller)
                case _:
                    return await self._start(request, caller)

    def _standing(self, verb: str) -> str:
        """Return what a verb changes, as it is now: the state, the crisis level or the configuration."""
        if verb == "crisis-mode":
            return str(self._keeper.status().crisis_level)
        return self._keeper.config.hash[:12] if verb.startswith("reload-") else self._keeper.state()

    def _record(
        self,
        verb: str,
        request: ActionRequest,
        caller: Caller,
        before: str,
        outcome: str,
        message: str,
        *,
        forced: bool = False,
    ) -> None:
        fields: dict[str, Any] = {
            "who": caller.person, "uid": caller.uid, "role": caller.role, "door": caller.door, "verb": verb,
            "why": request.reason, "before": before, "after": self._standing(verb), "mode": self._keeper.mode,
            "outcome": outcome,
        }  # fmt: skip
        if forced:
            fields["forced"] = True
        self._keeper.audit.record(**fields)
        self._keeper.telemetry.log(
            "operator_command",
            level="info" if outcome in ("ok", "unknown") else "warning",
            **fields,
            text=message,
        )

    async def _loosen(self, verb: str, request: ActionRequest, caller: Caller, mark: str) -> ActionReply:
        """Loosen, unless somebody has stopped the bot since it was asked: `mark` is the latch's of then."""
        engine = self._keeper.running_engine(verb)
        body = await engine.ask(
            verb,
            limit_s=COMMAND_LIMIT_S,
            who=caller.person,
            reason=request.reason,
            mark=mark,
            until_s=_until_s(),
        )
        return reply_of(body)

    async def _crisis_mode(
        self, request: ActionRequest, caller: Caller, gone: Callable[[], bool]
    ) -> ActionReply:
        """Set the level; a lower one needs an administrator, and an audit trail that can be written."""
        if not request.level:
            raise UsageError("crisis-mode needs a level", hint="off, low, medium, high or critical")
        if not request.reason:
            raise UsageError("crisis-mode needs a reason", hint="it is kept in the audit trail")
        barred: JitError | None = None
        try:
            self._keeper.audit.require()
        except Refused as unwritable:
            barred = unwritable
        if gone():
            barred = _too_late("a lower crisis level")
        engine = self._keeper.running_engine("set the crisis level")
        may_loosen = barred is None and allows(caller.role, ADMIN)
        args = {"level": request.level, "may_loosen": may_loosen, "until_s": _until_s()}
        try:
            body = await engine.ask(
                "crisis-mode", limit_s=COMMAND_LIMIT_S, who=caller.person, reason=request.reason, **args
            )
        except PermissionDenied as denied:
            raise (barred if barred is not None and allows(caller.role, ADMIN) else denied) from None
        return reply_of(body)

    async def validate_live(self, caller: Caller) -> CheckReport:
        """Check the running test bot and, if nothing failed or stayed unknown, keep that it passed.

        Raises `Refused` while the audit trail cannot be written: the record allows a production start.
        """
        self._keeper.audit.require()
        async with self._one_action:
            report = await validate(
                self._keeper.config, self._keeper.mode, self._keeper.engine, self._keeper.history
            )
            if report.result in (PASS, WARN) and self._keeper.mode == "test":
                self._keeper.validated.keep(report.config_hash, caller.person)
        failed = ", ".join(each.name for each in report.checks if each.result not in (PASS, WARN))
        outcome = "ok" if report.result in (PASS, WARN) else report.result
        self._record("validate-live", ActionRequest(), caller, self._keeper.state(), outcome, failed)
        return report

    async def _start(self, request: ActionRequest, caller: Caller) -> ActionReply:
        """Bring an engine back, or replace a test engine by a production one; the keeper stays."""
        keeper = self._keeper
        mode, engine, run = request.mode or keeper.mode, keeper.engine, keeper.config.folders.run
        if engine is None or (engine.alive and not engine.was_settled):
            # The daemon's own first start, or another operator's: two would mean two engines.
            raise taken(run, keeper_of(run) or f"pid {os.getpid()}")
        running = engine.alive
        if running and mode == keeper.mode:
            return ActionReply(message=f"already running in mode {mode}")
        if running and keeper.mode == "production":
            raise Refused(
                "a production engine runs here",
                hint="end it first: jitctl stop, then jitctl start --mode test",
            )
        found = await asyncio.to_thread(load_still, keeper.config.folders.config)
        bound = [key for key in needs_restart(keeper.config, found) if key.startswith(_KEEPERS_OWN)]
        if bound:
            raise Refused(
                f"changed since this daemon started: {', '.join(bound)}",
                hint="only a new daemon takes these over: jitctl stop, then jitctl start",
            )
        if mode == "production":
            self._require_validated(request, found)
        # A full disk is to be met while the old engine still runs.
        generation = await asyncio.to_thread(
            keeper.current.keep, found, who=caller.person, verb="start", why=request.reason
        )
        keeper.starting = True
        try:
            if running:
                await self.stopping.end_engine("replaced by a production engine", "keeper")
            keeper.mode = mode
            keeper.take_configuration(found, generation)
            state = await keeper.bring_up()
        finally:
            keeper.starting = False
        return ActionReply(changed=True, message=f"started in mode {mode}: {state}")

    def _require_validated(self, request: ActionRequest, config: Config) -> None:
        """Raise `Refused` unless `config` passed validate-live of late, or force says why not."""
        if not request.force:
            self._keeper.validated.require(config.hash)
        elif not request.reason:
            raise UsageError("--force needs a reason", hint="it is kept in the audit trail")


def _too_late(what: str) -> Refused:
    return Refused(f"{what} came too late: whoever asked did not wait for it")


def _until_s() -> float:
    """Return until when (monotonic) the engine may loosen: then whoever asked is told that it did not."""
    return time.monotonic() + COMMAND_LIMIT_S

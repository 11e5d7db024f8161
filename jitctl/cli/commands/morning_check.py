"""`jitctl morning-check`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from jitctl.cli import check_view, options
from jitctl.cli.options import OutputOption, StrictOption
from jitctl.cli.render import Format
from jitctl.errors import JitError, PermissionDenied

if TYPE_CHECKING:
    from jitctl.config.load import Config
    from jitctl.control.client import Client
    from jitctl.control.schema import CheckReport


def morning_check(
    ctx: typer.Context, strict: StrictOption = False, output: OutputOption = Format.TEXT
) -> None:
    """Go through the morning checklist in one command.

    Health, node sync, profit and rates since yesterday, errors logged, pools, configuration and latency,
    each against the runbook's threshold. Exit code 0 all well, 1 something failed, 8 something could not be
    told, 10 warnings with --strict.

    Example: jitctl morning-check
    """
    from jitctl.checks import morning
    from jitctl.control.client import DaemonSilent
    from jitctl.control.schema import CheckReport, to_wire

    began = time.monotonic()
    folder = options.config_dir(ctx)
    missing: dict[str, str] = {"log": str(options.folders(ctx).log_file)}
    asked = options.client(ctx, timeout_s=2.0)

    def ask(verb: str) -> dict[str, Any] | None:
        if "silent" in missing:
            return None
        try:
            return asked.call(verb, probe=True)
        except JitError as error:
            missing.setdefault("health", error.message)
            missing.setdefault("hint", error.hint)
            if isinstance(error, DaemonSilent):
                missing["silent"] = verb
            if isinstance(error, PermissionDenied):
                missing["denied"] = verb
            return None

    health, status, pools = ask("health"), ask("status"), ask("pool-status")
    config = _config(folder, missing)
    found = morning.Morning(
        health=health,
        status=status,
        pools=pools,
        node_sync=_node_sync(config, missing),
        days=_days(config, missing),
        config_hash=config.hash if config is not None else None,
        missing=missing,
        differing=_differing(asked, config, status),
    )
    elapsed_ms = (time.monotonic() - began) * 1000
    report = CheckReport.of(
        "morning-check", morning.findings(found), config_hash=found.config_hash or "", elapsed_ms=elapsed_ms
    )
    options.warn_of_version(asked)
    check_view.show(to_wire(report), output, strict=strict)


def _config(folder: Path, missing: dict[str, str]) -> Config | None:
    from jitctl.config.load import load

    try:
        return load(folder)
    except JitError as error:
        missing["config"] = missing["days"] = error.message.splitlines()[0]
        return None


def _differing(asked: Client, config: Config | None, status: dict[str, Any] | None) -> list[str]:
    """Return the keys whose values in the files are not those that run, as far as the daemon tells."""
    from jitctl.cli.running_config import running_side
    from jitctl.config.generations import Generations
    from jitctl.maintenance.config_compare import differences, side_of

    if config is None or status is None or status.get("configHash") == config.hash:
        return []
    try:
        running, _ = running_side(asked, Generations(config.folders.data), config.folders.config)
    except JitError:
        return []
    found = differences(running, side_of("the files", config))
    return [f"{each.key} ({each.applied_by})" for each in found]


def _node_sync(config: Config | None, missing: dict[str, str]) -> CheckReport:
    import asyncio

    from jitctl.checks.node_sync import node_sync
    from jitctl.control.schema import UNKNOWN, CheckReport, Finding

    if config is None:
        return CheckReport.of("check-node-sync", [Finding("configuration", UNKNOWN, missing["config"])])
    return asyncio.run(node_sync(config))


def _days(config: Config | None, missing: dict[str, str]) -> list[dict[str, Any]] | None:
    from jitctl.config.domain_types import pool_specs
    from jitctl.control.schema import to_wire
    from jitctl.reports.daily import daily_summary, ledger_is_there

    if config is None:
        return None
    ledger = config.folders.data / "ledger.db"
    try:
        if not ledger_is_there(ledger):
            return []
        return [to_wire(daily_summary(ledger, pool_specs(config), day)) for day in ("yesterday", "today")]
    except JitError as error:
        missing["days"] = error.message
        return None

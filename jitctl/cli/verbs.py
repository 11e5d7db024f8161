"""Every verb, as data: the help and the lazy group read this and import nothing else."""

from __future__ import annotations

from typing import NamedTuple

DAEMON, LOCAL = "daemon", "local"
PANELS = ("Daily", "Lifecycle", "Configuration", "Incident", "Data", "Analysis", "Development")


class Verb(NamedTuple):
    """`kind` is `daemon` (asks the control socket) or `local`; `module` is a file of cli/commands."""

    name: str
    panel: str
    kind: str
    summary: str

    @property
    def module(self) -> str:
        return "jitctl.cli.commands." + self.name.replace("-", "_")


VERBS = (
    Verb("health", "Daily", DAEMON, "Is the bot alive, and can it trade?"),
    Verb("status", "Daily", DAEMON, "Show what the bot is doing now."),
    Verb("check-node-sync", "Daily", LOCAL, "Check that every node is there, synced and of one mind."),
    Verb("pool-status", "Daily", DAEMON, "Show every configured pool, and why one is not traded."),
    Verb("morning-check", "Daily", LOCAL, "Go through the morning checklist in one command."),
    Verb("daily-summary", "Daily", LOCAL, "Report one day's attempts and profit."),
    Verb("preflight", "Lifecycle", LOCAL, "Check everything that a start relies on."),
    Verb("start", "Lifecycle", LOCAL, "Start the bot, in test or production mode."),
    Verb("validate-live", "Lifecycle", DAEMON, "Prove a running test bot fit for production."),
    Verb("pause", "Lifecycle", DAEMON, "Submit nothing more; returns once that is certain."),
    Verb("resume", "Lifecycle", DAEMON, "Go on after a pause."),
    Verb("clear-halt", "Lifecycle", DAEMON, "Leave a halt, into a pause, once nothing is open."),
    Verb("stop", "Lifecycle", DAEMON, "End the bot in good order."),
    Verb("restart", "Lifecycle", LOCAL, "Stop the bot in good order and start it again."),
    Verb("validate-config", "Configuration", LOCAL, "Check configuration files and list every problem."),
    Verb("validate-strategy-config", "Configuration", LOCAL, "Check strategy.toml and list every problem."),
    Verb(
        "reload-pools",
        "Configuration",
        DAEMON,
        "Take over pools.toml while the bot runs, or change nothing.",
    ),
    Verb(
        "reload-strategy",
        "Configuration",
        DAEMON,
        "Take over strategy.toml while the bot runs, or change nothing.",
    ),
    Verb("config", "Configuration", LOCAL, "See and handle the configuration: schema, values, generations."),
    Verb("verify-no-open-positions", "Incident", LOCAL, "Ask the chain whether anything is open."),
    Verb("emergency-position-check", "Incident", LOCAL, "Ask the chain whether anything is open."),
    Verb("access-log", "Incident", LOCAL, "Show who did what, and whether the audit trail is whole."),
    Verb("backup", "Data", LOCAL, "Back up the configuration."),
    Verb("restore", "Data", LOCAL, "Put a backup of the configuration back."),
    Verb("devnet", "Development", LOCAL, "Run a private chain with Uniswap v3, users and a builder."),
    Verb("demo", "Development", LOCAL, "Show the bot at work on a private chain."),
)
BY_NAME = {verb.name: verb for verb in VERBS}

"""The checks' names and what each asks, in the order of the report; standard library only."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from jitctl.errors import UsageError

NAMES: dict[str, str] = {
    "clock-skew": "this machine's clock against relays, nodes and the newest block",
    "disk-space": "room and inodes for data, logs and run",
    "file-descriptors": "the limit on open files against what the configuration can open",
    "key-permissions": "keystores and passphrases are private and belong to the daemon's user",
    "keys-open": "the keystores open with their passphrases",
    "socket-folder": "the control socket's folder is 0750 or narrower, or can be made",
    "daemon": "whether a daemon runs here, answers, and is of this version",
    "http-port": "the port of the read-only door is free, or our daemon has it",
    "signer-lock": "no other engine on this machine signs with our keys",
    "node-reachable": "the nodes answer",
    "chain-id": "the nodes are on the configured chain",
    "node-sync": "the nodes are not catching up",
    "head-age": "the newest block is recent",
    "peers": "the nodes have peers",
    "nodes-agree": "the nodes, and those of the second opinion, have the same blocks",
    "pending-feed": "pending transactions are delivered with their bodies",
    "simulate": "eth_simulateV1 tells the truth",
    "relays": "the relays answer and accept our signature",
    "executor-code": "the contract at the executor's address is this version's",
    "executor-halted": "the executor is not halted",
    "operators": "our keys are the executor's operators",
    "guardian": "the executor has a guardian that is nobody else",
    "pool-rules": "the executor allows our pools, with sensible limits",
    "loss-budget": "a fifth or more of the executor's loss budget is left",
    "allowances": "the executor lets nobody spend its tokens",
    "gas-money": "the operators can pay for gas",
    "capital": "the executor holds capital",
    "pools": "the pools exist with the configured tokens and fee",
    "price-marks": "every token has a fresh price",
    "ledger": "the ledger is writable, intact and of a known version",
    "open-positions": "no position is open",
    "alert-routes": "somebody is called when something goes wrong",
}
"""Frozen: scripts select by these names."""


def chosen(only: Sequence[str], skip: Sequence[str]) -> tuple[str, ...]:
    """Return the names to run in the report's order; raises `UsageError` for an unknown one, or for none."""
    for name in (*only, *skip):
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`jitctl preflight --list` names them"
            raise UsageError(f"there is no check {name!r}", hint=hint)
    names = tuple(name for name in NAMES if (not only or name in only) and name not in skip)
    if not names:
        raise UsageError("no check is left to run", hint="--only and --skip name the same checks")
    return names

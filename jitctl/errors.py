"""Every error that an operator can see.

    JitError                    exit 1   the operation failed
    ├── UsageError              exit 2   the command line is wrong
    ├── DaemonNotRunning        exit 3   nobody answers on the control socket
    ├── ConfigError             exit 4   a configuration is invalid; nothing was changed
    ├── TimedOut                exit 5   no answer in time, or the other side hangs
    ├── PermissionDenied        exit 6   the caller's role does not allow this
    ├── PositionsOpen           exit 7   liquidity or owed tokens remain on chain
    ├── CannotDetermine         exit 8   the truth could not be established; never reported as fine
    ├── Refused                 exit 9   not in this state, or a lock is held
    ├── NodeError               exit 1   an Ethereum node failed, lied or timed out
    ├── RelayError              exit 1   a relay refused, failed or timed out
    ├── LedgerError             exit 1   the ledger could not be read or written
    ├── ToolchainError          exit 1   a devnet artifact is missing or is not the pinned one
    └── LinkClosed              exit 1   keeper or engine lost the other

Exit 0 is success and exit 10 means warnings under `--strict`; neither is an error. A foreign exception
(web3, httpx, sqlite3, OSError) is mapped to one of these once, in the adapter that met it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class JitError(Exception):
    """An error with a stable `code`, a message that says what happened and a hint that says what to do."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the JSON form that every door shows: `{"error": {"code", "message", "hint"}}`."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class UsageError(JitError):
    code = "usage"
    exit_code = 2


class DaemonNotRunning(JitError):
    code = "daemon_not_running"
    exit_code = 3


class ConfigError(JitError):
    code = "config_invalid"
    exit_code = 4


class TimedOut(JitError):
    code = "timed_out"
    exit_code = 5


class PermissionDenied(JitError):
    code = "permission_denied"
    exit_code = 6


class PositionsOpen(JitError):
    code = "positions_open"
    exit_code = 7


class CannotDetermine(JitError):
    code = "cannot_determine"
    exit_code = 8


class Refused(JitError):
    code = "refused"
    exit_code = 9


class NodeError(JitError):
    """`rpc_code` and `rpc_data` are set when the node answered, but with a JSON-RPC error."""

    code = "node"

    def __init__(
        self, message: str, *, hint: str = "", rpc_code: int | None = None, rpc_data: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.rpc_code = rpc_code
        self.rpc_data = rpc_data


class RelayError(JitError):
    code = "relay"


class LedgerError(JitError):
    code = "ledger"


class ToolchainError(JitError):
    code = "toolchain"


class LinkClosed(JitError):
    code = "link_closed"


ERRORS_BY_CODE: dict[str, type[JitError]] = {
    error.code: error
    for error in (
        JitError, UsageError, DaemonNotRunning, ConfigError, TimedOut, PermissionDenied, PositionsOpen,
        CannotDetermine, Refused, NodeError, RelayError, LedgerError, ToolchainError, LinkClosed,
    )
}  # fmt: skip
"""The wire carries the code; the client raises the class of that code."""

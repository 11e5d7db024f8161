"""What a node says when it has been asked too often, by HTTP status or as a JSON-RPC error."""

from __future__ import annotations

from jitctl.errors import NodeError

RATE_LIMIT_CODES = frozenset({429, -32005})
"""JSON-RPC error codes that mean the same as HTTP 429. Source: EIP-1474 for -32005."""
DEFAULT_RETRY_AFTER_S = 1.0
MAX_RETRY_AFTER_S = 60.0


class RateLimitedError(NodeError):
    """The node answered 429 or its JSON-RPC equivalent; `retry_after_s` is how long to leave it alone."""

    def __init__(self, message: str, *, retry_after_s: float = DEFAULT_RETRY_AFTER_S) -> None:
        super().__init__(message, hint="raise the node's rate limit or use another node")
        self.retry_after_s = retry_after_s


def retry_after_s(header: str, default_s: float = DEFAULT_RETRY_AFTER_S) -> float:
    """Read a Retry-After header given in seconds; anything else is `default_s`, and at most 60 s."""
    try:
        seconds = float(header)
    except ValueError:
        return default_s
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if seconds == seconds else default_s

"""How the maths says that the contract would revert, or that a snapshot cannot be right."""

from __future__ import annotations


class PoolReverts(ValueError):
    """The contract would revert; `code` is its own short reason ("AS", "SPL", "TLU", "LO", ...)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class InconsistentPool(ValueError):
    """Price, tick, liquidity and tick table contradict each other: a log was lost or applied twice."""

"""Money as people read it."""

from __future__ import annotations

from decimal import Decimal

from jitctl.domain.values import Token


def ether(wei: int) -> str:
    """Return wei as ether with four decimals."""
    return f"{Decimal(wei) / 10**18:,.4f} ETH"


def amount(units: int, token: Token) -> str:
    """Return base units as the token's own unit."""
    return f"{Decimal(units) / 10**token.decimals:,.2f} {token.symbol}"

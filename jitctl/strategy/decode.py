"""From a pending transaction to what it swaps.

`Routers.router_of` is one dictionary lookup, so that a transaction to anyone else costs well under a
microsecond. `decode` never raises: calldata is hostile, and what does not parse is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jitctl.domain.chain import PendingTx
from jitctl.domain.swap_intent import SwapTx
from jitctl.domain.values import Address
from jitctl.strategy import decode_router02, decode_universal, decode_v3
from jitctl.strategy.abi_words import CalldataError
from jitctl.strategy.router_ledger import RouterLedger

MAX_CALLDATA_BYTES = 128 * 1024
"""Nodes do not relay a larger transaction."""


class RouterKind(StrEnum):
    """The routers whose calldata we read; the values are those of `SwapIntent.router`."""

    V3 = "v3"
    ROUTER02 = "02"
    UNIVERSAL = "universal"


@dataclass(frozen=True, slots=True)
class Routers:
    """Which address is which router, and the WETH that their wrap and unwrap calls mean."""

    kinds: Mapping[Address, RouterKind]
    weth: Address

    def router_of(self, to: Address | None) -> RouterKind | None:
        """Return the kind of the router at `to`, None for any other address."""
        return self.kinds.get(to) if to is not None else None


def decode(tx: PendingTx, routers: Routers) -> SwapTx | None:
    """Return what `tx` swaps on Uniswap v3, in order.

    None when it does not go to a known router or its calldata cannot be understood exactly (the slower
    path then asks the node). A call that is understood and swaps nothing on v3 has no intents.
    """
    if tx.to is None:
        return None
    kind = routers.kinds.get(tx.to)
    data = tx.calldata
    if kind is None or len(data) > MAX_CALLDATA_BYTES:
        return None
    ledger = RouterLedger(tx.value_wei)
    try:
        if kind is RouterKind.V3:
            decode_v3.decode_call(data, 0, len(data), routers.weth, ledger, tx.to)
        elif kind is RouterKind.ROUTER02:
            decode_router02.decode_call(data, 0, len(data), routers.weth, ledger, tx.to)
        else:
            decode_universal.decode_call(data, 0, len(data), routers.weth, ledger, tx.to)
    except CalldataError:
        return None
    return SwapTx(
        tx_hash=tx.hash,
        sender=tx.sender,
        gas_limit=tx.gas_limit,
        intents=tuple(ledger.intents),
        floors=tuple(ledger.floors),
        required_parent=ledger.required_parent,
    )

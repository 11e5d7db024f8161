"""A user's trade as calldata for each of the three routers, the way their front ends build it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode

from jitctl.devnet.calldata import Interface
from jitctl.devnet.toolchain import artifact
from jitctl.domain.values import ZERO_ADDRESS, Address

ROUTER_NAMES = {"v3": "v3", "02": "swapRouter02", "universal": "universal"}
"""How people name the routers, and the names in devnet.json."""

# SwapRouter02 and UniversalRouter stand-ins for addresses.
MSG_SENDER = Address("0x" + "00" * 19 + "01")
ROUTER_ITSELF = Address("0x" + "00" * 19 + "02")

_V3_SWAP_EXACT_IN, _V3_SWAP_EXACT_OUT = 0x00, 0x01
_PERMIT2_PERMIT, _WRAP_ETH, _UNWRAP_WETH = 0x0A, 0x0B, 0x0C


@dataclass(frozen=True, slots=True)
class Trade:
    """What a user wants: `tokens` along the path, `fees` between them.

    `amount` is the exact input or output, `limit_amount` the least output or most input. `native_in` and
    `native_out` say that ETH stands for WETH at that end.
    """

    user: Address
    tokens: tuple[Address, ...]
    fees: tuple[int, ...]
    exact_in: bool
    amount: int
    limit_amount: int
    deadline_s: int
    native_in: bool = False
    native_out: bool = False

    @property
    def value_wei(self) -> int:
        """Return the ETH that goes with the call."""
        if not self.native_in:
            return 0
        return self.amount if self.exact_in else self.limit_amount

    def packed_path(self) -> bytes:
        """Return the path as the pools are called: reversed for an exact output."""
        tokens, fees = (self.tokens, self.fees) if self.exact_in else (self.tokens[::-1], self.fees[::-1])
        packed = bytes.fromhex(tokens[0][2:])
        for fee, token in zip(fees, tokens[1:], strict=True):
            packed += fee.to_bytes(3, "big") + bytes.fromhex(token[2:])
        return packed


@dataclass(frozen=True, slots=True)
class Permit:
    """A signed Permit2 allowance that goes with a UniversalRouter call."""

    token: Address
    amount: int
    expiration_s: int
    nonce: int
    spender: Address
    signature_deadline_s: int
    signature: bytes


def encode_trade(router: str, trade: Trade, permit: Permit | None = None) -> str:
    """Return the calldata for `v3`, `02` or `universal`; KeyError for another router."""
    return (
        {"v3": _swap_router, "02": _swap_router_02}[router](trade)
        if router != "universal"
        else (_universal_router(trade, permit))
    )


def _swap_router(trade: Trade) -> str:
    abi = Interface(artifact("v3-periphery", "SwapRouter")["abi"])
    # The router reads the zero address as itself.
    recipient = ZERO_ADDRESS if trade.native_out else trade.user
    calls = [_v3_call(abi, trade, recipient, (trade.deadline_s,))]
    calls += _tail_calls(abi, trade)
    return calls[0] if len(calls) == 1 else abi.call("multicall", [bytes.fromhex(c[2:]) for c in calls])


def _swap_router_02(trade: Trade) -> str:
    abi = Interface(artifact("swap-router", "SwapRouter02")["abi"])
    recipient = ROUTER_ITSELF if trade.native_out else trade.user
    calls = [_v3_call(abi, trade, recipient, ()), *_tail_calls(abi, trade)]
    # This router knows a deadline only as part of a multicall.
    return abi.call("multicall(uint256,bytes[])", trade.deadline_s, [bytes.fromhex(c[2:]) for c in calls])


def _v3_call(abi: Interface, trade: Trade, recipient: Address, deadline: Sequence[int]) -> str:
    amounts = (trade.amount, trade.limit_amount)
    kind = "exactInput" if trade.exact_in else "exactOutput"
    if len(trade.fees) == 1:
        token_in, token_out = trade.tokens
        return abi.call(
            f"{kind}Single", (token_in, token_out, trade.fees[0], recipient, *deadline, *amounts, 0)
        )
    return abi.call(kind, (trade.packed_path(), recipient, *deadline, *amounts))


def _tail_calls(abi: Interface, trade: Trade) -> list[str]:
    calls = []
    if trade.native_out:
        least = trade.limit_amount if trade.exact_in else trade.amount
        calls.append(abi.call("unwrapWETH9(uint256,address)", least, trade.user))
    if trade.native_in and not trade.exact_in:
        calls.append(abi.call("refundETH"))
    return calls


def _universal_router(trade: Trade, permit: Permit | None) -> str:
    abi = Interface(artifact("universal-router", "UniversalRouter")["abi"])
    commands, inputs = bytearray(), []

    def add(command: int, types: Sequence[str], *args: object) -> None:
        commands.append(command)
        inputs.append(encode(types, args))

    if permit is not None:
        details = (permit.token, permit.amount, permit.expiration_s, permit.nonce)
        single = (details, permit.spender, permit.signature_deadline_s)
        types = ["((address,uint160,uint48,uint48),address,uint256)", "bytes"]
        add(_PERMIT2_PERMIT, types, single, permit.signature)
    if trade.native_in:
        add(_WRAP_ETH, ["address", "uint256"], ROUTER_ITSELF, trade.value_wei)
    add(
        _V3_SWAP_EXACT_IN if trade.exact_in else _V3_SWAP_EXACT_OUT,
        ["address", "uint256", "uint256", "bytes", "bool"],
        ROUTER_ITSELF if trade.native_out else MSG_SENDER,
        trade.amount,
        trade.limit_amount,
        trade.packed_path(),
        not trade.native_in,
    )
    if trade.native_out:
        least = trade.limit_amount if trade.exact_in else trade.amount
        add(_UNWRAP_WETH, ["address", "uint256"], MSG_SENDER, least)
    elif trade.native_in and not trade.exact_in:
        add(_UNWRAP_WETH, ["address", "uint256"], MSG_SENDER, 0)
    return abi.call("execute(bytes,bytes[],uint256)", bytes(commands), inputs, trade.deadline_s)

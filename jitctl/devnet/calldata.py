"""ABI encoding of calls by the contract's own ABI, for the devnet's set-up and its users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from jitctl.domain.values import Address, address


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an ABI."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A contract's ABI, ready to encode; overloads are told apart by their number of arguments."""

    abi: Sequence[dict[str, Any]]
    _functions: dict[tuple[str, int], Function] = field(default_factory=dict)
    _by_signature: dict[str, Function] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.abi:
            if entry["type"] != "function":
                continue
            inputs = tuple(_type_of(row) for row in entry["inputs"])
            signature = f"{entry['name']}({','.join(inputs)})"
            function = Function(
                keccak(text=signature)[:4], inputs, tuple(_type_of(row) for row in entry["outputs"])
            )
            self._functions[entry["name"], len(inputs)] = function
            self._by_signature[signature] = function

    def call(self, name: str, *args: Any) -> str:
        """Return the calldata of a call as 0x hex; `name` may be a full signature. KeyError if unknown."""
        function = self._by_signature.get(name) or self._functions[name, len(args)]
        return "0x" + (function.selector + encode(function.inputs, args)).hex()

    def result(self, name: str, data: str, arity: int = 0) -> tuple[Any, ...]:
        """Decode what a call of `name` (with `arity` arguments) returned."""
        return tuple(decode(self._functions[name, arity].outputs, bytes.fromhex(data[2:])))

    def creation(self, bytecode: str, *args: Any) -> str:
        """Return the creation code with its constructor arguments."""
        for entry in self.abi:
            if entry["type"] == "constructor":
                return bytecode + encode([_type_of(row) for row in entry["inputs"]], args).hex()
        return bytecode


def created_address(sender: Address, nonce: int) -> Address:
    """Return the address of the contract that `sender` creates with `nonce` (below 2**64)."""
    digits = b"" if nonce == 0 else nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    encoded_nonce = digits if len(digits) == 1 and digits[0] < 0x80 else bytes([0x80 + len(digits)]) + digits
    payload = b"\x94" + bytes.fromhex(sender[2:]) + encoded_nonce
    return address("0x" + keccak(bytes([0xC0 + len(payload)]) + payload)[12:].hex())


def pool_address(
    factory: Address, token0: Address, token1: Address, fee_pips: int, init_code_hash: bytes
) -> Address:
    """Return the CREATE2 address that the factory gives the pool; the tokens must be in order."""
    salt = keccak(encode(["address", "address", "uint24"], [token0, token1, fee_pips]))
    preimage = b"\xff" + bytes.fromhex(factory[2:]) + salt + init_code_hash
    return address("0x" + keccak(preimage)[12:].hex())


def _type_of(row: dict[str, Any]) -> str:
    kind: str = row["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type_of(part) for part in row['components'])}){kind[5:]}"

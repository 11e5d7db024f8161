"""The compiled executor, loaded on first use from the JSON beside this file (`build.py` writes it)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jitctl.domain.values import Address

_PATH = Path(__file__).with_name("JitExecutor.json")


@cache
def load() -> dict[str, Any]:
    """Return the whole artifact; `build.compile_executor` says what is in it."""
    loaded: dict[str, Any] = json.loads(_PATH.read_text(encoding="utf-8"))
    return loaded


def executor_abi() -> list[dict[str, Any]]:
    """Return the contract's ABI."""
    abi: list[dict[str, Any]] = load()["abi"]
    return abi


def creation_code(owner: Address, weth: Address, factory: Address) -> bytes:
    """Return the data of the transaction that deploys an executor: bytecode and constructor arguments."""
    return _code("bytecode") + _words(owner, weth, factory)


def runtime_code(weth: Address, factory: Address) -> bytes:
    """Return the exact code that an executor of this version has on chain; compare with `eth_getCode`."""
    return _code("runtimeCode") + _words(weth, factory)


def _code(key: str) -> bytes:
    return bytes.fromhex(load()[key].removeprefix("0x"))


def _words(*addresses: Address) -> bytes:
    return b"".join(bytes(12) + bytes.fromhex(address[2:]) for address in addresses)

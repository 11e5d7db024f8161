"""Recompile the executor: `python -m jitctl.contracts.build` writes the artifact beside the sources.

Needs the pinned Vyper of the `dev` extra. The result depends on the sources and the compiler only: no
path, date or metadata is in it, so a test can compare it byte by byte with the committed one.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from web3 import Web3

VYPER_VERSION = "0.4.3"
EVM_VERSION = "cancun"
OPTIMIZE = "gas"
SOURCES = (
    "JitExecutor.vy",
    "loss_budget.vy",
    "pool_rules.vy",
    "pool_twap.vy",
    "position_record.vy",
    "position_value.vy",
    "roles.vy",
    "tick_price.vy",
)
"""The contract first, then the modules that it imports."""

_HERE = Path(__file__).parent
ARTIFACT_PATH = _HERE / "JitExecutor.json"


def compile_executor() -> dict[str, Any]:
    """Return the artifact: contractName, compiler, sourceHashes, abi, bytecode, runtimeCode, runtimeCodeHash.

    `runtimeCode` is without the immutables, which the constructor appends (see `artifact.runtime_code`).
    RuntimeError if the installed compiler is not the pinned one.
    """
    compiled = compile_source(_HERE / SOURCES[0])
    return {
        "contractName": "JitExecutor",
        "compiler": {
            "name": "vyper",
            "version": VYPER_VERSION,
            "evmVersion": EVM_VERSION,
            "optimize": OPTIMIZE,
        },
        "sourceHashes": {name: _keccak_hex((_HERE / name).read_bytes()) for name in SOURCES},
        "abi": compiled["abi"],
        "bytecode": compiled["bytecode"],
        "runtimeCode": compiled["bytecode_runtime"],
        "runtimeCodeHash": _keccak_hex(bytes.fromhex(compiled["bytecode_runtime"].removeprefix("0x"))),
    }


def compile_source(path: Path) -> dict[str, Any]:
    """Return abi, bytecode and bytecode_runtime of a Vyper file; it may import what is here or beside it."""
    # Imported by name: vyper is a development tool without type information.
    vyper = importlib.import_module("vyper")
    compiler = importlib.import_module("vyper.compiler")
    input_bundle = importlib.import_module("vyper.compiler.input_bundle")
    options = importlib.import_module("vyper.compiler.settings")

    if vyper.__version__.split("+")[0] != VYPER_VERSION:
        raise RuntimeError(f"vyper {VYPER_VERSION} is needed, {vyper.__version__} is installed")
    bundle = input_bundle.FilesystemInputBundle([_HERE, path.parent])
    with bundle.search_path(path.parent):
        source = bundle.load_file(path.name)
        result: dict[str, Any] = compiler.compile_from_file_input(
            source,
            input_bundle=bundle,
            settings=options.Settings(
                evm_version=EVM_VERSION, optimize=options.OptimizationLevel.from_string(OPTIMIZE)
            ),
            output_formats=["abi", "bytecode", "bytecode_runtime"],
            no_bytecode_metadata=True,
        )
    return result


def render(artifact: dict[str, Any]) -> str:
    """Return the artifact as the text that is committed."""
    return json.dumps(artifact, indent=1) + "\n"


def _keccak_hex(data: bytes) -> str:
    return "0x" + Web3.keccak(data).hex()


if __name__ == "__main__":
    ARTIFACT_PATH.write_text(render(compile_executor()), encoding="utf-8")

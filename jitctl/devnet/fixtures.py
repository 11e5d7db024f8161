"""The devnet's own small contracts: test tokens, price feed, liquidity provider, gas burner.

Sources lie in `contracts/*.vy`; what they compile to is committed beside them, so that running a devnet
needs no compiler. After a change of a source: `python -m jitctl.devnet.fixtures`.
"""

from __future__ import annotations

import functools
import importlib
import json
from pathlib import Path
from typing import Any

from jitctl.errors import ToolchainError

SOURCES = Path(__file__).with_name("contracts")
COMPILED = SOURCES / "compiled.json"


@functools.cache
def fixture(name: str) -> dict[str, Any]:
    """Return `{"abi", "bytecode"}` of one of the devnet's own contracts."""
    contracts: dict[str, dict[str, Any]] = json.loads(COMPILED.read_bytes())
    try:
        return contracts[name]
    except KeyError:
        raise ToolchainError(f"no devnet contract {name!r}", hint=f"known: {', '.join(contracts)}") from None


def compile_all() -> dict[str, dict[str, Any]]:
    """Compile every source; needs the vyper package of the pinned version."""
    # Imported by name: vyper is a development tool without type information.
    compiler = importlib.import_module("vyper.compiler")
    bundle = importlib.import_module("vyper.compiler.input_bundle").FilesystemInputBundle([SOURCES])
    compiled = {}
    for path in sorted(SOURCES.glob("*.vy")):
        output = compiler.compile_from_file_input(
            bundle.load_file(path.name), input_bundle=bundle, output_formats=["abi", "bytecode"]
        )
        compiled[path.stem] = {"abi": output["abi"], "bytecode": output["bytecode"]}
    return compiled


def render(compiled: dict[str, dict[str, Any]]) -> str:
    """Return the committed file's text for `compiled`."""
    return json.dumps(compiled, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    COMPILED.write_text(render(compile_all()))

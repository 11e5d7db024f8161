"""The SARIF 2.1.0 schema as its authors publish it: a file of an npm package, pinned by its hash."""

from __future__ import annotations

import json
from typing import Any

from jitctl.devnet.toolchain import Package, folder_of

_FILE = "dist/json-schema/sarif-schema-2.1.0.json"
_SARIF = Package(
    "sarif-schema",
    "@datadog/datadog-ci-plugin-sarif",
    "4.4.0",
    "sha512-kgExnC/ReiGKr9R6SxaXr62lp2fYJQ4i8c9x4/GqDpNbLENQdsqBmxs6h1/N3xkdt3/p3RZlMcAhIytLYDkBAA==",
    (_FILE,),
)


def sarif_schema() -> dict[str, Any]:
    """Return the schema; from the network the first time only."""
    schema: dict[str, Any] = json.loads((folder_of(_SARIF) / _FILE).read_bytes())
    return schema

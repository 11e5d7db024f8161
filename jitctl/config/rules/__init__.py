"""Rules across keys and files. A check names the files that it reads as its parameters.

It is run once all of them have the right shape: `main` is jitctl.toml; `pools`, `strategy`, `alerts`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from jitctl.config.rules import alerts, main, pools, strategy
from jitctl.config.rules.finding import Finding

PARAMETER_BY_STEM = {"jitctl": "main", "pools": "pools", "strategy": "strategy", "alerts": "alerts"}
CHECKS = tuple(
    (check, tuple(inspect.signature(check).parameters))
    for module in (pools, main, strategy, alerts)
    for check in module.CHECKS
)


def findings(models: Mapping[str, BaseModel]) -> Iterator[Finding]:
    """Yield what every check finds whose files are all in `models`, which goes by file stem."""
    given = {PARAMETER_BY_STEM[stem]: model for stem, model in models.items()}
    for check, needs in CHECKS:
        if all(name in given for name in needs):
            yield from check(**{name: given[name] for name in needs})

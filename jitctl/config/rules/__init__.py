"""Rules across keys and files. A check names the files that it reads as its parameters.

It is run once all of them have the right shape: `main` is jitctl.toml; `pools`, `strategy`, `alerts`. A
parameter that may be None is a file that helps but need not be there. Where a file is wrong in one part,
checks still see the rest of it: one ends where it asks for what is wrong, and one that concludes from what
a list or table does not say (`needs_whole`) is left out where that is not all there.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jitctl.config.rules import alerts, main, money, pool_address, pools, strategy, urls
from jitctl.config.rules.finding import Finding, PartIsWrongError, Parts

PARAMETER_BY_STEM = {"jitctl": "main", "pools": "pools", "strategy": "strategy", "alerts": "alerts"}
CHECKS = tuple(
    (check, inspect.signature(check).parameters)
    for module in (pools, pool_address, main, urls, strategy, money, alerts)
    for check in module.CHECKS
)


def findings(models: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what every check finds whose files are all in `models` (or their `Parts`), by file stem."""
    given = {PARAMETER_BY_STEM[stem]: model for stem, model in models.items()}
    for check, parameters in CHECKS:
        if any(
            each.default is inspect.Parameter.empty and name not in given for name, each in parameters.items()
        ):
            continue
        files = {name: given.get(name) for name in parameters}
        if not all(_has_all(files, place) for place in getattr(check, "needs_whole", ())):
            continue
        try:
            for finding in check(**files):
                model = models[finding.file]
                path = model.path_of(finding.path) if isinstance(model, Parts) else finding.path
                yield replace(finding, path=path)
        except PartIsWrongError:
            continue


def _has_all(files: Mapping[str, Any], place: str) -> bool:
    name, *path = place.split(".")
    return not isinstance(files[name], Parts) or files[name].has_all(path)

"""Rules of alerts.toml."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jitctl.config.rules.finding import Finding

CHECKS: tuple[Callable[..., Iterator[Finding]], ...] = ()

"""Rules of alerts.toml about rules: known metrics, levels and thresholds that make sense."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise

from jitctl.config.alert_metrics import ABOVE, BELOW, BY_NAME, YES, AlertMetric
from jitctl.config.alert_models import RUNBOOK_PLACE, AlertsConfig, RuleConfig
from jitctl.config.nearest import did_you_mean
from jitctl.config.rules.finding import Finding


def metrics_known(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC411 the metric exists; JC412 the rule says in its way when it fires; JC419 over enough attempts."""
    for name, rule in alerts.rules.items():
        at = ("rules", name)
        metric = BY_NAME.get(rule.metric)
        if metric is None:
            known = ", ".join(BY_NAME)
            message = f"there is no metric {rule.metric!r} (known: {known})"
            yield Finding("JC411", "alerts", (*at, "metric"), message, did_you_mean(rule.metric, BY_NAME))
            continue
        yield from _fires(at, rule, metric)
        if metric.needs_attempts and rule.enabled and rule.min_attempts == 0:
            where = (*at, "min_attempts") if "min_attempts" in rule.model_fields_set else at
            yield Finding("JC419", "alerts", where, f"{metric.name} without min_attempts")


def _fires(at: tuple[str, ...], rule: RuleConfig, metric: AlertMetric) -> Iterator[Finding]:
    given = [key for key in (YES, ABOVE, BELOW) if getattr(rule, key) is not None]
    right = metric.fires_by
    reason = "is or is not so" if right == YES else f"is worse the {'higher' if right == ABOVE else 'lower'}"
    for key in given:
        if key != right:
            message = f"{metric.name} {reason}: this rule wants {right!r}"
            yield Finding("JC412", "alerts", (*at, key), message)
    if not given:
        yield Finding("JC412", "alerts", at, f"says no {right!r}, so it never fires")
    elif right in given and not rule.levels():
        yield Finding("JC412", "alerts", (*at, right), "names no level, so it never fires")


def thresholds_ordered(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC413 the more severe level has the more severe threshold."""
    for name, rule in alerts.rules.items():
        for key, thresholds in ((ABOVE, rule.above), (BELOW, rule.below)):
            given = list(thresholds.given().items()) if thresholds else []
            for (upper, severe), (lower, limit) in pairwise(given):
                if (limit >= severe) if key == ABOVE else (limit <= severe):
                    word = "higher" if key == BELOW else "lower"
                    message = f"{limit:g} is not {word} than {upper}'s {severe:g}"
                    yield Finding("JC413", "alerts", ("rules", name, key, lower), message)


def thresholds_in_range(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC414 a threshold can be passed."""
    for name, rule in alerts.rules.items():
        metric = BY_NAME.get(rule.metric)
        if metric is None:
            continue
        for key, thresholds in ((ABOVE, rule.above), (BELOW, rule.below)):
            for level, limit in (thresholds.given() if thresholds else {}).items():
                if not _can_pass(metric, key, limit):
                    bound = "" if math.isinf(metric.highest) else f" and at most {metric.highest:g}"
                    message = f"{limit:g} is out of range: {metric.name} is at least {metric.lowest:g}{bound}"
                    yield Finding(
                        "JC414", "alerts", ("rules", name, key, level), message, f"it is {metric.unit}"
                    )


def _can_pass(metric: AlertMetric, key: str, limit: float) -> bool:
    if key == ABOVE:
        return metric.lowest <= limit < metric.highest
    return metric.lowest < limit <= metric.highest


def runbook_linked(alerts: AlertsConfig) -> Iterator[Finding]:
    """JC420 the link can lead somewhere."""
    for name, rule in alerts.rules.items():
        if rule.runbook is not None and not re.fullmatch(RUNBOOK_PLACE, rule.runbook):
            message = f"{rule.runbook!r} is no anchor of a heading, and no URL"
            anchor = re.sub(r"[^a-z0-9]+", "-", rule.runbook.lower()).strip("-")
            hint = f"did you mean {anchor!r}?" if anchor and "://" not in rule.runbook else ""
            yield Finding("JC420", "alerts", ("rules", name, "runbook"), message, hint)


CHECKS = (runbook_linked, metrics_known, thresholds_ordered, thresholds_in_range)

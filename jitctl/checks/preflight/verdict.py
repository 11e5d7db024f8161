"""What a check says, and how the answers about several things become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jitctl.control.schema import FAIL, PASS, UNKNOWN, WARN

_BADNESS = (PASS, WARN, UNKNOWN, FAIL)
_SHOWN = 5


class Verdict(NamedTuple):
    """`result` is pass, warn, fail or unknown; `remedy` is empty for a pass.

    `about` is the pool, token or node that it is about, `parts` what it was put together from.
    """

    result: str
    detail: str
    remedy: str = ""
    about: str = ""
    parts: tuple[Verdict, ...] = ()


class NotAsked(Exception):
    """What this check stands on is missing; another check says so, and this one is unknown."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy


def passed(detail: str) -> Verdict:
    return Verdict(PASS, detail)


def warned(detail: str, remedy: str) -> Verdict:
    return Verdict(WARN, detail, remedy)


def failed(detail: str, remedy: str, *, about: str = "") -> Verdict:
    return Verdict(FAIL, detail, remedy, about)


def unknown(detail: str, remedy: str) -> Verdict:
    return Verdict(UNKNOWN, detail, remedy)


def together(verdicts: Iterable[Verdict], summary: str) -> Verdict:
    """Return the worst result with the details of what did not pass; `summary` where everything did."""
    found = list(verdicts)
    wrong = sorted(
        (each for each in found if each.result != PASS), key=lambda each: -_BADNESS.index(each.result)
    )
    if not wrong:
        return passed(summary)
    remedies = dict.fromkeys(each.remedy for each in wrong if each.remedy)
    details = listed(each.detail for each in wrong)
    return Verdict(wrong[0].result, details, listed(remedies), parts=tuple(wrong))


def listed(texts: Iterable[str]) -> str:
    """Return the first few texts on one line, and how many more there are."""
    found = list(texts)
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")

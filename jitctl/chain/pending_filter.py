"""The cheap test that most pending transactions fail, made on the raw bytes before any JSON is parsed.

Nodes send compact JSON with lower-case hex. The filter may let an uninteresting transaction through, and
it never drops one that is written in that form and is interesting: `to` a watched router, a sender that
is being watched, or a watched pool or token anywhere in the body.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from jitctl.domain.values import Address

_TO = b'"to":"0x'
_FROM = b'"from":"0x'
_BLOB = b'"type":"0x3"'
_SUBSCRIPTION = b'"eth_subscription"'
_AS_NOTIFICATION = _SUBSCRIPTION + b":"
_HEX_DIGITS = 40
FOLLOWED_SENDERS = 4096


class Verdict(IntEnum):
    IRRELEVANT = 0
    IRRELEVANT_BLOB = 1
    PARSE = 2


@dataclass(frozen=True, slots=True)
class PendingWatch:
    """What makes a pending transaction interesting.

    `routers` are matched with `to`; `mentions` (pools, tokens) anywhere in the body, for calls through
    contracts that no decoder knows; `own` senders are always dropped.
    """

    routers: frozenset[Address]
    mentions: frozenset[Address] = frozenset()
    own: frozenset[Address] = frozenset()


class PendingFilter:
    """`judge` costs about a microsecond for a transaction that mentions nothing of ours."""

    def __init__(self, watch: PendingWatch) -> None:
        self.watch = watch
        self._routers = frozenset(_digits(watch.routers))
        self._mentions = tuple(sorted(_digits(watch.mentions)))
        self._senders: OrderedDict[bytes, None] = OrderedDict()

    def follow(self, sender: Address) -> None:
        """Let everything from `sender` through: it may replace a transaction that we want.

        The most recent `FOLLOWED_SENDERS` are kept.
        """
        self._senders[sender[2:].encode()] = None
        if len(self._senders) > FOLLOWED_SENDERS:
            self._senders.popitem(last=False)

    def rewatch(self, watch: PendingWatch) -> PendingFilter:
        """A filter for `watch` that goes on following the same senders."""
        successor = PendingFilter(watch)
        successor._senders = self._senders
        return successor

    def judge(self, raw: bytes) -> Verdict:
        """Decide on one WebSocket frame; frames that are not notifications of a body are `PARSE`."""
        at = raw.find(_TO)
        if at < 0 or _SUBSCRIPTION not in raw:
            return Verdict.PARSE
        if raw[at + len(_TO) : at + len(_TO) + _HEX_DIGITS].lower() in self._routers:
            return Verdict.PARSE
        if self._senders:
            at = raw.find(_FROM)
            if raw[at + len(_FROM) : at + len(_FROM) + _HEX_DIGITS].lower() in self._senders:
                return Verdict.PARSE
        for mention in self._mentions:
            if mention in raw:
                return Verdict.PARSE
        return Verdict.IRRELEVANT_BLOB if _BLOB in raw else Verdict.IRRELEVANT

    def wants_body(self, body: Any) -> bool:
        """The same decision for a body that was fetched by its hash and is already parsed."""
        try:
            return self.judge(_AS_NOTIFICATION + orjson.dumps(body)) is Verdict.PARSE
        except TypeError:
            return False


def _digits(addresses: Iterable[Address]) -> Iterable[bytes]:
    return (address[2:].lower().encode() for address in addresses)

"""relays: each answers a signed request that changes nothing, and knows us by its signature."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from jitctl.checks.preflight.context import Context
from jitctl.checks.preflight.keystores import identity_files
from jitctl.checks.preflight.verdict import NotAsked, Verdict, failed, passed, together, unknown, warned
from jitctl.config.models import RelayConfig
from jitctl.domain.bundle import RelayOutcome
from jitctl.errors import JitError
from jitctl.execution.relay import HttpRelay, RelayAnswer, RelayEndpoint

_SIGNATURE_WORDS = ("signature", "signer", "unauthori", "forbidden", "http 401", "http 403")


async def relays(context: Context) -> Verdict:
    configured = context.config.main.relays
    if not configured:
        return warned("none: only mode test can run", "add [[relays]] to jitctl.toml before mode production")
    verdicts = await asyncio.gather(*(_relay(context, relay) for relay in configured))
    return together(verdicts, "; ".join(each.detail for each in verdicts))


async def _relay(context: Context, relay: RelayConfig) -> Verdict:
    name = relay.name
    try:
        key = await context.key(identity_files(context.config, relay))
    except JitError as error:
        return unknown(f"{name}: not asked: {error.message}", "see key-permissions and keys-open")
    asked = HttpRelay(RelayEndpoint(name, relay.url, key, context.bounds.relay_s))
    try:
        answer = await _first_known(asked, await _questions(context))
    finally:
        await asked.close()
    return _verdict(relay, answer)


async def _questions(context: Context) -> list[tuple[str, Sequence[Any]]]:
    """Return requests that have no effect: our own statistics, or to cancel what was never sent."""
    cancel = ("eth_cancelBundle", [{"replacementUuid": str(uuid.uuid4())}])
    try:
        async with asyncio.timeout(context.bounds.head_s):
            head = (await context.node()).head
    except (NotAsked, TimeoutError):
        return [cancel]
    return [("flashbots_getUserStatsV2", [{"blockNumber": hex(head.number)}]), cancel]


async def _first_known(asked: HttpRelay, questions: Sequence[tuple[str, Sequence[Any]]]) -> RelayAnswer:
    """Return the answer to the first question whose method the relay knows, else the last one."""
    for method, params in questions:
        answer = await asked.request(method, params)
        if not _no_such_method(answer):
            break
    return answer


def _no_such_method(answer: RelayAnswer) -> bool:
    text = answer.detail.lower()
    return answer.outcome == RelayOutcome.REFUSED and "method" in text and not _about_signature(text)


def _about_signature(text: str) -> bool:
    return any(word in text for word in _SIGNATURE_WORDS)


def _verdict(relay: RelayConfig, answer: RelayAnswer) -> Verdict:
    name, detail = relay.name, answer.detail
    if answer.outcome == RelayOutcome.ACCEPTED:
        return passed(f"{name} accepts our signature ({answer.elapsed_ms:.0f} ms)")
    if answer.outcome == RelayOutcome.REFUSED:
        if _about_signature(detail.lower()):
            remedy = f"check the identity key of [[relays]] {name}, and whether the relay must know it first"
            return failed(f"{name} refuses our signature: {detail}", remedy)
        if _no_such_method(answer):
            text = f"{name} answers, but offers no request that would prove our signature"
            return warned(text, f"watch the replies of {name} in the log after the start")
        return failed(f"{name} refuses: {detail}", f"ask the operators of {name} what is wrong")
    if answer.outcome == RelayOutcome.RATE_LIMITED:
        return warned(f"{name} limits our requests: {detail}", f"ask {name} for a higher limit")
    if answer.outcome == RelayOutcome.BAD_REPLY:
        return failed(f"{name} does not answer as a relay: {detail}", f"correct the url of [[relays]] {name}")
    remedy = f"check the url of [[relays]] {name} and the network; {name} may be down"
    return unknown(f"{name}: {detail}", remedy)

"""The run itself: what is chosen, what takes too long, what breaks, and who is told."""

from __future__ import annotations

import asyncio

import pytest

from jitctl.checks.preflight import runner
from jitctl.checks.preflight.bounds import Bounds
from jitctl.checks.preflight.clock import judge, offset_s
from jitctl.checks.preflight.names import NAMES, chosen
from jitctl.checks.preflight.runner import CHECKS, Check
from jitctl.errors import UsageError
from tests.chain.fake_node import FakeNode
from tests.checks.preflight.ready_bot import PATIENT, ReadyBot
from tests.execution.fake_relay import FakeRelay


def test_every_name_has_its_check_and_every_check_its_name() -> None:
    assert set(CHECKS) == set(NAMES)


def test_choosing() -> None:
    assert chosen((), ()) == tuple(NAMES)
    assert chosen(("ledger", "relays"), ()) == ("relays", "ledger")
    assert set(NAMES) - set(chosen((), ("relays",))) == {"relays"}
    with pytest.raises(UsageError) as unknown:
        chosen(("leger",), ())
    assert unknown.value.hint == "did you mean 'ledger'?"
    with pytest.raises(UsageError):
        chosen((), ("nothing-like-it",))
    with pytest.raises(UsageError):
        chosen(("ledger",), ("ledger",))


async def test_a_node_that_hangs_makes_unknowns_in_bounded_time(bot: ReadyBot) -> None:
    bot.lay("node", "stall", 0, "eth_getCode")
    found = await bot.finding("executor-code", bounds=Bounds(check_s=0.4))
    assert found.result == "unknown"
    assert found.remedy
    bot.lay("node", "stall")
    checks = (await bot.report(bounds=Bounds(check_s=0.4))).checks
    results = {each.name: each.result for each in checks}
    assert len(results) == len(NAMES)
    waiting = ("executor-code", "gas-money", "pools", "open-positions")
    assert [results[name] for name in waiting] == ["unknown"] * len(waiting)


async def test_a_check_that_does_not_end_and_one_with_a_defect_stay_alone(
    bot: ReadyBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_context: object) -> runner.Verdict:
        await asyncio.Event().wait()
        raise AssertionError

    async def broken(_context: object) -> runner.Verdict:
        raise ZeroDivisionError("a secret that nobody should see")

    monkeypatch.setitem(CHECKS, "disk-space", Check(never, "a disk that hangs"))
    monkeypatch.setitem(CHECKS, "alert-routes", Check(broken, ""))
    report = await bot.report(
        only=["disk-space", "alert-routes", "socket-folder"], bounds=Bounds(check_s=0.3)
    )
    slow, fine, defect = report.checks
    assert (slow.result, "from a disk that hangs" in slow.detail) == ("unknown", True)
    assert fine.result == "pass"
    assert (defect.result, defect.detail) == ("unknown", "this check has a defect: ZeroDivisionError")
    assert report.result == "unknown"
    assert (await bot.finding("socket-folder")).result == "pass"


async def test_a_pending_transaction_with_its_body(bot: ReadyBot) -> None:
    asked = asyncio.ensure_future(bot.finding("pending-feed", bounds=Bounds(check_s=60.0, listen_s=60.0)))
    while not asked.done():
        await bot.rig.swap(bot.rig.spec("WETH/USDC-0.05%"), 10**15)
        await asyncio.wait([asked], timeout=0.05)
    found = await asked
    assert (found.result, found.detail) == ("pass", "door sends full bodies")


async def test_a_node_that_sends_hashes_only(bot: ReadyBot) -> None:
    async with FakeNode() as node:
        node.chain_id = bot.net.manifest.chain_id
        node.answers["eth_getBlockByNumber"] = bot.net.chain.head.block
        urls = {"http_url": node.endpoint.http_url, "ws_url": node.endpoint.ws_url}
        bot.edit("jitctl", lambda main: main["nodes"][0].update(urls))
        asked = asyncio.ensure_future(bot.finding("pending-feed", bounds=Bounds(check_s=60.0, listen_s=0.5)))
        while not asked.done():
            await node.notify("newPendingTransactions", "0x" + "ab" * 32)
            await asyncio.wait([asked], timeout=0.02)
    found = await asked
    assert (found.result, found.detail) == ("fail", "door sends hashes only")


async def test_progress_is_told(bot: ReadyBot) -> None:
    from jitctl.config.load import load

    told: list[tuple[str, int, int]] = []
    await runner.preflight(
        load(bot.folder / "config"),
        only=["alert-routes", "keys-open"],
        host=bot.host,
        bounds=PATIENT,
        ended=lambda *each: told.append(each),
    )
    assert sorted(name for name, _, _ in told) == ["alert-routes", "keys-open"]
    assert [each[1:] for each in told] == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("offsets", "behind_s", "result"),
    [([], -3.0, "pass"), ([], None, "warn"), ([], 2.5, "fail"), ([0.4, -1.0], -3.0, "pass"),
     ([3.0], -3.0, "warn"), ([-8.0, -8.0, 0.0], -3.0, "fail"), ([0.0, 0.1, 90.0], -3.0, "pass")],
)  # fmt: skip
def test_the_clock_is_judged_by_the_median(offsets: list[float], behind_s: float | None, result: str) -> None:
    assert judge(offsets, behind_s).result == result


async def test_the_time_of_another_machine_is_read_from_its_answer() -> None:
    async with FakeRelay() as relay:
        url = relay.endpoint().url
        offset = await offset_s(url, lambda: 0.0, 60.0)
        assert offset is not None
        assert offset > 1_700_000_000
    assert await offset_s(url, lambda: 0.0, 60.0) is None


async def test_keys_for_which_there_was_no_time_are_not_called_open(bot: ReadyBot) -> None:
    opened = await bot.finding("keys-open", bounds=Bounds(check_s=1e-9))
    assert opened.result == "unknown"

"""Each thing that can be wrong is noticed by its own check, with a remedy, and by no other."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jitctl.checks.preflight.context import Context, Host
from jitctl.devnet.executor_setup import executor_artifact
from jitctl.ledger.store import LedgerStore
from jitctl.safety.signer_lock import SignerLock
from tests.chain.fake_node import FakeNode
from tests.checks.preflight.ready_bot import (
    ASKED_OF_THE_EXECUTOR,
    ASKED_OF_THE_NODE,
    DEAD,
    GIB,
    HEALTHY,
    ReadyBot,
    disk,
)
from tests.execution.fake_relay import FakeRelay, raw
from tests.unprivileged import as_nobody

USDC = "WETH/USDC-0.05%"


def unknown(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "unknown")


async def test_a_healthy_bot_passes(bot: ReadyBot) -> None:
    report = await bot.report()
    assert {each.name: each.result for each in report.checks} == HEALTHY, report
    assert [each.name for each in report.checks] == list(HEALTHY)
    assert report.result == "warn"


# -- the machine


@pytest.mark.parametrize(
    ("free", "inodes", "result"),
    [(GIB - 4096, 0.9, "fail"), (4 * GIB, 0.9, "warn"), (15 * GIB, 0.9, "warn"), (100 * GIB, 0.001, "fail"),
     (100 * GIB, 0.05, "warn"), (21 * GIB, 0.2, "pass")],
)  # fmt: skip
async def test_disk_space(bot: ReadyBot, free: int, inodes: float, result: str) -> None:
    bot.with_host(statvfs=disk(free, inodes))
    found = await bot.finding("disk-space")
    assert (found.result, bool(found.remedy)) == (result, result != "pass"), found


async def test_little_room_few_descriptors_and_a_wide_socket_folder(bot: ReadyBot) -> None:
    bot.with_host(statvfs=disk(100 << 20), descriptor_limit=lambda: 64)
    (bot.folder / "run").mkdir(mode=0o755)
    assert await bot.noticed() == {
        "disk-space": "fail", "file-descriptors": "fail", "socket-folder": "fail",
    }  # fmt: skip
    bot.with_host(descriptor_limit=lambda: 300)
    assert (await bot.finding("file-descriptors")).result == "warn"
    (bot.folder / "run").chmod(0o750)
    assert (await bot.finding("socket-folder")).result == "pass"
    (bot.folder / "run" / "jitctl.sock").write_text("a file")
    assert "is no socket" in (await bot.finding("socket-folder")).detail


async def test_a_clock_that_is_behind(bot: ReadyBot) -> None:
    now_s = bot.wall_s()
    bot.with_host(wall_s=lambda: now_s - 60)
    noticed = await bot.noticed()
    assert noticed == {"clock-skew": "fail", "head-age": "warn"}


async def test_a_passphrase_that_others_may_read(bot: ReadyBot) -> None:
    path = bot.folder / "keys" / "op0.pass"
    path.chmod(0o644)
    assert await bot.noticed() == {"key-permissions": "fail", "keys-open": "fail"}
    found = await bot.finding("key-permissions")
    assert found.remedy == f"chmod 600 {path}"


async def test_keys_that_are_not_what_they_seem(bot: ReadyBot) -> None:
    (bot.folder / "keys" / "op0.pass").write_text("not this\n")
    assert await bot.noticed() == {"keys-open": "fail"}
    (bot.folder / "keys" / "op1.json").unlink()
    assert (await bot.finding("key-permissions")).result == "fail"
    named = await bot.finding("operators")
    assert (named.result, named.detail[:10]) == ("unknown", "not asked:")


async def test_a_keystore_that_names_another_address(bot: ReadyBot) -> None:
    path = bot.folder / "keys" / "op1.json"
    keystore = json.loads(path.read_text())
    keystore["address"] = "11" * 20
    path.write_text(json.dumps(keystore))
    noticed = await bot.noticed()
    assert noticed == {"keys-open": "fail", "operators": "fail", "gas-money": "fail"}


async def test_another_user_is_told_to_ask_as_the_daemons(bot: ReadyBot) -> None:
    (bot.folder / "data").mkdir()
    bot.with_host(uid=lambda: os.getuid() + 1)
    assert await bot.noticed() == {"keys-open": "unknown"}
    assert "as the daemon's user: `sudo -u " in (await bot.finding("keys-open")).remedy


async def test_a_folder_that_systemd_makes_need_not_be_there(bot: ReadyBot) -> None:
    def under_systemd(main: dict[str, Any]) -> None:
        main["paths"] = {"run": "/run/jitctl-not-there", "data": "/var/lib/jitctl-not-there/data"}
        main["service"] = {"systemd_unit": "jitctl.service"}

    bot.edit("jitctl", under_systemd)
    assert await bot.noticed() == {}
    for name in ("socket-folder", "ledger"):
        assert "systemd makes" in (await bot.finding(name)).detail


def test_a_data_folder_that_cannot_be_seen_is_of_whoever_keeps_it_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0)
    folders = SimpleNamespace(data=closed / "data")
    asked = cast(Context, SimpleNamespace(config=SimpleNamespace(folders=folders), host=Host(uid=os.getuid)))
    try:
        assert as_nobody(lambda: Context.daemon_uid(asked)) == str(os.getuid())
    finally:
        closed.chmod(0o700)


async def test_a_port_that_somebody_has(bot: ReadyBot) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        bot.edit("jitctl", lambda main: main["http"].update(port=port))
        assert await bot.noticed() == {"http-port": "fail"}
        assert "(pid " in (await bot.finding("http-port")).detail
    assert (await bot.finding("http-port")).result == "pass"


async def test_a_signer_that_another_engine_has(bot: ReadyBot) -> None:
    signer = bot.net.people.operators[1].address
    lock = SignerLock.acquire(bot.net.manifest.chain_id, [signer], "another engine")
    try:
        assert await bot.noticed() == {"signer-lock": "fail"}
        assert "another engine" in (await bot.finding("signer-lock")).detail
    finally:
        lock.release()
    assert (await bot.finding("signer-lock")).result == "pass"


async def test_a_ledger_that_is_damaged_or_newer(bot: ReadyBot) -> None:
    data = bot.folder / "data"
    data.mkdir()
    path = data / "ledger.db"
    LedgerStore(path).close()
    assert "intact" in (await bot.finding("ledger")).detail
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    assert await bot.noticed() == {"ledger": "fail"}
    path.write_bytes(whole)
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migrations VALUES (99, 'later', 0)")
    found = await bot.finding("ledger")
    assert (found.result, "schema is 99" in found.detail) == ("fail", True)


async def test_a_ledger_is_looked_at_while_it_is_written(bot: ReadyBot) -> None:
    (bot.folder / "data").mkdir()
    store = LedgerStore(bot.folder / "data" / "ledger.db")
    files = sorted(Path(bot.folder / "data").iterdir())
    assert (await bot.finding("ledger")).result == "pass"
    assert sorted(Path(bot.folder / "data").iterdir()) == files
    store.close()


async def test_nobody_to_call(bot: ReadyBot) -> None:
    bot.edit("alerts", lambda alerts: alerts["contacts"].clear())
    assert await bot.noticed() == {"alert-routes": "warn"}


# -- the nodes


async def test_a_node_of_another_chain(bot: ReadyBot) -> None:
    bot.lay("node", "wrong_chain", 5)
    expected = {"chain-id": "fail", "clock-skew": "warn"}
    expected |= unknown(*ASKED_OF_THE_NODE, "nodes-agree", "open-positions")
    assert await bot.noticed() == expected
    assert "not asked: no node to ask" in (await bot.finding("capital")).detail


async def test_a_node_that_is_dead(bot: ReadyBot) -> None:
    bot.edit("jitctl", lambda main: main["nodes"][0].update(http_url=f"http://{DEAD}", ws_url=f"ws://{DEAD}"))
    expected = {"node-reachable": "fail", "clock-skew": "warn"}
    expected |= unknown(*ASKED_OF_THE_NODE, "nodes-agree", "open-positions")
    assert await bot.noticed() == expected


async def test_the_second_of_two_nodes_is_dead(bot: ReadyBot) -> None:
    dead = {"name": "spare", "http_url": f"http://{DEAD}", "ws_url": f"ws://{DEAD}"}
    bot.edit("jitctl", lambda main: main["nodes"].append(dead))
    assert await bot.noticed() == {"node-reachable": "warn"}


async def test_a_verify_node_that_disagrees(bot: ReadyBot) -> None:
    head = await bot.rig.nodes.call("eth_getBlockByNumber", ["latest", False])
    async with FakeNode() as liar:
        liar.chain_id = bot.net.manifest.chain_id
        liar.answers |= {
            "eth_getBlockByNumber": {**head, "hash": "0x" + "ab" * 32},
            "eth_syncing": False,
            "net_peerCount": "0x5",
        }
        bot.edit("jitctl", lambda main: main["verify_nodes"][0].update(http_url=liar.endpoint.http_url))
        assert await bot.noticed() == {"nodes-agree": "fail", "open-positions": "unknown"}
        bot.edit("jitctl", lambda main: main.update(verify_nodes=[]))
        assert (await bot.finding("nodes-agree")).result == "warn"


async def test_a_node_whose_simulations_are_not_to_be_believed(bot: ReadyBot) -> None:
    bot.lay("node", "error", 0, "eth_simulateV1")
    assert await bot.noticed() == {"simulate": "fail"}


async def test_pending_transactions(bot: ReadyBot) -> None:
    bot.lay("node", "refuse_sockets")
    assert await bot.noticed() == {"pending-feed": "fail"}
    head = await bot.rig.nodes.call("eth_getBlockByNumber", ["latest", False])
    async with FakeNode() as old:
        old.chain_id = bot.net.manifest.chain_id
        old.answers["eth_getBlockByNumber"] = head
        urls = {"http_url": old.endpoint.http_url, "ws_url": old.endpoint.ws_url}
        bot.edit("jitctl", lambda main: main["nodes"][0].update(urls))
        old.refuse_full_bodies = True
        found = await bot.finding("pending-feed")
        assert (found.result, "refuses" in found.detail) == ("fail", True)
        bot.net.door.views.clear()
        old.chain_id = 5
        door = bot.net.manifest.rpc_url
        bot.edit("jitctl", lambda main: main["nodes"][0].update(http_url=door))
        assert (await bot.finding("pending-feed")).detail == "door: its WebSocket is on chain 5"


# -- the relays


async def test_a_relay_that_is_dead_or_does_not_know_us(bot: ReadyBot) -> None:
    bot.edit("jitctl", lambda main: main["relays"][0].update(url=f"http://{DEAD}/"))
    assert await bot.noticed() == {"relays": "unknown"}
    async with FakeRelay() as relay:
        bot.edit("jitctl", lambda main: main["relays"][0].update(url=relay.endpoint().url))
        relay.answer = raw(403, b'{"error": "signer is not known"}')
        found = await bot.finding("relays")
        assert (found.result, "refuses our signature" in found.detail) == ("fail", True), found
        relay.answer = raw(200, b'{"jsonrpc": "2.0", "id": 1, "error": {"message": "method not found"}}')
        assert (await bot.finding("relays")).result == "warn"
        assert [each["method"] for each in relay.requests[-2:]] == [
            "flashbots_getUserStatsV2", "eth_cancelBundle",
        ]  # fmt: skip
        relay.answer = raw(200, b"<html>")
        assert (await bot.finding("relays")).result == "fail"
        relay.answer = raw(429)
        assert (await bot.finding("relays")).result == "warn"
    bot.edit("jitctl", lambda main: main.update(relays=[]))
    assert "only mode test" in (await bot.finding("relays")).detail


async def test_a_relay_that_refuses_everything(bot: ReadyBot) -> None:
    bot.lay("relay", "refuse")
    assert await bot.noticed() == {"relays": "fail"}


# -- the executor and the money


@pytest.mark.parametrize("what", ["nothing", "a pool"])
async def test_an_address_that_is_no_executor(bot: ReadyBot, what: str) -> None:
    address = "0x" + "77" * 20 if what == "nothing" else bot.net.uniswap.pools[0].address
    bot.edit("jitctl", lambda main: main["executor"].update(address=address))
    expected = {"executor-code": "fail"} | unknown(*ASKED_OF_THE_EXECUTOR, "open-positions")
    assert await bot.noticed() == expected
    assert "see executor-code" in (await bot.finding("loss-budget")).remedy


async def test_an_operator_that_is_none_and_has_no_gas(bot: ReadyBot) -> None:
    files = {"keystore": "keys/relay.json", "passphrase_file": "keys/relay.pass"}
    bot.edit("jitctl", lambda main: main["wallet"]["operators"][0].update(files))
    assert await bot.noticed() == {"operators": "fail", "gas-money": "fail"}


async def test_gas_for_a_few_attempts(bot: ReadyBot) -> None:
    wei = 5 * 500_000 * int(bot.net.chain.head.block["baseFeePerGas"], 16)
    operator = bot.net.people.operators[0].address
    await bot.net.chain.link.request("anvil_setBalance", operator, hex(wei))
    assert await bot.noticed() == {"gas-money": "warn"}
    assert "the gas of 5 attempts" in (await bot.finding("gas-money")).detail


async def test_hot_keys_in_cold_places(bot: ReadyBot) -> None:
    operator = bot.net.people.operators[0].address
    await bot.as_owner(("setGuardian", operator))
    assert await bot.noticed() == {"guardian": "warn"}
    await bot.as_owner(("setGuardian", "0x" + "00" * 20))
    assert (await bot.finding("guardian")).detail == "none: only the owner can halt"


async def test_an_executor_that_refuses_every_mint(bot: ReadyBot) -> None:
    pool = bot.net.uniswap.pool(USDC).address
    await bot.as_owner(("halt",), ("setBudget", 0), ("setPool", pool, False, 500, 1_000, 720, 10**20, 9_500))
    assert await bot.noticed() == {"executor-halted": "fail", "loss-budget": "fail", "pool-rules": "fail"}
    assert USDC in (await bot.finding("pool-rules")).detail


async def test_no_capital(bot: ReadyBot) -> None:
    usdc = bot.net.uniswap.tokens["USDC"].address
    held = await bot.rig.reader.token_balance(usdc, bot.net.executor)
    await bot.as_owner(("withdraw", usdc, held, bot.net.people.owner.address))
    assert await bot.noticed() == {"capital": "warn"}
    assert "no USDC" in (await bot.finding("capital")).detail


# -- the pools


async def test_a_pool_of_another_fee(bot: ReadyBot) -> None:
    def change(pools: dict) -> None:
        pool = next(each for each in pools["pools"] if each["name"] == USDC)
        pool.update(fee_pips=3_000, tick_spacing=60)

    bot.edit("pools", change)
    assert await bot.noticed() == {"pools": "fail"}
    assert "fee is 500, not 3000" in (await bot.finding("pools")).detail


async def test_a_token_of_other_decimals_and_a_pool_that_is_none(bot: ReadyBot) -> None:
    def decimals(pools: dict) -> None:
        for token in (each[side] for each in pools["pools"] for side in ("token0", "token1")):
            if token["symbol"] == "USDC":
                token["decimals"] = 18

    bot.edit("pools", decimals)
    assert await bot.noticed() == {"pools": "fail"}
    assert "USDC has 6 decimals, not 18" in (await bot.finding("pools")).detail
    bot.edit("pools", lambda pools: pools["pools"][0].update(address="0x" + "77" * 20))
    assert "does not answer as a Uniswap v3 pool" in (await bot.finding("pools")).detail


async def test_prices_that_are_stale_or_not_there(bot: ReadyBot) -> None:
    bot.edit("jitctl", lambda main: main["prices"].update(max_age_s=0.5))
    await bot.net.slot()
    assert await bot.noticed() == {"price-marks": "fail"}
    assert "s old" in (await bot.finding("price-marks")).detail
    weth = bot.net.uniswap.weth
    bot.edit("jitctl", lambda main: main["prices"].update(max_age_s=86_400.0))
    bot.edit("jitctl", lambda main: main["prices"]["feeds"].update(USDC=weth))
    assert (await bot.finding("price-marks")).detail == "USDC has no price"
    bot.edit("jitctl", lambda main: main["prices"]["feeds"].update(WETH=weth))
    assert (await bot.finding("price-marks")).result == "fail"


async def test_a_position_that_is_open(bot: ReadyBot) -> None:
    await bot.lone_mint(USDC)
    assert await bot.noticed() == {"open-positions": "fail"}
    assert USDC in (await bot.finding("open-positions")).detail
    (reserved_wei,) = await bot.net.read(bot.net.executor, executor_artifact()["abi"], "reserved")
    await bot.as_owner(("setBudget", reserved_wei * 10 // 9))
    assert await bot.noticed() == {"open-positions": "fail", "loss-budget": "warn"}

"""validate-config --online: what the chain says of a configuration, at the keys it is about."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from jitctl.checks.config_online import Answer, ask_chain
from jitctl.config.source import read_texts
from tests.checks.preflight.ready_bot import DEAD, PATIENT, ReadyBot


async def ask(bot: ReadyBot) -> Answer:
    folder = bot.folder / "config"
    return await ask_chain(folder, read_texts(folder)[0], bounds=PATIENT)


async def verb(bot: ReadyBot, *args: str) -> tuple[int | None, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jitctl", "validate-config", "--online", "-o", "json", *args,
        cwd=bot.folder, env={**os.environ, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert err == b"", err.decode()
    return process.returncode, json.loads(out)


async def test_a_configuration_that_the_chain_agrees_with(bot: ReadyBot) -> None:
    (bot.folder / "keys").rename(bot.folder / "no-keys")
    assert await ask(bot) == Answer([], [])
    code, body = await verb(bot)
    assert (code, body["valid"], body["notChecked"]) == (0, True, [])


async def test_each_wrong_thing_is_a_problem_of_its_key(bot: ReadyBot) -> None:
    pools: list[str] = []

    def wrong_pools(data: dict[str, Any]) -> None:
        pools.extend(pool["name"] for pool in data["pools"])
        data["pools"][1]["address"] = "0x" + "12" * 20
        for pool in data["pools"]:
            for side in ("token0", "token1"):
                if pool[side]["symbol"] == "USDC":
                    pool[side]["decimals"] = 9

    def wrong_executor(data: dict[str, Any]) -> None:
        data["executor"]["address"] = "0x" + "34" * 20

    bot.edit("pools", wrong_pools)
    bot.edit("jitctl", wrong_executor)
    code, body = await verb(bot)
    assert code == 4, body
    found = {(each["rule"], each["key"].partition(".")[2] or each["key"]) for each in body["problems"]}
    assert {("JC504", "address"), ("JC501", "address"), ("JC501", "token0.decimals")} <= found, found
    assert {each["key"] for each in body["problems"] if pools[1] + ":" in each["message"]} == {
        "pools[1].address"
    }
    for each in body["problems"]:
        lines = (bot.folder / each["file"]).read_text().splitlines()
        assert each["key"].rpartition(".")[2] in lines[each["line"] - 1], each


async def test_a_wrong_chain_and_old_prices(bot: ReadyBot) -> None:
    bot.edit("jitctl", lambda main: main["prices"].update(max_age_s=0.5))
    old = await ask(bot)
    assert {each.rule for each in old.problems} == {"JC502"}
    assert "prices.feeds.USDC" in {each.key for each in old.problems}

    bot.edit("jitctl", lambda main: main["chain"].update(chain_id=1_337))
    other = await ask(bot)
    assert ("JC503", "nodes[0]") in {(each.rule, each.key) for each in other.problems}


async def test_a_node_that_is_down_is_never_fine(bot: ReadyBot) -> None:
    def dead(data: dict[str, Any]) -> None:
        for node in (*data["nodes"], *data.get("verify_nodes", ())):
            node["http_url"] = f"http://{DEAD}"

    bot.edit("jitctl", dead)
    code, body = await verb(bot)
    assert (code, body["valid"], body["errors"]) == (8, False, 0)
    assert any("node-reachable" in each["what"] for each in body["notChecked"])


async def test_a_part_of_a_configuration_cannot_be_asked_about(bot: ReadyBot) -> None:
    (bot.folder / "config" / "jitctl.toml").unlink()
    code, body = await verb(bot, "config/pools.toml")
    assert (code, body["valid"]) == (8, False)
    assert "all of its files" in body["notChecked"][-1]["why"]

"""Open positions on the real contract, asked of nodes that are dead, late, behind, or lie."""

from __future__ import annotations

import json
import time

import pytest

from jitctl.checks.positions import open_positions
from tests.checks.forged_node import INVENTING, ODD, SILENT
from tests.checks.scene import POOL

PATIENT_S = 30.0
"""For nodes that answer: however busy the machine is, this is no clock that a test can fail by."""
DEAD = "http://127.0.0.1:1/"


async def ask(scene, nodes=(), verify=(), timeout_s=PATIENT_S, wall_s=None):
    config = scene.asking(list(nodes or [scene.url()]), list(verify))
    return await open_positions(config, wall_s=wall_s or scene.wall_s, timeout_s=timeout_s)


# -- nothing is open


async def test_a_flat_chain_is_proved_flat_by_two_nodes(flat):
    found = await ask(flat, verify=[flat.url("second")])
    head = flat.net.chain.head
    assert (found.result, found.positions, found.reserved_wei) == ("none", (), "0")
    assert (found.block_number, found.block_hash) == (head.number, head.block["hash"])
    assert found.second_opinion
    assert found.reason == (
        f"no open positions at block {head.number} ({head.block['hash']}), said by door0 and second0"
    )


async def test_one_node_alone_may_say_so_and_it_shows(flat):
    alone = await ask(flat)
    twice = await ask(flat, verify=[flat.url()])
    assert "only one node was asked" in alone.reason
    for found in (alone, twice):
        assert (found.result, found.second_opinion) == ("none", False)
        assert "no second opinion" in found.reason


async def test_a_trading_node_that_is_dead_is_left_out_if_another_answers(flat):
    found = await ask(flat, [DEAD, flat.url("node2")], [flat.url("second")])
    assert found.result == "none"
    assert [(node.name, node.result) for node in found.nodes] == [
        ("door0", "skipped"), ("door1", "none"), ("second0", "none"),
    ]  # fmt: skip
    both = await ask(flat, [flat.url(), flat.url("node2")])
    assert (both.result, both.second_opinion, len(both.nodes)) == ("none", False, 2)


@pytest.mark.parametrize("lag", [1, 3])
async def test_a_node_that_is_just_behind_is_asked_about_what_it_knows(flat, lag):
    flat.lay("node/second", "lag", lag)
    found = await ask(flat, verify=[flat.url("second")])
    assert (found.result, found.block_number) == ("none", flat.net.chain.head.number - lag)


@pytest.mark.parametrize("tale", ODD)
async def test_a_verify_node_that_is_odd_is_no_proof(flat, tale):
    liar = await flat.forge(tale)
    found = await ask(flat, verify=[liar.url])
    assert found.result == "unknown"
    assert "second0" in found.reason


@pytest.mark.parametrize("tale", [tale for tale in ODD if tale != "other_chain"])
async def test_neither_is_a_trading_node_that_is_odd(flat, tale):
    liar = await flat.forge(tale)
    assert (await ask(flat, [liar.url], [flat.url("second")])).result == "unknown"
    # A block of its own making is the one thing that nothing but a second node can tell.
    assert (await ask(flat, [liar.url])).result == ("none" if tale == "other_hash" else "unknown")


@pytest.mark.parametrize("tale", INVENTING)
async def test_a_position_that_one_node_alone_shows_is_open_in_doubt(flat, tale):
    liar = await flat.forge(tale)
    for nodes, verify in (([flat.url()], [liar.url]), ([liar.url], [flat.url("second")])):
        found = await ask(flat, nodes, verify)
        assert found.result == "open"
        assert "in doubt" in found.reason
        assert "answer differently" in found.reason


@pytest.mark.parametrize("lag", [4, 9])
async def test_a_verify_node_that_is_far_behind_is_no_proof(flat, lag):
    flat.lay("node/second", "lag", lag)
    found = await ask(flat, verify=[flat.url("second")])
    assert found.result == "unknown"
    assert f"{lag} blocks behind" in found.reason


@pytest.mark.parametrize(
    ("kind", "value"), [("wrong_chain", 5), ("429", 0), ("garbage", 0), ("wrong", 0), ("error", 0)]
)
async def test_a_verify_node_with_a_fault_is_no_proof(flat, kind, value):
    flat.lay("node/second", kind, value)
    assert (await ask(flat, verify=[flat.url("second")])).result == "unknown"


@pytest.mark.parametrize("offset_s", [-121.0, 121.0])
async def test_an_old_block_or_a_wrong_clock_is_no_proof(flat, offset_s):
    head_s = flat.net.chain.head.timestamp_s
    assert (await ask(flat, wall_s=lambda: head_s + offset_s)).result == "unknown"
    assert (await ask(flat, wall_s=lambda: head_s + offset_s / 1.1)).result == "none"


async def test_another_contract_or_none_is_no_proof(flat):
    weth = flat.net.manifest.data["tokens"]["WETH"]["address"]
    for address in (weth, "0x" + "12" * 20):
        config = flat.asking([flat.url()], [])
        executor = config.main.executor.model_copy(update={"address": address})
        object.__setattr__(config, "main", config.main.model_copy(update={"executor": executor}))
        found = await open_positions(config, wall_s=flat.wall_s, timeout_s=PATIENT_S)
        assert found.result == "unknown"


@pytest.mark.parametrize("tale", SILENT)
async def test_whatever_hangs_the_answer_comes_in_time(flat, tale):
    hung = await flat.forge(tale)
    for nodes, verify in (([flat.url()], [hung.url]), ([hung.url], [hung.url])):
        begun_s = time.monotonic()
        found = await ask(flat, nodes, verify, timeout_s=0.4)
        # Far from what the hung node would take, which is for ever; near what was asked for on any machine.
        assert time.monotonic() - begun_s < 20.0
        assert found.result == "unknown"


# -- a lone mint is open


async def test_a_lone_mint_is_found_with_its_range_and_liquidity(opened):
    found = await ask(opened, verify=[opened.url("second")])
    lower, upper, liquidity = opened.position
    (position,) = found.positions
    assert (found.result, found.second_opinion, int(found.reserved_wei) > 0) == ("open", True, True)
    assert (position.pool, position.address, position.kind) == (
        POOL, opened.net.uniswap.pool(POOL).address, "open",
    )  # fmt: skip
    assert (position.tick_lower, position.tick_upper, position.liquidity) == (lower, upper, str(liquidity))
    assert (position.owed0, position.owed1, position.said_by) == ("0", "0", ("door0", "second0"))
    assert position.opened_in_block == opened.net.chain.head.number
    assert "in doubt" not in found.reason


@pytest.mark.parametrize("tale", ["hides_all", "hides_flag", *ODD])
async def test_it_is_open_if_one_node_says_so_whatever_the_other_is(opened, tale):
    liar = await opened.forge(tale)
    for nodes, verify in (([opened.url()], [liar.url]), ([liar.url], [opened.url("second")])):
        found = await ask(opened, nodes, verify)
        assert found.result == "open"
        assert [each.pool for each in found.positions if each.kind == "open"] == [POOL]
        assert "in doubt" in found.reason


@pytest.mark.parametrize("lag", [1, 2, 3, 5])
async def test_a_second_node_that_has_not_seen_its_block_yet_does_not_hide_it(opened, lag):
    opened.lay("node/second", "lag", lag)
    for nodes, verify in ((["second"], [""]), ([""], ["second"])):
        found = await ask(opened, [opened.url(each) for each in nodes], [opened.url(each) for each in verify])
        assert (found.result, found.block_number) == ("open", opened.net.chain.head.number)


async def test_it_is_open_while_the_other_node_is_dead_or_hangs(opened):
    hung = await opened.forge("hang")
    for nodes, verify in (([opened.url()], [DEAD]), ([DEAD], [opened.url("second")])):
        assert (await ask(opened, nodes, verify)).result == "open"
    assert (await ask(opened, verify=[hung.url], timeout_s=4.0)).result == "open"


async def test_a_pool_that_is_not_configured_shows_in_the_reserve(opened):
    config = opened.asking([opened.url()], [opened.url("second")])
    pools = tuple(pool for pool in config.pools.pools if pool.name != POOL)
    object.__setattr__(config, "pools", config.pools.model_copy(update={"pools": pools}))
    found = await open_positions(config, wall_s=opened.wall_s, timeout_s=PATIENT_S)
    assert (found.result, [each.kind for each in found.positions]) == ("open", ["elsewhere"])
    assert "not configured" in found.reason


async def test_a_pool_that_is_not_enabled_is_asked_about_all_the_same(opened):
    config = opened.asking([opened.url()], [])
    pools = tuple(pool.model_copy(update={"enabled": False}) for pool in config.pools.pools)
    object.__setattr__(config, "pools", config.pools.model_copy(update={"pools": pools}))
    found = await open_positions(config, wall_s=opened.wall_s, timeout_s=PATIENT_S)
    assert (found.result, [each.pool for each in found.positions]) == ("open", [POOL])


async def test_once_it_is_closed_nothing_is_open_but_a_gift_to_it_is_named(opened):
    await opened.close()
    closed = await ask(opened, verify=[opened.url("second")])
    assert (closed.result, closed.reserved_wei) == ("none", "0")
    await opened.give(4711)
    found = await ask(opened, verify=[opened.url("second")])
    assert (found.result, found.reserved_wei) == ("open", "0")
    assert [(each.kind, each.pool, each.liquidity) for each in found.positions] == [("left", POOL, "4711")]


async def test_a_node_that_has_not_seen_the_close_yet_keeps_it_open_in_doubt(opened):
    await opened.close()
    opened.lay("node/second", "lag", 1)
    found = await ask(opened, verify=[opened.url("second")])
    assert found.result == "open"
    assert "nothing open any more" in found.reason


async def test_what_an_old_block_shows_is_no_position_but_no_proof_either(opened):
    late_s = opened.wall_s() + 3600
    found = await ask(opened, verify=[opened.url("second")], wall_s=lambda: late_s)
    assert found.result == "unknown"
    assert "shows an open position" in found.reason


# -- the verbs


@pytest.mark.runbook("STOP-4")
async def test_the_verbs_end_with_0_7_and_8(flat):
    verb, alias = "verify-no-open-positions", "emergency-position-check"
    await flat.net.slot(int(time.time()))
    code, body, err = await flat.jitctl(verb)
    assert (code, body["result"], body["secondOpinion"], err) == (0, "none", True, "")
    flat.lay("node/second", "wrong_chain", 1)
    code, body, err = await flat.jitctl(alias)
    assert (code, body["result"], json.loads(err)["error"]["code"]) == (8, "unknown", "cannot_determine")
    flat.net.door.views.clear()
    async with flat.lone_mint():
        code, body, err = await flat.jitctl(verb)
        assert (code, body["result"], json.loads(err)["error"]["code"]) == (7, "open", "positions_open")
        assert [each["pool"] for each in body["positions"]] == [POOL]
        assert sorted(body) == sorted(
            ["result", "blockNumber", "blockHash", "secondOpinion", "nodes", "positions", "reservedWei",
             "reason", "executor", "elapsedMs"]
        )  # fmt: skip
        code, out, err = await flat.jitctl_text(alias)
        lower, upper, liquidity = flat.position
        assert (code, err.startswith("error: open at block")) == (7, True)
        assert f"{POOL} {flat.net.uniswap.pool(POOL).address}, ticks {lower} to {upper}, " in out
        assert f"liquidity {liquidity}, owed 0 and 0" in out

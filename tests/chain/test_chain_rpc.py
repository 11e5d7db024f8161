"""The node pool against real servers that fail in every way a node does."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from jitctl.chain.health import PROBES_TO_RECOVER
from jitctl.chain.rpc import LAG_BLOCKS, NodeEndpoint, NodePool
from jitctl.errors import NodeError, TimedOut
from tests.chain.fake_node import CHAIN_ID, FakeNode
from tests.chain.manual_clock import ManualClock, until


@pytest.fixture
async def nodes():
    async with FakeNode("first") as first, FakeNode("second") as second:
        yield first, second


def pool_of(*nodes: FakeNode, clock: ManualClock | None = None, **options: object) -> NodePool:
    return NodePool(
        [node.endpoint for node in nodes],
        CHAIN_ID,
        clock=clock or ManualClock(),
        rng=random.Random(1),
        **options,
    )


def http_only(node: FakeNode) -> NodeEndpoint:
    return NodeEndpoint(node.name, node.endpoint.http_url)


async def test_calls_go_over_the_socket_once_it_is_open(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        posted = len(first.calls)
        assert await pool.call("eth_blockNumber") == hex(100)
        assert first.calls[posted:] == ["eth_blockNumber"]
        assert [health.web_socket for health in pool.health()] == [True, True]
        assert pool.health()[0].latency_ms is not None


async def test_many_calls_share_one_socket_and_replies_find_their_caller(nodes):
    first, second = nodes
    first.answers["echo"] = lambda value: value
    async with pool_of(first, second) as pool:
        values = await asyncio.gather(*(pool.call("echo", [index]) for index in range(200)))
        assert values == list(range(200))
        assert len(first.sockets) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 301])
async def test_http_status_fails_over(nodes, status):
    first, second = nodes
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=ManualClock())
    assert await pool.call("eth_blockNumber") == hex(100)
    first.status = status
    second.head_number = 101
    assert await pool.call("eth_blockNumber") == hex(101)
    assert pool.counters["failovers"] == 1
    assert pool.health()[0].usable is False and pool.health()[1].preferred is True
    await pool.close()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"id":99,"result":1}', b'{"id":2}', b"\xff\xfe"]
)
async def test_a_reply_that_is_no_reply_fails_over(nodes, body):
    first, second = nodes
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=ManualClock())
    await pool.call("eth_blockNumber")
    first.raw_body = body
    assert await pool.call("eth_blockNumber") == hex(100)
    assert pool.counters["failovers"] == 1
    await pool.close()


@pytest.mark.parametrize("code", [[], {}, "x", None, 1.5], ids=str)
async def test_an_error_whose_code_is_no_number_is_an_answer_all_the_same(nodes, code):
    first, _ = nodes
    first.answers["odd"] = {"rpc_error": {"code": code, "message": "no"}}
    async with pool_of(first) as pool:
        for asked in (pool, first_over_http := NodePool([http_only(first)], CHAIN_ID, clock=ManualClock())):
            with pytest.raises(NodeError) as caught:
                await asked.call("odd")
            assert caught.value.rpc_code == 0
        assert [health.web_socket for health in pool.health()] == [True]
        await first_over_http.close()


async def test_a_reply_that_comes_in_drips_is_given_up_and_the_next_node_asked(nodes):
    _, second = nodes

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dripping = NodeEndpoint("dripping", f"http://127.0.0.1:{port}/")
    pool = NodePool([dripping, http_only(second)], CHAIN_ID, clock=ManualClock(), timeout_s=0.2)
    try:
        async with asyncio.timeout(5):
            assert await pool.call("eth_blockNumber") == hex(100)
        assert pool.counters["timed_out"] == 1
        assert pool.counters["failovers"] == 1
    finally:
        await pool.close()
        server.close()


async def test_429_is_respected_until_retry_after_has_passed(nodes):
    first, _ = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first)], CHAIN_ID, clock=clock)
    await pool.call("eth_blockNumber")
    first.status, first.headers = 429, {"Retry-After": "7"}
    with pytest.raises(NodeError, match="rate limited"):
        await pool.call("eth_blockNumber")
    asked = len(first.calls)
    first.status = 200
    with pytest.raises(NodeError, match="no node may be asked"):
        await pool.call("eth_blockNumber")
    await pool.probe()
    assert len(first.calls) == asked
    clock.advance(7.1)
    assert await pool.call("eth_blockNumber") == hex(100)
    assert pool.counters["rate_limited"] == 1
    await pool.close()


async def test_a_wrong_chain_is_never_used_not_even_as_the_last_resort(nodes):
    first, second = nodes
    first.chain_id = 1
    async with pool_of(first, second) as pool:
        assert await pool.call("eth_blockNumber") == hex(100)
        assert "chain id 1, not 31337" in pool.health()[0].last_error
        second.status = 500
        await second.drop_sockets()
        second.accept_sockets = False
        with pytest.raises(NodeError):
            await pool.call("eth_blockNumber")
        assert "eth_blockNumber" not in first.calls
        assert [endpoint.name for endpoint in pool.subscribable()] == ["second"]


async def test_an_error_of_the_method_is_an_answer_and_no_reason_to_ask_another(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        asked = len(second.calls)
        with pytest.raises(NodeError) as caught:
            await pool.call("eth_nonsense")
        assert caught.value.rpc_code == -32601
        assert len(second.calls) == asked and pool.health()[0].usable


async def test_one_slow_answer_does_not_bench_but_two_do(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        first.silent_methods.add("slow")
        second.answers["slow"] = "answer"
        assert await pool.call("slow", timeout_s=0.05) == "answer"
        assert pool.health()[0].usable
        assert await pool.call("slow", timeout_s=0.05) == "answer"
        assert not pool.health()[0].usable
        assert pool.counters["timed_out"] == 2


async def test_a_pool_of_silent_nodes_times_out(nodes):
    first, second = nodes
    for node in nodes:
        node.silent_methods.add("slow")
    async with pool_of(first, second) as pool:
        with pytest.raises(TimedOut):
            await pool.call("slow", timeout_s=0.05)
        assert pool.counters["exhausted"] == 1


async def test_a_socket_that_drops_in_the_middle_of_a_call_is_followed_by_http(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        first.silent_methods.add("later")
        call = asyncio.create_task(pool.call("later", timeout_s=5))
        await until(lambda: "later" in first.calls)
        first.silent_methods.clear()
        first.answers["later"] = 7
        await first.drop_sockets()
        assert await call == 7
        assert pool.health()[0].usable


async def test_the_preferred_node_comes_back_only_after_proving_itself(nodes):
    first, second = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=clock)
    await pool.probe()
    first.status = 503
    await pool.call("eth_blockNumber")
    first.status = 200
    clock.advance(5)
    for probe in range(PROBES_TO_RECOVER):
        assert not pool.health()[0].usable, probe
        await pool.probe()
    assert pool.health()[0].usable and pool.health()[0].preferred
    await pool.close()


async def test_repeated_failures_lengthen_the_bench(nodes):
    first, second = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=clock)
    await pool.probe()
    waits = []
    for _ in range(4):
        first.status = 503
        await pool.call("eth_blockNumber")
        first.status = 200
        waited = 0.0
        while not pool.health()[0].usable:
            await pool.probe()
            clock.advance(0.25)
            waited += 0.25
        waits.append(waited)
    assert waits == sorted(waits) and waits[-1] >= 8
    await pool.close()


async def test_a_node_that_falls_behind_is_benched_and_recovers(nodes):
    first, second = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=clock)
    second.head_number = first.head_number + LAG_BLOCKS
    await pool.probe()
    assert not pool.health()[0].usable and pool.counters["lagging"] == 1
    first.head_number = second.head_number
    clock.advance(5)
    for _ in range(PROBES_TO_RECOVER):
        await pool.probe()
    assert pool.health()[0].usable
    await pool.close()


async def test_a_node_that_lied_about_its_head_and_died_holds_nobody_back(nodes):
    first, second = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=clock)
    second.head_number = 10**9
    await pool.probe()
    assert [health.usable for health in pool.health()] == [False, True]
    second.status = 503
    for _ in range(PROBES_TO_RECOVER + 1):
        clock.advance(2.0)
        await pool.probe()
    assert [health.usable for health in pool.health()] == [True, False]
    await pool.close()


async def test_the_socket_is_reopened_with_backoff(nodes):
    first, second = nodes
    clock = ManualClock()
    async with pool_of(first, second, clock=clock) as pool:
        await first.drop_sockets()
        await until(lambda: pool.counters["socket_lost"] == 1)
        await clock.advance_until(lambda: pool.health()[0].web_socket)
        assert await pool.call("eth_blockNumber") == hex(100)


async def test_health_ages_are_in_seconds(nodes):
    first, second = nodes
    clock = ManualClock()
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=clock)
    await pool.probe()
    clock.advance(12)
    await pool.probe()
    health = pool.health()[0]
    assert health.head_number == 100 and health.head_age_s == pytest.approx(12)
    assert health.last_error == "" and health.last_error_age_s is None
    await pool.close()


async def test_only_asks_the_named_node_and_nobody_else(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        second.answers["eth_blockNumber"] = "0x7"
        assert await pool.call("eth_blockNumber", only="second") == "0x7"
        second.answers["slow"] = 1
        second.silent_methods.add("slow")
        with pytest.raises(TimedOut):
            await pool.call("slow", timeout_s=0.05, only="second")


async def test_a_dead_port_is_unreachable(nodes):
    _, second = nodes
    dead = NodeEndpoint("dead", "http://127.0.0.1:1/", "ws://127.0.0.1:1/")
    async with NodePool([dead, second.endpoint], CHAIN_ID, clock=ManualClock()) as pool:
        assert await pool.call("eth_blockNumber") == hex(100)
        assert pool.health()[0].last_error.startswith("node dead: ConnectError")


async def test_secrets_in_urls_do_not_reach_errors():
    pool = NodePool([NodeEndpoint("paid", "http://127.0.0.1:1/v2/canary-key")], CHAIN_ID, clock=ManualClock())
    with pytest.raises(NodeError) as caught:
        await pool.call("eth_blockNumber")
    assert "canary" not in str(caught.value) and caught.value.__cause__ is None
    await pool.close()


async def test_several_calls_in_one_frame_are_answered_in_order(nodes):
    first, second = nodes
    first.answers["echo"] = lambda value: value
    async with pool_of(first, second) as pool:
        outcomes = await pool.call_many([("echo", [1]), ("eth_nonsense", []), ("echo", [3])])
        assert outcomes[0] == 1 and outcomes[2] == 3
        assert isinstance(outcomes[1], NodeError) and outcomes[1].rpc_code == -32601
        assert first.frames[-1] == 3


async def test_a_node_without_batches_is_asked_one_by_one_while_its_socket_lasts(nodes):
    first, second = nodes
    clock = ManualClock()
    first.answers["echo"] = lambda value: value
    first.refuse_batches = True
    async with pool_of(first, second, clock=clock) as pool:
        for _ in range(2):
            assert await pool.call_many([("echo", [1]), ("echo", [2])], timeout_s=5) == [1, 2]
        assert first.frames.count(2) == 1
        assert pool.health()[0].usable
        first.refuse_batches = False
        await first.drop_sockets()
        await until(lambda: pool.counters["socket_lost"] == 1)
        await clock.advance_until(lambda: pool.health()[0].web_socket)
        assert await pool.call_many([("echo", [1]), ("echo", [2])], timeout_s=5) == [1, 2]
        assert first.frames.count(2) == 2


async def test_several_calls_without_a_socket_go_over_http(nodes):
    first, second = nodes
    pool = NodePool([http_only(first), http_only(second)], CHAIN_ID, clock=ManualClock())
    assert await pool.call_many([("eth_blockNumber", []), ("eth_chainId", [])]) == [hex(100), hex(CHAIN_ID)]
    first.status = 503
    assert await pool.call_many([("eth_blockNumber", []), ("eth_chainId", [])]) == [hex(100), hex(CHAIN_ID)]
    assert pool.counters["failovers"] == 1
    await pool.close()


async def test_several_calls_that_get_no_answer_fail_over_and_time_out(nodes):
    first, second = nodes
    async with pool_of(first, second) as pool:
        first.silent_methods.add("slow")
        second.answers["slow"] = 5
        assert await pool.call_many([("slow", []), ("eth_blockNumber", [])], timeout_s=0.1) == [5, hex(100)]
        second.silent_methods.add("slow")
        with pytest.raises(TimedOut):
            await pool.call_many([("slow", [])], timeout_s=0.05)

"""Every exception of every client library becomes ours, and none of their text leaks a URL."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import ssl

import httpx
import orjson
import pytest
import websockets

from jitctl.chain.foreign_errors import as_jit_error, is_foreign, mapped, redact
from jitctl.errors import JitError, NodeError, Refused, TimedOut

MODULES = ("websockets.exceptions", "httpx", "web3.exceptions", "eth_abi.exceptions", "socket", "ssl")
NOT_ERRORS_OF_A_CALL = {
    # Warnings are not raised as errors; the base class itself is abstract.
    "Web3AttributeError",
}


def exceptions_of(module_name: str) -> list[type[Exception]]:
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or dir(module)
    found = [getattr(module, name) for name in names if not name.startswith("_")]
    return sorted(
        {each for each in found if inspect.isclass(each) and issubclass(each, Exception)} - {Exception},
        key=lambda each: each.__name__,
    )


ALL = [(module, each) for module in MODULES for each in exceptions_of(module)]


def made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    Exception.__init__(error, "https://node.example/v3/canary-key said no")
    return error


@pytest.mark.parametrize(("module", "kind"), ALL, ids=[f"{module}.{kind.__name__}" for module, kind in ALL])
def test_no_exception_of_a_library_is_missed(module, kind):
    if issubclass(kind, Warning):
        return
    error = made(kind)
    assert is_foreign(error), kind
    with pytest.raises((NodeError, TimedOut)) as caught, mapped("paid", "asking"):
        raise error
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "canary" not in str(caught.value) and "canary" not in caught.value.hint


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        httpx.ReadTimeout("x"),
        httpx.ConnectTimeout("x"),
        httpx.PoolTimeout("x"),
        importlib.import_module("web3.exceptions").TimeExhausted("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_took_too_long_is_timed_out(error):
    assert isinstance(as_jit_error(error, node="n", doing="asking"), TimedOut)


@pytest.mark.parametrize(
    "provoke",
    [
        lambda: orjson.loads("{"),
        lambda: json.loads("{"),
        lambda: b"\xff".decode(),
        lambda: {}["missing"],
        lambda: [][1],
        lambda: json.loads("null")["x"],
        lambda: json.loads("null").get("x"),
        lambda: int("0xzz", 16),
        lambda: int(None, 16),
        lambda: bytes.fromhex("zz"),
        lambda: 1 // 0,
        lambda: httpx.URL("http://[", scheme=5),
        lambda: ssl.create_default_context(cafile="/nowhere"),
    ],
)
def test_what_a_reply_of_the_wrong_shape_ends_in_is_a_node_error(provoke):
    with pytest.raises(NodeError), mapped("n", "reading"):
        provoke()


def test_our_own_errors_pass_unchanged():
    ours = Refused("no")
    with pytest.raises(Refused) as caught, mapped("n", "asking"):
        raise ours
    assert caught.value is ours and as_jit_error(ours, node="n", doing="x") is ours


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_what_ends_a_task_is_never_swallowed(kind):
    with pytest.raises(kind), mapped("n", "asking"):
        raise kind


def test_a_bug_of_ours_is_not_dressed_up_as_a_node_error():
    class Bug(Exception):
        pass

    with pytest.raises(Bug), mapped("n", "asking"):
        raise Bug


def test_redaction():
    assert redact("GET wss://x.y/key?token=1 failed\nbadly") == "GET <url> failed badly"
    assert len(redact("a" * 5000)) == 200


def test_the_tree_of_websockets_is_covered_by_its_root():
    for kind in exceptions_of("websockets.exceptions"):
        if not issubclass(kind, Warning):
            assert issubclass(
                kind, (websockets.WebSocketException, OSError, ValueError, TypeError, JitError)
            ), kind

"""The TCP door: which requests it refuses whoever asks, and what a token opens."""

from __future__ import annotations

import json
import os

import pytest
from installation import JITCTL_TOML, eventually, running_keeper, write_config

from jitctl.control.access import CALLERS, status_of
from jitctl.control.roles import ROUTES
from jitctl.daemon.foreign import foreign, own_hosts
from jitctl.daemon.token import TokenFile
from jitctl.errors import ConfigError

TOKEN = "5d2285db" * 8
OTHER = "93a58920" * 8
UNUSABLE = {
    "absent": (None, 0o600, "No such file"),
    "empty": (b"", 0o600, "empty"),
    "blank": (b" \n", 0o600, "empty"),
    "short": (b"a" * 31 + b"\n", 0o600, "31 bytes"),
    "two lines": (b"a" * 32 + b"\nb\n", 0o600, "more than one line"),
    "a blank in it": (b"a" * 32 + b" b\n", 0o600, "without blanks"),
    "not ASCII": (b"\xc3\xa9" * 32, 0o600, "ASCII"),
    "too large": (b"a" * 5_000, 0o600, "larger than"),
    "read by the group": (b"a" * 64, 0o640, "mode 0640"),
    "read by everybody": (b"a" * 64, 0o604, "mode 0604"),
}
BEARER = f"Authorization: Bearer {TOKEN}"


def put(path, token, mode=0o600):
    """Replace the token file in one step, as a rotation should."""
    if token is None:
        return
    fresh = path.with_suffix(".new")
    fresh.write_bytes(token if isinstance(token, bytes) else token.encode() + b"\n")
    fresh.chmod(mode)
    fresh.rename(path)


def install(folder, http=""):
    return write_config(folder, jitctl=f'{JITCTL_TOML}token_file = "http.token"\n{http}')


@pytest.fixture(scope="module")
def keeper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("token")
    install(folder)
    put(folder / "http.token", TOKEN)
    with running_keeper(folder) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A keeper without a token file."""
    with running_keeper(tmp_path_factory.mktemp("plain")) as running:
        yield running


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_token_file_that_is_no_use_is_refused_by_name(tmp_path, case):
    content, mode, text = UNUSABLE[case]
    path = tmp_path / "http.token"
    put(path, content, mode)
    with pytest.raises(ConfigError, match=text) as refused:
        TokenFile(path, "operator", print)
    assert str(path) in refused.value.message
    assert refused.value.hint


def test_a_token_file_of_somebody_else_is_refused(tmp_path):
    if os.getuid() != 0:
        return
    put(tmp_path / "t", TOKEN)
    os.chown(tmp_path / "t", 54321, -1)
    with pytest.raises(ConfigError, match="uid 54321"):
        TokenFile(tmp_path / "t", "operator", print)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    (os.mkfifo if kind == "pipe" else os.mkdir)(tmp_path / "t")
    with pytest.raises(ConfigError, match="no regular file"):
        TokenFile(tmp_path / "t", "operator", print)


def test_a_rotation_counts_at_once_however_it_is_done(tmp_path):
    path, told = tmp_path / "t", []
    put(path, TOKEN)
    tokens = TokenFile(path, "operator", told.append)
    assert tokens.accepts(TOKEN.encode())
    put(path, OTHER)
    assert (tokens.accepts(TOKEN.encode()), tokens.accepts(OTHER.encode())) == (False, True)
    # In place, with the same length, and within the same tick of the file system's clock.
    for token in (TOKEN, OTHER, TOKEN):
        with path.open("r+") as file:
            file.write(token)
        assert tokens.accepts(token.encode())
    path.chmod(0o644)
    assert [tokens.accepts(TOKEN.encode()) for _ in range(3)] == [False] * 3
    path.chmod(0o600)
    assert tokens.accepts(TOKEN.encode())
    assert [bool(each) for each in told] == [True, False]


def test_the_token_itself_is_not_kept(tmp_path):
    put(tmp_path / "t", TOKEN)
    assert TOKEN not in repr(vars(TokenFile(tmp_path / "t", "operator", print)))


@pytest.mark.parametrize("case", ["absent", "short", "read by everybody"])
def test_a_start_with_an_unusable_token_file_is_refused(tmp_path, case):
    install(tmp_path)
    content, mode, text = UNUSABLE[case]
    put(tmp_path / "http.token", content, mode)
    with running_keeper(tmp_path) as keeper:
        error = keeper.answer["error"]
        assert (error["code"], keeper.process.wait(15)) == ("config_invalid", 4)
        assert text in error["message"]
        assert "http.token" in error["message"]
        assert error["hint"]


def test_a_token_does_what_its_role_may_and_is_named_in_the_audit(keeper):
    body = json.dumps({"reason": "by token"}).encode()
    status, _, answer = keeper.ask_tcp("POST /admin/pause", BEARER, body=body)
    assert (status, json.loads(answer)["state"]) == (200, "PAUSED")
    record = keeper.audit()[-1]
    assert (record["who"], record["uid"], record["role"], record["door"]) == (
        "token", None, "operator", "tcp",
    )  # fmt: skip
    assert keeper.ask_tcp("POST /admin/pause", f"authorization: bEARER  {TOKEN}")[0] == 200
    status, _, answer = keeper.ask_tcp("POST /admin/resume", BEARER)
    assert (status, json.loads(answer)["error"]["code"]) == (403, "permission_denied")
    assert "role admin" in json.loads(answer)["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [f"Authorization: Bearer {OTHER}"],
        [f"Authorization: Bearer {TOKEN[:-1]}"],
        [f"Authorization: Bearer {TOKEN}0"],
        ["Authorization: Bearer"],
        ["Authorization: Bearer "],
        [f"Authorization: {TOKEN}"],
        [f"Authorization: Basic {TOKEN}"],
        [BEARER, BEARER],
        [BEARER, f"Authorization: Bearer {OTHER}"],
        [f"Authorization: Bearer {OTHER}, Bearer {TOKEN}"],
        [f"X-Authorization: Bearer {TOKEN}"],
        [f"Cookie: token={TOKEN}"],
    ],
    ids=str,
)
@pytest.mark.parametrize("request_line", ["POST /admin/pause", "GET /admin", "POST /admin/nonsense"])
def test_without_the_token_it_is_401(keeper, request_line, headers):
    status, found, answer = keeper.ask_tcp(request_line, *headers)
    assert (status, found["www-authenticate"]) == (401, "Bearer")
    assert json.loads(answer)["error"]["code"] == "permission_denied"


def test_a_token_in_the_query_is_not_taken(keeper):
    for query in (f"access_token={TOKEN}", f"token={TOKEN}", f"authorization=Bearer%20{TOKEN}"):
        assert keeper.ask_tcp(f"POST /admin/pause?{query}")[0] == 401


def test_without_a_token_file_every_token_is_403(plain):
    status, found, answer = plain.ask_tcp("POST /admin/pause", BEARER)
    assert (status, "www-authenticate" in found) == (403, False)
    assert "--unix-socket" in json.loads(answer)["error"]["hint"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.verb)
def test_every_route_without_a_token_file(plain, route):
    status = plain.ask_tcp(f"{route.method} {route.path}", BEARER, body=b'{"nonsense": ""}')[0]
    expected = status_of(route, CALLERS[4])
    assert status == 403 if expected == 403 else status not in (401, 403)


def test_a_token_is_nothing_on_the_unix_door(tmp_path):
    # There the kernel says who it is, whatever the headers say; test_daemon_roles asks as a stranger.
    install(tmp_path, 'token_role = "admin"\n')
    put(tmp_path / "http.token", TOKEN)
    with running_keeper(tmp_path) as keeper:
        assert keeper.ask_tcp("POST /admin/resume", BEARER)[0] == 200
        assert keeper.audit()[-1]["role"] == "admin"
        # Rotated: an old token is replayed, then the new one is asked.
        put(tmp_path / "http.token", OTHER)
        assert keeper.ask_tcp("POST /admin/pause", BEARER)[0] == 401
        assert keeper.ask_tcp("POST /admin/pause", f"Authorization: Bearer {OTHER}")[0] == 200
        # Made unusable while the daemon runs, and mended.
        (tmp_path / "http.token").chmod(0o644)
        for _ in range(3):
            assert keeper.ask_tcp("POST /admin/pause", f"Authorization: Bearer {OTHER}")[0] == 403
            assert keeper.ask_tcp("POST /admin/pause")[0] == 403
        (tmp_path / "http.token").chmod(0o600)
        assert keeper.ask_tcp("POST /admin/pause", f"Authorization: Bearer {OTHER}")[0] == 200
        events = [line["event"] for line in keeper.log()]
        assert (events.count("token_file_unusable"), events.count("token_file_usable")) == (1, 1)
        keeper.client().call("stop")
        keeper.process.wait(15)
        for name in ("logs/jit-bot.log", "data/audit.jsonl"):
            text = (tmp_path / name).read_text()
            assert TOKEN not in text
            assert OTHER not in text


FOREIGN_HOSTS = [
    "-", "evil.example", "evil.example:PORT", "127.0.0.1", "localhost", "localhost:1", "localhost.:PORT",
    "LOCALHOST:PORT", "127.0.0.1.nip.io:PORT", "localhost.evil.example:PORT", "user@localhost:PORT",
    "localhost:PORT@evil.example", "127.1:PORT", "0.0.0.0:PORT", "2130706433:PORT", "[::]:PORT", "[::1]",
    "::1:PORT", "localhost:0PORT", "localhost:PORT, evil.example",
]  # fmt: skip
FOREIGN_HEADERS = [
    "Origin: http://127.0.0.1:PORT", "Origin: null", "Origin: https://evil.example", "Origin:",
    "Referer: http://evil.example/", "Referer: http://127.0.0.1:PORT@evil.example/", "Referer: null",
    "Referer: https://127.0.0.1:PORT/", "Referer: http://127.0.0.1:1/", "Referer: http://[::1",
    "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Sec-Fetch-Site: Cross-Site",
    "Host: evil.example",
]  # fmt: skip
REQUESTS = ("GET /health", "POST /admin/pause", "GET /nowhere")


@pytest.mark.parametrize("with_token", [True, False])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_403_whatever_the_token(keeper, host, with_token):
    port = keeper.http.rsplit(":", 1)[1]
    for request in REQUESTS:
        status, _, answer = keeper.ask_tcp(
            request, *([BEARER] if with_token else []), host=host.replace("PORT", port)
        )
        assert (status, json.loads(answer)["error"]["code"]) == (403, "permission_denied"), request


@pytest.mark.parametrize("with_token", [True, False])
@pytest.mark.parametrize("header", FOREIGN_HEADERS)
def test_a_foreign_page_is_403_whatever_the_token(keeper, header, with_token):
    port = keeper.http.rsplit(":", 1)[1]
    for request in REQUESTS:
        sent = [header.replace("PORT", port), *([BEARER] if with_token else [])]
        assert keeper.ask_tcp(request, *sent)[0] == 403, request


def test_other_forms_of_request_are_403(keeper):
    address = keeper.http.removeprefix("http://")
    assert keeper.ask_tcp("GET /health", host="-", version="1.0")[0] == 403
    for target in (f"http://{address}/health", "http://evil.example/health", "*", "health", f"//{address}"):
        status = keeper.ask_tcp(f"GET {target}", BEARER)[0]
        assert status == (404 if target.startswith("//") else 403), target


def test_our_own_pages_and_tools_are_served(keeper):
    port = keeper.http.rsplit(":", 1)[1]
    for name in ("localhost", "127.0.0.1", "[::1]"):
        own = f"{name}:{port}"
        assert keeper.ask_tcp("GET /health", f"Referer: http://{own}/status", host=own)[0] == 200
    for site in ("none", "same-origin"):
        assert keeper.ask_tcp("GET /api/status", f"Sec-Fetch-Site: {site}")[0] == 200


def test_hosts_are_compared_with_the_doors_own_port():
    hosts = own_hosts(9090)
    assert foreign("/health", [(b"host", b"localhost:9090")], hosts) == ""
    assert foreign("/health", [(b"Host", b"localhost:9091")], hosts)
    assert foreign("/health", [], hosts)


@pytest.mark.parametrize(
    ("headers", "body", "statuses"),
    [
        (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n", {200}),
        (["Transfer-Encoding: gzip"], b"x", {400}),
        (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n", {400}),
        (["Transfer-Encoding: chunked"], (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 3 + b"0\r\n\r\n", {413}),
        (["Transfer-Encoding: gzip"], b"", {400, 501}),
        (["Content-Length: -1"], b"", {400}),
        (["Content-Length: 2", "Content-Length: 3"], b"", {400}),
        ([f"Content-Length: {1 << 40}"], b"", {413}),
        (["X: " + "a" * 100_000], b"", {431}),
        ([f"X-{number}: y" for number in range(5_000)], b"", {431}),
        (["Content-Type: text/plain"], b"nope", {400}),
        ([], b'{"reason":"\\ud800"', {400}),
        ([], b'{"reason":"\\ud800"}', {400}),
        ([], b'{"reason":"a", "reason": "b"}', {400}),
        ([], b'{"reason": "\xff\xfe"}', {400}),
        ([], b"[" * 60_000, {400}),
        (["Bad Header: x"], b"", {400}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_odd_requests_are_answered_with_a_4xx(keeper, headers, body, statuses):
    answer = keeper.ask_tcp("POST /admin/pause", BEARER, *headers, body=body)
    assert answer[0] in statuses, answer
    assert answer[0] == 200 or json.loads(answer[2])["error"]["code"] == "usage"


def test_what_was_refused_here_is_in_the_audit_trail(keeper):
    keeper.ask_tcp("POST /admin/stop")
    found = eventually(
        lambda: [
            each
            for each in keeper.audit()
            if (each["verb"], each["outcome"]) == ("stop", "permission_denied")
        ],
        "the refusal is recorded",
    )
    assert (found[0]["who"], found[0]["uid"], found[0]["door"]) == ("unknown", None, "tcp")


def test_nothing_above_stopped_the_daemon(keeper, plain):
    for each in (keeper, plain):
        assert each.client().call("health")["live"] is True
        assert [line for line in each.log() if line["event"] == "request_failed"] == []

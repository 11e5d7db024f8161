"""Run as another user, with the standard library alone: asks each door everything and prints the statuses."""

import json
import os
import socket
import sys


def exchange(family, address, request):
    with socket.socket(family) as link:
        link.settimeout(60)
        link.connect(address)
        link.sendall(request)
        answer = b""
        while True:
            chunk = link.recv(65536)
            if not chunk:
                break
            answer += chunk
    return int(answer.split(b" ", 2)[1])


def status_of(door, route, headers, asked):
    method, path = route
    body = asked["body"].encode() if method == "POST" else b""
    host = asked["tcp"] if door == "tcp" else "jit"
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    request = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body
    name, port = asked["tcp"].rsplit(":", 1)
    family, address = socket.AF_INET, (name, int(port))
    if door == "unix":
        family, address = socket.AF_UNIX, asked["socket"]
    try:
        return exchange(family, address, request)
    except PermissionError:
        return "closed"


asked = json.load(sys.stdin)
answers = {
    way: [status_of(door, route, headers, asked) for route in asked["routes"]]
    for way, (door, headers) in asked["ways"].items()
}
print(
    json.dumps(
        {
            "uid": os.getuid(),
            "gid": os.getgid(),
            "groups": os.getgroups(),
            "basePrefix": sys.base_prefix,
            "mayRunInterpreter": os.access(asked["interpreter"], os.R_OK | os.X_OK),
            "answers": answers,
        }
    )
)

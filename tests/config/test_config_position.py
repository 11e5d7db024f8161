"""Line and column of any key, held against what the parsers themselves read."""

from __future__ import annotations

import json
import tomllib

import pytest

from jitctl.config.position import locate_json, locate_toml

TOML = '''# comment [not] = a.table
top = 1
"quo.ted" = { a = [1, { b = 2 }], 'c d' = "x # } ] = y" }
dotted.key.deep = """
[fake]
fake = 1
"""
lit = \'\'\'it's = [ \'\'\'
list = [
  1,  # one
  [2, 3], "]",
]

[table] # after
x = 1979-05-27T07:32:00Z
[table.sub]
y = +inf
[[array]]
z = 1
[[array]]
z = 2
[array.inner]
w = 3
[[array.many]]
v = 4
[[array.many]]
v = 5
'''


def paths(value, prefix=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*prefix, key)
        yield from paths(item, (*prefix, key))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_toml_key_is_found_where_it_stands(newline):
    text = TOML.replace("\n", newline)
    positions, lines = locate_toml(text), text.split("\n")
    for path in paths(tomllib.loads(text)):
        line, column = positions.of(path)
        here = lines[line - 1][column - 1 :]
        key = path[-1]
        if isinstance(key, str):
            assert key in here or here.startswith(("[", '"', "'", "dotted")), (path, here)
    assert positions.of(("array", 1, "z")).line == 1 + next(
        i for i, s in enumerate(lines) if s.startswith("z = 2")
    )
    assert positions.of(("array", 1, "many", 1, "v")).line == len(lines) - 1
    assert positions.of(("quo.ted", "a", 1, "b")) == (3, TOML.splitlines()[2].index("b = 2") + 1)
    assert positions.of(("list", 1, 0)).line == positions.of(("list", 2)).line
    assert positions.of(("no", "such")) == (1, 1)
    assert positions.of(("table", "nothing")) == positions.of(("table",))


def test_every_json_key_is_found_where_it_stands():
    text = json.dumps({"a": [1, {'b\\"c': None, "d": "}]"}], "e": {"f": -1.5e3}}, indent=3)
    positions, lines = locate_json(text), text.split("\n")
    for path in paths(json.loads(text)):
        line, column = positions.of(path)
        if isinstance(path[-1], str) and "\\" not in path[-1]:
            assert lines[line - 1][column - 1 :].startswith(f'"{path[-1]}"')

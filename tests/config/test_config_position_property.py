"""Random TOML and JSON documents: every key and element stands where its writer put it."""

from __future__ import annotations

import json
import random
import tomllib

import pytest

from jitctl.config.position import locate_json, locate_toml

ROUNDS = 400
NAMES = ("a", "b-1", "chain", "x y", "q.d", 'he"x', "schön", "[t]", "#c", "back\\slash", "A")


class Writer:
    """Writes a document and remembers line and column of what it writes."""

    def __init__(self, seed: int, newline: str = "\n") -> None:
        self.chance = random.Random(seed)
        self.newline = newline
        self.text = ""
        self.places: dict[tuple[str | int, ...], tuple[int, int]] = {}

    def put(self, text: str) -> None:
        self.text += text

    def mark(self, path: tuple[str | int, ...]) -> None:
        lines = self.text.split("\n")
        self.places[path] = (len(lines), len(lines[-1]) + 1)

    def one_of(self, *texts: str) -> str:
        return self.chance.choice(texts)

    def names(self, most: int = 4) -> list[str]:
        return self.chance.sample(NAMES, self.chance.randint(1, most))

    def quoted(self, text: str) -> str:
        written = ""
        for char in text:
            if self.chance.random() < 0.2 or char in '"\\':
                written += f"\\u{ord(char):04X}"
            else:
                written += char
        return f'"{written}"'


class Toml(Writer):
    def key(self, name: str) -> str:
        bare = all(char.isascii() and (char.isalnum() or char in "-_") for char in name)
        ways = [self.quoted(name)] + ([name] * 3 if bare else []) + ([f"'{name}'"] if "'" not in name else [])
        return self.chance.choice(ways)

    def blank(self) -> str:
        return self.one_of("", " ", "\t", "  ")

    def lines_between(self) -> None:
        if self.chance.random() < 0.3:
            self.put(self.one_of("", '# [x] = "', "\t# '''", "# ключ = {") + self.newline)

    def value(self, path: tuple[str | int, ...], depth: int = 0) -> None:
        kind = self.chance.randrange(12 if depth < 3 else 9)
        if kind >= 10:
            self.inline_table(path, depth)
        elif kind == 9:
            self.array(path, depth)
        else:
            nl = self.newline
            self.put(self.chance.choice([
                "1", "-1_000.5e3", "true", "1979-05-27 07:32:00Z", '"a # ] } \\" = x"', "'[x] = \"'", "0xFF",
                f'"""{nl}[t]{nl}k = "" 1 \\""" {nl}"""', f"'''{nl}it's ] = {{{nl}'' '''", '""', "''", "inf",
            ]))  # fmt: skip

    def array(self, path: tuple[str | int, ...], depth: int) -> None:
        self.put("[")
        count = self.chance.randrange(4)
        for index in range(count):
            self.put(self.one_of("", " ", f"{self.newline}  ", f" # ] ,{self.newline}\t"))
            self.mark((*path, index))
            self.value((*path, index), depth + 1)
            self.put(self.one_of("", " ", self.newline))
            if index < count - 1 or self.chance.random() < 0.3:
                self.put(",")
        self.put(self.one_of("", self.newline) + "]")

    def inline_table(self, path: tuple[str | int, ...], depth: int) -> None:
        self.put("{" + self.blank())
        for index, name in enumerate(self.names(3)):
            if index:
                self.put("," + self.blank())
            self.mark((*path, name))
            self.put(self.key(name) + self.blank() + "=" + self.blank())
            self.value((*path, name), depth + 1)
            self.put(self.blank())
        self.put("}")

    def pairs(self, path: tuple[str | int, ...], names: list[str]) -> None:
        for name in names:
            self.lines_between()
            self.put(self.blank())
            at = (*path, name)
            self.mark(at)
            self.put(self.key(name))
            if self.chance.random() < 0.25:
                inner = self.names(1)[0]
                self.put(self.blank() + "." + self.blank())
                at = (*at, inner)
                self.mark(at)
                self.put(self.key(inner))
            self.put(self.blank() + "=" + self.blank())
            self.value(at)
            self.put(self.one_of("", " # = [") + self.newline)

    def header(self, keys: list[str], around: str = "[]") -> None:
        dot = self.blank() + "." + self.blank()
        self.put(around[: len(around) // 2] + dot.join(self.key(key) for key in keys))
        self.put(around[len(around) // 2 :] + self.one_of("", " # [x]") + self.newline)

    def document(self) -> str:
        self.pairs((), self.names())
        for table in range(self.chance.randrange(4)):
            # A prefix keeps tables apart from the keys above.
            name = f"t{table} x"
            self.lines_between()
            if self.chance.random() < 0.5:
                sub_first = self.chance.random() < 0.5
                for part in ("sub", "own") if sub_first else ("own", "sub"):
                    path = (name, "s'ub") if part == "sub" else (name,)
                    self.mark(path)
                    self.header(list(path))
                    self.pairs(path, self.names())
            else:
                self.array_of_tables(name)
        return self.text

    def array_of_tables(self, name: str) -> None:
        for index in range(self.chance.randint(1, 3)):
            self.lines_between()
            self.mark((name, index))
            if not index:
                self.mark((name,))
            self.header([name], "[[]]")
            self.pairs((name, index), self.names(2))
            for inner in range(self.chance.randrange(3)):
                self.mark((name, index, "in ner", inner))
                if not inner:
                    self.mark((name, index, "in ner"))
                self.header([name, "in ner"], "[[]]")
                self.pairs((name, index, "in ner", inner), self.names(2))
                if self.chance.random() < 0.5:
                    self.mark((name, index, "in ner", inner, "deep est"))
                    self.header([name, "in ner", "deep est"])
                    self.pairs((name, index, "in ner", inner, "deep est"), self.names(2))


class Json(Writer):
    def blank(self) -> str:
        return self.one_of("", " ", self.newline, "\t", f"{self.newline}    ")

    def value(self, path: tuple[str | int, ...], depth: int = 0) -> None:
        kind = self.chance.randrange(8)
        if depth == 0 or (kind == 0 and depth < 4):
            self.put("{" + self.blank())
            for index, name in enumerate(self.names()):
                self.put("," + self.blank() if index else "")
                self.mark((*path, name))
                self.put(self.quoted(name) + self.blank() + ":" + self.blank())
                self.value((*path, name), depth + 1)
                self.put(self.blank())
            self.put("}")
        elif kind in (1, 2) and depth < 4:
            self.put("[" + self.blank())
            for index in range(self.chance.randrange(4)):
                self.put("," + self.blank() if index else "")
                self.mark((*path, index))
                self.value((*path, index), depth + 1)
                self.put(self.blank())
            self.put("]")
        else:
            self.put(self.one_of("1", "-1.5e3", "null", "true", '"a ] } , \\" : {"', '"\\\\"', '""', '"# x"'))

    def document(self) -> str:
        self.value(())
        return self.text


def paths(value, prefix=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*prefix, key)
        yield from paths(item, (*prefix, key))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("writer", "read", "locate"),
    [(Toml, tomllib.loads, locate_toml), (Json, json.loads, locate_json)],
    ids=["toml", "json"],
)
def test_every_key_stands_where_it_was_written(writer, read, locate, newline) -> None:
    for seed in range(ROUNDS):
        made = writer(seed, newline)
        text = made.document()
        assert set(paths(read(text))) == set(made.places), f"the writer of seed {seed} is wrong"
        positions = locate(text)
        for path, place in made.places.items():
            assert positions.of(path) == place, f"seed {seed}: {path}\n{text}"

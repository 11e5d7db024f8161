"""Configuration files with one thing changed, each knowing what must come of it.

Nothing of `jitctl.config` is used: what a mutant expects, and where, follows from how it was made.
Texts are TOML or JSON with one key a line, as `config/`, tomli_w and `json.dumps(indent=2)` write them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from eth_utils import is_checksum_address, to_checksum_address

EQUIVALENT, REFUSED, OTHER = "equivalent", "refused", "other"


@dataclass(frozen=True)
class Mutant:
    """A changed file. `equivalent`: the configuration means the same. `refused`: it must not be taken, and a
    problem stands in `line` (and names `key`) where these are given. `other`: it is refused, means the same,
    or its values differ at `key` and nowhere else.
    """

    label: str
    stem: str
    text: bytes
    expects: str
    line: int | None = None
    key: str | None = None


@dataclass(frozen=True)
class Entry:
    """One value of a file: `start` and `end` enclose it in the text, `name_at` is where its key begins."""

    key: str
    name: str
    raw: str
    line: int
    start: int
    end: int
    name_at: int
    parent_line: int

    @property
    def last(self) -> str:
        return re.sub(r"\[\d+\]$", "", self.key).rsplit(".", 1)[-1]


_VALUE = r'"(?:\\.|[^"\\])*"|\'[^\']*\'|[^\s,#\]}\[{]+'
_PAIR = re.compile(rf'(?P<quote>"?)(?P<name>[A-Za-z0-9_-]+)(?P=quote)\s*[=:]\s*(?P<value>{_VALUE})')
_ITEM = re.compile(r"""\s*("[^"]*"|'[^']*')""")


def entries(text: str) -> list[Entry]:
    """Return every single value of a file with its key, its place and its parent's line."""
    return _json_entries(text) if is_json(text) else _toml_entries(text)


def is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _toml_entries(text: str) -> list[Entry]:
    found: list[Entry] = []
    counts: dict[str, int] = {}
    table, table_line, offset, array, index = "", 1, 0, "", 0
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        if array:
            if body.startswith("{"):
                for inner in _PAIR.finditer(line):
                    path = f"{array}[{index}].{inner['name']}"
                    found.append(_entry(path, inner["name"], inner, "value", number, offset, number))
                index += 1
            elif item := _ITEM.match(line):
                found.append(_entry(f"{array}[{index}]", "", item, 1, number, offset, number))
                index += 1
            array = "" if body.startswith("]") else array
        elif header := re.match(r"(\[\[?)([^\]]+)\]", body):
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
            parts, table = header[2].split("."), ""
            for depth, part in enumerate(parts):
                table += ("." if table else "") + part
                name = ".".join(parts[: depth + 1])
                table += f"[{counts[name]}]" if name in counts else ""
            table_line = number
        elif pair := re.match(r"\s*([A-Za-z0-9_-]+)\s*=\s*(.*)", line):
            key = f"{table}.{pair[1]}" if table else pair[1]
            if pair[2].startswith("{"):
                for inner in _PAIR.finditer(line, pair.start(2)):
                    path = f"{key}.{inner['name']}"
                    found.append(_entry(path, inner["name"], inner, "value", number, offset, number))
            elif pair[2].startswith("["):
                if "]" not in pair[2]:
                    array, index = key, 0
                for place, item in enumerate(re.finditer(r'"[^"]*"', pair[2].split("#")[0])):
                    start = offset + pair.start(2) + item.start()
                    path = f"{key}[{place}]"
                    end = start + len(item[0])
                    found.append(Entry(path, "", item[0], number, start, end, start, number))
            elif value := re.match(rf"\s*({pair[1]})\s*=\s*({_VALUE})", line):
                found.append(_entry(key, pair[1], value, 2, number, offset, table_line))
        offset += len(line) + 1
    return found


def _entry(
    key: str, name: str, found: re.Match[str], group: int | str, line: int, offset: int, parent: int
) -> Entry:
    start, end = (offset + place for place in found.span(group))
    lead = len(found[0]) - len(found[0].lstrip())
    return Entry(key, name, found[group], line, start, end, offset + found.start() + lead, parent)


def _json_entries(text: str) -> list[Entry]:
    found: list[Entry] = []
    stack: list[tuple[str, int, int]] = []  # path, line, items so far (-1 in an object)
    offset = 0
    for number, line in enumerate(text.split("\n"), 1):
        pair = re.match(r'\s*(?:"(?P<name>[^"]*)"\s*:\s*)?(?P<value>.*?),?\s*$', line)
        assert pair is not None
        name, value = pair["name"], pair["value"]
        if value[:1] in ("}", "]"):
            stack.pop()
        elif value:
            path, parent_line, index = stack[-1] if stack else ("", 1, -2)
            if index >= 0:
                key = f"{path}[{index}]"
                stack[-1] = (path, parent_line, index + 1)
            else:
                key = f"{path}.{name}" if path else name or ""
            if value in ("{", "["):
                stack.append((key, number, 0 if value == "[" else -1))
            elif value not in ("{}", "[]"):
                found.append(_entry(key, name or "", pair, "value", number, offset, parent_line))
        offset += len(line) + 1
    return found


FREE_TABLES = ("prices.feeds", "limits.max_per_token", "contacts")
"""Their keys are anyone's."""
FLOATS = {"slot_seconds", "max_age_s", "hung_after_s", "rival_exponent", "deadline_margin_s"}
NAMES = {"name", "symbol"}
URLS = {"url", "http_url", "ws_url"}
PATHS = {
    "keystore", "passphrase_file", "identity_keystore", "identity_passphrase_file", "data", "logs", "run",
    "backups", "token_file", "http_url_file", "ws_url_file",
}  # fmt: skip
CHOICES = {"source", "host", "token_role"}
REQUIRED = {
    "chain.chain_id", "executor.address", "limits.min_profit_wei", "limits.max_notional_wei",
    "nodes.name", "verify_nodes.name", "wallet.operators.keystore", "wallet.operators.passphrase_file",
    "relays.name", "relays.url", "relays.identity_keystore", "relays.identity_passphrase_file",
    "pools.name", "pools.address", "pools.fee_pips", "pools.tick_spacing",
    *(f"pools.{side}.{key}" for side in ("token0", "token1") for key in ("symbol", "address", "decimals")),
}  # fmt: skip
BOUNDS = {
    "settle_depth": (1, 10_000), "max_reorg_depth": (1, 1_000), "timeout_ms": (1, 60_000),
    "simulate_timeout_ms": (1, 60_000), "submit_timeout_ms": (1, 500), "pending_queue": (10, 1_000_000),
    "port": (0, 65_535), "fee_pips": (1, 999_999), "tick_spacing": (1, 16_383), "decimals": (0, 36),
    "size_share_bps": (1, 10_000), "max_candidates": (1, 64), "refine_evaluations": (0, 100),
    "max_alternatives": (0, 16),
}  # fmt: skip
_BY_ENDING = {"_bps": (0, 10_000), "_ppm": (0, 1_000_000), "_gas": (0, 10_000_000)}
_UNICODE = {
    "homoglyph": "\u0415", "zero-width": "\u200b", "right-to-left": "\u202e", "decomposed": "e\u0301",
    "no-break space": "\u00a0", "NUL": "\\u0000",
}  # fmt: skip


def bounds_of(entry: Entry) -> tuple[int, int] | None:
    if entry.last in BOUNDS:
        return BOUNDS[entry.last]
    if entry.last.endswith("wei_per_gas"):
        return None
    return next((both for ending, both in _BY_ENDING.items() if entry.last.endswith(ending)), None)


def _is_address(entry: Entry) -> bool:
    return re.fullmatch(r"""["']0x[0-9a-fA-F]{40}["']""", entry.raw) is not None


class _File:
    """One file and the changes that can be made to it."""

    def __init__(self, stem: str, text: str, others: list[str], chance: random.Random) -> None:
        self.stem, self.text, self.others, self.chance = stem, text, others, chance
        self.entries = entries(text)
        self.typed = [] if stem == "alerts" else self.entries
        self.json = is_json(text)
        self.lines = text.split("\n")

    def made(self, label: str, text: str, expects: str, at: Entry | None = None, **where: object) -> Mutant:
        line, key = (at.line, at.key) if at else (None, None)
        chosen: dict[str, object] = {"line": line, "key": key} | where
        named = f"{self.stem}: {label}" + (f" of {at.key}" if at else "")
        return Mutant(named, self.stem, text.encode("utf-8", "surrogatepass"), expects, **chosen)  # type: ignore[arg-type]

    def put(self, entry: Entry, raw: str) -> str:
        return self.text[: entry.start] + raw + self.text[entry.end :]

    def pick(self, wanted: Callable[[Entry], bool] = lambda _: True, typed: bool = True) -> Entry | None:
        found = [entry for entry in (self.typed if typed else self.entries) if wanted(entry)]
        return self.chance.choice(found) if found else None

    # What must be refused, and where.

    def wrong_type(self) -> Mutant | None:
        entry = self.pick()
        if entry is None:
            return None
        quoted = entry.raw[:1] in ("'", '"')
        wrong = ["[]", "{}", "[1, 2]"]
        if entry.last.endswith("_wei") or entry.key.startswith("limits.max_per_token"):
            wrong += ["true", "1.5", '"much"', '""', '"-1"', '"0.0000000000000000001 ether"', '"1 finney"']
        elif entry.raw in ("true", "false"):
            wrong += ["1", '"true"', "0.0"]
        elif entry.last in FLOATS:
            wrong += ["true", '"12"', "NaN" if self.json else "nan", "-Infinity" if self.json else "-inf"]
        elif quoted:
            wrong += ["1", "true", "0.5"]
        else:
            wrong += ["true", "1.5", '"1"', "1e3"]
        raw = self.chance.choice(wrong)
        # What a parser refuses has no key.
        key = None if raw.endswith(("NaN", "Infinity")) else entry.key
        return self.made(f"type {raw}", self.put(entry, raw), REFUSED, entry, key=key)

    def out_of_range(self) -> Mutant | None:
        entry = self.pick(lambda each: bounds_of(each) is not None)
        if entry is None:
            return None
        low, high = bounds_of(entry) or (0, 0)
        value, expects = self.chance.choice(
            [(low - 1, REFUSED), (high + 1, REFUSED), (low - 10**6, REFUSED), (high * 10 + 10**9, REFUSED),
             (low, OTHER), (high, OTHER)]
        )  # fmt: skip
        return self.made(f"bound {value}", self.put(entry, str(value)), expects, entry)

    def below_zero(self) -> Mutant | None:
        entry = self.pick(lambda each: re.fullmatch(r"[0-9][0-9_.]*", each.raw) is not None)
        return self.made("sign", self.put(entry, "-7"), REFUSED, entry) if entry else None

    def bad_address(self) -> Mutant | None:
        entry = self.pick(_is_address)
        if entry is None:
            return None
        old = entry.raw[1:-1]
        at = self.chance.randrange(2, 42)
        digit = self.chance.choice([each for each in "0123456789abcdef" if each != old[at].lower()])
        flipped = old[:at] + digit + old[at + 1 :]
        swapped = old[:at] + old[at].swapcase() + old[at + 1 :]
        right = to_checksum_address(old)
        upper_first = re.search("[a-f]", right)
        broken = right.lower()
        if upper_first and re.search("[A-F]", right):
            broken = right[: upper_first.start()] + right[upper_first.start() :].replace(
                upper_first[0], upper_first[0].upper(), 1
            )
        label, new = self.chance.choice([
            ("a digit", flipped), ("a case", swapped), ("a broken checksum", broken), ("short", old[:-1]),
            ("long", old + "0"), ("no 0x", old[2:]), ("zero", "0x" + "0" * 40), ("no hex", old[:-1] + "g"),
            ("wide digit", old[:-1] + "\uff11"), ("letter O", old[:-1] + "O"), ("blank", old + " "),
        ])  # fmt: skip
        if new == old:
            return None
        hexed = re.fullmatch("0x[0-9a-fA-F]{40}", new) is not None
        mixed = hexed and new[2:] not in (new[2:].lower(), new[2:].upper())
        expects = REFUSED if not hexed or (mixed and not is_checksum_address(new)) else OTHER
        if int(new[2:], 16) == 0 if hexed else False:
            expects = REFUSED
        if hexed and new.lower() == old.lower() and not mixed:
            expects = EQUIVALENT
        return self.made(f"address, {label}", self.put(entry, f'"{new}"'), expects, entry)

    def odd_character(self) -> Mutant | None:
        entry = self.pick(lambda each: each.last in NAMES | PATHS | URLS | CHOICES)
        if entry is None:
            return None
        label, odd = self.chance.choice(sorted(_UNICODE.items()))
        old = entry.raw[1:-1]
        at = self.chance.randrange(1, len(old) + 1)
        # A folder may be called anything that can be seen.
        visible = entry.last in PATHS and label in ("homoglyph", "decomposed")
        new = f'"{old[:at]}{odd}{old[at:]}"'
        return self.made(f"unicode, {label},", self.put(entry, new), OTHER if visible else REFUSED, entry)

    def half_a_character(self) -> Mutant | None:
        entry = self.pick(lambda each: each.raw[:1] == '"', typed=False)
        new = f'"{entry.raw[1:-1]}\\ud800"' if entry else ""
        key = entry.key if entry and self.json else None
        return self.made("lone surrogate", self.put(entry, new), REFUSED, entry, key=key) if entry else None

    def blank_at_the_end(self) -> Mutant | None:
        entry = self.pick(lambda each: each.last in NAMES)
        return self.made("a blank", self.put(entry, f'{entry.raw[:-1]} "'), REFUSED, entry) if entry else None

    def typo(self) -> Mutant | None:
        entry = self.pick(lambda each: bool(each.name) and not each.key.startswith(FREE_TABLES))
        if entry is None:
            return None
        name = entry.name
        at = self.chance.randrange(len(name))
        new = self.chance.choice([name[:at] + name[at] + name[at:], name + "x", "x" + name, name.upper()])
        start = self.text.index(name, entry.name_at)
        text = self.text[:start] + new + self.text[start + len(name) :]
        key = entry.key[: -len(name)] + new
        return self.made(f"typo {new}", text, REFUSED, entry, key=key)

    def missing(self) -> Mutant | None:
        entry = self.pick(lambda each: bool(each.name) and self._alone(each))
        if entry is None:
            return None
        required = re.sub(r"\[\d+\]", "", entry.key) in REQUIRED
        text = self._without(entry.line)
        expects = REFUSED if required else OTHER
        line = entry.parent_line if required else None
        return self.made("absence", text, expects, entry, line=line)

    def given_twice(self) -> Mutant | None:
        entry = self.pick(lambda each: bool(each.name) and self._alone(each), typed=False)
        if entry is None:
            return None
        line = self.lines[entry.line - 1]
        first = line if not self.json or line.rstrip().endswith(",") else line + ","
        text = "\n".join([*self.lines[: entry.line - 1], first, *self.lines[entry.line - 1 :]])
        key = entry.key if self.json else None
        return self.made("a second time", text, REFUSED, entry, line=entry.line + 1, key=key)

    def table_twice(self) -> Mutant | None:
        headers = [] if self.json else [n for n, line in enumerate(self.lines) if re.match(r"\[\w", line)]
        if not headers:
            return None
        at = self.chance.choice(headers)
        header = self.lines[at].split("#")[0].strip()
        if "." in header and any(line.startswith("[[" + header[1:].split(".")[0]) for line in self.lines):
            return None  # a table of an array's element: given again it may belong to the next
        lines = [*self.lines[:-1], header, ""]
        return self.made(f"a second {header}", "\n".join(lines), REFUSED, line=len(lines) - 1)

    def pool_twice(self) -> Mutant | None:
        heads = [n for n, line in enumerate(self.lines) if line.startswith("[[pools]]")]
        if not heads or self.json:
            return None
        at = self.chance.choice(heads)
        until = next((n for n in heads if n > at), len(self.lines) - 1)
        block = [line for line in self.lines[at:until] if line.strip() and not line.startswith("#")]
        name = next(n for n, line in enumerate(block) if line.startswith("name"))
        lines = [*self.lines[: heads[-1]], *block, *self.lines[heads[-1] :]]
        where = heads[-1] + name + 1
        return self.made(
            "a pool twice", "\n".join(lines), REFUSED, line=where, key=f"pools[{len(heads) - 1}].name"
        )

    def swapped_tokens(self) -> Mutant | None:
        if self.stem != "pools":
            return None
        of = {entry.key: entry for entry in self.entries}
        count = sum(1 for key in of if key.endswith("].name"))
        pool = f"pools[{self.chance.randrange(count)}]" if count else ""
        sides = [[of.get(f"{pool}.{side}.{key}") for key in ("symbol", "address", "decimals")]
                 for side in ("token0", "token1")]  # fmt: skip
        changes = []
        for one, two in zip(*sides, strict=True):
            if one is None or two is None:
                return None
            changes += [(one, two.raw), (two, one.raw)]
        text = self.text
        for entry, raw in sorted(changes, key=lambda change: -change[0].start):
            text = text[: entry.start] + raw + text[entry.end :]
        first = sides[0][0]
        line = first.parent_line if first else None
        return self.made("swapped tokens", text, REFUSED, line=line, key=f"{pool}.token0")

    def another_kind(self) -> Mutant | None:
        whole = self.chance.choice([*self.others, "[]", '"text"', "\x00\x01", "<html></html>\n", "", " \n"])
        if self.json != is_json(whole) and whole in self.others:
            return None
        return self.made("a file of another kind", whole, REFUSED)

    def cut(self) -> Mutant | None:
        at = self.chance.randrange(len(self.text))
        kept, lost = self.text[:at], self.text[at:]
        expects = REFUSED
        if self.json and not lost.strip():
            expects = EQUIVALENT
        marked = 'ends with "# end of file"' in self.lines[0]
        if not self.json and not marked and kept.endswith("\n") and kept.strip():
            expects = OTHER
        if expects is OTHER:
            return None  # nothing tells such a file from a whole one
        return self.made(f"cut at {at}", kept, expects)

    # What may be anything, as long as it is said or seen in the values.

    def bit_flip(self) -> Mutant | None:
        data = bytearray(self.text.encode())
        at = self.chance.randrange(len(data))
        was = data[at]
        data[at] ^= 1 << self.chance.randrange(8)
        place = len(self.text.encode()[:at].decode("utf-8", "ignore"))
        # A lost end of line takes the next line into a comment.
        near = place + 1 if was == 0x0A else place
        line = self.text.count("\n", 0, near) + 1
        inside = [each for each in self.entries if each.name_at <= near <= each.end and each.line == line]
        below = [each for each in self.entries if each.line == line] if was == 0x0A else []
        key = next((each.key for each in [*inside, *below]), None)
        return Mutant(f"{self.stem}: bit flip at byte {at}", self.stem, bytes(data), OTHER, line, key)

    # What means the same.

    def other_spelling(self) -> Mutant | None:
        entry = self.pick()
        if entry is None:
            return None
        raw = entry.raw
        ways: list[str] = []
        if _is_address(entry):
            old = raw[1:-1]
            ways += [f'"{old.lower()}"', f'"{to_checksum_address(old)}"', f'"0x{old[2:].upper()}"']
        elif entry.last.endswith("_wei") and (found := re.fullmatch(r'"([0-9]+) ether"', raw)):
            ways += [str(int(found[1]) * 10**18), f'"{found[1]}.0 ether"', f'"{found[1]}000000000 gwei"',
                     f'"{int(found[1]) * 10**18}"', f'"{found[1]}ETH"']  # fmt: skip
        elif re.fullmatch(r"[0-9][0-9_]*", raw):
            value = int(raw)
            ways += [str(value)] if self.json else [f"{value:_}", f"{value:#x}", f"+{value}", f"{value:#b}"]
            ways += [f"{value}.0"] if entry.last in FLOATS else []
        elif raw[:1] in ("'", '"') and "\\" not in raw:
            escaped = "".join(f"\\u{ord(char):04x}" for char in raw[1:-1])
            ways += [f'"{escaped}"']
            ways += [] if self.json or "'" in raw[1:-1] else [f"'{raw[1:-1]}'", f'"""{raw[1:-1]}"""']
        ways = [way for way in ways if way != raw]
        if not ways:
            return None
        return self.made("spelling", self.put(entry, self.chance.choice(ways)), EQUIVALENT, entry)

    def blanks(self) -> Mutant | None:
        if self.json:
            way = self.chance.choice([None, 1, 7])
            return self.made("blanks", json.dumps(json.loads(self.text), indent=way), EQUIVALENT)
        ends_of_lines = self.text.replace("\n", "\r\n")
        tailed = re.sub(r"(?m)^([a-z_\[].*)$", r"\1 \t", self.text)
        wide = re.sub(r"(?m)^([A-Za-z_]+) *=", r"\t\1\t =", self.text)
        return self.made(
            "blanks", self.chance.choice([ends_of_lines, tailed, wide, self.text + "\n\n"]), EQUIVALENT
        )

    def comment(self) -> Mutant | None:
        if self.json:
            return None
        entry = self.pick(lambda each: bool(each.name) and self._alone(each), typed=False)
        if entry is None:
            return None
        odd = self.chance.choice(['# "', "# [x]", "# '''", "# ключ = 1", "#", "# end of file", "# }"])
        lines = [*self.lines]
        lines.insert(entry.line - 1, odd)
        return self.made(f"comment {odd}", "\n".join(lines), EQUIVALENT)

    def order(self) -> Mutant | None:
        if self.json:
            data = json.loads(self.text)
            keys = list(data)
            self.chance.shuffle(keys)
            ordered = {key: data[key] for key in keys}
            return self.made("order", json.dumps(ordered, indent=2), EQUIVALENT)
        single = [entry for entry in self.entries if entry.name and self._alone(entry)]
        pairs = [
            (one, two)
            for one, two in pairwise(single)
            if two.line == one.line + 1 and two.key.rpartition(".")[0] == one.key.rpartition(".")[0]
        ]
        if not pairs:
            return None
        one, two = self.chance.choice(pairs)
        lines = [*self.lines]
        lines[one.line - 1], lines[two.line - 1] = lines[two.line - 1], lines[one.line - 1]
        return self.made("order", "\n".join(lines), EQUIVALENT)

    def _alone(self, entry: Entry) -> bool:
        """Whether an entry has its line for itself."""
        return sum(1 for each in self.entries if each.line == entry.line) == 1 and (
            self.text[: entry.name_at].rpartition("\n")[2].strip() == ""
        )

    def _without(self, number: int) -> str:
        lines = [*self.lines]
        line = lines.pop(number - 1)
        if self.json and not line.rstrip().endswith(","):
            lines[number - 2] = lines[number - 2].rstrip().removesuffix(",")
        return "\n".join(lines)


KINDS = (
    "wrong_type", "wrong_type", "out_of_range", "out_of_range", "below_zero", "bad_address", "bad_address",
    "odd_character", "half_a_character", "blank_at_the_end", "typo", "typo", "missing", "missing",
    "given_twice", "table_twice", "pool_twice", "swapped_tokens", "another_kind", "cut", "cut", "bit_flip",
    "bit_flip", "bit_flip", "other_spelling", "other_spelling", "blanks", "comment", "order",
)  # fmt: skip


def mutants(texts: Mapping[str, str], seed: int, count: int) -> Iterator[Mutant]:
    """Yield `count` mutants of files given by stem; equal seeds give equal mutants.

    A kind is drawn first, so that every kind is met often, then a file that it can be done to.
    """
    chance = random.Random(seed)
    files = [
        _File(stem, text, [each for name, each in texts.items() if name != stem], chance)
        for stem, text in texts.items()
    ]
    # The small files have little to change.
    weights = [1 + 4 * (stem != "alerts") for stem in texts]
    made = 0
    while made < count:
        file = chance.choices(files, weights)[0]
        mutant: Mutant | None = getattr(file, chance.choice(KINDS))()
        if mutant is not None:
            made += 1
            yield mutant


def marked(text: str) -> str:
    """Return a TOML file with the marks by which a cut one is known."""
    return f'# This file ends with "# end of file".\n{text}\n# end of file\n'

"""The journal file: derived, chained, mended, segmented."""

import json
import random
from pathlib import Path

import pytest

from jitctl.errors import LedgerError
from jitctl.ledger.journal import NO_LINE_BEFORE, Journal, segments, verify_lines
from jitctl.ledger.store import LedgerStore


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = LedgerStore(folder / "ledger.db")
        self.path = folder / "jit_bot.jsonl"

    def journal(self) -> Journal:
        return Journal(self.folder, self.folder / "ledger.db")

    def events(self, count: int) -> None:
        for number in range(count):
            self.store.record("note", {"n": number, "big": 10**30, "text": "ünï\n\u2028"}, 1.0 + number)
        self.store.flush()

    def verified(self) -> int:
        """Return the last number of the whole chain, over all segments."""
        seq, line_hash = 0, NO_LINE_BEFORE
        for path in [*segments(self.folder), self.path]:
            if path.exists():
                with path.open("rb") as file:
                    seq, line_hash = verify_lines(file, line_hash, seq)
        return seq


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_lines_follow_the_ledger_and_each_other(bench: Bench) -> None:
    journal = bench.journal()
    assert journal.catch_up() == 0
    bench.events(3)
    assert journal.catch_up() == 3
    bench.events(1200)
    assert journal.catch_up() == 1200
    assert journal.catch_up() == 0
    lines = [json.loads(line) for line in bench.path.read_bytes().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, 1204))
    assert lines[0] == {
        "seq": 1, "type": "note", "time": "1970-01-01T00:00:01.000Z", "time_s": 1.0, "prev": NO_LINE_BEFORE,
        "data": {"n": 0, "big": str(10**30), "text": "ünï\n\u2028"},
    }  # fmt: skip
    assert bench.verified() == 1203


def test_it_catches_up_at_start(bench: Bench) -> None:
    bench.events(5)
    assert bench.journal().catch_up() == 5
    bench.events(5)
    assert bench.journal().catch_up() == 5
    bench.path.unlink()
    assert bench.journal().catch_up() == 10
    assert bench.verified() == 10


@pytest.mark.parametrize("seed", range(25))
def test_a_torn_tail_is_mended(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    bench.events(20)
    bench.journal().catch_up()
    whole = bench.path.read_bytes()
    cut = rng.randrange(0, len(whole))
    junk = rng.choice([b"", bytes(rng.randrange(1, 5000)), b'{"seq":', b"\n\n", b"garbage\nmore\n"])
    bench.path.write_bytes(whole[:cut] + junk)
    bench.events(2)
    bench.journal().catch_up()
    assert bench.verified() == 22
    assert bench.path.read_bytes().startswith(whole)


def test_segments_close_and_the_chain_goes_on(bench: Bench) -> None:
    journal = bench.journal()
    assert journal.close_segment() is None
    bench.events(3)
    journal.catch_up()
    first = journal.close_segment()
    assert first is not None
    assert first.name == "jit_bot-000000000001-000000000003.jsonl"
    assert journal.close_segment() is None
    bench.events(2)
    journal.catch_up()
    second = journal.close_segment()
    bench.events(1)
    # A new journal finds its place without a current file.
    assert bench.journal().catch_up() == 1
    assert segments(bench.folder) == [first, second]
    assert bench.verified() == 6


@pytest.mark.parametrize("damage", ["flip", "swap", "drop", "cut"])
def test_damage_is_found_and_the_line_named(bench: Bench, damage: str) -> None:
    bench.events(10)
    bench.journal().catch_up()
    lines = bench.path.read_bytes().splitlines(keepends=True)
    if damage == "flip":
        lines[4] = lines[4].replace(b'"n":4', b'"n":5')
    elif damage == "swap":
        lines[4], lines[5] = lines[5], lines[4]
    elif damage == "drop":
        del lines[4]
    else:
        lines[9] = lines[9][:-5]
    with pytest.raises(LedgerError, match="does not continue the chain") as caught:
        verify_lines(lines)
    expected = {"flip": "line 6", "swap": "line 5", "drop": "line 5", "cut": "line 10"}
    assert expected[damage] in caught.value.message


def test_a_journal_ahead_of_its_ledger_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.events(5)
    bench.journal().catch_up()
    older = tmp_path / "older"
    older.mkdir()
    LedgerStore(older / "ledger.db").close()
    with pytest.raises(LedgerError, match="ends at event 5, the ledger at 0"):
        Journal(bench.folder, older / "ledger.db")


def test_what_cannot_be_written_is_an_error_and_catches_up_later(bench: Bench) -> None:
    journal = bench.journal()
    bench.events(3)
    bench.path.mkdir()
    with pytest.raises(LedgerError, match="cannot write"):
        journal.catch_up()
    bench.path.rmdir()
    assert journal.catch_up() == 3
    assert bench.verified() == 3

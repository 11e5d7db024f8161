"""A thousand spoiled configurations, one after another, under a bot that trades: none is taken over.

Each is written in place as an editor without care does, and then a reload is asked for.
"""

from __future__ import annotations

import json
import os
import random
import re
import tomllib
from itertools import islice

import pytest

from jitctl.errors import ConfigError
from tests.config.mutants import EQUIVALENT, OTHER, REFUSED, marked, mutants

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = 1_000
JSON_SHARE = 0.3


def standing(status):
    """What must not change, and what tells of a block that was missed."""
    figures = status["figures"]
    happened = figures["counts"]["happenings"]
    return {
        "hash": status["configHash"],
        "generation": status["generation"],
        "engine": status["engine"]["pid"],
        "heads beyond the chain's": happened["heads"] - figures["headNumber"],
        **{name: happened[name] for name in ("gap_blocks", "sync_lost", "resyncs", "ledger_errors")},
    }


def in_place(problems, mutant):
    """Whether one of the problems stands where the mutant was changed."""
    name = rf"{mutant.stem}\.(?:toml|json)"
    lines = {int(line) for line in re.findall(rf"{name}:(\d+):\d+: JC\d\d\d", problems)}
    return bool(lines) and (mutant.line is None or mutant.line in lines)


async def test_a_thousand_spoiled_configurations_change_nothing(rig, seed):
    config = rig.net.folder / "config"
    toml = {path.stem: marked(path.read_text()) for path in config.glob("*.toml")}
    for stem, text in toml.items():
        (config / f"{stem}.toml").write_text(text)
    as_json = {stem: json.dumps(tomllib.loads(text), indent=2) + "\n" for stem, text in toml.items()}
    many = int(COUNT * JSON_SHARE)
    chosen = [
        *((mutant, "toml") for mutant in of_sort(toml, seed, COUNT - many)),
        *((mutant, "json") for mutant in of_sort(as_json, seed + 1, many)),
    ]
    random.Random(seed).shuffle(chosen)
    assert len(chosen) == COUNT
    before = standing(await rig.status())
    landed = await rig.count("outcomes", "landed")
    counts = {EQUIVALENT: 0, REFUSED: 0}
    for mutant, suffix in chosen:
        right = config / f"{mutant.stem}.toml"
        spoiled = config / f"{mutant.stem}.{suffix}"
        if suffix == "json":
            right.unlink()
        written(spoiled, mutant.text)
        try:
            reply = await rig.ask(f"reload-{'strategy' if mutant.stem == 'strategy' else 'pools'}")
        except ConfigError as refused:
            told = str(refused)
            assert mutant.expects == REFUSED, f"{mutant.label}: {told}"
            assert in_place(told, mutant), f"{mutant.label}: line {mutant.line} expected\n{told}"
            assert mutant.key is None or mutant.key in told, f"{mutant.label}: {mutant.key}\n{told}"
        else:
            assert mutant.expects == EQUIVALENT, (
                f"{mutant.label}: {reply}\n{mutant.text.decode(errors='replace')}"
            )
            assert reply["changed"] is False, mutant.label
        finally:
            spoiled.unlink()
            written(right, toml[mutant.stem].encode())
        counts[mutant.expects] += 1
    print(f"{COUNT} spoiled configurations, seed {seed}: {counts}")
    assert min(counts.values()) > COUNT // 20
    assert standing(await rig.status()) == before
    assert not (await rig.ask("reload-pools"))["changed"]
    # And it has traded through all of it.
    await rig.grows("outcomes", "landed", beyond=landed)


def written(path, data):
    """Write a file as if a second ago: a reload waits until files lie still, and need not here."""
    path.write_bytes(data)
    then_ns = path.stat().st_mtime_ns - 10**9
    os.utime(path, ns=(then_ns, then_ns))


def of_sort(texts, seed, count):
    """Return the mutants of which it is known beforehand what must come of them."""
    return islice((each for each in mutants(texts, seed, 2 * count) if each.expects != OTHER), count)

"""Random mixtures of nodes: never "none" while a position is open, nor with an odd node among them."""

from __future__ import annotations

from collections import Counter

from jitctl.checks.positions import open_positions
from tests.checks.forged_node import INVENTING, ODD, SILENT
from tests.checks.scene import BLOCKS

CASES = 64
PATIENT_S, IMPATIENT_S = 30.0, 0.5
LAGS = (1, 2, 3, 4, BLOCKS - 2)
MAX_HARMLESS_LAG = 3
DEAD = "http://127.0.0.1:1/"
SKIPPED = {"dead", "html", "redirect", "rate_limited", "list_reply", "other_chain", "hang", "drip"}
"""What does not even tell its chain and head: another trading node will do."""


async def test_no_mixture_of_nodes_hides_a_position(scene, rng):
    for lag in LAGS:
        scene.lay(f"node/lag{lag}", "lag", lag)
    forged = [await scene.forge() for _ in range(4)]
    seen = Counter()
    for number in range(CASES // 2):
        seen += await one_case(scene, rng, forged, number, is_open=False)
    async with scene.lone_mint():
        for number in range(CASES // 2):
            seen += await one_case(scene, rng, forged, number, is_open=True)
    print(dict(seen))
    assert sum(seen.values()) == CASES
    assert not seen["open", "none"]
    # All three answers were there to be had.
    assert min(seen["flat", "none"], seen["open", "open"], seen["flat", "unknown"]) > 0


async def one_case(scene, rng, forged, number, *, is_open):
    trading = [tale(rng) for _ in range(rng.randint(1, 2))]
    verify = [tale(rng) for _ in range(rng.randint(0, 2))]
    heard = [each for each in trading if each not in SKIPPED] or trading
    if "honest" not in heard + verify and any(hides(each) for each in heard + verify):
        # Where everybody who knows the newest block lies alike, nobody can tell.
        verify = [*verify[:1], "honest"]
    heard = heard + verify
    hurried = bool(set(SILENT) & {*trading, *verify})
    urls = [set_up(scene, node, tale) for node, tale in zip(forged, trading + verify, strict=False)]
    config = scene.asking(urls[: len(trading)], urls[len(trading) :])
    found = await open_positions(config, wall_s=scene.wall_s, timeout_s=IMPATIENT_S if hurried else PATIENT_S)
    case = f"case {number}: open={is_open}, {trading} + {verify}: {found.result}, {found.reason}"
    if found.result == "none":
        assert not is_open, case
        assert all(harmless(each) for each in heard), case
    if found.result == "open":
        assert is_open or set(INVENTING) & set(heard), case
    if not hurried and is_open and "honest" in heard:
        assert found.result == "open", case
    if (
        not hurried
        and not is_open
        and all(harmless(each) for each in heard)
        and spread(heard) <= MAX_HARMLESS_LAG
    ):
        assert found.result == "none", case
    return Counter({("open" if is_open else "flat", found.result): 1})


def tale(rng):
    kind = rng.choices(
        ("honest", "lag", "hides", "odd", "invents", "silent", "dead"), (10, 4, 4, 5, 2, 2, 2)
    )[0]
    choices = {
        "lag": [f"lag{lag}" for lag in LAGS],
        "hides": ["hides_all", "hides_flag"],
        "odd": ODD,
        "invents": INVENTING,
        "silent": SILENT,
    }
    return rng.choice(choices.get(kind, [kind]))


def set_up(scene, node, told):
    if told == "dead":
        return DEAD
    lagging = told.startswith("lag")
    node.upstream = scene.url(told if lagging else "")
    node.tale = "honest" if lagging else told
    return node.url


def lag_of(told):
    return int(told[3:]) if told.startswith("lag") else 0


def hides(told):
    """Whether it may say of an open position that there is none, and be at one with itself."""
    return told in ("hides_all", "hides_flag", "other_hash") or told.startswith("lag")


def harmless(told):
    """Whether it says what is true of a flat chain: what hides a position has nothing to hide there."""
    return told in ("honest", "hides_all", "hides_flag") or told.startswith("lag")


def spread(heard):
    lags = [lag_of(each) for each in heard]
    return max(lags) - min(lags)

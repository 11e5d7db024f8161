"""Values known from the contract's own test-suite and documentation."""

from __future__ import annotations

import pytest
from eth_abi.packed import encode_packed
from eth_utils import keccak

from jitctl.amm.full_math import MAX_UINT128, MAX_UINT256, mul_div, mul_div_rounding_up
from jitctl.amm.jit import jit_swap
from jitctl.amm.liquidity_math import add_delta, max_liquidity_per_tick
from jitctl.amm.pool import Pool
from jitctl.amm.position import fee_growth_inside, fees_owed, position_key
from jitctl.amm.revert import InconsistentPool, PoolReverts
from jitctl.amm.sqrt_price_math import (
    get_amount0_delta,
    get_amount1_delta,
    get_next_sqrt_price_from_input,
    get_next_sqrt_price_from_output,
)
from jitctl.amm.swap_math import compute_swap_step
from jitctl.amm.tick_bitmap import build_bitmap, next_initialized_tick_within_one_word
from jitctl.amm.tick_math import (
    MAX_SQRT_RATIO,
    MAX_TICK,
    MIN_SQRT_RATIO,
    MIN_TICK,
    get_sqrt_ratio_at_tick,
    get_tick_at_sqrt_ratio,
)
from jitctl.domain.values import Address

E18 = 10**18
ONE = 1 << 96  # price 1
P1_01 = 79623317895830914510639640423  # sqrt(1.01)
P1_21 = 87150978765690771352898345369  # sqrt(1.21)
P10 = 250541448375047931186413801569  # sqrt(10)
P100 = 792281625142643375935439503360  # sqrt(100)
P256 = 20282409603651670423947251286016  # sqrt(65536)


@pytest.mark.parametrize(
    ("tick", "ratio"),
    [
        (MIN_TICK, MIN_SQRT_RATIO),
        (MIN_TICK + 1, 4295343490),
        (MAX_TICK - 1, 1461373636630004318706518188784493106690254656249),
        (MAX_TICK, MAX_SQRT_RATIO),
        (0, ONE),
        (50, 79426470787362580746886972461),
        (-50, 79030349367926598376800521322),
        (100, 79625275426524748796330556128),
        (-100, 78833030112140176575862854579),
        (250, 80224679980005306637834519095),
        (500, 81233731461783161732293370115),
        (1000, 83290069058676223003182343270),
        (2500, 89776708723587163891445672585),
        (5000, 101729702841318637793976746270),
        (50000, 965075977353221155028623082916),
        (150000, 143194173941309278083010301478497),
        (-150000, 43836292794701720435367485),
        (250000, 21246587762933397357449903968194344),
        (500000, 5697689776495288729098254600827762987878),
        (738203, 847134979253254120489401328389043031315994541),
    ],
)
def test_ratio_at_tick(tick: int, ratio: int) -> None:
    assert get_sqrt_ratio_at_tick(tick) == ratio
    if tick < MAX_TICK:
        assert get_tick_at_sqrt_ratio(ratio) == tick


def test_the_greatest_price_is_below_the_greatest_tick() -> None:
    assert get_tick_at_sqrt_ratio(MAX_SQRT_RATIO - 1) == MAX_TICK - 1


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1])
def test_ticks_out_of_bounds_are_refused(tick: int) -> None:
    with pytest.raises(PoolReverts, match=r"^T:"):
        get_sqrt_ratio_at_tick(tick)


@pytest.mark.parametrize(
    ("price", "target", "liquidity", "remaining", "fee_pips", "expected"),
    [
        pytest.param(ONE, P1_01, 2 * E18, E18, 600,
                     (P1_01, 9975124224178055, 9925619580021728, 5988667735148),
                     id="exact-in-capped-at-target"),
        pytest.param(ONE, P1_01, 2 * E18, -E18, 600,
                     (P1_01, 9975124224178055, 9925619580021728, 5988667735148),
                     id="exact-out-capped-at-target"),
        pytest.param(ONE, P10, 2 * E18, E18, 600,
                     (None, 999400000000000000, 666399946655997866, 600000000000000), id="exact-in-spent"),
        pytest.param(ONE, P100, 2 * E18, -E18, 600,
                     (None, 2 * E18, E18, 1200720432259356), id="exact-out-got"),
        pytest.param(417332158212080721273783715441582, 1452870262520218020823638996,
                     159344665391607089467575320103, -1, 1, (417332158212080721273783715441581, 1, 1, 1),
                     id="out-capped-at-what-was-asked"),
        pytest.param(2, 1, 1, 3915081100057732413702495386755767, 1,
                     (1, 39614081257132168796771975168, 0, 39614120871253040049813), id="price-of-one"),
        pytest.param(2413, 79887613182836312, 1985041575832132834610021537970, 10, 1872, (2413, 0, 0, 10),
                     id="all-of-it-is-fee"),
        pytest.param(P256, P256 * 11 // 10, 1024, -4, 3000, (P256 * 11 // 10, 26215, 0, 79), id="dry-up"),
        pytest.param(P256, P256 * 9 // 10, 1024, -263000, 3000, (P256 * 9 // 10, 1, 26214, 1), id="dry-down"),
    ],
)  # fmt: skip
def test_swap_step(
    price: int,
    target: int,
    liquidity: int,
    remaining: int,
    fee_pips: int,
    expected: tuple[int | None, int, int, int],
) -> None:
    result = compute_swap_step(price, target, liquidity, remaining, fee_pips)
    assert result[1:] == expected[1:]
    assert expected[0] in (None, result[0])


def test_next_price() -> None:
    assert get_next_sqrt_price_from_input(ONE, E18, 0, True) == ONE
    assert get_next_sqrt_price_from_input(ONE, E18, E18 // 10, False) == P1_21
    assert get_next_sqrt_price_from_input(ONE, E18, E18 // 10, True) == 72025602285694852357767227579
    assert get_next_sqrt_price_from_input(ONE, 10 * E18, 1 << 100, True) == 624999999995069620
    assert get_next_sqrt_price_from_input(ONE, 1, MAX_UINT256 // 2, True) == 1
    assert get_next_sqrt_price_from_output(ONE, E18, E18 // 10, False) == 88031291682515930659493278152
    assert get_next_sqrt_price_from_output(ONE, E18, E18 // 10, True) == 71305346262837903834189555302


@pytest.mark.parametrize(("amount", "zero_for_one"), [(4, False), (5, False), (262144, True), (262145, True)])
def test_more_than_the_curve_holds_is_refused(amount: int, zero_for_one: bool) -> None:
    with pytest.raises(PoolReverts):
        get_next_sqrt_price_from_output(P256, 1024, amount, zero_for_one)


def test_no_curve_no_price() -> None:
    for price, liquidity in ((0, 1), (1, 0)):
        with pytest.raises(PoolReverts):
            get_next_sqrt_price_from_input(price, liquidity, 1, False)
    with pytest.raises(PoolReverts):
        get_next_sqrt_price_from_input((1 << 160) - 1, 1024, 1024, False)


def test_amounts_between_prices() -> None:
    assert get_amount0_delta(ONE, P1_21, E18, True) == 90909090909090910
    assert get_amount0_delta(P1_21, ONE, E18, False) == 90909090909090909
    assert get_amount1_delta(ONE, P1_21, E18, True) == 100000000000000000
    assert get_amount1_delta(P1_21, ONE, E18, False) == 99999999999999999


def test_full_math_bounds() -> None:
    assert mul_div(MAX_UINT256, MAX_UINT256, MAX_UINT256) == MAX_UINT256
    assert mul_div(7, 3, 2) == 10
    assert mul_div_rounding_up(7, 3, 2) == 11
    with pytest.raises(PoolReverts):
        mul_div_rounding_up(
            535006138814359, 432862656469423142931042426214547535783388063929571229938474969, 2
        )
    with pytest.raises(PoolReverts):
        mul_div(1, 1, 0)
    assert add_delta(MAX_UINT128 - 1, 1) == MAX_UINT128
    for liquidity, delta, code in ((0, -1, "LS"), (MAX_UINT128, 1, "LA")):
        with pytest.raises(PoolReverts, match=f"^{code}:"):
            add_delta(liquidity, delta)


@pytest.mark.parametrize(
    ("spacing", "most"),
    [
        (10, 1917569901783203986719870431555990),
        (60, 11505743598341114571880798222544994),
        (200, 38350317471085141830651933667504588),
        (887272, MAX_UINT128 // 3),
    ],
)
def test_most_liquidity_of_a_tick(spacing: int, most: int) -> None:
    assert max_liquidity_per_tick(spacing) == most


@pytest.mark.parametrize(
    ("tick", "lte", "found"),
    [
        (78, False, (84, True)), (-55, False, (-4, True)), (77, False, (78, True)), (-56, False, (-55, True)),
        (255, False, (511, False)), (-257, False, (-200, True)), (508, False, (511, False)),
        (383, False, (511, False)), (78, True, (78, True)), (79, True, (78, True)), (258, True, (256, False)),
        (256, True, (256, False)), (72, True, (70, True)), (-257, True, (-512, False)),
        (1023, True, (768, False)),
    ],
)  # fmt: skip
def test_next_tick_in_the_word(tick: int, lte: bool, found: tuple[int, bool]) -> None:
    bitmap = build_bitmap([-200, -55, -4, 70, 78, 84, 139, 240, 535], 1)
    assert next_initialized_tick_within_one_word(bitmap, tick, 1, lte) == found


def test_spaced_ticks_round_towards_minus_infinity() -> None:
    bitmap = build_bitmap([-60, 60], 60)
    assert next_initialized_tick_within_one_word(bitmap, -1, 60, True) == (-60, True)
    assert next_initialized_tick_within_one_word(bitmap, -61, 60, True) == (-256 * 60, False)
    assert next_initialized_tick_within_one_word(bitmap, -61, 60, False) == (-60, True)
    assert next_initialized_tick_within_one_word(bitmap, -60, 60, False) == (60, True)


def test_fee_growth_inside_wraps_like_the_contract() -> None:
    assert fee_growth_inside(-2, 2, 0, 15, 0, 0) == 15
    assert fee_growth_inside(-2, 2, 4, 15, 0, 0) == 0
    assert fee_growth_inside(-2, 2, -4, 15, 0, 0) == 0
    assert fee_growth_inside(-2, 2, 0, 15, 2, 3) == 10
    assert fee_growth_inside(-2, 2, 0, 15, MAX_UINT256 - 3, 2) == 17
    assert fees_owed(1 << 127, 3, MAX_UINT256 - 4) == 4
    assert fees_owed(1 << 120, 3, MAX_UINT256 - 4) == 0


def test_position_key_is_the_packed_hash() -> None:
    owner = Address("0x" + "11" * 20)
    packed = encode_packed(["address", "int24", "int24"], [owner, -887220, 60])
    assert position_key(owner, -887220, 60) == keccak(packed)


def _one_range() -> Pool:
    ticks = {-60: (E18, E18), 60: (E18, -E18)}
    return Pool.from_state(
        fee_pips=3000, tick_spacing=60, sqrt_price_x96=ONE, tick=0, liquidity=E18, ticks=ticks
    )


def test_one_range_by_hand() -> None:
    """A swap too small to leave the range, worked out from the formulae."""
    result = _one_range().swap(False, 1000)
    assert result == (-996, 1000, ONE + (997 << 96) // E18, 0, E18, 0, 0)


def test_a_dry_pool_gives_all_it_has_and_goes_to_the_limit() -> None:
    result = _one_range().swap(True, 10**30)
    assert result.sqrt_price_x96 == MIN_SQRT_RATIO + 1
    assert result.tick == MIN_TICK
    assert (result.liquidity, result.ticks_crossed) == (0, 1)
    assert -result.amount1 == get_amount1_delta(get_sqrt_ratio_at_tick(-60), ONE, E18, False)


def test_jit_with_as_much_as_the_pool_takes_half_the_fee() -> None:
    outcome = jit_swap(_one_range(), -60, 60, E18, False, 10**12)
    assert outcome.swap.liquidity == 2 * E18
    # The fee is 3e9; growth per unit of liquidity is rounded down, so half of it is one unit short.
    assert (outcome.fees0, outcome.fees1) == (0, 1_499_999_999)
    assert outcome.adds_ticks == 0


@pytest.mark.parametrize(
    "change",
    [
        {"liquidity": E18 - 1},
        {"tick": 1},
        {"tick": 61},
        {"sqrt_price_x96": 0},
        {"fee_protocol": 3},
        {"fee_protocol": 11 << 4},
        {"fee_pips": 1_000_000},
        {"tick_spacing": 0},
        {"tick_spacing": 7},
        {"ticks": {-60: (E18, E18)}},
        {"ticks": {-60: (E18, -E18), 60: (E18, E18)}},
        {"ticks": {-60: (0, 0)}},
        {"ticks": {-60: (1, 2), 60: (2, -2)}},
        {"ticks": {-887280: (E18, E18), 60: (E18, -E18)}},
    ],
    ids=repr,
)
def test_contradicting_states_are_refused(change: dict[str, object]) -> None:
    state = {
        "fee_pips": 3000,
        "tick_spacing": 60,
        "sqrt_price_x96": ONE,
        "tick": 0,
        "liquidity": E18,
        "fee_protocol": 0,
        "ticks": {-60: (E18, E18), 60: (E18, -E18)},
    }
    with pytest.raises(InconsistentPool):
        Pool.from_state(**{**state, **change})

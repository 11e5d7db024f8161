# pragma version 0.4.3
"""
@title Price of a tick
@notice sqrt(1.0001 ** tick) * 2 ** 96, to the bit as the pools have it, so that our arithmetic and a
    pool's principal agree on where a range begins and ends.
@dev 1.0001 ** (-n / 2) is the product of one factor per set bit of n. Each factor is
    2 ** 128 / 1.0001 ** (2 ** bit / 2), rounded; a test recomputes them.
"""

MAX_TICK: constant(uint256) = 887_272


@internal
@pure
def sqrt_price_x96(tick: int24) -> uint256:
    """
    @dev Reverts where no pool has a price. A product of two factors below 2 ** 128 cannot overflow.
    """
    distance: uint256 = convert(abs(convert(tick, int256)), uint256)
    assert distance <= MAX_TICK, "no such tick"
    ratio: uint256 = 1 << 128
    if distance & 1 != 0:
        ratio = 340265354078544963557816517032075149313
    if distance & 2 != 0:
        ratio = unsafe_mul(ratio, 340248342086729790484326174814286782778) >> 128
    if distance & 4 != 0:
        ratio = unsafe_mul(ratio, 340214320654664324051920982716015181260) >> 128
    if distance & 8 != 0:
        ratio = unsafe_mul(ratio, 340146287995602323631171512101879684304) >> 128
    if distance & 16 != 0:
        ratio = unsafe_mul(ratio, 340010263488231146823593991679159461444) >> 128
    if distance & 32 != 0:
        ratio = unsafe_mul(ratio, 339738377640345403697157401104375502016) >> 128
    if distance & 64 != 0:
        ratio = unsafe_mul(ratio, 339195258003219555707034227454543997025) >> 128
    if distance & 128 != 0:
        ratio = unsafe_mul(ratio, 338111622100601834656805679988414885971) >> 128
    if distance & 256 != 0:
        ratio = unsafe_mul(ratio, 335954724994790223023589805789778977700) >> 128
    if distance & 512 != 0:
        ratio = unsafe_mul(ratio, 331682121138379247127172139078559817300) >> 128
    if distance & 1024 != 0:
        ratio = unsafe_mul(ratio, 323299236684853023288211250268160618739) >> 128
    if distance & 2048 != 0:
        ratio = unsafe_mul(ratio, 307163716377032989948697243942600083929) >> 128
    if distance & 4096 != 0:
        ratio = unsafe_mul(ratio, 277268403626896220162999269216087595045) >> 128
    if distance & 8192 != 0:
        ratio = unsafe_mul(ratio, 225923453940442621947126027127485391333) >> 128
    if distance & 16384 != 0:
        ratio = unsafe_mul(ratio, 149997214084966997727330242082538205943) >> 128
    if distance & 32768 != 0:
        ratio = unsafe_mul(ratio, 66119101136024775622716233608466517926) >> 128
    if distance & 65536 != 0:
        ratio = unsafe_mul(ratio, 12847376061809297530290974190478138313) >> 128
    if distance & 131072 != 0:
        ratio = unsafe_mul(ratio, 485053260817066172746253684029974020) >> 128
    if distance & 262144 != 0:
        ratio = unsafe_mul(ratio, 691415978906521570653435304214168) >> 128
    if distance & 524288 != 0:
        ratio = unsafe_mul(ratio, 1404880482679654955896180642) >> 128
    if tick > 0:
        ratio = unsafe_div(max_value(uint256), ratio)
    # From 128 to 96 fractional bits, upwards.
    return (ratio >> 32) + convert(ratio & 4294967295 != 0, uint256)

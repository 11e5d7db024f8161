"""What landed attempts were worth one block, one minute and five minutes later."""

from pathlib import Path

from engine_world import POOL, World, a_pool, a_swap, reprice

from jitctl.domain.records import AttemptResult
from jitctl.engine.accounting import net_wei, weth_per_quote


async def result_of_the_landed(world: World) -> AttemptResult:
    attempt = next(a for a in await world.written() if a.result is not None)
    assert attempt.result is not None
    return attempt.result


def worth_wei(result: AttemptResult, tick: int) -> int:
    price = weth_per_quote(reprice(a_pool(), tick).sqrt_price_x96, weth_is_token0=True)
    return net_wei(result.amounts, result.gas_wei, True, price)


async def test_a_landed_attempt_is_valued_again_at_the_pools_later_prices(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])  # slots are 12 s long
    ticks = {1: -200400, 5: -200500, 25: -200100}
    for number in range(1, 30):
        world.pools.move(POOL, reprice(a_pool(), ticks.get(number, -200900)))
        await world.mine()
    result = await result_of_the_landed(world)
    assert result.markouts_wei == {
        "1_block": worth_wei(result, -200400),
        "1_min": worth_wei(result, -200500),
        "5_min": worth_wei(result, -200100),
    }
    assert len(set(result.markouts_wei.values())) == 3
    await world.stop()


async def test_a_price_that_comes_too_late_is_left_out(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    world.pools.forget(POOL)
    await world.mine()
    world.pools.move(POOL, a_pool())
    await world.empty_blocks(6)
    result = await result_of_the_landed(world)
    assert set(result.markouts_wei) == {"1_min"}
    await world.stop()


async def test_a_reorg_takes_the_values_back(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.pend(a_swap())
    await world.mine(world.relays.submitted[0])
    await world.mine()
    assert set((await result_of_the_landed(world)).markouts_wei) == {"1_block"}
    landed = world.chain.blocks[-2].txs
    await world.reorg(2, [], landed)
    assert (await result_of_the_landed(world)).markouts_wei == {}
    world.pools.move(POOL, reprice(a_pool(), -200450))
    await world.mine()
    result = await result_of_the_landed(world)
    assert result.markouts_wei == {"1_block": worth_wei(result, -200450)}
    await world.stop()

"""A JIT bundle built by hand, to show that a bot could: mint, the user's swap, burn."""

from __future__ import annotations

from jitctl.devnet.calldata import Interface
from jitctl.devnet.chain_record import next_base_fee_wei
from jitctl.devnet.executor_setup import executor_artifact
from jitctl.devnet.toolchain import artifact
from tests.devnet.door_people import Person, hash_of

EXECUTOR = Interface(executor_artifact()["abi"])
MAX_SQRT = 2**160 - 1


async def jit_bundle(net, door, pool, victim_raw, *, lane=0, liquidity=10**19, tip_wei=0, min_fees_wei=0):
    """Return the three raw transactions for the next block, around the tick spacing that holds the price."""
    operator = net.people.operators[lane]
    nonce = int(await door.call("eth_getTransactionCount", operator.address, "latest"), 16)
    signer = Person(door, operator.private_key, nonce)
    slot0 = await net.read(pool.address, artifact("v3-core", "UniswapV3Pool")["abi"], "slot0")
    lower = slot0[1] // pool.tick_spacing * pool.tick_spacing
    head = net.chain.head
    base_fee = next_base_fee_wei(head.block)
    common = {"to": net.executor, "value": 0, "gas": 800_000, "tip": 0, "max_fee": base_fee}
    mint = EXECUTOR.call(
        "mint", pool.address, lower, lower + pool.tick_spacing, liquidity, 2**100, 2**100,
        head.number + 1, bytes.fromhex(head.block["hash"][2:]), 0, MAX_SQRT,
    )  # fmt: skip
    burn = EXECUTOR.call("burn", pool.address, min_fees_wei, 0, MAX_SQRT, tip_wei)
    return [signer.sign(data=mint, **common), victim_raw, signer.sign(data=burn, **common)]


def hashes(raws):
    return [hash_of(raw) for raw in raws]

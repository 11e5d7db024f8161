"""A reorg as mainnet shows it: logs removed, transactions back in the public pool, other blocks instead.

What was private comes back as public: after an `unbundle` reorg a mint stands alone in the pool beside the
swap it was for, and the new blocks order them by tip.
"""

from __future__ import annotations

from enum import StrEnum

from jitctl.devnet.chain_record import BlockRecord
from jitctl.devnet.devchain import DevChain


class ReorgMode(StrEnum):
    """What the new blocks hold."""

    UNBUNDLE = "unbundle"
    """Everything returns to the public pool, and blocks are built from it by tip."""
    SAME = "same"
    """The same transactions in the same order, in blocks with other hashes."""
    EMPTY = "empty"
    """Nothing: everything waits in the public pool."""
    LOSE = "lose"
    """Nothing, and bundled transactions are gone for good; public ones return to the pool."""


async def reorg(
    chain: DevChain, depth: int, *, mode: ReorgMode = ReorgMode.UNBUNDLE, blocks: int | None = None
) -> list[BlockRecord]:
    """Replace the newest `depth` blocks by `blocks` (as many) new ones; return these, oldest first.

    Raises `Refused` when so many blocks were not built since the start.
    """
    return await chain.uninterrupted(_reorg(chain, depth, mode, depth if blocks is None else blocks))


async def _reorg(chain: DevChain, depth: int, mode: ReorgMode, blocks: int) -> list[BlockRecord]:
    new: list[BlockRecord] = []
    announcements = []
    async with chain.gate.building():
        removed = await chain.roll_back(depth)
        for record in removed:
            chain.hub.publish_removed(record)
        old = removed[::-1]
        returned = [
            tx
            for record in old
            for tx in record.txs
            if mode is not ReorgMode.LOSE or tx.hash not in record.private
        ]
        chain.forget_states()
        await chain.read_states({tx.sender for tx in returned} | set(chain.mempool.senders()))
        announcements += chain.reinject(returned)
        for index in range(blocks):
            # The old blocks' own slots, then the slots after them.
            timestamp_s = chain.head.timestamp_s + chain.step_s
            if mode is ReorgMode.SAME and index < len(old):
                built = await chain.build_exactly(old[index].txs, old[index].timestamp_s)
            elif mode is ReorgMode.UNBUNDLE:
                built = await chain.build_from_pool(timestamp_s)
            else:
                built = await chain.build_exactly((), timestamp_s)
            announcements += await chain.adopt(built)
            new.append(chain.head)
            chain.hub.publish_block(chain.record.behind)
    for tx in announcements:
        if chain.mempool.get(tx.hash) is not None:
            chain.hub.publish_pending(tx)
    return new

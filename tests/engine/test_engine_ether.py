"""Ether that no transaction of a block shows still has a name in the ledger."""

from pathlib import Path

from engine_world import (
    ETHER,
    OPERATOR,
    OPERATOR_2,
    USER,
    World,
    a_hash,
    a_swap,
)

from jitctl.domain.chain import MinedTx
from jitctl.domain.records import ETH, FlowKind
from jitctl.domain.values import ZERO_ADDRESS, ZERO_HASH, Hash32
from jitctl.engine.ether import TRIES
from jitctl.errors import NodeError


async def test_a_safes_top_up_is_named_beside_gas_and_a_plain_transfer(tmp_path: Path) -> None:
    world = await World(tmp_path, operators=(OPERATOR, OPERATOR_2)).start()
    await world.pend(a_swap())
    plain = MinedTx(a_hash(1), USER, OPERATOR, 9, 3)
    block = await world.mine(world.relays.submitted[0], others=[plain], emit=False)
    world.chain.quiet_ether[block.head.hash, OPERATOR] = 2 * ETHER
    await world.deliver(block)
    await world.clock.advance(1.1)
    plain_flow, quiet = sorted(world.ledger.flows(), key=lambda flow: flow.amount)
    assert (plain_flow.kind, plain_flow.tx_hash, plain_flow.amount) == (FlowKind.DONATION, plain.hash, 3)
    assert (quiet.kind, quiet.token, quiet.account) == (FlowKind.TRANSFER, ETH, OPERATOR)
    assert (quiet.amount, quiet.tx_hash, quiet.counterparty) == (2 * ETHER, ZERO_HASH, ZERO_ADDRESS)
    await world.stop()


async def test_ether_between_our_own_operators_and_ether_that_leaves_is_named(tmp_path: Path) -> None:
    world = await World(tmp_path, operators=(OPERATOR, OPERATOR_2)).start()
    await world.mine(others=[MinedTx(a_hash(1), OPERATOR, OPERATOR_2, 7, 50)])
    await world.clock.advance(1.1)
    flows = {(flow.account, flow.kind): flow.amount for flow in world.ledger.flows()}
    assert flows[OPERATOR, FlowKind.TRANSFER] == -50
    assert flows[OPERATOR_2, FlowKind.TRANSFER] == 50
    assert world.engine.state == "HALTED"  # nobody signed that here
    await world.stop()


async def test_a_reorg_takes_such_a_flow_back(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    block = await world.mine(emit=False)
    world.chain.quiet_ether[block.head.hash, OPERATOR] = 5
    await world.deliver(block)
    await world.clock.advance(1.1)
    assert [flow.amount for flow in world.ledger.flows()] == [5]
    await world.reorg(1, [])
    await world.clock.advance(1.1)
    assert world.ledger.flows() == ()
    await world.stop()


async def test_blocks_that_nobody_followed_are_asked_too(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    await world.stop()
    missed = world.chain.add_block(())
    world.chain.quiet_ether[missed.head.hash, OPERATOR] = 7
    world.chain.add_block(())
    world = await World(tmp_path, chain=world.chain).start()
    await world.empty_blocks(1)
    await world.clock.advance(1.1)
    assert [(flow.block_hash, flow.amount) for flow in world.ledger.flows()] == [(missed.head.hash, 7)]
    await world.stop()


async def test_a_node_that_refuses_for_a_while_is_asked_again(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    world.chain.ether_failure = lambda at: NodeError("not now", rpc_code=-32000)
    block = await world.mine(emit=False)
    world.chain.quiet_ether[block.head.hash, OPERATOR] = 7
    await world.deliver(block)
    await world.empty_blocks(2 * TRIES)
    assert world.ledger.flows() == ()
    world.chain.ether_failure = lambda at: None
    await world.empty_blocks(1)
    await world.clock.advance(1.1)
    assert [(flow.block_hash, flow.amount) for flow in world.ledger.flows()] == [(block.head.hash, 7)]
    assert world.count("happenings", "ether_unread") == 0
    await world.stop()


async def test_a_node_without_the_state_is_asked_until_the_block_is_settled_and_it_is_counted(
    tmp_path: Path,
) -> None:
    world = await World(tmp_path).start()
    asked: list[Hash32 | None] = []

    def pruned(at: Hash32 | None) -> NodeError:
        asked.append(at)
        return NodeError("missing trie node", rpc_code=-32000)

    world.chain.ether_failure = pruned
    await world.mine()
    await world.empty_blocks(8 + 4)
    assert world.count("happenings", "ether_unread") >= 1
    assert len(asked) <= 2 * TRIES * 14
    assert world.ledger.flows() == ()
    assert world.engine.state == "RUNNING"
    await world.stop()

"""A whole devnet behind its front door, with users who swap and a bot that drafts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from eth_account import Account

from jitctl.amm.jit import jit_swap
from jitctl.amm.pool import Pool
from jitctl.chain.pending_body import parse_pending
from jitctl.chain.pools import ChainPoolBook
from jitctl.chain.reader import ChainReader
from jitctl.chain.rpc import NodeEndpoint, NodePool
from jitctl.chain.wallet import KeyFiles, Wallet
from jitctl.devnet.calldata import Interface
from jitctl.devnet.network import Devnet
from jitctl.devnet.toolchain import artifact
from jitctl.domain.base_fee import next_base_fee_wei
from jitctl.domain.bundle import BundleDraft
from jitctl.domain.chain import Head, PendingTx
from jitctl.domain.plan import JitPlan
from jitctl.domain.values import PoolSpec

MIN_SQRT_LIMIT, MAX_SQRT_LIMIT = 4295128740, 1461446703485210103287273052203988822378723970341
SWAP_ROUTER = Interface(artifact("v3-periphery", "SwapRouter")["abi"])


class DevnetRig:
    def __init__(self, net: Devnet, nodes: NodePool) -> None:
        self.net = net
        self.nodes = nodes
        self.specs = net.manifest.pools
        self.executor = net.executor
        self.reader = ChainReader(nodes, executor=net.executor)
        self.book = ChainPoolBook(nodes)
        self.rng = random.Random(5)

    @classmethod
    def endpoint(cls, net: Devnet, view: str = "") -> NodeEndpoint:
        path = f"/node/{view}" if view else "/"
        base = f"127.0.0.1:{net.door.port}{path}"
        return NodeEndpoint(view or "door", f"http://{base}", f"ws://{base}")

    def spec(self, name: str) -> PoolSpec:
        return self.net.manifest.pool(name)

    async def swap(
        self, spec: PoolSpec, amount_in: int, *, weth_in: bool = True, user: int = 0, **changes: Any
    ) -> PendingTx:
        """A user's exact-input swap through SwapRouter, sent to the public pool."""
        token_in, token_out = (spec.weth, spec.quote_token) if weth_in else (spec.quote_token, spec.weth)
        account = self.net.people.users[user]
        head = await self.reader.head()
        arguments = (
            token_in.address, token_out.address, spec.fee_pips, account.address, 2**40, amount_in, 0, 0,
        )  # fmt: skip
        fields: dict[str, Any] = {
            "to": self._checksum(self.net.manifest.router("v3")),
            "data": SWAP_ROUTER.call("exactInputSingle", arguments),
            "value": 0,
            "gas": 400_000,
            "nonce": int(await self.nodes.call("eth_getTransactionCount", [account.address, "pending"]), 16),
            "chainId": self.net.manifest.chain_id,
            "type": 2,
            "maxFeePerGas": 3 * head.base_fee_wei + 10**8,
            "maxPriorityFeePerGas": 10**8,
        }
        fields.update(changes)
        for key in [key for key, value in fields.items() if value is None]:
            del fields[key]
        return await self.send(fields, account.private_key)

    async def send(self, fields: dict[str, Any], key: str) -> PendingTx:
        signed = Account.sign_transaction(fields, key)
        raw = bytes(signed.raw_transaction)
        tx_hash = await self.nodes.call("eth_sendRawTransaction", ["0x" + raw.hex()])
        return await self.pending(tx_hash)

    async def pending(self, tx_hash: str) -> PendingTx:
        body = await self.nodes.call("eth_getTransactionByHash", [tx_hash])
        tx = parse_pending(body, 0)
        assert tx is not None, body
        return tx

    async def draft(
        self, victim: PendingTx, spec: PoolSpec, amount_in: int, *, weth_in: bool = True, **changes: Any
    ) -> BundleDraft:
        """One spacing around the price, up to ten times the pool's liquidity, planned on exact snapshots."""
        head = await self.reader.head()
        await self.book.load([spec], head)
        pool = self.book.pools()[spec.address]
        zero_for_one = weth_in == spec.weth_is_token0
        plan = self.plan(victim, spec, pool, head, zero_for_one, amount_in)
        operator = self.net.people.operators[0].address
        fields: dict[str, Any] = {
            "attempt_id": "attempt-1",
            "plan": plan,
            "victim": victim,
            "operator": operator,
            "nonce": await self.reader.nonce(operator),
            "parent": head,
            "base_fee_wei": next_base_fee_wei(head),
            "timestamp_s": head.timestamp_s + 12,
            "mint_gas_limit": 1_000_000,
            "burn_gas_limit": 600_000,
        }
        fields.update(changes)
        return BundleDraft(**fields)

    def plan(
        self, victim: PendingTx, spec: PoolSpec, pool: Pool, head: Head, zero_for_one: bool, amount_in: int
    ) -> JitPlan:
        lower = pool.tick // spec.tick_spacing * spec.tick_spacing
        upper = lower + spec.tick_spacing
        liquidity = pool.liquidity * 10 if spec.tick_spacing == 10 else pool.liquidity
        outcome = jit_swap(pool, lower, upper, liquidity, zero_for_one, amount_in)
        return JitPlan(
            victim_hash=victim.hash,
            pool=spec.address,
            zero_for_one=zero_for_one,
            victim_amount_specified=amount_in,
            tick_lower=lower,
            tick_upper=upper,
            liquidity=liquidity,
            amount0_max=outcome.minted0,
            amount1_max=outcome.minted1,
            mint_sqrt_price_min_x96=pool.sqrt_price_x96,
            mint_sqrt_price_max_x96=pool.sqrt_price_x96,
            burn_sqrt_price_min_x96=outcome.swap.sqrt_price_x96,
            burn_sqrt_price_max_x96=outcome.swap.sqrt_price_x96,
            expected_mint0=outcome.minted0,
            expected_mint1=outcome.minted1,
            expected_burn0=outcome.burned0 + outcome.fees0,
            expected_burn1=outcome.burned1 + outcome.fees1,
            expected_fees0=outcome.fees0,
            expected_fees1=outcome.fees1,
            min_fees_wei=1,
            value_wei=10**16,
            gas_cost_wei=10**15,
            bid_wei=10**14,
            net_wei=10**15,
            victim_amount_in=amount_in,
            adds_ticks=outcome.adds_ticks,
            parent_hash=head.hash,
            target_block=head.number + 1,
        )

    def wallet(self) -> Wallet:
        return Wallet.load(
            [
                KeyFiles(Path(row["keystore"]), Path(row["passphraseFile"]))
                for row in self.net.manifest.data["operators"]
            ]
        )

    @staticmethod
    def _checksum(address: str) -> str:
        from eth_utils import to_checksum_address

        return to_checksum_address(address)

"""The proof that landed JITs are what we say: read from the chain, then held against the ledger.

What is landed is found from the executor's own events, never from the ledger. For each one: mint, victim
and burn are neighbours in one block; the victim got at least what it would have got without us (the block's
prefix is replayed on the parent state, once as it was and once without our legs) and did not run out of gas;
the position is empty. Then, block by block, the balance changes of the executor and the operators are
compared with the ledger's attempts and its named external flows, to the wei.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3 import Web3

from jitctl.amm.position import position_key
from jitctl.contracts.artifact import executor_abi
from jitctl.devnet.balance_proof import BalanceProof, BalanceProver
from jitctl.domain.values import Address, PoolSpec, address

_SWAP_TOPIC = "0x" + Web3.keccak(
    text="Swap(address,address,int256,int256,uint160,uint128,int24)"
).hex().removeprefix("0x")
_POOL_ABI = [
    {
        "type": "function",
        "name": "positions",
        "stateMutability": "view",
        "inputs": [{"type": "bytes32", "name": ""}],
        "outputs": [
            {"type": "uint128", "name": "liquidity"},
            {"type": "uint256", "name": "feeGrowthInside0LastX128"},
            {"type": "uint256", "name": "feeGrowthInside1LastX128"},
            {"type": "uint128", "name": "tokensOwed0"},
            {"type": "uint128", "name": "tokensOwed1"},
        ],
    },
    *(
        {
            "type": "function",
            "name": name,
            "stateMutability": "view",
            "inputs": [],
            "outputs": [{"type": "address", "name": ""}],
        }
        for name in ("token0", "token1")
    ),
]


@dataclass(frozen=True, slots=True)
class LandedJit:
    """One JIT as the chain shows it; amounts in base units, `*_wei` in wei; it holds without `problems`."""

    block: int
    pool: Address
    pool_name: str
    mint_hash: str
    victim_hash: str
    burn_hash: str
    tick_lower: int
    tick_upper: int
    liquidity: int
    minted0: int
    minted1: int
    collected0: int
    collected1: int
    fees0: int
    fees1: int
    tip_wei: int
    gas_wei: int
    gas_used: int
    victim_gain: dict[str, int]
    sqrt_price_after_x96: int | None
    sqrt_price_without_us_x96: int | None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Proof:
    """What was checked and what did not hold; `holds` is the verdict."""

    landed: list[LandedJit]
    balances: BalanceProof

    @property
    def problems(self) -> list[str]:
        """Everything that does not hold, with its block."""
        of_jits = [f"block {jit.block}: {problem}" for jit in self.landed for problem in jit.problems]
        return self.balances.problems + of_jits

    @property
    def holds(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class _BothWays:
    """A victim's swap with and without us: its gain per token, and where it leaves the pool's price."""

    gain: dict[str, int]
    sqrt_price_with_x96: int | None
    sqrt_price_without_x96: int | None
    problems: list[str]


class Prover:
    """Checks one executor on one chain; `rpc_url` must serve old state and `eth_simulateV1`."""

    def __init__(
        self, rpc_url: str, executor: Address, operators: Sequence[Address], pools: Iterable[PoolSpec]
    ) -> None:
        self._w3 = Web3(Web3.HTTPProvider(rpc_url, request_kwargs={"timeout": 30}))
        self._executor = executor
        self._operators = tuple(operators)
        self._pools = {spec.address: spec for spec in pools}
        self._contract = self._w3.eth.contract(address=Web3.to_checksum_address(executor), abi=executor_abi())
        self._pair: dict[str, tuple[str, str]] = {}

    def prove(self, ledger: Path, first_block: int, last_block: int) -> Proof:
        """Check every landed JIT and every block of `first_block..last_block`, both included."""
        landed = self.landed(first_block, last_block)
        balances = BalanceProver(self._w3, self._executor, self._operators, self._pools)
        burns = {jit.burn_hash for jit in landed}
        return Proof(landed, balances.compare(ledger, burns, first_block, last_block))

    def landed(self, first_block: int, last_block: int) -> list[LandedJit]:
        """Return every same-block mint and burn of the executor in the range, checked."""
        mints = self._events("Minted", first_block, last_block)
        burns = self._events("Burned", first_block, last_block)
        found = []
        for mint in mints:
            later = [
                burn for burn in burns
                if burn["args"]["sameBlock"]
                and burn["blockNumber"] == mint["blockNumber"]
                and burn["args"]["pool"] == mint["args"]["pool"]
                and burn["transactionIndex"] > mint["transactionIndex"]
            ]  # fmt: skip
            if later:
                found.append(
                    self._landed_jit(mint, min(later, key=lambda burn: int(burn["transactionIndex"])))
                )
        return found

    def _events(self, name: str, first_block: int, last_block: int) -> list[Any]:
        event = getattr(self._contract.events, name)
        return list(event().get_logs(from_block=first_block, to_block=last_block))

    def _landed_jit(self, mint: Any, burn: Any) -> LandedJit:
        block = self._w3.eth.get_block(mint["blockNumber"], full_transactions=True)
        txs = list(block["transactions"])
        start, end = mint["transactionIndex"], burn["transactionIndex"]
        problems = (
            [] if end == start + 2 else [f"mint at {start} and burn at {end} are not around one transaction"]
        )
        victim = txs[start + 1]
        receipts = [
            self._w3.eth.get_transaction_receipt(txs[index]["hash"]) for index in (start, start + 1, end)
        ]
        if [receipt["status"] for receipt in receipts] != [1, 1, 1]:
            problems.append(f"statuses are {[receipt['status'] for receipt in receipts]}")
        if receipts[1]["gasUsed"] >= victim["gas"]:
            problems.append("the victim used all of its gas")
        spec = self._pools[address(mint["args"]["pool"])]
        replayed = self._both_ways(block, txs, start, spec.address)
        problems += replayed.problems + self._position_problems(spec.address, mint["args"], block["number"])
        legs = (receipts[0], receipts[2])
        return LandedJit(
            block=block["number"],
            pool=spec.address,
            pool_name=spec.name,
            mint_hash=_hex(txs[start]["hash"]),
            victim_hash=_hex(victim["hash"]),
            burn_hash=_hex(txs[end]["hash"]),
            tick_lower=mint["args"]["tickLower"],
            tick_upper=mint["args"]["tickUpper"],
            liquidity=mint["args"]["liquidity"],
            minted0=mint["args"]["amount0"],
            minted1=mint["args"]["amount1"],
            collected0=burn["args"]["collected0"],
            collected1=burn["args"]["collected1"],
            fees0=burn["args"]["fees0"],
            fees1=burn["args"]["fees1"],
            tip_wei=burn["args"]["tipWei"],
            gas_wei=sum(leg["gasUsed"] * leg["effectiveGasPrice"] for leg in legs),
            gas_used=sum(leg["gasUsed"] for leg in legs),
            victim_gain=replayed.gain,
            sqrt_price_after_x96=replayed.sqrt_price_with_x96,
            sqrt_price_without_us_x96=replayed.sqrt_price_without_x96,
            problems=tuple(problems),
        )

    def _position_problems(self, pool: Address, minted: Any, block_number: int) -> list[str]:
        key = position_key(self._executor, minted["tickLower"], minted["tickUpper"])
        contract = self._w3.eth.contract(address=Web3.to_checksum_address(pool), abi=_POOL_ABI)
        liquidity, _, _, owed0, owed1 = contract.functions.positions(key).call(block_identifier=block_number)
        if (liquidity, owed0, owed1) == (0, 0, 0):
            return []
        return [f"the position is not empty: liquidity {liquidity}, owed {owed0} and {owed1}"]

    def _both_ways(self, block: Any, txs: list[Any], start: int, pool: Address) -> _BothWays:
        """Replay the block's prefix up to the victim on the parent state, with and without our legs."""
        ours = {index for index, tx in enumerate(txs) if address(tx["from"]) in self._operators}
        prefix = list(range(start + 2))
        with_us = self._replay(block, [txs[index] for index in prefix])
        without = self._replay(block, [txs[index] for index in prefix if index not in ours])
        problems = []
        for index, replayed in zip(prefix, with_us, strict=True):
            receipt = self._w3.eth.get_transaction_receipt(txs[index]["hash"])
            mined = [(log["address"].lower(), _hex(log["data"])) for log in receipt["logs"]]
            if mined != [(log["address"].lower(), log["data"]) for log in replayed["logs"]]:
                problems.append(f"the replay of transaction {index} differs from what was mined")
        logs_with, logs_without = with_us[-1]["logs"], without[-1]["logs"]
        if int(without[-1]["status"], 16) != 1:
            # Without us the swap fails, so anything is better.
            return _BothWays({}, _price_after(logs_with, pool), None, problems)
        net_with, net_without = self._net_by_token(logs_with), self._net_by_token(logs_without)
        gain = {token: net_with[token] - net_without[token] for token in {*net_with, *net_without}}
        if any(change < 0 for change in gain.values()):
            problems.append(f"the victim got less than without us: {gain}")
        shown = {token: change for token, change in gain.items() if change}
        return _BothWays(shown, _price_after(logs_with, pool), _price_after(logs_without, pool), problems)

    def _replay(self, block: Any, txs: list[Any]) -> list[Any]:
        overrides = {
            "number": hex(block["number"]),
            "time": hex(block["timestamp"]),
            "baseFeePerGas": hex(block["baseFeePerGas"]),
            "feeRecipient": block["miner"],
        }
        request = {
            "blockStateCalls": [{"blockOverrides": overrides, "calls": [_as_call(tx) for tx in txs]}],
            "validation": False,
        }
        reply = self._w3.provider.make_request("eth_simulateV1", [request, hex(block["number"] - 1)])  # type: ignore[arg-type]  # web3's list of methods lags behind the node's
        calls: list[Any] = reply["result"][0]["calls"]
        return calls

    def _net_by_token(self, logs: list[Any]) -> dict[str, int]:
        """The trader's net per token over all Swap events: what the pools paid minus what they took."""
        net: dict[str, int] = defaultdict(int)
        for log in logs:
            if log["topics"][0] != _SWAP_TOPIC:
                continue
            token0, token1 = self._tokens(log["address"])
            data = bytes.fromhex(log["data"].removeprefix("0x"))
            net[token0] -= int.from_bytes(data[0:32], "big", signed=True)
            net[token1] -= int.from_bytes(data[32:64], "big", signed=True)
        return net

    def _tokens(self, pool: str) -> tuple[str, str]:
        if pool not in self._pair:
            contract = self._w3.eth.contract(address=Web3.to_checksum_address(pool), abi=_POOL_ABI)
            self._pair[pool] = (
                contract.functions.token0().call().lower(),
                contract.functions.token1().call().lower(),
            )
        return self._pair[pool]


def _price_after(logs: list[Any], pool: Address) -> int | None:
    """The pool's sqrt price after the last Swap event of a transaction; None if it did not swap there."""
    prices = [
        int.from_bytes(bytes.fromhex(log["data"].removeprefix("0x"))[64:96], "big")
        for log in logs
        if log["topics"][0] == _SWAP_TOPIC and log["address"].lower() == pool
    ]
    return prices[-1] if prices else None


def _as_call(tx: Any) -> dict[str, Any]:
    call: dict[str, Any] = {
        "from": tx["from"],
        "gas": hex(tx["gas"]),
        "nonce": hex(tx["nonce"]),
        "value": hex(tx["value"]),
        "input": _hex(tx["input"]),
    }
    if tx.get("to"):
        call["to"] = tx["to"]
    if tx.get("accessList"):
        call["accessList"] = [
            {"address": entry["address"], "storageKeys": [_hex(key) for key in entry["storageKeys"]]}
            for entry in tx["accessList"]
        ]
    if tx["type"] >= 2:
        call["maxFeePerGas"] = hex(tx["maxFeePerGas"])
        call["maxPriorityFeePerGas"] = hex(tx["maxPriorityFeePerGas"])
    else:
        call["gasPrice"] = hex(tx["gasPrice"])
    return call


def _hex(value: Any) -> str:
    return "0x" + bytes(value).hex()

"""What is deployed: the real Uniswap, odd tokens, deep pools, a bot's executor that is ready."""

from __future__ import annotations

import json
import tomllib

import pytest
from eth_keyfile import decode_keyfile_json

from jitctl.config.checksums import checksummed
from jitctl.devnet.accounts import cast
from jitctl.devnet.calldata import Interface
from jitctl.devnet.door_client import DoorError
from jitctl.devnet.executor_setup import BUDGET_WEI, CAPITAL_WEI, MAX_NOTIONAL_WEI, executor_artifact
from jitctl.devnet.fixtures import fixture
from jitctl.devnet.toolchain import artifact
from tests.devnet.door_people import receipt
from tests.devnet.jit_by_hand import EXECUTOR

POOL_ABI = artifact("v3-core", "UniswapV3Pool")["abi"]
TOKEN_ABI = fixture("TestToken")["abi"]
TOKEN = Interface(TOKEN_ABI)


async def initialised_ticks(net, pool):
    words = range(-887272 // pool.tick_spacing // 256, 887272 // pool.tick_spacing // 256 + 1)
    count = 0
    for word in words:
        (bits,) = await net.read(pool.address, POOL_ABI, "tickBitmap", word)
        count += bits.bit_count()
    return count


async def test_pools_are_the_factorys_own_at_the_market_price_and_deep(net):
    factory_abi = artifact("v3-core", "UniswapV3Factory")["abi"]
    fees = set()
    for pool in (*net.manifest.pools, *net.manifest.other_pools):
        found = await net.read(
            net.uniswap.factory,
            factory_abi,
            "getPool",
            pool.token0.address,
            pool.token1.address,
            pool.fee_pips,
        )
        assert found == (pool.address,)
        slot0 = await net.read(pool.address, POOL_ABI, "slot0")
        inside = (slot0[0] / 2**96) ** 2 * 10 ** (pool.token0.decimals - pool.token1.decimals)
        outside = await net.usd(pool.token0.symbol) / await net.usd(pool.token1.symbol)
        assert inside == pytest.approx(outside, rel=1e-4)
        assert slot0[4] >= 100
        (averages, _) = await net.read(pool.address, POOL_ABI, "observe", [3_600, 0])
        assert (averages[1] - averages[0]) // 3_600 == slot0[1]
        fees.add(pool.fee_pips)
    assert fees == {500, 3_000, 10_000}
    assert await initialised_ticks(net, net.manifest.pool("WETH/USDC-0.05%")) >= 400
    usdt = net.manifest.pool("WETH/USDT-0.05%")
    assert (await net.read(usdt.address, POOL_ABI, "slot0"))[5] == 4 + (4 << 4)
    assert {pool.weth_is_token0 for pool in net.manifest.pools} == {True, False}


async def test_odd_tokens_are_odd(net, door, people):
    alice, bob = people[:2]
    silent, tax, block = (net.uniswap.tokens[symbol].address for symbol in ("USDT", "TAX", "BLK"))
    data = await door.call(
        "eth_call",
        {"from": alice.address, "to": silent, "data": TOKEN.call("transfer", bob.address, 5)},
        "latest",
    )
    assert data == "0x"
    before = (await net.read(tax, TOKEN_ABI, "balanceOf", bob.address))[0]
    await alice.send(to=tax, data=TOKEN.call("transfer", bob.address, 10_000), gas=100_000, value=0)
    await net.slot()
    assert (await net.read(tax, TOKEN_ABI, "balanceOf", bob.address))[0] - before == 9_900
    call = {"from": alice.address, "to": block, "data": TOKEN.call("transfer", bob.address, 5)}
    assert int(await door.call("eth_call", call, "latest"), 16) == 1
    await alice.send(to=block, data=TOKEN.call("setBlocked", bob.address, True), gas=100_000, value=0)
    await net.slot()
    with pytest.raises(DoorError, match="account is blocked"):
        await door.call("eth_call", call, "latest")


async def test_the_executor_is_funded_and_bound_by_its_owners_rules(net):
    abi = executor_artifact()["abi"]
    people = cast(1)
    assert await net.read(net.executor, abi, "owner") == (people.owner.address,)
    assert await net.read(net.executor, abi, "guardian") == (people.guardian.address,)
    for operator in people.operators:
        assert await net.read(net.executor, abi, "isOperator", operator.address) == (True,)
    assert await net.read(net.executor, abi, "budget") == (BUDGET_WEI,)
    for pool in net.manifest.pools:
        rules = await net.read(net.executor, abi, "pools", pool.address)
        assert rules[0] is True
        assert rules[4] == MAX_NOTIONAL_WEI
    for token in net.uniswap.tokens.values():
        (held,) = await net.read(token.address, TOKEN_ABI, "balanceOf", net.executor)
        assert held == CAPITAL_WEI if token.symbol == "WETH" else held > 10**6 * 10**token.decimals // 60_000
    assert EXECUTOR.call("halt").startswith("0x")


async def test_the_written_configuration_is_complete_and_private(net, door):
    config = net.folder / "config"
    main = tomllib.loads((config / "jitctl.toml").read_text())
    assert main["nodes"][0]["http_url"] == net.manifest.rpc_url
    assert main["executor"]["address"] == checksummed(net.executor)
    pools = tomllib.loads((config / "pools.toml").read_text())["pools"]
    assert len(pools) == len(net.manifest.pools)
    for row in (
        *main["wallet"]["operators"],
        {"keystore": "keys/relay.json", "passphrase_file": "keys/relay.pass"},
    ):
        keystore, passphrase = net.folder / row["keystore"], net.folder / row["passphrase_file"]
        assert keystore.stat().st_mode & 0o777 == passphrase.stat().st_mode & 0o777 == 0o600
        key = decode_keyfile_json(json.loads(keystore.read_text()), passphrase.read_text().strip().encode())
        assert "0x" + key.hex() in {
            account.private_key for account in (*net.people.operators, net.people.relay_identity)
        }
    assert (net.folder / "devnet.json").stat().st_mode & 0o777 == 0o600
    data = net.manifest.data
    for key in (
        "rpcUrl", "wsUrl", "relayUrl", "chainId", "tokens", "pools", "routers", "executor", "users",
        "configDir", "priceFeeds", "owner", "guardian", "operators", "doorAdminUrl",
    ):  # fmt: skip
        assert key in data
    assert set(data["routers"]) == {"v3", "swapRouter02", "universal"}
    assert await receipt(door, "0x" + "00" * 32) is None
    with pytest.raises(DoorError):
        await door.admin("devnet_nonsense")


def test_the_written_configuration_is_valid(tmp_path):
    """Checked by the product's own rules, in a process as an operator would."""
    import subprocess
    import sys

    script = (
        "import asyncio, sys, pathlib\n"
        "from jitctl.devnet.network import Devnet\n"
        "async def main():\n"
        "    async with Devnet(pathlib.Path(sys.argv[1])): pass\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    files = sorted(str(path) for path in (tmp_path / "config").glob("*.toml"))
    done = subprocess.run(
        [sys.executable, "-m", "jitctl", "validate-config", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

"""Writes a ready configuration for a bot on the devnet: TOML files, keystores and passphrase files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w
from eth_keyfile.keyfile import create_keyfile_json

from jitctl.config.checksums import checksummed
from jitctl.config.source import HEADER, LAST_LINE
from jitctl.devnet.accounts import Cast, DevAccount
from jitctl.devnet.anvil import SLOTS_IN_AN_EPOCH
from jitctl.devnet.executor_setup import MAX_NOTIONAL_WEI
from jitctl.domain.values import Address, PoolSpec, Token

KEYSTORE_ITERATIONS = 2
"""Worthless keys: decrypting them must not cost the second that a real keystore takes."""
PASSPHRASE = "devnet"  # noqa: S105 - not a secret: the keys are derived from a published seed
MAX_MARK_AGE_S = 86_400.0


def write_keys(folder: Path, people: Cast) -> dict[str, DevAccount]:
    """Write keystores and passphrase files (0600) under `folder`/keys; return them by file name."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    named = {
        "owner": people.owner,
        "guardian": people.guardian,
        "relay": people.relay_identity,
        **{f"op{index}": account for index, account in enumerate(people.operators)},
    }
    for name, account in named.items():
        keystore = create_keyfile_json(
            bytes.fromhex(account.private_key[2:]),
            PASSPHRASE.encode(),
            kdf="pbkdf2",
            iterations=KEYSTORE_ITERATIONS,
        )
        _write_secret(keys / f"{name}.json", json.dumps(keystore))
        _write_secret(keys / f"{name}.pass", PASSPHRASE + "\n")
    return named


def key_files(folder: Path, name: str, account: DevAccount) -> dict[str, str]:
    """Return what devnet.json says of a key."""
    keys = folder / "keys"
    return {
        "address": account.address,
        "keystore": str(keys / f"{name}.json"),
        "passphraseFile": str(keys / f"{name}.pass"),
    }


def write_config(
    folder: Path,
    *,
    urls: dict[str, str],
    chain_id: int,
    slot_seconds: float,
    executor: Address,
    deploy_block: int,
    factory: Address,
    pools: tuple[PoolSpec, ...],
    price_feeds: dict[str, Address],
    routers: dict[str, Address],
    operators: int,
    http_port: int,
) -> Path:
    """Write `folder`/config; return it. `urls` has node, node_ws, verify and relay."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    symbols = {token.symbol for pool in pools for token in (pool.token0, pool.token1)}
    feeds = {symbol: checksummed(feed) for symbol, feed in price_feeds.items() if symbol in symbols}
    _write_toml(
        config / "jitctl.toml",
        {
            "chain": {
                "chain_id": chain_id,
                "settle_depth": 2 * SLOTS_IN_AN_EPOCH,
                "slot_seconds": slot_seconds,
                "max_reorg_depth": 64,
            },
            "nodes": [{"name": "door", "http_url": urls["node"], "ws_url": urls["node_ws"]}],
            "verify_nodes": [{"name": "second", "http_url": urls["verify"]}],
            "wallet": {
                "operators": [
                    {"keystore": f"keys/op{index}.json", "passphrase_file": f"keys/op{index}.pass"}
                    for index in range(operators)
                ]
            },
            "executor": {"address": checksummed(executor), "deploy_block": deploy_block},
            "routers": {
                "v3": [checksummed(routers["v3"])],
                "swap_router02": [checksummed(routers["swapRouter02"])],
                "universal": [checksummed(routers["universal"])],
            },
            "uniswap": {"factory": checksummed(factory)},
            "relays": [
                {
                    "name": "door",
                    "url": urls["relay"],
                    "identity_keystore": "keys/relay.json",
                    "identity_passphrase_file": "keys/relay.pass",
                    "timeout_ms": 400,
                }
            ],
            "prices": {"source": "feeds", "max_age_s": MAX_MARK_AGE_S, "feeds": feeds},
            "http": {"host": "127.0.0.1", "port": http_port},
        },
    )
    _write_toml(config / "pools.toml", {"pools": [_pool_table(pool) for pool in pools]})
    _write_toml(
        config / "strategy.toml",
        {
            "limits": {
                "min_profit_wei": "0.0005 ether",
                "max_notional_wei": f"{MAX_NOTIONAL_WEI // 10**18} ether",
            }
        },
    )
    _write_toml(config / "alerts.toml", {"contacts": {"primary": "nobody@devnet.invalid"}})
    return config


def _pool_table(pool: PoolSpec) -> dict[str, Any]:
    def side(token: Token) -> dict[str, Any]:
        return {"symbol": token.symbol, "address": checksummed(token.address), "decimals": token.decimals}

    return {
        "name": pool.name,
        "address": checksummed(pool.address),
        "token0": side(pool.token0),
        "token1": side(pool.token1),
        "fee_pips": pool.fee_pips,
        "tick_spacing": pool.tick_spacing,
        "enabled": True,
        "max_notional_wei": f"{MAX_NOTIONAL_WEI // 10**18} ether",
    }


def _write_toml(path: Path, data: dict[str, Any]) -> None:
    first = f"# {path.stem} of a devnet. This file {HEADER}."
    path.write_text(f"{first}\n{tomli_w.dumps(data)}{LAST_LINE}\n")


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)

"""devnet.json: where everything on a running devnet is, for people, tests and the devnet's own verbs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitctl.devnet.market import TICK_SPACING
from jitctl.domain.values import Address, PoolSpec, Token, address
from jitctl.errors import JitError

FILE_NAME = "devnet.json"


@dataclass(frozen=True)
class Manifest:
    """The file's content, read through the names that code uses."""

    data: dict[str, Any]

    @property
    def rpc_url(self) -> str:
        return str(self.data["rpcUrl"])

    @property
    def admin_url(self) -> str:
        return str(self.data["doorAdminUrl"])

    @property
    def chain_id(self) -> int:
        return int(self.data["chainId"])

    @property
    def tokens(self) -> dict[str, Token]:
        return {
            symbol: Token(symbol, address(row["address"]), row["decimals"])
            for symbol, row in self.data["tokens"].items()
        }

    @property
    def pools(self) -> tuple[PoolSpec, ...]:
        """The watched pools."""
        return tuple(self._spec(row) for row in self.data["pools"])

    @property
    def other_pools(self) -> tuple[PoolSpec, ...]:
        """Pools without WETH; they serve as hops."""
        return tuple(self._spec(row) for row in self.data["otherPools"])

    @property
    def users(self) -> tuple[tuple[Address, str], ...]:
        """(address, private key) of each user."""
        return tuple((address(row["address"]), row["privateKey"]) for row in self.data["users"])

    def router(self, name: str) -> Address:
        return address(self.data["routers"][name])

    def at(self, key: str) -> Address:
        """Return a top-level address such as `executor` or `permit2`."""
        return address(self.data[key])

    def pool(self, name: str) -> PoolSpec:
        """Return a pool by name or address; KeyError if there is none."""
        wanted = name.lower()
        for spec in (*self.pools, *self.other_pools):
            if wanted in (spec.name.lower(), spec.address):
                return spec
        raise KeyError(name)

    def save(self, folder: Path) -> None:
        """Write the file; it holds (worthless) private keys, so only its owner reads it."""
        path = folder / FILE_NAME
        scratch = path.with_suffix(".tmp")
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps(self.data, indent=2) + "\n")
        scratch.replace(path)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the file of a folder; raises `JitError` when no devnet was started there."""
        try:
            return cls(json.loads((folder / FILE_NAME).read_bytes()))
        except (OSError, ValueError) as error:
            raise JitError(
                f"no devnet in {folder}", hint=f"start one: jitctl devnet up --dir {folder}"
            ) from error

    def _spec(self, row: dict[str, Any]) -> PoolSpec:
        tokens = {token.address: token for token in self.tokens.values()}
        token0, token1 = tokens[address(row["token0"])], tokens[address(row["token1"])]
        return PoolSpec(
            name=row["name"],
            address=address(row["address"]),
            token0=token0,
            token1=token1,
            fee_pips=row["feePips"],
            tick_spacing=TICK_SPACING[row["feePips"]],
            weth_is_token0=token0.symbol == "WETH",
        )

"""The shape of every configuration file: strict, frozen, unknown keys refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jitctl.config.values import (
    AddressText,
    AsTuple,
    BaseUnits,
    GroupName,
    HashText,
    HttpUrl,
    Milliseconds,
    Name,
    PathText,
    Seconds,
    Symbol,
    Wei,
    WsUrl,
    refuse,
)


class Model(BaseModel):
    """Strict, frozen, closed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class PathsConfig(Model):
    """Folders; relative ones count from the parent of the config folder."""

    data: PathText = "data"
    logs: PathText = "logs"
    run: PathText = "run"
    backups: PathText = "backups"


class ChainConfig(Model):
    chain_id: Annotated[int, Field(gt=0)]
    settle_depth: Annotated[int, Field(ge=1, le=10_000)] = 64
    slot_seconds: Seconds = 12.0
    max_reorg_depth: Annotated[int, Field(ge=1, le=1_000)] = 64


class NodeConfig(Model):
    """An Ethereum node; a URL that carries an API key stays in a file of its own (`*_url_file`)."""

    name: Name
    http_url: HttpUrl | None = None
    http_url_file: PathText | None = None
    ws_url: WsUrl | None = None
    ws_url_file: PathText | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> NodeConfig:
        if (self.http_url is None) == (self.http_url_file is None):
            raise refuse("JC121", "give exactly one of http_url and http_url_file")
        if (self.ws_url is None) == (self.ws_url_file is None):
            raise refuse("JC121", "give exactly one of ws_url and ws_url_file")
        return self


class VerifyNodeConfig(Model):
    """A second opinion: asked before anything is called verified."""

    name: Name
    http_url: HttpUrl | None = None
    http_url_file: PathText | None = None

    @model_validator(mode="after")
    def _one(self) -> VerifyNodeConfig:
        if (self.http_url is None) == (self.http_url_file is None):
            raise refuse("JC121", "give exactly one of http_url and http_url_file")
        return self


class OperatorConfig(Model):
    """One hot lane key; the passphrase stays in its own file."""

    keystore: PathText
    passphrase_file: PathText


class WalletConfig(Model):
    operators: Annotated[tuple[OperatorConfig, ...], AsTuple, Field(min_length=1, max_length=16)]


class ExecutorConfig(Model):
    address: AddressText
    deploy_block: Annotated[int, Field(ge=0)] = 0


Addresses = Annotated[tuple[AddressText, ...], AsTuple, Field(max_length=16)]


class RoutersConfig(Model):
    """Uniswap's routers whose calldata is read; calls to anything else go the slower path."""

    v3: Addresses = ()
    swap_router02: Addresses = ()
    universal: Addresses = ()


class UniswapConfig(Model):
    """What a pool's address follows from; on Ethereum both default to Uniswap's own."""

    factory: AddressText | None = None
    pool_init_code_hash: HashText | None = None


class RelayConfig(Model):
    name: Name
    url: HttpUrl
    identity_keystore: PathText
    identity_passphrase_file: PathText
    timeout_ms: Milliseconds = 400


class PricesConfig(Model):
    """Where external marks come from; `feeds` are USD feeds by token symbol."""

    source: Literal["feeds", "pool_twap"] = "feeds"
    max_age_s: Seconds = 3600.0
    feeds: dict[Symbol, AddressText] = {}


def _hung_after(value: float) -> float:
    if 0 < value < 1:
        raise refuse("JC123", "0 (never), or at least 1 second: the queue is asked once a second")
    return value


HungAfter = Annotated[float, Field(ge=0, le=3_600), AfterValidator(_hung_after)]


class EngineConfig(Model):
    pending_queue: Annotated[int, Field(ge=10, le=1_000_000)] = 5_000
    slow_path: bool = True
    simulate_timeout_ms: Milliseconds = 300
    submit_timeout_ms: Annotated[int, Field(gt=0, le=500)] = 500
    resume_after_crash: bool = False
    hung_after_s: HungAfter = 20.0


class HttpConfig(Model):
    """The TCP door; it listens on the loopback only, and without a token file it only reads."""

    host: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9090
    token_file: PathText | None = None
    token_role: Literal["operator", "admin"] = "operator"  # noqa: S105 - a role, not a password


class SocketConfig(Model):
    """Groups that may use the control socket; empty means the daemon's own group, and no viewers."""

    operator_group: GroupName = ""
    viewer_group: GroupName = ""


def _unit_name(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9:_.@][A-Za-z0-9:_.@-]*\.service", value):
        raise refuse("JC124", 'expected the name of a systemd service, such as "jitctl.service"')
    return value


class ServiceConfig(Model):
    """The systemd unit that runs this bot, if one does: start, stop and restart then go through it."""

    systemd_unit: Annotated[str, AfterValidator(_unit_name)] = ""


class MainConfig(Model):
    """jitctl.toml."""

    paths: PathsConfig = PathsConfig()
    chain: ChainConfig
    nodes: Annotated[tuple[NodeConfig, ...], AsTuple, Field(min_length=1, max_length=8)]
    verify_nodes: Annotated[tuple[VerifyNodeConfig, ...], AsTuple, Field(max_length=8)] = ()
    wallet: WalletConfig
    executor: ExecutorConfig
    routers: RoutersConfig = RoutersConfig()
    uniswap: UniswapConfig = UniswapConfig()
    relays: Annotated[tuple[RelayConfig, ...], AsTuple, Field(max_length=32)] = ()
    prices: PricesConfig = PricesConfig()
    engine: EngineConfig = EngineConfig()
    http: HttpConfig = HttpConfig()
    socket: SocketConfig = SocketConfig()
    service: ServiceConfig = ServiceConfig()


class TokenConfig(Model):
    symbol: Symbol
    address: AddressText
    decimals: Annotated[int, Field(ge=0, le=36)]


class PoolConfig(Model):
    """A watched pool; exactly one side is WETH."""

    name: Name
    address: AddressText
    token0: TokenConfig
    token1: TokenConfig
    fee_pips: Annotated[int, Field(gt=0, lt=1_000_000)]
    tick_spacing: Annotated[int, Field(gt=0, lt=16_384)]
    enabled: bool = True
    disabled_because: Annotated[str, Field(max_length=200)] | None = None
    max_notional_wei: Wei | None = None


def weth_of(pool: PoolConfig) -> TokenConfig | None:
    """Return the side that is WETH, None where not exactly one is."""
    sides = [token for token in (pool.token0, pool.token1) if token.symbol == "WETH"]
    return sides[0] if len(sides) == 1 else None


class PoolsConfig(Model):
    """pools.toml."""

    pools: Annotated[tuple[PoolConfig, ...], AsTuple, Field(min_length=1, max_length=500)]


class LimitsConfig(Model):
    """Floors and ceilings of one attempt; `max_per_token` is in base units by token symbol,
    `size_share_bps` the part of the capital at hand that one mint may take.
    """

    min_profit_wei: Wei
    max_notional_wei: Wei
    max_per_token: dict[Symbol, BaseUnits] = {}
    size_share_bps: Annotated[int, Field(gt=0, le=10_000)] = 10_000

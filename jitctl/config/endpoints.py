"""The configured nodes as endpoints: URLs that carry a key are read from their files here, and only here."""

from __future__ import annotations

from pathlib import Path

from jitctl.chain.rpc import NodeEndpoint
from jitctl.config.load import Config
from jitctl.errors import ConfigError


def node_endpoints(config: Config) -> tuple[NodeEndpoint, ...]:
    """Return the trading nodes in order of preference; raises `ConfigError` for an unreadable `*_file`."""
    return tuple(
        NodeEndpoint(
            node.name,
            _url(config, node.http_url, node.http_url_file),
            _url(config, node.ws_url, node.ws_url_file),
        )
        for node in config.main.nodes
    )


def verify_endpoints(config: Config) -> tuple[NodeEndpoint, ...]:
    """Return the nodes of the second opinion, which have no WebSocket; raises `ConfigError`."""
    return tuple(
        NodeEndpoint(node.name, _url(config, node.http_url, node.http_url_file), "")
        for node in config.main.verify_nodes
    )


def _url(config: Config, url: str | None, file: str | None) -> str:
    return url or secret_line(config.resolve(file or ""))


def secret_line(path: Path) -> str:
    """Return the one line of a file that a `*_file` key names; raises `ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    if not text or "\n" in text:
        raise ConfigError(f"{path} must hold exactly one line")
    return text

"""Which key files the configuration names, and what a keystore says of itself without being opened."""

from __future__ import annotations

import json
from pathlib import Path

from jitctl.chain.wallet import MAX_KEYSTORE_BYTES, KeyFiles
from jitctl.config.load import Config
from jitctl.config.models import RelayConfig
from jitctl.domain.values import Address, address


def operator_files(config: Config) -> tuple[KeyFiles, ...]:
    """Return the operators' key files in the order of configuration."""
    return tuple(
        KeyFiles(config.resolve(each.keystore), config.resolve(each.passphrase_file))
        for each in config.main.wallet.operators
    )


def identity_files(config: Config, relay: RelayConfig) -> KeyFiles:
    """Return the files of the key by which a relay knows us."""
    return KeyFiles(config.resolve(relay.identity_keystore), config.resolve(relay.identity_passphrase_file))


def plain_address(keystore: Path) -> Address | None:
    """Return the address that a keystore names in plain text, None if it names none; raises `OSError`."""
    with keystore.open("rb") as file:
        text = file.read(MAX_KEYSTORE_BYTES)
    try:
        return address("0x" + json.loads(text)["address"].removeprefix("0x"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None

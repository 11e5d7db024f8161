"""The devnet's relay identity as a signing key."""

from __future__ import annotations

from jitctl.chain.wallet import SigningKey
from tests.chain.devnet_rig import DevnetRig


def identity(rig: DevnetRig) -> SigningKey:
    return SigningKey(bytes.fromhex(rig.net.people.relay_identity.private_key[2:]))

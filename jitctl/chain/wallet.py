"""Operator and identity keys: loaded from keystore files, used for signing, never shown."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from coincurve import PrivateKey
from Crypto.Hash import keccak

from jitctl.domain.values import Address
from jitctl.errors import ConfigError, Refused

MAX_KEYSTORE_BYTES = 64 * 1024
MAX_PASSPHRASE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where one key is: a v3 keystore, and a file that holds its passphrase and nothing else."""

    keystore: Path
    passphrase_file: Path


def keccak256(data: bytes) -> bytes:
    return keccak.new(data=data, digest_bits=256).digest()


class SigningKey:
    """One secp256k1 key; `repr`, pickling and copying reveal nothing."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        public = self._key.public_key.format(compressed=False)
        self.address = Address("0x" + keccak256(public[1:])[12:].hex())

    @classmethod
    def load(cls, files: KeyFiles) -> SigningKey:
        """Decrypt a keystore; raises `Refused` for loose permissions and `ConfigError` for bad content.

        Decrypting takes about a second by design of the format.
        """
        return cls(_decrypt(files))

    def sign_digest(self, digest: bytes) -> tuple[int, int, int]:
        """Return (y_parity, r, s) with a low s over a 32-byte digest."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")

    def sign_message(self, message: bytes) -> bytes:
        """Return the 65-byte EIP-191 `personal_sign` signature (v is 27 or 28)."""
        prefix = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode()
        signature = self._key.sign_recoverable(keccak256(prefix + message), hasher=None)
        return signature[:64] + bytes((27 + signature[64],))

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a signing key is neither copied nor pickled")


class Wallet:
    """The operator keys by address, in the order of configuration (one lane each)."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._keys = {key.address: key for key in keys}
        if len(self._keys) != len(keys):
            raise ConfigError("two operator keystores hold the same key", hint="give every lane its own key")

    @classmethod
    def load(cls, files: Sequence[KeyFiles]) -> Wallet:
        """Decrypt all keystores; raises as `SigningKey.load`."""
        return cls([SigningKey.load(each) for each in files])

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._keys)

    def sign_digest(self, address: Address, digest: bytes) -> tuple[int, int, int]:
        """Return (y_parity, r, s); raises `KeyError` for an address that is not ours."""
        return self._keys[address].sign_digest(digest)

    def __repr__(self) -> str:
        return f"Wallet({', '.join(self._keys)})"


def _decrypt(files: KeyFiles) -> bytes:
    # Half a second of imports, which only whoever opens a key should wait for.
    from eth_keyfile.keyfile import decode_keyfile_json

    text = _read_private(files.keystore, MAX_KEYSTORE_BYTES)
    passphrase = _read_private(files.passphrase_file, MAX_PASSPHRASE_BYTES).rstrip(b"\r\n")
    try:
        # Nothing of the cause is chained: its traceback could hold the passphrase.
        return decode_keyfile_json(json.loads(text), passphrase)
    except ValueError as error:
        wrong = "MAC" in str(error)
    except (LookupError, TypeError, AttributeError, NotImplementedError):
        wrong = False
    finally:
        # A traceback that shows local variables must not show this one.
        del passphrase
    raise ConfigError(
        f"{files.keystore}: " + ("wrong passphrase" if wrong else "not a v3 keystore"),
        hint=f"check {files.passphrase_file}" if wrong else "it must be JSON with `version` 3",
    )


def _read_private(path: Path, max_bytes: int) -> bytes:
    """Read a file that only its owner may read; the check is on the opened file, not on its name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="check the path in [wallet]") from None
    try:
        _check_private(path, os.fstat(descriptor))
        content = os.read(descriptor, max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise ConfigError(f"{path}: larger than {max_bytes} bytes")
    return content


def _check_private(path: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise ConfigError(f"{path}: not a regular file")
    if info.st_mode & 0o077:
        raise Refused(
            f"{path}: others may read it (mode {stat.S_IMODE(info.st_mode):04o})", hint=f"chmod 600 {path}"
        )
    if info.st_uid not in (os.geteuid(), 0):
        raise Refused(f"{path}: it belongs to uid {info.st_uid}", hint=f"chown it to uid {os.geteuid()}")

"""Keys: loaded only from private files, right signatures, and nothing of them anywhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from pathlib import Path

import eth_keyfile
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from jitctl.chain.wallet import KeyFiles, SigningKey, Wallet, keccak256
from jitctl.errors import ConfigError, JitError, Refused

SECRET = bytes.fromhex("c0ffee" + "5a" * 29)
PASSPHRASE = b"canary-passphrase"


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return written(tmp_path, SECRET)


def written(folder: Path, secret: bytes, name: str = "op") -> KeyFiles:
    keystore, passphrase = folder / f"{name}.json", folder / f"{name}.pass"
    keystore.write_text(
        json.dumps(eth_keyfile.create_keyfile_json(secret, PASSPHRASE, iterations=2, kdf="pbkdf2"))
    )
    passphrase.write_bytes(PASSPHRASE + b"\n")
    keystore.chmod(0o600)
    passphrase.chmod(0o600)
    return KeyFiles(keystore, passphrase)


def test_address_and_signatures_are_those_of_eth_account(files):
    key = SigningKey.load(files)
    account = Account.from_key(SECRET)
    assert key.address == account.address.lower()
    digest = keccak256(b"anything")
    parity, r, s = key.sign_digest(digest)
    assert Account._recover_hash(digest, vrs=(27 + parity, r, s)) == account.address
    assert s <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
    message = encode_defunct(text="0x1234")
    assert key.sign_message(b"0x1234") == bytes(account.sign_message(message).signature)


def test_scrypt_keystores_are_read(tmp_path):
    files = written(tmp_path, SECRET)
    files.keystore.write_text(json.dumps(eth_keyfile.create_keyfile_json(SECRET, PASSPHRASE, iterations=2)))
    assert SigningKey.load(files).address == Account.from_key(SECRET).address.lower()


def test_a_wallet_keeps_the_order_and_refuses_twins(tmp_path):
    secrets = [bytes([index]) * 32 for index in (9, 3, 7)]
    entries = [written(tmp_path, secret, f"op{index}") for index, secret in enumerate(secrets)]
    wallet = Wallet.load(entries)
    assert wallet.addresses == tuple(Account.from_key(secret).address.lower() for secret in secrets)
    with pytest.raises(ConfigError, match="same key"):
        Wallet.load([entries[0], entries[0]])
    with pytest.raises(KeyError):
        wallet.sign_digest("0x" + "00" * 20, bytes(32))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601, 0o777])
@pytest.mark.parametrize("which", ["keystore", "passphrase_file"])
def test_files_that_others_may_touch_are_refused(files, which, mode):
    getattr(files, which).chmod(mode)
    with pytest.raises(Refused, match="others may read it") as caught:
        SigningKey.load(files)
    assert caught.value.hint.startswith("chmod 600")


@pytest.mark.parametrize("which", ["keystore", "passphrase_file"])
def test_missing_files_and_folders_are_configuration_errors(files, which, tmp_path):
    path = getattr(files, which)
    path.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        SigningKey.load(files)
    path.mkdir(mode=0o700)
    with pytest.raises((ConfigError, Refused)):
        SigningKey.load(files)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"version":3}',
        b'{"version":1,"crypto":{}}',
        b"\xff\xfe",
        b"x" * 70_000,
    ],
)
def test_what_is_no_keystore_is_a_configuration_error(files, content):
    files.keystore.write_bytes(content)
    with pytest.raises(ConfigError):
        SigningKey.load(files)


def test_a_wrong_passphrase_is_named_and_not_shown(files):
    files.passphrase_file.write_bytes(b"another-canary")
    with pytest.raises(ConfigError, match="wrong passphrase") as caught:
        SigningKey.load(files)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "canary" not in shown


def test_nothing_shows_the_key(files, caplog):
    key = SigningKey.load(files)
    wallet = Wallet([key])
    shown = [repr(key), str(key), repr(wallet), f"{wallet}", repr([key])]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").error("%r %s", key, wallet)
    shown.append(caplog.text)
    try:
        key.sign_digest(b"too short")
    except ValueError as error:
        shown.append(
            "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        )
    try:
        key.sign_digest(None)
    except (TypeError, ValueError) as error:
        shown.append(
            "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        )
    for text in shown:
        assert "c0ffee" not in text.lower() and str(int.from_bytes(SECRET, "big")) not in text
        assert repr(SECRET) not in text


def test_a_key_is_neither_copied_nor_pickled(files):
    key = SigningKey.load(files)
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            take(key)
    assert not hasattr(key, "__dict__")


def test_errors_are_ours(files):
    files.passphrase_file.write_bytes(b"")
    with pytest.raises(JitError):
        SigningKey.load(files)

"""Configuration backups: what goes in comes out, and nothing that is damaged does."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import STRATEGY_TOML, write_config

from jitctl.config.load import load
from jitctl.errors import JitError, PermissionDenied, UsageError
from jitctl.maintenance.config_backup import back_up, found_in, named, read
from jitctl.maintenance.sealed_archive import _HEAD, DamagedArchive, _head, pack, unpack
from tests.conftest import FULL
from tests.unprivileged import as_nobody

DAMAGES = 1_000 if FULL else 200
NOON_S = 1_700_000_000.0
DAY = "20231114"


def take(config: Path, now_s: float = NOON_S) -> tuple[str, bool]:
    made, changed = back_up(load(config), generation=3, now_s=now_s)
    return made.path.name, changed


def test_a_backup_holds_the_files_as_they_are_and_tar_unpacks_it(tmp_path):
    config = write_config(tmp_path)
    (config / "notes.txt").write_text("mine")
    assert take(config) == (f"config-backup-{DAY}.tar.gz", True)
    made = read(tmp_path / "backups" / f"config-backup-{DAY}.tar.gz")
    assert (made.config_hash, made.generation, made.time_s) == (load(config).hash, 3, int(NOON_S))
    assert load(config, made.texts(config)).hash == load(config).hash
    assert made.path.stat().st_mode & 0o777 == 0o640
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run(["tar", "-xzf", str(made.path), "-C", str(there)], check=True)
    names = sorted(str(path.relative_to(there)) for path in there.rglob("*") if path.is_file())
    assert names == [
        "config-backup.json", "config/jitctl.toml", "config/pools.toml", "config/strategy.toml",
    ]  # fmt: skip
    for name in names[1:]:
        assert (there / name).read_bytes() == (tmp_path / name).read_bytes()


def test_an_earlier_backup_is_never_written_over(tmp_path):
    config = write_config(tmp_path)
    first = take(config)
    assert take(config, NOON_S + 60) == (first[0], False)
    before = (tmp_path / "backups" / first[0]).read_bytes()
    (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "10 ether"))
    assert take(config) == (f"config-backup-{DAY}-2.tar.gz", True)
    (config / "strategy.toml").write_text(STRATEGY_TOML.replace("20 ether", "11 ether"))
    assert take(config) == (f"config-backup-{DAY}-3.tar.gz", True)
    assert take(config, NOON_S + 86_400) == ("config-backup-20231115.tar.gz", True)
    assert (tmp_path / "backups" / first[0]).read_bytes() == before
    # One that is damaged is no reason to take none, and stays for whoever looks into it.
    (tmp_path / "backups" / "config-backup-20231115.tar.gz").write_bytes(b"cut")
    assert take(config, NOON_S + 86_400) == ("config-backup-20231115-2.tar.gz", True)
    backups = tmp_path / "backups"
    assert [path.name for path in found_in(backups)][-2:] == [
        "config-backup-20231115.tar.gz", "config-backup-20231115-2.tar.gz",
    ]  # fmt: skip
    assert named(backups, "").name == "config-backup-20231115-2.tar.gz"
    assert named(backups, DAY).name == f"config-backup-{DAY}-3.tar.gz"
    assert named(backups, first[0]) == backups / first[0]
    for missing in ("20200101", "nothing.tar.gz"):
        with pytest.raises(UsageError, match="there is no"):
            named(backups, missing)


def test_every_flipped_or_cut_archive_is_refused(tmp_path, rng):
    config = write_config(tmp_path)
    take(config)
    path = tmp_path / "backups" / f"config-backup-{DAY}.tar.gz"
    whole = path.read_bytes()
    damaged = [whole[: rng.randrange(len(whole))] for _ in range(DAMAGES // 4)]
    # The header and the last byte of the stream are where gzip itself would not notice.
    spots = [*range(100), len(whole) - 9, len(whole) - 10]
    places = [(spot, bit) for spot in spots for bit in range(8)]
    chosen = rng.sample(places, DAMAGES // 4)
    chosen += [(rng.randrange(len(whole)), rng.randrange(8)) for _ in range(DAMAGES // 2)]
    for spot, bit in chosen:
        copy = bytearray(whole)
        copy[spot] ^= 1 << bit
        damaged.append(bytes(copy))
    damaged += [whole + b"x", b"", whole + whole]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(JitError, match="damaged"):
            read(path)
    path.write_bytes(whole)
    assert read(path).files


def sealed(plain: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(plain) + deflate.flush()
    body += struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return _head(body) + body


def tarred(*members: tuple[str, bytes, bytes]) -> bytes:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        for name, data, kind in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(data), "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return inner.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        ("config/pools.toml", b"", tarfile.SYMTYPE),
        ("config/pools.toml", b"", tarfile.LNKTYPE),
        ("config/pools.toml", b"", tarfile.CHRTYPE),
        ("config/pools.toml", b"", tarfile.FIFOTYPE),
        ("config/sub", b"", tarfile.DIRTYPE),
    ],
    ids=["link", "hard-link", "device", "fifo", "folder"],
)
def test_an_archive_of_anything_but_plain_files_is_refused(member):
    with pytest.raises(DamagedArchive, match="no plain file"):
        unpack(sealed(tarred(member)))


@pytest.mark.parametrize("name", ["../config/pools.toml", "/etc/passwd", "config/../x.toml", "config/x.toml"])
def test_an_archive_that_leads_elsewhere_is_refused(tmp_path, name):
    path = tmp_path / "made-up.tar.gz"
    manifest = b'{"format": 1, "files": {"%s": {"sha256": "%s", "size": 1}}, "generation": null}'
    digest = b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    body = manifest % (name.encode(), digest)
    path.write_bytes(pack({name: b"x", "config-backup.json": body}, time_s=0))
    with pytest.raises(JitError, match="no file of a configuration"):
        read(path)


@pytest.fixture
def usual_recursion():
    """Other tests import a compiler that raises the limit so far that the JSON parser's stack overflows."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


def test_a_manifest_that_lists_others_and_a_bomb_are_refused(tmp_path, usual_recursion):
    path = tmp_path / "made-up.tar.gz"
    for body in (b"{}", b"[]", b"\xff", b'{"format": 2}', b"[" * 100_000):
        path.write_bytes(pack({"config/pools.toml": b"x", "config-backup.json": body}, time_s=0))
        with pytest.raises(JitError, match="manifest"):
            read(path)
    with pytest.raises(DamagedArchive, match="more than is sensible"):
        unpack(sealed(bytes(65 << 20)))
    with pytest.raises(DamagedArchive, match="twice"):
        unpack(sealed(tarred(("a", b"1", tarfile.REGTYPE), ("a", b"2", tarfile.REGTYPE))))
    assert unpack(sealed(tarred(("a", b"1", tarfile.REGTYPE)))) == {"a": b"1"}
    assert _head(b"").startswith(_HEAD)


def test_what_cannot_be_written_or_read_says_so(tmp_path):
    config = write_config(tmp_path)
    take(config)
    path = tmp_path / "backups" / f"config-backup-{DAY}.tar.gz"
    found = load(config)
    path.chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(folder.stat().st_mode | 0o055)
    path.parent.chmod(0o755)
    assert as_nobody(lambda: read(path)).startswith(PermissionDenied.__name__)
    said = as_nobody(lambda: back_up(found, generation=None, now_s=NOON_S + 86_400))
    assert said.startswith(PermissionDenied.__name__) and "nothing was changed" in said
    path.parent.chmod(0o700)
    for what in ("", DAY, path.name, str(path)):
        assert as_nobody(lambda what=what: named(path.parent, what)).startswith(PermissionDenied.__name__)
    (tmp_path / "file").write_text("")
    with pytest.raises(JitError, match="cannot be read"):
        read(tmp_path / "file" / "x")

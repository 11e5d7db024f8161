"""A .tar.gz that `tar -xzf` unpacks, and in which no bit can change unnoticed.

The gzip header carries, as its comment, the SHA-256 of everything that follows. Without that, flips in the
header and in the padding of the compressed stream would pass: gzip's own checksum covers neither.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping

MAX_ARCHIVE_BYTES = 16 << 20
MAX_UNPACKED_BYTES = 64 << 20
_HEAD = b"\x1f\x8b\x08\x10" + bytes(4) + b"\x02\xff"
"""Deflate, a comment, no time, best compression, any system."""
_SEAL = b"jitctl sha256:"
FILE_MODE = 0o640


class DamagedArchive(ValueError):
    """Cut, changed, or not made by us; nothing of it is used."""


def pack(files: Mapping[str, bytes], *, time_s: int) -> bytes:
    """Return an archive of files by name; the same input gives the same bytes."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(data), time_s, FILE_MODE
            archive.addfile(member, io.BytesIO(data))
    plain = inner.getvalue()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(plain) + deflate.flush()
    body += struct.pack("<II", zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    return _head(body) + body


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the files of an archive by name; raises `DamagedArchive` for anything but what `pack` made."""
    if len(data) > MAX_ARCHIVE_BYTES:
        raise DamagedArchive(f"it is larger than {MAX_ARCHIVE_BYTES} bytes")
    head_size = len(_head(b""))
    head, body = data[:head_size], data[head_size:]
    if not head.startswith(_HEAD + _SEAL):
        raise DamagedArchive("it is damaged at its beginning, or was not made by jitctl")
    if head != _head(body):
        raise DamagedArchive("it is damaged or cut: its checksum does not fit")
    try:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflate.decompress(body, MAX_UNPACKED_BYTES)
        whole = inflate.eof and inflate.unused_data == struct.pack("<II", zlib.crc32(plain), len(plain))
        if not whole:
            raise DamagedArchive("it is damaged, or unpacks to more than is sensible")
        return _members(plain)
    except DamagedArchive:
        raise
    except (zlib.error, tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise DamagedArchive(f"it is damaged: {error}") from None


def _members(plain: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
        for member in archive:
            if not member.isreg() or member.sparse is not None:
                raise DamagedArchive(f"it holds {member.name!r}, which is no plain file")
            if member.name in files:
                raise DamagedArchive(f"it holds {member.name!r} twice")
            found = archive.extractfile(member)
            content = found.read() if found is not None else b""
            if len(content) != member.size:
                raise DamagedArchive(f"it is cut within {member.name!r}")
            files[member.name] = content
    return files


def _head(body: bytes) -> bytes:
    return _HEAD + _SEAL + hashlib.sha256(body).hexdigest().encode() + b"\x00"

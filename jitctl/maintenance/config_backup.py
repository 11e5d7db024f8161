"""A backup of the configuration files, and what can be restored from one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jitctl import __version__
from jitctl.config.load import Config
from jitctl.config.source import STEMS, Text
from jitctl.errors import JitError, PermissionDenied, UsageError
from jitctl.maintenance.sealed_archive import FILE_MODE, MAX_ARCHIVE_BYTES, DamagedArchive, pack, unpack
from jitctl.safety.durable import fsync_directory

MANIFEST = "config-backup.json"
FORMAT = 1
FOLDER_MODE = 0o750
_NAME = re.compile(r"config-backup-(\d{8})(?:-(\d+))?\.tar\.gz")
_MEMBER = re.compile(rf"config/({'|'.join(STEMS)})\.(toml|json)")


@dataclass(frozen=True)
class ConfigBackup:
    """A whole backup: `files` by name in the config folder, of a configuration of this hash."""

    path: Path
    config_hash: str
    time_s: int
    version: str
    generation: int | None
    files: dict[str, bytes]

    def texts(self, config_dir: Path) -> dict[str, Text]:
        """Return the files by stem, as if they lay in `config_dir`."""
        return {name.split(".")[0]: Text(config_dir / name, data) for name, data in self.files.items()}


def back_up(config: Config, *, generation: int | None, now_s: float) -> tuple[ConfigBackup, bool]:
    """Write today's backup (UTC) of a valid configuration and read it back; return it, and whether it is new.

    An earlier backup is never written over: the first of a day has the plain name, one of other files goes
    beside it as `-2`, `-3`, ... The newest backup, where it holds the same files, is as good as a new one.
    Raises `PermissionDenied`, and `JitError` where it cannot be written.
    """
    backups = config.folders.backups
    files = {text.path.name: text.data for text in config.texts.values()}
    day = time.strftime("%Y%m%d", time.gmtime(now_s))
    today = [path for path in found_in(backups) if _key(path)[0] == day]
    if today:
        with contextlib.suppress(JitError):
            newest = read(today[-1])
            if newest.files == files:
                return newest, False
    data = _packed(files, config.hash, generation, int(now_s))
    number = _key(today[-1])[1] + 1 if today else 1
    try:
        path = _write(backups, day, number, data)
    except OSError as error:
        raise _failed(backups, error) from None
    return read(path), True


def found_in(backups: Path) -> list[Path]:
    """Return the backups of a folder, the oldest first; raises `PermissionDenied` to who may not look."""
    try:
        return sorted((path for path in backups.iterdir() if _NAME.fullmatch(path.name)), key=_key)
    except PermissionError:
        raise PermissionDenied(
            f"you may not read {backups}", hint="repeat it as the folder's owner, or with sudo"
        ) from None
    except OSError:
        return []


def named(backups: Path, what: str) -> Path:
    """Return the backup that an operator means: a file, a day (YYYYMMDD), or nothing for the newest.

    Raises `UsageError` where there is none, `PermissionDenied` to who may not look.
    """
    try:
        return _named(backups, what)
    except PermissionError as error:
        message = f"you may not look at {error.filename}"
        raise PermissionDenied(message, hint="repeat it as its owner, or with sudo") from None


def _named(backups: Path, what: str) -> Path:
    known = found_in(backups)
    if re.fullmatch(r"\d{8}", what) and not Path(what).exists():
        known = [path for path in known if _key(path)[0] == what]
    elif what:
        path = Path(what)
        if not path.exists() and path.name == what and (backups / what).exists():
            path = backups / what
        if not path.is_file():
            raise UsageError(f"there is no backup {what}", hint=_choice(backups))
        return path
    if not known:
        of_day = f" of {what}" if what else ""
        raise UsageError(f"there is no configuration backup{of_day} in {backups}", hint=_choice(backups))
    return known[-1]


def read(path: Path) -> ConfigBackup:
    """Return what a backup holds; raises `JitError` unless every bit of it is as it was written."""
    try:
        with path.open("rb") as file:
            members = unpack(file.read(MAX_ARCHIVE_BYTES + 1))
    except DamagedArchive as error:
        raise JitError(f"{path}: {error}", hint="take another backup") from None
    except PermissionError as error:
        raise PermissionDenied(f"{path} cannot be read: {error.strerror}", hint="use sudo") from None
    except OSError as error:
        raise JitError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return _checked(path, members)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        message = f"{path}: it is damaged: its manifest does not fit it: {error}"
        raise JitError(message, hint="take another backup") from None


def _packed(files: dict[str, bytes], config_hash: str, generation: int | None, time_s: int) -> bytes:
    manifest = {
        "format": FORMAT,
        "configHash": config_hash,
        "generation": generation,
        "version": __version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s)),
        "timeS": time_s,
        "files": {
            f"config/{name}": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            for name, data in files.items()
        },
    }
    members = {f"config/{name}": data for name, data in files.items()}
    members[MANIFEST] = json.dumps(manifest, indent=2).encode() + b"\n"
    return pack(members, time_s=time_s)


def _checked(path: Path, members: dict[str, bytes]) -> ConfigBackup:
    """Hold the members against the manifest; raises ValueError and its like where they differ."""
    manifest: dict[str, Any] = json.loads(members.pop(MANIFEST))
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']!r} is of another version of jitctl")
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in members.items()
    }
    if listed != manifest["files"]:
        raise ValueError("the files are others than it lists")
    files: dict[str, bytes] = {}
    stems = set()
    for name, data in members.items():
        match = _MEMBER.fullmatch(name)
        if match is None or match[1] in stems:
            raise ValueError(f"{name!r} is no file of a configuration, or is there twice")
        stems.add(match[1])
        files[name.removeprefix("config/")] = data
    generation = manifest["generation"]
    return ConfigBackup(
        path=path,
        config_hash=str(manifest["configHash"]),
        time_s=int(manifest["timeS"]),
        version=str(manifest["version"]),
        generation=int(generation) if generation is not None else None,
        files=files,
    )


def _write(backups: Path, day: str, number: int, data: bytes) -> Path:
    """Write an archive under the first free name from `number` on; there whole or not at all."""
    backups.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    scratch = backups / f".config-backup-{day}.{os.getpid()}.new"
    scratch.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(scratch, flags, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            owner = backups.stat()
            with contextlib.suppress(PermissionError):
                # What root writes here must not keep out whom the folder belongs to.
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        while True:
            path = backups / f"config-backup-{day}{f'-{number}' if number > 1 else ''}.tar.gz"
            try:
                # A link takes no name that is taken, as a rename would.
                os.link(scratch, path)
                break
            except FileExistsError:
                number += 1
    finally:
        scratch.unlink(missing_ok=True)
    fsync_directory(backups)
    return path


def _key(path: Path) -> tuple[str, int]:
    match = _NAME.fullmatch(path.name)
    return (match[1], int(match[2] or 1)) if match else ("", 0)


def _choice(backups: Path) -> str:
    known = found_in(backups)
    if not known:
        return "make one with: jitctl backup config"
    return f"there are: {', '.join(path.name for path in known[-5:])}"


def _failed(backups: Path, error: OSError) -> JitError:
    message = f"the backup cannot be written to {backups}: {error.strerror or error}; nothing was changed"
    if error.errno in (errno.EACCES, errno.EPERM):
        return PermissionDenied(message, hint="repeat it as the folder's owner, or with sudo")
    return JitError(message, hint="make room, or mind the folder's mount")

"""The configurations that were live, kept as whole folders under `data/generations`.

Each holds the files that it was read from and loads to the hash in its name. One that the engine is yet to
take over is kept as `.offered-...` and gets its own name once it is live; `current` names the one that runs.
Both are replaced in one step, so that a crash leaves the old or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jitctl.config.load import load
from jitctl.config.plain_file import read_plain
from jitctl.config.source import Text, Texts
from jitctl.errors import ConfigError, JitError
from jitctl.safety.durable import create_record, fsync_directory, read_record

FOLDER = "generations"
KEPT = 50
_RECORD = "generation.json"
_CURRENT = "current.json"
_UNFINISHED = ".unfinished"
_OFFERED = ".offered-"
_NUMBERED = re.compile(rf"(?:{re.escape(_OFFERED)})?(\d+)-")


@dataclass(frozen=True)
class Generation:
    """One configuration that was live: from when, by whom and why; `restores` names an earlier one."""

    number: int
    hash: str
    time_s: float
    who: str = ""
    verb: str = ""
    why: str = ""
    restores: int | None = None
    files: tuple[tuple[str, str], ...] = ()
    """File name by stem."""
    sha256: tuple[tuple[str, str], ...] = ()
    """Of each file's bytes by its name, so that damage is told from a version that reads them otherwise."""

    @property
    def name(self) -> str:
        return f"{self.number:06d}-{self.hash[:12]}"


class Generations:
    """The kept generations of one data folder; only the keeper writes."""

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER

    def keep(
        self,
        config_hash: str,
        texts: Texts,
        *,
        time_s: float,
        who: str = "",
        verb: str = "",
        why: str = "",
        restores: int | None = None,
    ) -> Generation:
        """Write a generation durably, to be offered to the engine; raises `JitError` where it cannot be."""
        files = tuple((stem, text.path.name) for stem, text in texts.items())
        sums = tuple((text.path.name, hashlib.sha256(text.data).hexdigest()) for text in texts.values())
        made = Generation(self._next(), config_hash, time_s, who, verb, why, restores, files, sums)
        unfinished = self.folder / _UNFINISHED
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            for text in texts.values():
                _write(unfinished / text.path.name, text.data)
            create_record(unfinished / _RECORD, asdict(made))
            fsync_directory(unfinished)
            unfinished.rename(self.folder / (_OFFERED + made.name))
            fsync_directory(self.folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise JitError(
                f"the configuration cannot be kept in {self.folder}: {error.strerror or error}",
                hint="make room, or mind the folder's owner; nothing was changed",
            ) from None
        return made

    def set_current(self, generation: Generation) -> None:
        """Name the generation that runs; raises `JitError`. Old ones beyond `KEPT` go."""
        offered = self.folder / (_OFFERED + generation.name)
        try:
            if offered.is_dir():
                offered.rename(self.folder / generation.name)
                fsync_directory(self.folder)
            create_record(self.folder / _CURRENT, {"number": generation.number, "hash": generation.hash})
        except OSError as error:
            raise JitError(
                f"{self.folder / _CURRENT} cannot be written: {error.strerror or error}",
                hint="make room, or mind the folder's owner",
            ) from None
        for each in self.all()[:-KEPT]:
            if each.number != generation.number:
                shutil.rmtree(self.folder / each.name, ignore_errors=True)

    def drop(self, generation: Generation) -> None:
        """Forget a generation that did not come to run; never one that has been live."""
        shutil.rmtree(self.folder / (_OFFERED + generation.name), ignore_errors=True)

    def sweep(self, expected: Iterable[Generation] = ()) -> None:
        """Remove what a crash or a refusal has left, but for those that may yet be taken over."""
        kept = {_OFFERED + each.name for each in expected}
        with contextlib.suppress(OSError):
            for entry in list(self.folder.iterdir()):
                if entry.name == _UNFINISHED or (entry.name.startswith(_OFFERED) and entry.name not in kept):
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry.name.startswith(f".{_CURRENT}."):
                    entry.unlink(missing_ok=True)

    def live_with(self, config_hash: str, config_dir: Path) -> Generation | None:
        """Return the newest live generation if it has these values, and its files still say so."""
        newest = self.all()[-1:]
        for each in [found for found in (self.current(), *newest) if found is not None]:
            with contextlib.suppress(ConfigError):
                if each.hash == config_hash == load(config_dir, self.texts(each, config_dir)).hash:
                    return each
        return None

    def current(self) -> Generation | None:
        """Return the generation that the bot was last told to run by."""
        record = read_record(self.folder / _CURRENT) or {}
        return next((each for each in self.all() if each.number == record.get("number")), None)

    def all(self) -> list[Generation]:
        """Return every generation that has been live, the oldest first; what is damaged is left out."""
        with contextlib.suppress(OSError):
            names = [entry.name for entry in self.folder.iterdir() if entry.is_dir()]
            found = (_generation(read_record(self.folder / name / _RECORD)) for name in names)
            named = [each for each in found if each is not None and each.name in names]
            return sorted(named, key=lambda each: each.number)
        return []

    def _next(self) -> int:
        """Return a number that no generation has had, not even one whose record is damaged."""
        taken = [0]
        with contextlib.suppress(OSError):
            found = (_NUMBERED.match(entry.name) for entry in self.folder.iterdir())
            taken += [int(each[1]) for each in found if each is not None]
        return max(taken) + 1

    def folder_of(self, generation: Generation) -> Path:
        """Return where a generation's files lie, be it live or only offered."""
        offered = self.folder / (_OFFERED + generation.name)
        return offered if offered.is_dir() else self.folder / generation.name

    def previous(self, generation: Generation) -> Generation | None:
        """Return what was live before a generation with other values; what it restores counts as itself."""
        known = self.all()
        number, by_number = generation.number, {each.number: each for each in known}
        while (found := by_number.get(number)) is not None and found.restores is not None:
            number = found.restores
        older = [each for each in known if each.number < number and not _same(each, generation)]
        return older[-1] if older else None

    def texts(self, generation: Generation, config_dir: Path) -> dict[str, Text]:
        """Return a generation's files as if they lay in `config_dir`; raises `ConfigError` as `texts_in`."""
        return texts_in(self.folder_of(generation), config_dir)


def texts_in(folder: Path, config_dir: Path) -> dict[str, Text]:
    """Return the files of the generation in `folder` as if they lay in `config_dir`.

    Raises `ConfigError` where one is gone or, by its SHA-256, is not what was kept.
    """
    kept = _generation(read_record(folder / _RECORD))
    if kept is None:
        raise ConfigError(f"{folder} holds no generation of the configuration")
    try:
        found = {stem: Text(config_dir / name, read_plain(folder / name)) for stem, name in kept.files}
    except OSError as error:
        raise ConfigError(f"generation {kept.number} cannot be read: {error}") from None
    sums = dict(kept.sha256)
    for text in found.values():
        name = text.path.name
        if name in sums and hashlib.sha256(text.data).hexdigest() != sums[name]:
            raise ConfigError(
                f"generation {kept.number} is damaged: {folder / name} is not what was kept",
                hint="choose another one: jitctl config generations; or a backup: jitctl restore config",
            )
    return found


def _same(one: Generation, other: Generation) -> bool:
    """Whether two say the same: by their values, or by their files where versions read these otherwise."""
    return one.hash == other.hash or (bool(one.sha256) and one.sha256 == other.sha256)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _generation(record: dict[str, Any] | None) -> Generation | None:
    if record is None:
        return None
    known = {each.name for each in fields(Generation)}
    try:
        found = {key: value for key, value in record.items() if key in known}
        files: Iterable[Iterable[str]] = record["files"]
        sums: Iterable[Iterable[str]] = record.get("sha256", ())
        found["files"] = tuple((stem, name) for stem, name in files)
        found["sha256"] = tuple((name, digest) for name, digest in sums)
        return Generation(**found)
    except (KeyError, TypeError, ValueError):
        return None

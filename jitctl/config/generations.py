"""The configurations that were live, kept as whole folders under `data/generations`.

Each holds the files that it was read from and loads to the hash in its name. `current` names the one that
the bot was last told to run by; it is replaced in one step, so that a crash leaves the old or the new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jitctl.config.source import Text, Texts
from jitctl.errors import ConfigError, JitError
from jitctl.safety.durable import create_record, fsync_directory, read_record

FOLDER = "generations"
KEPT = 50
_RECORD = "generation.json"
_CURRENT = "current.json"
_UNFINISHED = ".unfinished"


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
        """Write a generation durably, not yet as the current one; raises `JitError` where it cannot be."""
        files = tuple((stem, text.path.name) for stem, text in texts.items())
        number = max((each.number for each in self.all()), default=0) + 1
        made = Generation(number, config_hash, time_s, who, verb, why, restores, files)
        unfinished = self.folder / _UNFINISHED
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            for text in texts.values():
                _write(unfinished / text.path.name, text.data)
            create_record(unfinished / _RECORD, asdict(made))
            fsync_directory(unfinished)
            unfinished.rename(self.folder / made.name)
            fsync_directory(self.folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise JitError(
                f"the configuration cannot be kept in {self.folder}: {error.strerror or error}",
                hint="make room, or mind the folder's owner; the old configuration goes on",
            ) from None
        return made

    def set_current(self, generation: Generation) -> None:
        """Name the generation that runs; raises `JitError`. Old ones beyond `KEPT` go."""
        create_record(self.folder / _CURRENT, {"number": generation.number, "hash": generation.hash})
        for each in self.all()[:-KEPT]:
            if each.number != generation.number:
                shutil.rmtree(self.folder / each.name, ignore_errors=True)

    def drop(self, generation: Generation) -> None:
        """Forget a generation that did not come to run; never the current one."""
        current = self.current()
        if current is None or current.number != generation.number:
            shutil.rmtree(self.folder / generation.name, ignore_errors=True)

    def current(self) -> Generation | None:
        """Return the generation that the bot was last told to run by."""
        record = read_record(self.folder / _CURRENT) or {}
        return next((each for each in self.all() if each.number == record.get("number")), None)

    def all(self) -> list[Generation]:
        """Return every kept generation, the oldest first; what is damaged is left out."""
        with contextlib.suppress(OSError):
            names = sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir())
            found = (_generation(read_record(self.folder / name / _RECORD)) for name in names)
            return sorted((each for each in found if each is not None), key=lambda each: each.number)
        return []

    def previous(self, generation: Generation) -> Generation | None:
        """Return what was live before a generation with other values; what it restores counts as itself."""
        known = self.all()
        number, by_number = generation.number, {each.number: each for each in known}
        while (found := by_number.get(number)) is not None and found.restores is not None:
            number = found.restores
        older = [each for each in known if each.number < number and each.hash != generation.hash]
        return older[-1] if older else None

    def texts(self, generation: Generation, config_dir: Path) -> dict[str, Text]:
        """Return a generation's files as if they lay in `config_dir`; raises `ConfigError` if one is gone."""
        folder = self.folder / generation.name
        try:
            return {
                stem: Text(config_dir / name, (folder / name).read_bytes()) for stem, name in generation.files
            }
        except OSError as error:
            raise ConfigError(f"generation {generation.number} cannot be read: {error}") from None


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
        files: Iterable[Iterable[str]] = record["files"]
        found = {key: value for key, value in record.items() if key in known}
        return Generation(**{**found, "files": tuple((stem, name) for stem, name in files)})
    except (KeyError, TypeError, ValueError):
        return None

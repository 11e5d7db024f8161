"""The marker of files that replace the configuration as one step; a reader needs no right to write.

While it is there, the configuration is what it names: a file that is not renamed yet is read from where it
was staged. So writing the marker is the step, and a crash after it leaves nothing but tidying to do. It lies
in the config folder: where `data` is would be a question of which configuration is read.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jitctl.config.locate import MARKER
from jitctl.config.plain_file import read_plain

STAGED = ".put-back"
"""What the name of a staged file ends with."""
MAX_BYTES = 65_536
_NAME = re.compile(r"[a-z]+\.(toml|json)")


@dataclass(frozen=True)
class PendingFile:
    """A file of the set: its name in the config folder and, unless it stays as it is, where it was staged."""

    name: str
    staged: str | None = None
    target: str | None = None
    """Absolute: where a link in the config folder leads to, else the file itself."""


@dataclass(frozen=True)
class PendingSet:
    """Every file by stem, None for one that the configuration lacks; `remove` are names that go.

    `restores` is the generation that it puts back, `about` says for people what is put back.
    """

    files: dict[str, PendingFile | None]
    remove: tuple[str, ...] = ()
    about: str = ""
    restores: int | None = None

    def as_bytes(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=True, indent=1).encode() + b"\n"

    def place(self, folder: Path, stem: str) -> tuple[Path, Path] | None:
        """Return where a file is named and where its bytes are now; None where there is none."""
        entry = self.files.get(stem)
        if entry is None:
            return None
        path = folder / entry.name
        staged = Path(entry.staged) if entry.staged else path
        try:
            return path, staged if staged.is_file() else path
        except OSError:
            # Who may not look where a link leads to is told so by reading it.
            return path, path


def read_pending(folder: Path) -> PendingSet | None:
    """Return the set that the marker names, None without one; raises OSError, ValueError if unreadable."""
    try:
        found: Any = json.loads(read_plain(folder / MARKER, MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except RecursionError:
        raise ValueError("no record of ours: it is nested too deep") from None
    try:
        return PendingSet(
            files={stem: _file(stem, entry) for stem, entry in found["files"].items()},
            remove=tuple(_ours(name) for name in found["remove"]),
            about=str(found["about"]),
            restores=found["restores"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no record of ours: {error}") from None


def _file(stem: str, entry: dict[str, str | None] | None) -> PendingFile | None:
    if entry is None:
        return None
    name, staged, target = _ours(entry["name"]), entry["staged"], entry["target"]
    if not name.startswith(f"{stem}.") or (staged is None) != (target is None):
        raise TypeError(f"{entry!r} for {stem}")
    if staged is not None and target is not None:
        place = Path(target)
        if not place.is_absolute() or Path(staged).parent != place.parent:
            raise TypeError(f"{entry!r} for {stem}")
    return PendingFile(name, staged, target)


def _ours(name: str | None) -> str:
    """Return the name of a file in the config folder as it is; raises TypeError for any other text."""
    if name is None or _NAME.fullmatch(name) is None:
        raise TypeError(f"{name!r} is no file of ours")
    return name

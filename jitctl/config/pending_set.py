"""The marker of files that replace the configuration as one step; a reader needs no right to write.

While it is there, the configuration is what it names: a file that is not renamed yet is read from where it
was staged. So writing the marker is the step, and a crash after it leaves nothing but tidying to do. It lies
in the config folder: where `data` is would be a question of which configuration is read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jitctl.config.locate import MARKER

STAGED = ".put-back"
"""What the name of a staged file ends with."""
MAX_BYTES = 65_536


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
        return path, staged if staged.is_file() else path


def read_pending(folder: Path) -> PendingSet | None:
    """Return the set that the marker names, None without one; raises OSError, ValueError if unreadable."""
    try:
        with (folder / MARKER).open("rb") as file:
            found: Any = json.loads(file.read(MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return PendingSet(
            files={stem: PendingFile(**entry) if entry else None for stem, entry in found["files"].items()},
            remove=tuple(found["remove"]),
            about=str(found["about"]),
            restores=found["restores"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no record of ours: {error}") from None

"""Read a configuration whose files nobody is writing: each as one whole, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jitctl.config.load import Config, load
from jitctl.config.problems import Problem
from jitctl.config.source import STEMS, Text, read_texts
from jitctl.errors import Refused

STILL_S = 0.1
"""How long a file must have stayed as it is."""
PATIENCE_S = 2.0
_POLL_S = 0.02

Seen = dict[Path, tuple[int, int, int]]


def load_still(config_dir: Path) -> Config:
    """Return the configuration once its files lie still.

    Raises `Refused` where one is still being written after `PATIENCE_S`, `ConfigInvalidError` as `load`.
    """
    texts, unread = read_still(config_dir)
    return load(config_dir, texts, unread)


def read_still(
    config_dir: Path,
    *,
    monotonic_s: Callable[[], float] = time.monotonic,
    wall_s: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[dict[str, Text], list[Problem]]:
    """Return what `read_texts` does, of files that did not change from `STILL_S` before until after it."""
    began_s = since_s = monotonic_s()
    seen = _seen(config_dir)
    while True:
        now_s, now_wall_s = monotonic_s(), wall_s()
        # A clock that was set back, or another machine's, makes a file look younger than it is.
        long_ago = all(now_wall_s - mtime_ns / 1e9 >= STILL_S for mtime_ns, _, _ in seen.values())
        if long_ago or now_s - since_s >= STILL_S:
            found = read_texts(config_dir)
            if (after := _seen(config_dir)) == seen:
                return found
        else:
            sleep(_POLL_S)
            after = _seen(config_dir)
        if after != seen:
            changing, seen, since_s = _differing(seen, after), after, monotonic_s()
            if now_s - began_s >= PATIENCE_S:
                raise Refused(
                    f"{', '.join(changing)} is being written; nothing was changed",
                    hint="repeat it once the file is whole",
                )


def _seen(config_dir: Path) -> Seen:
    """Return when each file that is there was last written, its size and its inode."""
    found: Seen = {}
    for path in (config_dir / f"{stem}{end}" for stem in STEMS for end in (".toml", ".json")):
        try:
            state = path.stat()
        except OSError:
            continue
        found[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def _differing(before: Seen, after: Seen) -> list[str]:
    return sorted(str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path))

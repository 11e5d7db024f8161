"""Where the configuration and the program's folders are; standard library only, for quick commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from jitctl.config.plain_file import read_plain
from jitctl.errors import ConfigError, PermissionDenied

ENV_CONFIG_DIR = "JITCTL_CONFIG_DIR"
SYSTEM_CONFIG_DIR = "/etc/jitctl"
MAIN_NAMES = ("jitctl.toml", "jitctl.json")
MARKER = ".put-back.json"
"""There while the files are replaced as one step: see `pending_set`."""
DEFAULT_PATHS = {"data": "data", "logs": "logs", "run": "run", "backups": "backups"}


class Folders(NamedTuple):
    """Absolute folders of one installation; a relative path counts from the config folder's parent.

    `doubt` says why they may be others: the file that names them cannot be read.
    """

    config: Path
    data: Path
    logs: Path
    run: Path
    backups: Path
    doubt: str = ""

    @property
    def socket(self) -> Path:
        return self.run / "jitctl.sock"

    @property
    def pid_file(self) -> Path:
        return self.run / "jitctl.pid"

    @property
    def log_file(self) -> Path:
        return self.logs / "jit-bot.log"


def find_config_dir(option: str | None) -> Path:
    """Return the config folder: `option`, else JITCTL_CONFIG_DIR, else ./config, else /etc/jitctl.

    A folder that is named explicitly must hold a jitctl.toml; raises `ConfigError` where none does,
    `PermissionDenied` where the caller may not look.
    """
    named = option or os.environ.get(ENV_CONFIG_DIR)
    candidates = [named] if named else ["config", SYSTEM_CONFIG_DIR]
    for candidate in candidates:
        folder = Path(candidate).absolute()
        try:
            if any((folder / name).is_file() for name in (*MAIN_NAMES, MARKER)):
                return folder
        except PermissionError:
            raise PermissionDenied(
                f"you may not look into {folder}",
                hint="ask for membership of the folder's group, or use sudo",
            ) from None
    tried = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigError(
        f"no jitctl.toml found in {tried}",
        hint=f"name the folder with --config-dir or {ENV_CONFIG_DIR}",
    )


def find_config_dir_to_fill(option: str | None) -> Path:
    """Return the config folder as `find_config_dir`, also one whose jitctl.toml, or which itself, is gone.

    Raises `ConfigError` where nothing says which folder is meant.
    """
    try:
        return find_config_dir(option)
    except ConfigError:
        named = option or os.environ.get(ENV_CONFIG_DIR)
        if named:
            return Path(named).absolute()
        candidates = (Path("config"), Path(SYSTEM_CONFIG_DIR))
        found = next((folder for folder in candidates if folder.is_dir()), None)
        if found is None and any(Path(name).is_dir() for name in ("data", "backups")):
            found = candidates[0]
        if found is None:
            raise
        return found.absolute()


def folders_of(config_dir: Path, paths: dict[str, str]) -> Folders:
    """Resolve the four folders of `paths` against the parent of `config_dir`."""
    base = config_dir.parent
    merged = DEFAULT_PATHS | paths
    data, logs, run, backups = (base / merged[name] for name in ("data", "logs", "run", "backups"))
    return Folders(config_dir, data, logs, run, backups)


def quick_folders(config_dir: Path) -> Folders:
    """Read only `[paths]`, without validation.

    A file that cannot be parsed gives what its lines show of `[paths]`, else the defaults, and a doubt: a
    broken edit must not keep an operator from pausing or stopping a daemon that runs, nor hide one.
    """
    doubt = ""
    try:
        whole = _read(config_dir)
        if not whole:
            raise ValueError("it is empty")
        section = whole.get("paths", {})
    except (OSError, ValueError, RecursionError) as error:
        section, doubt = _paths_by_line(config_dir), f"{config_dir / MAIN_NAMES[0]} cannot be read: {error}"
    found = section.items() if isinstance(section, dict) else ()
    paths = {k: v for k, v in found if k in DEFAULT_PATHS and isinstance(v, str)}
    return folders_of(config_dir, paths)._replace(doubt=doubt)


def _paths_by_line(config_dir: Path) -> dict[str, object]:
    """Return the plain `name = "folder"` lines of `[paths]` in a file that is no TOML as a whole."""
    import re

    try:
        text = read_plain(config_dir / MAIN_NAMES[0]).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, object] = {}
    inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            inside = line.strip().startswith("[paths")
        elif inside and (value := re.match(r"""\s*(\w+)\s*=\s*(?:"([^"\\]*)"|'([^']*)')""", line)):
            found[value[1]] = value[2] if value[2] is not None else value[3]
    return found


def quick_unit(config_dir: Path) -> str:
    """Read only `[service] systemd_unit`, without validation; empty for none, or in a broken file."""
    unit = _section(config_dir, "service").get("systemd_unit", "")
    return unit if isinstance(unit, str) and not unit.startswith("-") else ""


def quick_place(config_dir: Path) -> tuple[str, str]:
    """Read only `[chain] chain_id` and `[executor] address`, without validation; empty where unreadable."""
    chain_id = _section(config_dir, "chain").get("chain_id", "")
    address = _section(config_dir, "executor").get("address", "")
    return str(chain_id) if isinstance(chain_id, int) else "", address if isinstance(address, str) else ""


def _section(config_dir: Path, name: str) -> dict[str, object]:
    try:
        section = _read(config_dir).get(name, {})
    except (OSError, ValueError, RecursionError):
        return {}
    return section if isinstance(section, dict) else {}


def _read(config_dir: Path) -> dict[str, object]:
    toml = config_dir / MAIN_NAMES[0]
    if toml.is_file():
        import tomllib

        return tomllib.loads(read_plain(toml).decode("utf-8"))
    import json

    loaded = json.loads(read_plain(config_dir / MAIN_NAMES[1]))
    return loaded if isinstance(loaded, dict) else {}

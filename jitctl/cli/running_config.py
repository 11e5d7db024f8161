"""The configuration that runs, for verbs that compare with it: from the daemon, else the last that ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jitctl.errors import DaemonNotRunning, JitError

if TYPE_CHECKING:
    from pathlib import Path

    from jitctl.config.generations import Generation, Generations
    from jitctl.config.load import Config
    from jitctl.control.client import Client
    from jitctl.maintenance.config_compare import Side


def running_side(asked: Client, kept: Generations, config_dir: Path) -> tuple[Side, str]:
    """Return what runs, and what is to be said about it.

    Where no daemon tells, the last generation that ran; raises `DaemonNotRunning` where there is none, and
    the daemon's silence or refusal as it is.
    """
    from jitctl.maintenance.config_compare import Side

    try:
        body = asked.call("config", probe=True)
    except JitError as error:
        return _last(error, kept, config_dir)
    number, config_hash = body.get("generation"), str(body.get("hash"))
    for each in kept.all():
        # Its files show all; what the daemon tells has its secrets hidden, as would a change of one.
        if each.number == number and each.hash == config_hash and (found := loaded(kept, each, config_dir)):
            return _side("what runs", found, each), ""
    values: dict[str, Any] = body.get("values") or {}
    return Side("what runs", config_hash, values, number or None, redacted=True), ""


def generation_side(kept: Generations, number: int, config_dir: Path) -> Side:
    """Return a kept generation; raises `UsageError` where it is unknown, `ConfigError` where damaged."""
    found = generation(kept, number)
    return _side(f"generation {number}", whole(kept, found, config_dir), found)


def generation(kept: Generations, number: int) -> Generation:
    """Return a kept generation by its number; raises `UsageError`."""
    from jitctl.errors import UsageError

    require_readable(kept)
    known = kept.all()
    for each in known:
        if each.number == number:
            return each
    there = f"there are {known[0].number} to {known[-1].number}" if known else "none is kept yet"
    raise UsageError(f"generation {number} is not kept", hint=f"{there}; see: jitctl config generations")


def whole(kept: Generations, found: Generation, config_dir: Path) -> Config:
    """Return a kept generation's configuration; raises `ConfigError` unless its files are as they were.

    Its hash is another than the recorded one where another version of jitctl kept it, as with a new default.
    """
    from jitctl.config.load import load
    from jitctl.config.problems import ConfigInvalidError
    from jitctl.errors import ConfigError

    try:
        config = load(config_dir, kept.texts(found, config_dir))
    except ConfigInvalidError as wrong:
        wrong.message = f"generation {found.number} is not valid for this version of jitctl: {wrong.message}"
        wrong.hint = "choose another one: jitctl config generations; or a backup: jitctl restore config"
        raise
    if config.hash != found.hash and not found.sha256:
        raise ConfigError(
            f"generation {found.number} does not load to its hash any more: its files in {kept.folder} were "
            "changed, or this version of jitctl reads them in another way",
            hint="choose another one: jitctl config generations; or a backup: jitctl restore config",
        )
    return config


def require_readable(kept: Generations) -> None:
    """Raise `PermissionDenied` where the caller may not look, which is not that nothing is kept."""
    from jitctl.errors import PermissionDenied

    try:
        if kept.folder.is_dir():
            next(kept.folder.iterdir(), None)
    except PermissionError:
        raise PermissionDenied(
            f"you may not read {kept.folder}", hint="repeat it as the daemon's user, or with sudo"
        ) from None


def _last(error: JitError, kept: Generations, config_dir: Path) -> tuple[Side, str]:
    require_readable(kept)
    current = kept.current()
    found = loaded(kept, current, config_dir) if current is not None else None
    if current is None or found is None:
        raise error
    why = "no daemon runs" if isinstance(error, DaemonNotRunning) else error.message
    side = _side("the last that ran", found, current)
    return side, f"{why}; compared with generation {current.number}, the last that ran"


def loaded(kept: Generations, found: Generation, config_dir: Path) -> Config | None:
    """Return a kept generation's configuration as `whole`, None where it is not whole any more."""
    try:
        return whole(kept, found, config_dir)
    except JitError:
        return None


def _side(label: str, config: Config, found: Generation) -> Side:
    from jitctl.maintenance.config_compare import side_of

    return side_of(label, config, found.number)

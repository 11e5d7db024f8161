"""What `config rollback` and `restore config` share: show what changes, ask, replace, have it reloaded."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jitctl.cli import options, render
from jitctl.errors import DaemonNotRunning, JitError, TimedOut

if TYPE_CHECKING:
    import typer

    from jitctl.config.load import Config
    from jitctl.config.locate import Folders
    from jitctl.config.put_back import PutBack
    from jitctl.config.source import Text
    from jitctl.control.client import Client

RELOAD_LIMIT_S = 30.0


@dataclass
class Scene:
    """The folder that is to be filled, as it is: `files` None where they are no valid configuration."""

    config_dir: Path
    folders: Folders
    texts: dict[str, Text]
    files: Config | None
    problem: str
    finished: dict[str, Any] | None = None
    """The interrupted replacement that was finished first."""
    running: dict[str, Any] = field(default_factory=dict)
    """The status of the daemon; empty where none runs."""
    unreachable: JitError | None = None

    @property
    def engine_runs(self) -> bool:
        return bool(self.running and (self.running.get("engine") or {}).get("alive"))


def look(ctx: typer.Context, *, dry_run: bool = False) -> Scene:
    """Return what is there; an interrupted replacement is finished first, unless nothing may change."""
    from jitctl.config.load import load
    from jitctl.config.locate import find_config_dir_to_fill, quick_folders
    from jitctl.config.put_back import finish, unfinished
    from jitctl.config.source import read_texts

    config_dir = find_config_dir_to_fill(ctx.find_root().params.get("config_dir"))
    interrupted = unfinished(config_dir) if dry_run else finish(config_dir)
    texts, unread = read_texts(config_dir)
    files, problem = None, ""
    try:
        files = load(config_dir, texts, unread)
    except JitError as error:
        problem = error.message
    folders = quick_folders(config_dir)
    scene = Scene(config_dir, folders, texts, files, problem)
    if interrupted is not None:
        scene.finished = {"about": interrupted.about, "restores": interrupted.restores}
    return scene


def client(scene: Scene, wanted: Config | None = None) -> Client:
    """Return a client for the daemon of this folder; files that cannot be read do not say where it is."""
    from jitctl.control.client import Client

    if scene.folders.doubt and wanted is not None:
        return Client(wanted.folders.socket)
    return Client(scene.folders.socket, doubt=scene.folders.doubt)


def ask_daemon(scene: Scene, asked: Client, *, needed: bool) -> None:
    """Fill in what the daemon says of itself; `needed` raises where one may be there and does not tell."""
    try:
        scene.running = asked.call("status", probe=True)
    except JitError as error:
        if needed and not isinstance(error, DaemonNotRunning):
            error.message += "; nothing was changed"
            raise
        scene.unreachable = error


def changes(scene: Scene, wanted: Config, label: str) -> list[dict[str, Any]]:
    """Return what putting `wanted` in the place of the files changes; nothing where these are not valid."""
    from jitctl.maintenance.config_compare import differences, side_of

    if scene.files is None:
        return []
    return as_wire(differences(side_of("the files", scene.files), side_of(label, wanted)))


def against_running(asked: Client, scene: Scene, wanted: Config) -> list[dict[str, Any]] | None:
    """Return what differs between what runs and `wanted`; None where no daemon says what runs."""
    from jitctl.cli.running_config import running_side
    from jitctl.config.generations import Generations
    from jitctl.maintenance.config_compare import differences, side_of

    if not scene.running:
        return None
    try:
        before, _ = running_side(asked, Generations(scene.folders.data), scene.config_dir)
    except JitError:
        return None
    return as_wire(differences(before, side_of("the files", wanted)))


def as_wire(found: list[Any]) -> list[dict[str, Any]]:
    """Return `Difference`s as JSON."""
    from jitctl.control.schema import camel

    return [{camel(key): value for key, value in asdict(each).items()} for each in found]


def difference_lines(body: dict[str, Any], stream: TextIO | None = None) -> list[str]:
    """Return what the files become, or why that cannot be told line by line."""
    from jitctl.cli import difference_view

    if body["problem"]:
        return [render.printable(f"the files are not valid now: {body['problem']}")]
    return difference_view.difference_lines(body["differences"], stream)


def show_before_asking(body: dict[str, Any], output: str) -> None:
    """Show on stderr what a confirmation is about; nothing where the files stay as they are."""
    import sys

    if output == render.Format.TEXT and (lines := difference_lines(body, sys.stderr)):
        render.aside("\n".join(lines))


def result_lines(body: dict[str, Any], *, reloads: list[str] | None = None) -> list[str]:
    """Return what was done, or would be, and what takes it over."""
    from jitctl.cli.difference_view import apply_lines

    lines: list[str] = []
    if body["dryRun"] or body["written"] or body["removed"]:
        lines += difference_lines(body)
    if body["finished"]:
        word = "would finish" if body["dryRun"] else "finished"
        lines.append(f"{word} what was interrupted: {render.printable(body['finished']['about'])}")
    lines.append(render.printable(body["message"]))
    if body["keptIn"]:
        lines.append(f"the earlier files are kept in {render.printable(body['keptIn'])}")
    return [*lines, *apply_lines(reloads or [], body["needsRestart"])]


def replace(
    scene: Scene, wanted: Config, about: str, *, restores: int | None = None, now_s: float | None = None
) -> PutBack:
    """Put the files of `wanted` in place as one step; raises `JitError`, and nothing is changed then."""
    from jitctl.config.put_back import put_back

    if not scene.config_dir.is_dir():
        options.make_folder(scene.config_dir)
        scene.config_dir.chmod(0o750)
    folders = wanted.folders if scene.folders.doubt else scene.folders
    return put_back(
        scene.config_dir,
        wanted.texts,
        expected_hash=wanted.hash,
        backups=folders.backups,
        now_s=time.time() if now_s is None else now_s,
        about=about,
        restores=restores,
        seen=scene.texts,
    )


def reload_or_undo(
    asked: Client, scene: Scene, wanted: Config, done: PutBack, *, reason: str, restores: int | None
) -> dict[str, Any]:
    """Have the daemon take the files over; where it refuses, they become what they were.

    Raises what the daemon answered. One that did not answer may still take them over: they stay then.
    """
    body: dict[str, Any] = {"reason": reason}
    if restores is not None:
        body["restores"] = restores
    try:
        return asked.call("reload-config", body=body, timeout_s=RELOAD_LIMIT_S)
    except (TimedOut, DaemonNotRunning) as late:
        kept = f"; the earlier files are in {done.kept_in}" if done.kept_in else ""
        late.message += f"; the files are in place{kept}"
        raise
    except JitError as refusal:
        if done.changed:
            _undo(scene, wanted, refusal)
        raise


def _undo(scene: Scene, wanted: Config, refusal: JitError) -> None:
    """Make the files what they were, unless somebody has changed them since."""
    from jitctl.config.put_back import put_back

    try:
        put_back(
            scene.config_dir, scene.texts, expected_hash=None, backups=None, now_s=time.time(),
            about="the files as they were", seen=wanted.texts,
        )  # fmt: skip
    except JitError as error:
        refusal.message += f"; and the files could not be made what they were: {error.message}"
        return
    refusal.message += "; the bot runs on as before, and the files are what they were"

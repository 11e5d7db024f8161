"""Replace files of the config folder as one step: all of them, or none, also across a crash.

Everything is staged beside its target and read back, what it replaces is copied into `backups/`, then the
marker of `pending_set` is written: that is the step. The renames that follow only tidy up; whoever finds the
marker later, and has the right, does the rest of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jitctl.config.folder_guard import NOTHING, mapped_errors, only_one
from jitctl.config.load import load
from jitctl.config.locate import MAIN_NAMES, MARKER
from jitctl.config.pending_set import STAGED, PendingFile, PendingSet, read_pending
from jitctl.config.plain_file import read_plain
from jitctl.config.source import STEMS, Text, Texts
from jitctl.errors import ConfigError, JitError, PermissionDenied, Refused
from jitctl.safety.durable import fsync_directory

FILE_MODE, FOLDER_MODE = 0o640, 0o750
_NAMES = tuple(f"{stem}{end}" for stem in STEMS for end in (".toml", ".json"))


@dataclass(frozen=True)
class PutBack:
    """What a replacement did: names in the config folder, and where the earlier files are kept."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept_in: Path | None = None

    @property
    def changed(self) -> bool:
        return bool(self.written or self.removed)


@dataclass
class _Stage:
    """What lies about until the marker is written."""

    scratch: list[Path] = field(default_factory=list)
    kept_in: Path | None = None

    def clear(self) -> None:
        for path in self.scratch:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        if self.kept_in is not None:
            shutil.rmtree(self.kept_in, ignore_errors=True)


def put_back(
    config_dir: Path,
    texts: Texts,
    *,
    expected_hash: str | None,
    backups: Path | None,
    now_s: float,
    about: str,
    restores: int | None = None,
    seen: Texts | None = None,
) -> PutBack:
    """Make the folder hold `texts` and no other file of ours; what is as wanted is left alone.

    `expected_hash` None takes files that are no valid configuration, as they were before; `seen` are those
    that the operator was shown. Raises `Refused` where the files are others by now or somebody else is
    replacing them, `ConfigError` where what was staged does not read back, `PermissionDenied`, and `JitError`
    for a full disk and the like; nothing is changed then. A file that is a link is replaced where the link
    leads to. Without `backups` what is replaced is not kept.
    """
    with mapped_errors(config_dir), only_one(config_dir):
        _finish(config_dir)
        _sweep(config_dir)
        present = _present(config_dir)
        if seen is not None and _bytes(present) != {text.path.name: text.data for text in seen.values()}:
            raise Refused(
                f"the files in {config_dir} are others than a moment ago; {NOTHING}",
                hint="somebody else is editing them: look, then repeat",
            )
        wanted = {text.path.name: text for text in texts.values()}
        written = [name for name, text in wanted.items() if present.get(name) != text.data]
        removed = [name for name in present if name not in wanted]
        if not written and not removed:
            return PutBack()
        stage = _Stage()
        try:
            pending = _stage(config_dir, texts, written, stage)
            _check(config_dir, texts, pending, expected_hash)
            if backups is not None:
                stage.kept_in = _keep(present, backups, now_s)
            _write_marker(config_dir, PendingSet(pending, tuple(removed), about, restores), stage)
        except BaseException:
            stage.clear()
            raise
        _finish(config_dir)
        return PutBack(tuple(written), tuple(removed), stage.kept_in)


def unfinished(config_dir: Path) -> PendingSet | None:
    """Return the replacement that was interrupted; raises `JitError` where its marker cannot be read."""
    with mapped_errors(config_dir):
        try:
            return read_pending(config_dir)
        except ValueError as error:
            raise JitError(
                f"{config_dir / MARKER} cannot be read: {error}",
                hint="look at the files there and put them right, then remove it",
            ) from None


def finish(config_dir: Path) -> PendingSet | None:
    """Do what is left of an interrupted replacement and return it; raises `JitError`."""
    if unfinished(config_dir) is None:
        return None
    with mapped_errors(config_dir), only_one(config_dir):
        return _finish(config_dir)


def finish_if_allowed(config_dir: Path) -> None:
    """Tidy up after an interrupted replacement; who may not reads the whole set where it is staged."""
    with contextlib.suppress(JitError):
        finish(config_dir)


def _finish(folder: Path) -> PendingSet | None:
    pending = unfinished(folder)
    if pending is None:
        return None
    for entry in pending.files.values():
        if entry is not None and entry.staged and entry.target:
            with contextlib.suppress(FileNotFoundError):
                Path(entry.staged).rename(entry.target)
            fsync_directory(Path(entry.target).parent)
    for name in pending.remove:
        (folder / name).unlink(missing_ok=True)
    fsync_directory(folder)
    (folder / MARKER).unlink()
    fsync_directory(folder)
    return pending


def _sweep(folder: Path) -> None:
    """Remove what one that was interrupted before its marker has left."""
    for name in _NAMES:
        (folder / f".{name}{STAGED}").unlink(missing_ok=True)
    (folder / f"{MARKER}.new").unlink(missing_ok=True)


def _present(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of ours by name, also of one beside another form of itself."""
    found: dict[str, bytes] = {}
    for name in _NAMES:
        path = folder / name
        try:
            found[name] = read_plain(path)
        except FileNotFoundError:
            if path.is_symlink():
                raise Refused(
                    f"{path} is a link that leads nowhere; {NOTHING}", hint="mend or remove the link"
                ) from None
    return found


def _bytes(present: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that are read: where there are two forms of one, the TOML."""
    return {
        name: data
        for name, data in present.items()
        if not (name.endswith(".json") and name.removesuffix("json") + "toml" in present)
    }


def _stage(folder: Path, texts: Texts, written: list[str], stage: _Stage) -> dict[str, PendingFile | None]:
    files: dict[str, PendingFile | None] = {}
    for stem in STEMS:
        text = texts.get(stem)
        if text is None:
            files[stem] = None
            continue
        name = text.path.name
        if name not in written:
            files[stem] = PendingFile(name)
            continue
        target = (folder / name).resolve()
        staged = target.with_name(f".{target.name}{STAGED}")
        # A form of the same file that goes had the rights that its successor needs; so have its neighbours.
        models = (target, *(folder / each for each in (f"{stem}.toml", f"{stem}.json", *_NAMES)))
        like = next((each for each in models if each.is_file()), None)
        _write(staged, text.data, like or folder, stage)
        files[stem] = PendingFile(name, str(staged), str(target))
    return files


def _write(path: Path, data: bytes, like: Path, stage: _Stage) -> None:
    """Write a file durably, with the owner and mode of `like`; a folder gives its owner alone."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    stage.scratch.append(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            model = like.stat()
            is_file = not like.is_dir()
            ours = os.fstat(descriptor)
            if (ours.st_uid, ours.st_gid) != (model.st_uid, model.st_gid):
                _give(descriptor, model, path, required=is_file)
            os.fchmod(descriptor, model.st_mode & 0o7777 if is_file else FILE_MODE)
            os.fsync(descriptor)
    except OSError as error:
        # A write does not say where: the full disk may be that of the backups.
        raise OSError(error.errno, error.strerror, error.filename or str(path)) from None


def _give(descriptor: int, model: os.stat_result, path: Path, *, required: bool) -> None:
    """Hand a file to the owner that the file it replaces has; else its readers might be locked out."""
    try:
        os.fchown(descriptor, model.st_uid, model.st_gid)
    except PermissionError:
        if required:
            raise PermissionDenied(
                f"{path.parent} holds files of another owner (uid {model.st_uid}, gid {model.st_gid}), "
                f"which only that owner or root can replace; {NOTHING}",
                hint="repeat it as that user, or with sudo",
            ) from None


def _check(
    folder: Path, texts: Texts, pending: Mapping[str, PendingFile | None], expected_hash: str | None
) -> None:
    """Read back what was staged; raises `ConfigError` where it is not the wanted configuration."""
    staged: dict[str, Text] = {}
    for stem, entry in pending.items():
        if entry is not None:
            place = Path(entry.staged) if entry.staged else folder / entry.name
            staged[stem] = Text(folder / entry.name, read_plain(place))
    if _data(staged) != _data(texts):
        raise ConfigError(f"what was staged in {folder} does not read back; {NOTHING}")
    if expected_hash is not None and load(folder, staged).hash != expected_hash:
        raise ConfigError(f"what was staged in {folder} has another hash than it should; {NOTHING}")


def _data(texts: Texts) -> dict[str, bytes]:
    return {stem: text.data for stem, text in texts.items()}


def _keep(present: Mapping[str, bytes], backups: Path, now_s: float) -> Path | None:
    """Copy the whole earlier set, as a folder that `--config-dir` could name."""
    if not present:
        return None
    made = [each for each in (backups, *backups.parents) if not each.exists()]
    backups.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    # What root makes here must not keep out whom the folder belongs to.
    owner = (made[-1].parent if made else backups).stat()
    name = f"config-replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now_s))}"
    number = 1
    while True:
        kept = backups / (name if number == 1 else f"{name}-{number}")
        try:
            kept.mkdir(mode=FOLDER_MODE)
            break
        except FileExistsError:
            number += 1
    stage = _Stage(kept_in=kept)
    try:
        for each in (kept, *made):
            with contextlib.suppress(PermissionError):
                os.chown(each, owner.st_uid, owner.st_gid)
        for each_name, data in present.items():
            _write(kept / each_name, data, kept, stage)
        fsync_directory(kept)
        fsync_directory(backups)
    except BaseException:
        stage.clear()
        raise
    return kept


def _write_marker(folder: Path, pending: PendingSet, stage: _Stage) -> None:
    mains = (folder / name for name in MAIN_NAMES)
    like = next((main for main in mains if main.is_file()), folder)
    for each in {Path(entry.target).parent for entry in pending.files.values() if entry and entry.target}:
        fsync_directory(each)
    scratch = folder / f"{MARKER}.new"
    _write(scratch, pending.as_bytes(), like, stage)
    scratch.rename(folder / MARKER)
    # From here on it is done: what was staged and kept must stay.
    stage.scratch, kept_in = [], stage.kept_in
    stage.kept_in = None
    fsync_directory(folder)
    stage.kept_in = kept_in

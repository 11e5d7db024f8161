"""What a command line names, read once: files, folders and `-` become texts of a known kind, or problems."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jitctl.config.kind import form_of, kind_by_content, kind_by_name
from jitctl.config.load import absent
from jitctl.config.plain_file import MAX_BYTES
from jitctl.config.problems import Problem
from jitctl.config.source import STEMS, Text, read_texts

STDIN = Path("-")
STDIN_NAME = Path("<stdin>")


@dataclass(frozen=True)
class Named:
    """A file, which of ours it is, and where its neighbours lie; stdin may have none."""

    text: Text
    stem: str
    folder: Path | None


@dataclass
class Read:
    """`unread` are the names that gave no text, `left_out` is what lies in a folder and does not count."""

    files: list[Named] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def read(
    paths: Sequence[Path],
    *,
    kind: str | None,
    stdin: Callable[[], bytes] | None,
    stdin_folder: Path | None,
) -> Read:
    """Return what `paths` hold; a file that is named twice counts once."""
    found, seen = Read(), set[Path]()
    for path in dict.fromkeys(paths):
        if path == STDIN:
            _take(found, STDIN_NAME, stdin() if stdin else b"", kind, stdin_folder)
            continue
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            _refuse(found, _nowhere(path))
            continue
        except OSError as error:
            _refuse(found, _unreadable(path, error))
            continue
        if stat.S_ISDIR(mode):
            _folder(found, path, kind, seen)
        elif (whole := path.resolve()) not in seen:
            seen.add(whole)
            _file(found, path, kind, path.parent if stat.S_ISREG(mode) else stdin_folder)
    return found


def _folder(found: Read, folder: Path, kind: str | None, seen: set[Path]) -> None:
    """Take the files of ours in a folder: all that the bot would read, or the one of `kind`."""
    try:
        texts, unread = read_texts(folder)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        _refuse(found, _unreadable(folder, error))
        return
    if not texts and not unread:
        hint = f"did you mean {folder / 'config'}?" if (folder / "config").is_dir() else ""
        message = f"no such file: none of {', '.join(STEMS)} (.toml or .json) is in this folder"
        _refuse(found, Problem("JC001", str(folder), 1, 1, "", message, hint))
        return
    wanted = (kind,) if kind else STEMS
    for problem in (*absent(folder, texts, unread), *unread):
        if Path(problem.file).stem in wanted:
            _refuse(found, problem)
    for stem in wanted:
        if stem not in texts:
            continue
        text = texts[stem]
        if f"{stem}.json" in names and text.path.suffix != ".json":
            found.left_out.append(
                (str(folder / f"{stem}.json"), f"{text.path.name} beside it is read instead")
            )
        if (whole := text.path.resolve()) not in seen:
            seen.add(whole)
            found.files.append(Named(text, stem, folder))


def _file(found: Read, path: Path, kind: str | None, folder: Path | None) -> None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(found, _unreadable(path, error))
    else:
        _take(found, path, data, kind, folder)


def _take(found: Read, path: Path, data: bytes, kind: str | None, folder: Path | None) -> None:
    if len(data) > MAX_BYTES:
        message = f"cannot be read: it is larger than {MAX_BYTES >> 20} MiB"
        _refuse(found, Problem("JC003", str(path), 1, 1, "", message))
        return
    text = Text(path, data, form_of(path, data))
    told = kind or kind_by_name(path) or kind_by_content(text)
    if isinstance(told, Problem):
        _refuse(found, told)
    else:
        found.files.append(Named(text, told, folder))


def _refuse(found: Read, problem: Problem) -> None:
    found.problems.append(problem)
    found.unread.append(problem.file)


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem("JC003", str(path), 1, 1, "", f"cannot be read: {error.strerror or error}")


def _nowhere(path: Path) -> Problem:
    """Return that a file is not there, with a hint at the name in the same folder that is nearest."""
    if path.is_symlink():
        return Problem("JC001", str(path), 1, 1, "", "no such file: this link leads nowhere")
    return Problem("JC001", str(path), 1, 1, "", "no such file", _meant(path))


def _meant(path: Path) -> str:
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {path.parent}"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"did you mean {path.parent / near[0]}?" if near else ""

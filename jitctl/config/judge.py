"""What `validate-config` judges: any files, folders and stdin, each file beside the others of its folder.

A folder's file is judged with those that were named, else with those that lie there. Only what is wrong with
the named files is a problem; what is wrong with, or missing of, the others is said in `Judgement.unchecked`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jitctl.config import named, rules
from jitctl.config.load import REQUIRED, Examined, completed, examine, hash_of
from jitctl.config.named import Named
from jitctl.config.problems import Problem, errors_of
from jitctl.config.source import STEMS, Text, Texts, read_texts


@dataclass(frozen=True)
class Unchecked:
    """Something that could not be checked, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Whole:
    """A configuration that has every file it needs and no error."""

    folder: Path
    texts: Texts
    hash: str


@dataclass(frozen=True)
class Judgement:
    """`problems` are in the order of file, line, column and rule; `texts` are what was judged, by name."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    unchecked: tuple[Unchecked, ...] = ()
    texts: Mapping[str, Text] = field(default_factory=dict)
    whole: tuple[Whole, ...] = ()

    @property
    def errors(self) -> int:
        return len(errors_of(self.problems))

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    def with_more(self, problems: Iterable[Problem], unchecked: Iterable[Unchecked]) -> Judgement:
        """Return this with what somebody else has found."""
        merged = in_order([*self.problems, *problems])
        return replace(self, problems=merged, unchecked=(*self.unchecked, *unchecked))


def judge(
    paths: Sequence[Path],
    *,
    kind: str | None = None,
    stdin: Callable[[], bytes] | None = None,
    stdin_folder: Path | None = None,
) -> Judgement:
    """Judge files, folders and `-` as `kind`, else as what each is; needs no key and no network.

    `stdin` reads what `-` means, `stdin_folder` is where it would lie.
    """
    found = named.read(paths, kind=kind, stdin=stdin, stdin_folder=stdin_folder)
    problems, unchecked, whole = list(found.problems), [Unchecked(*each) for each in found.left_out], []
    tables = _Tables(found.files, found.unread)
    for file in found.files:
        texts, examined = tables.beside(file)
        name = str(file.text.path)
        problems += [problem for problem in examined.problems if problem.file == name]
        unchecked += tables.unchecked(file, texts, examined)
        if all(stem in texts for stem in REQUIRED) and not errors_of(examined.problems) and file.folder:
            hashed = hash_of(completed(examined.models))
            whole.append(Whole(file.folder, texts, hashed))
    return Judgement(
        files=tuple(dict.fromkeys([*(str(file.text.path) for file in found.files), *found.unread])),
        problems=in_order(problems),
        unchecked=tuple(dict.fromkeys(unchecked)),
        texts={str(file.text.path): file.text for file in found.files},
        whole=tuple({each.hash: each for each in whole}.values()) if not errors_of(problems) else (),
    )


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, by file, line, column and rule."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda each: (each.file, each.line, each.column, each.rule, each.key, each.message),
        )
    )


class _Tables:
    """Each named file with its neighbours; files that share them all are examined once."""

    def __init__(self, files: Sequence[Named], unread: Sequence[str]) -> None:
        self._blamed = {*(str(file.text.path) for file in files), *unread}
        self._first: dict[tuple[Path, str], Text] = {}
        for file in files:
            if file.folder is None:
                continue
            # Of two of a kind the one with the usual name stands for it beside the others.
            usual = (f"{file.stem}.toml", f"{file.stem}.json")
            first = self._first.setdefault((file.folder, file.stem), file.text)
            if first.path.name not in usual and file.text.path.name in usual:
                self._first[file.folder, file.stem] = file.text
        self._on_disk: dict[Path, tuple[dict[str, Text], list[Problem]]] = {}
        self._examined: dict[tuple[int, ...], Examined] = {}

    def beside(self, file: Named) -> tuple[Texts, Examined]:
        """Return a file with its neighbours, and what all of them say."""
        texts = {file.stem: file.text}
        if file.folder:
            for stem, text in self._lying(file.folder)[0].items():
                texts.setdefault(stem, text)
            for stem in STEMS:
                if stem != file.stem and (file.folder, stem) in self._first:
                    texts[stem] = self._first[file.folder, stem]
        texts = {stem: texts[stem] for stem in STEMS if stem in texts}
        key = tuple(id(text) for text in texts.values())
        if key not in self._examined:
            self._examined[key] = examine(texts)
        return texts, self._examined[key]

    def unchecked(self, file: Named, texts: Texts, examined: Examined) -> list[Unchecked]:
        """Return what a file's neighbours kept from being checked, and what is wrong with those."""
        if file.stem not in examined.models:
            return []
        ours = rules.PARAMETER_BY_STEM[file.stem]
        needed = {name for _, needs in rules.CHECKS if ours in needs for name in needs}
        found = []
        for stem in STEMS:
            beside = f"{file.text.path} beside {stem}"
            if stem in texts:
                name = str(texts[stem].path)
                wrong = len([each for each in errors_of(examined.problems) if each.file == name])
                if wrong and name not in self._blamed:
                    errors = "1 error" if wrong == 1 else f"{wrong} errors"
                    found.append(Unchecked(f"{file.text.path} beside {name}", f"{name} has {errors}"))
            elif rules.PARAMETER_BY_STEM[stem] in needed and not file.folder:
                found.append(Unchecked(beside, "standard input has no folder; name one with --config-dir"))
            elif rules.PARAMETER_BY_STEM[stem] in needed and file.folder:
                found += [Unchecked(beside, why) for why in self._why_missing(file.folder, stem)]
        return found

    def _why_missing(self, folder: Path, stem: str) -> list[str]:
        """Return why a neighbour is not there; nothing where that is a problem of its own, or no matter."""
        unread = [each for each in self._lying(folder)[1] if Path(each.file).stem == stem]
        if self._blamed & {str(folder / f"{stem}{end}") for end in (".toml", ".json")}:
            return []
        if unread:
            return [unread[0].message]
        return [f"there is no {stem}.toml in {folder}"] if stem in REQUIRED else []

    def _lying(self, folder: Path) -> tuple[dict[str, Text], list[Problem]]:
        if folder not in self._on_disk:
            try:
                self._on_disk[folder] = read_texts(folder)
            except OSError:
                self._on_disk[folder] = {}, []
        return self._on_disk[folder]

"""Read and validate the configuration files; every problem of all files at once, or a frozen `Config`."""

from __future__ import annotations

import hashlib
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from jitctl.config import rules, shape
from jitctl.config import texts as all_texts
from jitctl.config.alert_models import AlertsConfig
from jitctl.config.locate import Folders, folders_of
from jitctl.config.models import MainConfig, PoolsConfig
from jitctl.config.problems import ConfigInvalidError, Problem, dotted, errors_of
from jitctl.config.rules.finding import Parts
from jitctl.config.source import Source, Texts, parse, read_texts
from jitctl.config.strategy_models import StrategyConfig

MODELS: dict[str, type[BaseModel]] = {
    "jitctl": MainConfig,
    "pools": PoolsConfig,
    "strategy": StrategyConfig,
    "alerts": AlertsConfig,
}
REQUIRED = ("jitctl", "pools", "strategy")


@dataclass(frozen=True)
class Config:
    """A valid configuration. `hash` covers every value of every file, and not the mode of a start.

    `texts` are the files that say so, `warnings` what is allowed and yet worth a look.
    """

    main: MainConfig
    pools: PoolsConfig
    strategy: StrategyConfig
    alerts: AlertsConfig
    folders: Folders
    hash: str
    texts: Texts = field(default_factory=dict, repr=False, compare=False)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    def resolve(self, path: str) -> Path:
        """Return a path of the configuration as absolute, counted from the config folder's parent."""
        return self.folders.config.parent / path


@dataclass(frozen=True)
class Examined:
    """What files say and everything found in them; a file that is wrong has no model."""

    sources: Mapping[str, Source]
    models: Mapping[str, BaseModel]
    problems: list[Problem]


def load(config_dir: Path, texts: Texts | None = None, unread: Sequence[Problem] = ()) -> Config:
    """Return the configuration in `config_dir`, or in `texts` as if they lay there.

    Raises `ConfigInvalidError` with everything that is wrong; `unread` is what was so with reading `texts`.
    """
    if texts is None:
        texts, unread = read_texts(config_dir)
    found = examine(texts)
    missing = absent(config_dir, texts, unread)
    problems = [*missing, *unread, *found.problems]
    errors = errors_of(problems)
    if errors:
        raise ConfigInvalidError(errors)
    models = completed(found.models)
    main = typing.cast(MainConfig, models["jitctl"])
    return Config(
        main=main,
        pools=typing.cast(PoolsConfig, models["pools"]),
        strategy=typing.cast(StrategyConfig, models["strategy"]),
        alerts=typing.cast(AlertsConfig, models["alerts"]),
        folders=folders_of(config_dir, main.paths.model_dump()),
        hash=hash_of(models),
        texts=texts,
        warnings=tuple(problems),
    )


def absent(folder: Path, texts: Texts, unread: Iterable[Problem] = ()) -> list[Problem]:
    """Return a problem for each file that the bot needs and that neither is in `texts` nor is unreadable."""
    there = {problem.file for problem in unread}
    return [
        Problem("JC001", str(folder / f"{stem}.toml"), 1, 1, "", "the file is missing")
        for stem in REQUIRED
        if stem not in texts and not there & {str(folder / f"{stem}{end}") for end in (".toml", ".json")}
    ]


def examine(texts: Texts) -> Examined:
    """Hold files against their shapes and against each other; needs no other file, no key and no network."""
    sources: dict[str, Source] = {}
    models: dict[str, BaseModel] = {}
    judged: dict[str, BaseModel | Parts] = {}
    problems: list[Problem] = []
    for stem, text in texts.items():
        source = parse(text)
        if isinstance(source, Problem):
            problems.append(source)
            continue
        sources[stem] = source
        shaped = shape.validate(source, MODELS[stem])
        problems += [*source.flaws, *shaped.problems, *all_texts.findings(source)]
        judged[stem] = shaped.values
        if isinstance(shaped.values, BaseModel):
            models[stem] = shaped.values
    for finding in rules.findings(judged):
        source = sources[finding.file]
        line, column = source.positions.of(finding.path)
        problems.append(
            Problem(
                finding.rule, source.name, line, column, dotted(finding.path), finding.message, finding.hint
            )
        )
    order = {str(text.path): index for index, text in enumerate(texts.values())}
    problems.sort(key=lambda each: (order[each.file], each.line, each.column))
    return Examined(sources, models, problems)


def completed(models: Mapping[str, BaseModel]) -> dict[str, BaseModel]:
    """Return the models with the defaults of the files that need not be there."""
    return {stem: models.get(stem) or model() for stem, model in MODELS.items()}


def hash_of(models: Mapping[str, BaseModel]) -> str:
    """SHA-256 over the values, so that a comment or the order of keys does not count; 64 hex digits."""
    body = {stem: model.model_dump(mode="json") for stem, model in models.items()}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

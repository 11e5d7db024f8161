"""Read and validate the configuration files; every problem of all files at once, or a frozen `Config`."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jitctl.config import position
from jitctl.config.locate import Folders, folders_of
from jitctl.config.models import AlertsConfig, MainConfig, PoolsConfig
from jitctl.config.problems import ConfigInvalidError, Problem, dotted
from jitctl.config.rules import RULES
from jitctl.config.strategy_models import StrategyConfig
from jitctl.errors import ConfigError


@dataclass(frozen=True)
class FileKind:
    model: type[BaseModel]
    required: bool


FILES: dict[str, FileKind] = {
    "jitctl": FileKind(MainConfig, required=True),
    "pools": FileKind(PoolsConfig, required=True),
    "strategy": FileKind(StrategyConfig, required=True),
    "alerts": FileKind(AlertsConfig, required=False),
}


class Reload(StrEnum):
    """What can be taken over without a restart."""

    POOLS = "pools"
    STRATEGY = "strategy"


@dataclass(frozen=True)
class Config:
    """A valid configuration. `hash` covers every value of every file, and not the mode of a start."""

    main: MainConfig
    pools: PoolsConfig
    strategy: StrategyConfig
    alerts: AlertsConfig
    folders: Folders
    hash: str

    def resolve(self, path: str) -> Path:
        """Return a path of the configuration as absolute, counted from the config folder's parent."""
        return self.folders.config.parent / path


def reloaded(running: Config, found: Config, what: Reload) -> Config:
    """Return the running configuration with what a reload replaces taken from `found`.

    `pools` takes pools.toml and the price feeds of its tokens, `strategy` takes strategy.toml. Raises
    `ConfigError` where the new part does not go with the running rest.
    """
    if what is Reload.POOLS:
        prices = running.main.prices.model_copy(update={"feeds": found.main.prices.feeds})
        main = running.main.model_copy(update={"prices": prices})
        pools, strategy = found.pools, running.strategy
    else:
        main, pools, strategy = running.main, running.pools, found.strategy
    broken = [finding for check in RULES for finding in check(main, pools, strategy)]
    if broken:
        other = "strategy" if what is Reload.POOLS else "pools"
        raise ConfigError(
            f"the new {what}.toml does not go with the running {other}: {broken[0].message}",
            hint="reload the other file first, or restart: it takes over everything at once",
        )
    models = {"jitctl": main, "pools": pools, "strategy": strategy, "alerts": running.alerts}
    return replace(running, main=main, pools=pools, strategy=strategy, hash=_hash(models))


def needs_restart(running: Config, found: Config) -> list[str]:
    """Return the dotted keys of jitctl.toml and alerts.toml that differ and that no reload takes over."""
    pairs = ((running.main, found.main), (running.alerts, found.alerts))
    keys = [key for old, new in pairs for key in _differing(old.model_dump(), new.model_dump())]
    return [key for key in keys if not key.startswith("prices.feeds")]


def _differing(old: Any, new: Any, at: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted(old.keys() | new.keys()):
            found += _differing(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
        return found
    return [] if old == new else [at]


@dataclass(frozen=True)
class _Source:
    name: str
    positions: position.Positions
    data: dict[str, Any]


def load(config_dir: Path) -> Config:
    """Return the configuration in `config_dir`; raises `ConfigInvalidError` with everything that is wrong."""
    sources, models, problems = _read_all(config_dir)
    if len(models) == len(FILES) and not problems:
        problems = _cross_check(sources, models)
    if problems:
        raise ConfigInvalidError(problems)
    main = typing.cast(MainConfig, models["jitctl"])
    return Config(
        main=main,
        pools=typing.cast(PoolsConfig, models["pools"]),
        strategy=typing.cast(StrategyConfig, models["strategy"]),
        alerts=typing.cast(AlertsConfig, models["alerts"]),
        folders=folders_of(config_dir, main.paths.model_dump()),
        hash=_hash(models),
    )


def check_file(path: Path, kind: str | None = None) -> list[Problem]:
    """Validate one file by its own shape; `kind` defaults to the file's stem."""
    stem = kind or path.name.split(".")[0]
    if stem not in FILES:
        known = ", ".join(FILES)
        return [Problem("JC005", str(path), 1, 1, "", f"cannot tell which file this is (known: {known})")]
    source, problems = _read(path)
    if source is None:
        return problems
    return problems + _validate(source, FILES[stem].model)[1]


def _read_all(config_dir: Path) -> tuple[dict[str, _Source], dict[str, BaseModel], list[Problem]]:
    sources: dict[str, _Source] = {}
    models: dict[str, BaseModel] = {}
    problems: list[Problem] = []
    for stem, kind in FILES.items():
        candidates = (config_dir / f"{stem}.toml", config_dir / f"{stem}.json")
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            if kind.required:
                problems.append(Problem("JC001", str(candidates[0]), 1, 1, "", "the file is missing"))
            else:
                models[stem] = kind.model()
            continue
        source, found = _read(path)
        problems += found
        if source is None:
            continue
        sources[stem] = source
        model, found = _validate(source, kind.model)
        problems += found
        if model is not None:
            models[stem] = model
    return sources, models, problems


def _read(path: Path) -> tuple[_Source | None, list[Problem]]:
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem("JC003", name, 1, 1, "", f"cannot be read: {error}")]
    try:
        if path.suffix == ".json":
            data, locate = json.loads(text), position.locate_json
        else:
            data, locate = tomllib.loads(text), position.locate_toml
    except json.JSONDecodeError as error:
        return None, [Problem("JC002", name, error.lineno, error.colno, "", f"not JSON: {error.msg}")]
    except tomllib.TOMLDecodeError as error:
        return None, [_toml_error(name, text, str(error))]
    except (ValueError, RecursionError) as error:
        return None, [_beyond(name, error)]
    if not isinstance(data, dict):
        return None, [Problem("JC002", name, 1, 1, "", "expected an object at the top")]
    try:
        return _Source(name, locate(text), data), []
    except RecursionError as error:
        return None, [_beyond(name, error)]


def _beyond(name: str, error: Exception) -> Problem:
    """The parsers' own limits: a number of thousands of digits, brackets nested hundreds deep."""
    return Problem("JC003", name, 1, 1, "", f"cannot be read: {error}")


def _toml_error(name: str, text: str, message: str) -> Problem:
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    line, column = text.count("\n") + 1, 1
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    if found:
        message = message[: found.start()]
    return Problem("JC002", name, line, column, "", f"not TOML: {message}")


def _validate(source: _Source, model: type[BaseModel]) -> tuple[BaseModel | None, list[Problem]]:
    try:
        return model.model_validate(source.data), []
    except ValidationError as error:
        return None, [_problem(source, model, details) for details in error.errors(include_url=False)]


_RULE_BY_TYPE = {"extra_forbidden": "JC101", "missing": "JC102"}
_RANGE_TYPES = (
    "greater_than", "less_than", "too_short", "too_long", "string_too", "multiple_of", "finite_number",
)  # fmt: skip


def _problem(source: _Source, model: type[BaseModel], details: ErrorDetails) -> Problem:
    path, kind, message, hint = tuple(details["loc"]), details["type"], details["msg"], ""
    if kind.startswith("JC"):
        rule = kind
    elif kind in _RULE_BY_TYPE:
        rule = _RULE_BY_TYPE[kind]
    else:
        rule = "JC104" if kind.startswith(_RANGE_TYPES) or "too_" in kind else "JC103"
    if kind == "extra_forbidden":
        message = "unknown key"
        near = difflib.get_close_matches(str(path[-1]), _keys_at(model, path[:-1]), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else ""
    elif kind == "missing":
        message = "this key is missing"
    line, column = source.positions.of(path)
    return Problem(rule, source.name, line, column, dotted(path), message, hint)


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the model knows at `path`."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as `Annotated[tuple[Model, ...], ...]` or `Model | None`."""
    inner = typing.get_args(annotation)
    if not inner and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in inner if (found := _model_in(part))), None)


def _cross_check(sources: dict[str, _Source], models: dict[str, BaseModel]) -> list[Problem]:
    main = typing.cast(MainConfig, models["jitctl"])
    pools = typing.cast(PoolsConfig, models["pools"])
    strategy = typing.cast(StrategyConfig, models["strategy"])
    problems = []
    for check in RULES:
        for finding in check(main, pools, strategy):
            source = sources[finding.file]
            line, column = source.positions.of(finding.path)
            key, message, hint = dotted(finding.path), finding.message, finding.hint
            problems.append(Problem(finding.rule, source.name, line, column, key, message, hint))
    return problems


def _hash(models: Mapping[str, BaseModel]) -> str:
    """SHA-256 over the values, so that a comment or the order of keys does not count; 64 hex digits."""
    body = {stem: model.model_dump(mode="json") for stem, model in models.items()}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

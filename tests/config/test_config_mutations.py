"""A thousand changed configurations: each means the same, or is refused where it was changed.

JITCTL_MUTATION_SEED and JITCTL_MUTATION_COUNT choose others than the usual ones.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from config_texts import devnet_like, shipped
from mutants import EQUIVALENT, REFUSED, Mutant, mutants

from jitctl.config.load import Examined, examine, hash_of
from jitctl.config.problems import errors_of
from jitctl.config.source import Text

SEED = int(os.environ.get("JITCTL_MUTATION_SEED", "20261124"))
COUNT = int(os.environ.get("JITCTL_MUTATION_COUNT", "1000"))
PROBLEMS_SHOWN = 8


def as_json(texts: dict[str, str]) -> dict[str, str]:
    return {stem: json.dumps(tomllib.loads(text), indent=2) for stem, text in texts.items()}


def looked_at(texts: dict[str, str], mutant: Mutant | None = None) -> Examined:
    suffix = ".json" if texts["jitctl"].startswith("{") else ".toml"
    data = {stem: text.encode() for stem, text in texts.items()}
    if mutant is not None:
        data[mutant.stem] = mutant.text
    return examine({stem: Text(Path(stem + suffix), each) for stem, each in data.items()})


def values(found: Examined) -> dict[str, object]:
    """Return every single value of a configuration by its dotted key."""
    flat: dict[str, object] = {}

    def walk(value: object, at: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{at}.{key}" if at else key)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                walk(item, f"{at}[{index}]")
        else:
            flat[at] = value

    for stem, model in found.models.items():
        for key, item in model.model_dump().items():
            walk(item, f"{stem}: {key}")
    return flat


def wrongly_judged(mutant: Mutant, before: Examined, after: Examined) -> str:
    """Return what is wrong with how a mutant was judged; empty where all is well."""
    errors = errors_of(after.problems)
    for problem in after.problems:
        if "Input should" in problem.message or problem.line < 1 or problem.column < 1:
            return f"badly said: {problem}"
    if mutant.expects == EQUIVALENT:
        return (
            "" if not errors and hash_of(after.models) == hash_of(before.models) else "means something else"
        )
    if mutant.expects == REFUSED:
        if not errors:
            return "is not refused"
        found = [each for each in errors if Path(each.file).stem == mutant.stem]
        if mutant.line is not None and mutant.line not in {each.line for each in found}:
            return f"no error in line {mutant.line}"
        if mutant.key is not None and not any(
            each.key == mutant.key and (mutant.line is None or each.line == mutant.line) for each in found
        ):
            return f"no error names {mutant.key}"
        return ""
    if errors or hash_of(after.models) == hash_of(before.models):
        return ""
    old, new = values(before), values(after)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    allowed = f"{mutant.stem}: {mutant.key}"
    others = {key for key in differing if key != allowed and mutant.stem != "alerts"}
    return f"differs in {sorted(others)}" if others else ""


@pytest.mark.parametrize("form", ["toml", "json"])
@pytest.mark.parametrize("make", [shipped, devnet_like])
def test_every_mutant_means_the_same_or_is_refused_where_it_was_changed(make, form) -> None:
    texts = make() if form == "toml" else as_json(make())
    before = looked_at(texts)
    assert not errors_of(before.problems), [str(problem) for problem in before.problems]
    wrong = []
    for number, mutant in enumerate(mutants(texts, SEED, COUNT // 4)):
        after = looked_at(texts, mutant)
        if said := wrongly_judged(mutant, before, after):
            listed = "\n    ".join(str(each) for each in after.problems[:PROBLEMS_SHOWN])
            wrong.append(f"{number} {mutant.label} ({mutant.expects}): {said}\n    {listed}")
    assert not wrong, f"seed {SEED}: {len(wrong)} of {COUNT // 4}\n" + "\n".join(wrong[:20])


def test_equal_seeds_give_equal_mutants() -> None:
    assert list(mutants(shipped(), 5, 50)) == list(mutants(shipped(), 5, 50))
    assert list(mutants(shipped(), 5, 50)) != list(mutants(shipped(), 6, 50))


@pytest.mark.parametrize("make", [shipped, devnet_like])
@pytest.mark.parametrize("form", ["toml", "json"])
@pytest.mark.parametrize("stem", ["jitctl", "pools", "strategy", "alerts"])
def test_whatever_is_cut_off_is_refused_or_means_the_same(make, form, stem) -> None:
    texts = make() if form == "toml" else as_json(make())
    path = Path(f"{stem}.{form}")
    whole = texts[stem].encode()
    meant = hash_of(examine({stem: Text(path, whole)}).models)
    for end in range(len(whole)):
        found = examine({stem: Text(path, whole[:end])})
        assert errors_of(found.problems) or hash_of(found.models) == meant, f"cut at byte {end}"

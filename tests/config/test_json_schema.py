"""The JSON Schemas: valid by themselves, never stricter than the models, and every field explained."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from jitctl.config.field_texts import FIELD_TEXTS
from jitctl.config.json_schema import DIALECT, schema_of
from jitctl.config.load import MODELS, examine
from jitctl.config.source import Text
from tests.config.alert_rule_cases import WHOLE
from tests.config.model_fields import fields_below

ROOT = Path(__file__).parents[2]
SAMPLES = {
    stem: [tomllib.loads((ROOT / "config" / f"{stem}.toml").read_text())]
    for stem in ("jitctl", "pools", "strategy", "alerts")
}
SAMPLES["alerts"].append(tomllib.loads(WHOLE))
UNITS = {
    "_s": "seconds", "_seconds": "seconds", "_ms": "milliseconds", "_wei": "wei", "_bps": "basis points",
    "_ppm": "millionths", "_pips": "hundredths of a basis point", "_gas": "gas", "_depth": "blocks",
}  # fmt: skip


@pytest.mark.parametrize("stem", MODELS)
def test_a_schema_is_one_itself(stem):
    schema = schema_of(stem)
    assert schema["$schema"] == DIALECT
    jsonschema_rs.meta.validate(schema)
    assert "discriminator" not in json.dumps(schema)


@pytest.mark.parametrize("stem", MODELS)
def test_every_field_of_every_model_is_explained_with_its_unit(stem):
    for model, name in fields_below(MODELS[stem]):
        text = FIELD_TEXTS[model.__name__][name]
        assert text.endswith("."), f"{model.__name__}.{name}"
        for ending, unit in UNITS.items():
            assert not name.endswith(ending) or unit in text.lower(), f"{model.__name__}.{name}: {text}"


def test_nothing_is_explained_that_is_not_there():
    there = {(model.__name__, name) for root in MODELS.values() for model, name in fields_below(root)}
    assert {(model, name) for model, texts in FIELD_TEXTS.items() for name in texts} == there


@pytest.mark.parametrize("stem", MODELS)
def test_every_property_of_a_schema_has_a_title_and_a_text_and_no_table_is_open(stem):
    schema = schema_of(stem)
    for table in (schema, *schema.get("$defs", {}).values()):
        assert table["additionalProperties"] is False
        for name, field in table["properties"].items():
            assert field["title"] == name
            assert field["description"]


@pytest.mark.parametrize("stem", MODELS)
def test_defaults_and_their_json_are_accepted(stem):
    validator = jsonschema_rs.validator_for(schema_of(stem))
    for sample in SAMPLES[stem]:
        assert list(validator.iter_errors(json.loads(json.dumps(sample)))) == []


WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 0.5, "", "x", "0x" + "0" * 40, "0x" + "ab" * 20, "0X" + "AB" * 20, "1_000",
    "0.5 ETHER", "1.5 wei", " 1 gwei", "-1 ether", "1e18", "http://x", "HTTPS://x.y", "ws://z", "P1", "page",
    "a@b", [], [1], ["x"], {}, {"x": 1}, {"phone": "x"}, {"kind": "slack"},
)  # fmt: skip


@pytest.mark.parametrize("stem", MODELS)
def test_what_the_schema_refuses_the_models_refuse_too(stem):
    validator = jsonschema_rs.validator_for(schema_of(stem))
    judged = {True: 0, False: 0}
    for sample in SAMPLES[stem]:
        for mutant in mutants(sample):
            accepted = validator.is_valid(mutant)
            judged[accepted] += 1
            text = Text(Path(f"{stem}.json"), json.dumps(mutant).encode())
            if not accepted:
                assert examine({stem: text}).problems, json.dumps(mutant)
    assert judged[False] > judged[True] > 0


def mutants(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """Return copies of `sample`, each with one value exchanged, one key missing, or one too many."""
    found = []
    for path in paths_of(sample):
        for wrong in WRONG:
            found.append(changed(sample, path, wrong))
        found.append(changed(sample, (*path[:-1], "surplus"), 1))
        found.append(changed(sample, path, None, remove=True))
    return found


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        inner = list(enumerate(value))[:1]
    return [found for key, item in inner for found in [(*path, key), *paths_of(item, (*path, key))]]


def changed(sample: Any, path: tuple[Any, ...], value: Any, *, remove: bool = False) -> dict[str, Any]:
    whole = copy.deepcopy(sample)
    here = whole
    for part in path[:-1]:
        here = here[part]
    if isinstance(here, list):
        here[0:1] = [] if remove else [value]
    elif remove:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return whole

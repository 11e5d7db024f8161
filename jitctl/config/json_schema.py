"""JSON Schemas (draft 2020-12) of the configuration files, made from their models, for editors."""

from __future__ import annotations

from typing import Any

from jitctl.config.field_texts import FIELD_TEXTS
from jitctl.config.load import MODELS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(stem: str) -> dict[str, Any]:
    """Return the schema of one of our files; whatever it refuses, `validate-config` refuses too."""
    model = MODELS[stem]
    made = model.model_json_schema()
    definitions = made.pop("$defs", {})
    _explain(made, model.__name__)
    for name, definition in definitions.items():
        _explain(definition, name)
    head = {
        "$schema": DIALECT,
        "$id": f"urn:jitctl:config:{stem}",
        "title": f"{stem}.toml of jitctl",
        "description": f"The shape of {stem}.toml or {stem}.json; validate-config knows further rules.",
    }
    rest = {key: value for key, value in made.items() if key not in head}
    return head | rest | ({"$defs": definitions} if definitions else {})


def _explain(definition: dict[str, Any], model: str) -> None:
    """Give every field its text; what pydantic makes of names is no help, and null is no default."""
    for name, field in definition.get("properties", {}).items():
        if isinstance(field.get("default"), dict | None):
            field.pop("default", None)
        field |= {"title": name, "description": FIELD_TEXTS[model][name]}
        _tidy(field)


def _tidy(field: dict[str, Any]) -> None:
    """Mend what a list that becomes a tuple leaves behind, and leave out what is no JSON Schema."""
    if field.get("type") == "array":
        for wrong, right in (("minLength", "minItems"), ("maxLength", "maxItems")):
            if wrong in field:
                field[right] = field.pop(wrong)
    inner = field.get("additionalProperties")
    if isinstance(inner, dict):
        inner.pop("discriminator", None)

"""Which of our files a text is, and whether it is TOML or JSON: told by its name, else by what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jitctl.config.load import MODELS
from jitctl.config.problems import Problem
from jitctl.config.source import STEMS, Text, parse

_FORMS = ("toml", "json")


def form_of(path: Path, data: bytes) -> str:
    """Return `toml` or `json`: by the last suffix that says so (`pools.toml.new`), else by how it begins."""
    named = [part.lower() for part in path.name.split(".")[1:] if part.lower() in _FORMS]
    if named:
        return named[-1]
    body = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not body.startswith(b"["):
        return "json" if body.startswith(b"{") else "toml"
    # A table's header, or a list.
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "toml"
    return "json"


def kind_by_name(path: Path) -> str | None:
    """Return the stem that a name tells: `pools.json`, `pools.toml.new`, `prod-pools.toml`; None if none."""
    first = path.name.split(".")[0]
    if first in STEMS:
        return first
    words = re.split(r"[^a-z0-9]+", path.name.lower())
    found = [stem for stem in STEMS if stem in words]
    if len(found) > 1:
        found = [stem for stem in found if stem != "jitctl"]  # `jitctl-pools.toml`
    return found[0] if len(found) == 1 else None


def kind_by_content(text: Text) -> str | Problem:
    """Return the stem whose top-level keys a text has most of, or why it tells none."""
    known = ", ".join(STEMS)
    hint = f"say so with --as: one of {known}"
    if not text.data.strip():
        message = "it is empty, and its name does not tell which file it is"
        return Problem("JC008", str(text.path), 1, 1, "", message, hint)
    source = parse(text)
    if isinstance(source, Problem):
        return source
    shared = {stem: len(source.data.keys() & model.model_fields.keys()) for stem, model in MODELS.items()}
    most = max(shared.values())
    found = [stem for stem, count in shared.items() if count == most]
    if most and len(found) == 1:
        return found[0]
    message = f"neither its name nor its keys tell which file this is ({known})"
    return Problem("JC005", str(text.path), 1, 1, "", message, hint)

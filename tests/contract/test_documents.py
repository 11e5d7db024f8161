"""The documents say what is there: links resolve, commands exist, every verb has its place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from jitctl.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^\s*(?:\$ )?jitctl (.+?)(?:\s+#.*)?$", re.MULTILINE)
FENCE = re.compile(r"```(?:bash|console|sh)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert (document.parent / target.split("#")[0]).exists(), f"{document.name} links to {target}"


def test_nothing_committed_names_this_machine_or_a_registry() -> None:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    # Written in parts, so that this file passes its own test.
    parts = (
        "/" + "work/main",
        "/" + "root/",
        "registry" + r"\.npmjs",
        "pypi" + r"\.org",
        "python" + "hosted",
    )
    unwanted = re.compile("|".join(parts))
    for name in listing.stdout.split():
        path = ROOT / name
        if path.is_file() and not (set(path.suffixes) & {".png", ".json"}):
            found = unwanted.search(path.read_text(errors="replace"))
            assert not found, f"{name} contains {found[0] if found else ''}"


def test_every_verb_has_its_file_its_runbook_heading_and_its_test() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    for verb in VERBS:
        stem = verb.name.replace("-", "_")
        commands = ROOT / "jitctl" / "cli" / "commands"
        assert (commands / f"{stem}.py").exists() or (commands / stem / "__init__.py").exists(), verb.name
        assert f"\n### {verb.name}\n" in runbook, f"docs/runbook.md has no heading for {verb.name}"
        assert (ROOT / "tests" / "cli" / "commands" / f"test_verb_{stem}.py").exists(), verb.name


def test_every_command_in_the_documents_is_one_that_exists() -> None:
    names = {verb.name for verb in VERBS}
    for document in DOCUMENTS:
        for block in FENCE.findall(document.read_text()):
            for words in COMMAND.findall(block):
                assert words.split()[0] in names or words.startswith("-"), f"{document.name}: jitctl {words}"


def test_every_verb_that_a_hint_names_exists() -> None:
    names = {verb.name for verb in VERBS}
    for path in sorted((ROOT / "jitctl").rglob("*.py")):
        for name in re.findall(r"`jitctl ([a-z-]+)", path.read_text()):
            assert name in names, f"{path.name} sends the operator to `jitctl {name}`"

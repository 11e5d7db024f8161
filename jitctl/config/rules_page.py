"""docs/config-rules.md: `python -m jitctl.config.rules_page > docs/config-rules.md` renews it."""

from __future__ import annotations

import sys

from jitctl.config.rule_book import GROUPS, Rule

_HEAD = """\
# Rules of the configuration

What `jitctl validate-config` may say, and what a start or a reload refuses. Made from
`jitctl/config/rule_book.py`; renew it with `python -m jitctl.config.rules_page > docs/config-rules.md`.
An **error** refuses the configuration. A **warning** refuses nothing: `--strict` makes it count. Ids are
stable: a rule that is given up leaves its number unused.
"""


def page() -> str:
    """Return docs/config-rules.md."""
    groups = [(title, rules) for title, rules in GROUPS if rules]
    parts = [_HEAD, "| Rule | Severity | What must hold |\n|---|---|---|"]
    parts[-1] += "".join(
        f"\n| [{rule.id}](#{rule.id.lower()}) | {rule.severity} | {rule.title} |"
        for _, rules in groups
        for rule in rules
    )
    for title, rules in groups:
        parts.append(f"\n## {title}")
        parts += [_section(rule) for rule in rules]
    return "\n".join(parts) + "\n"


def _section(rule: Rule) -> str:
    lines = [
        f"\n### {rule.id}",
        f"\n**{rule.title}** ({rule.severity})",
        f"\nWhy: {rule.why}",
        f"\nRemedy: {rule.remedy}",
    ]
    if rule.wrong:
        lines.append(f"\nWrong: `{rule.wrong}`  \nRight: `{rule.right}`")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())

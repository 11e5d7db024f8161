"""Write docs/access.md to standard output: `python -m tests.contract.access_page > docs/access.md`."""

from __future__ import annotations

import sys

from jitctl.cli.verbs import LOCAL, VERBS
from jitctl.control.access import access_page


def page() -> str:
    return access_page(verb.name for verb in VERBS if verb.kind == LOCAL)


if __name__ == "__main__":
    sys.stdout.write(page())

"""`python -m jitctl`, and the console script."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    # A command lives for a tenth of a second: collecting garbage would only make its start slower.
    gc.disable()
    from jitctl.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

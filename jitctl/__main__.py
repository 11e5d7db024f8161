"""`python -m jitctl`, and the console script."""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    # A command lives for a tenth of a second: collecting garbage would only make its start slower.
    gc.disable()
    from jitctl.cli.streams import mend_streams

    mend_streams()
    from jitctl.cli.app import run

    code = run(sys.argv[1:])
    # Nor has the interpreter to look through, on its way out, what ends with the process anyway.
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())

"""An exception that nobody foresaw goes into a file, and the operator gets one line and where to look."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from jitctl import __version__
from jitctl.control.redact import redact_text
from jitctl.errors import JitError


def record_crash(error: BaseException) -> JitError:
    """Write the traceback, without secrets and readable only by us, and return what to show instead."""
    text = "".join(traceback.format_exception(error))
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    body = f"jitctl {__version__}, Python {sys.version.split()[0]}, verb {verb!r}\n\n{redact_text(text)}"
    summary = f"unexpected {type(error).__name__}: {redact_text(str(error))[:200]}"
    name = time.strftime("crash-%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{os.getpid()}.txt"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    for folder in (Path(state) / "jitctl", Path(tempfile.gettempdir())):
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(body)
        except OSError:
            continue
        return JitError(summary, hint=f"this is a defect of jitctl; please report it with {path}")
    return JitError(summary, hint="this is a defect of jitctl; no crash file could be written")

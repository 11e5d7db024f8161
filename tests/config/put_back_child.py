"""Fills the disk (argv: how, folder), then replaces a configuration; prints what came of it as JSON."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
from installation import STRATEGY_TOML, write_config

from jitctl.config.load import load
from jitctl.config.put_back import put_back
from jitctl.config.source import Text, read_texts
from jitctl.errors import JitError


def fill(how: str, folder: Path) -> None:
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        return
    if how == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        return
    number = 0
    try:
        while True:
            number += 1
            with (folder / f"fill-{number if how == 'inodes' else 0}").open("ab", buffering=0) as file:
                if how == "blocks":
                    file.write(bytes(4096))
    except OSError:
        return


def main(how: str, folder: Path) -> None:
    config = write_config(folder)
    (folder / "backups").mkdir()
    old = load(config).hash
    texts, _ = read_texts(config)
    changed = STRATEGY_TOML.replace("20 ether", "10 ether")
    texts["strategy"] = Text(config / "strategy.toml", changed.encode())
    new = load(config, texts).hash
    fill(how, folder)
    error = ""
    try:
        put_back(config, texts, expected_hash=new, backups=folder / "backups", now_s=1.0, about="a test")
    except JitError as failure:
        error = failure.message
    left = sorted(each.name for each in config.iterdir())
    told = {"error": error, "same": load(config).hash == old, "left": left}
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

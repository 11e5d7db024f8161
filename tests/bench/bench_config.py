"""`validate-config` as whole processes: our own pools, and a folder of 500 with tokens of their own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.bench_cli import ROUNDS, SCRIPT, Command, _check_tree, _run
from tests.bench.live_bot import REPOSITORY, Row, row
from tests.daemon.installation import JITCTL_TOML, POOLS_TOML, write_config

POOLS = 500


def rows() -> list[Row]:
    """Return the rows of the benchmark report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _check_tree(folder)
        write_config(folder / "many", pools=many_pools(POOLS), jitctl=feeds(POOLS))
        write_config(folder / "few")
        commands = commands_for(folder)
        for command in commands:
            _run(command, folder)
        runs: dict[str, list[float]] = {command.name: [] for command in commands}
        for _ in range(ROUNDS):
            for command in commands:
                runs[command.name].append(_run(command, folder).wall_ms)
    return [row(each.name, runs[each.name], "ms", each.goal, each.note) for each in commands]


def commands_for(folder: Path) -> list[Command]:
    """Return the command lines; the files of `config/` need an address each installation has to fill in."""
    jitctl, many, few = str(SCRIPT), str(folder / "many" / "config"), str(folder / "few" / "config")
    pools = str(REPOSITORY / "config" / "pools.toml")
    check = (jitctl, "validate-config")
    return [
        Command("python -c pass", (sys.executable, "-c", "pass"), note="the floor"),
        Command("jitctl --help", (jitctl, "--help"), "Lifecycle:", note="the command line's share"),
        Command("validate-config, our pools.toml", (*check, pools), "valid"),
        Command("validate-config, a folder of 1 pool", (*check, few), "valid"),
        Command(f"validate-config, a folder of {POOLS} pools", (*check, many), "valid", "1,000"),
        Command(f"the same, -o sarif, {POOLS} pools", (*check, many, "-o", "sarif"), "2.1.0", "1,000"),
    ]


def many_pools(count: int) -> str:
    """Return pools.toml with `count` pools, each of WETH and a token of its own."""
    found = []
    for index in range(count):
        text = POOLS_TOML.strip().replace("USDC", f"T{index}")
        for byte in ("22", "66"):
            text = text.replace(byte * 20, f"{int(byte * 20, 16) + index:040x}")
        found.append(text)
    return "\n\n".join(found) + "\n"


def feeds(count: int) -> str:
    """Return jitctl.toml with a feed for each of those tokens."""
    lines = "".join(f'T{index} = "0x{0x5555 + index:040x}"\n' for index in range(count))
    head, _, tail = JITCTL_TOML.partition(f'USDC = "0x{"55" * 20}"\n')
    return head + lines + tail

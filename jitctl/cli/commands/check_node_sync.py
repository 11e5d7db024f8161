"""`jitctl check-node-sync`."""

from __future__ import annotations

import typer

from jitctl.cli import check_view, options
from jitctl.cli.options import OutputOption, StrictOption
from jitctl.cli.render import Format


def check_node_sync(
    ctx: typer.Context, strict: StrictOption = False, output: OutputOption = Format.TEXT
) -> None:
    """Check that every node is there, synced and of one mind.

    Asks every trading and verify node for its chain id, its head, how far it has synced and how many
    peers it has, and compares their heads. Exit code 0 if all is well, 1 for a wrong chain, syncing, an
    old head, a lag or a fork, 8 if a node does not answer or not sensibly, 10 warnings with --strict.

    Example: jitctl check-node-sync -o json
    """
    from jitctl.checks import one_shot
    from jitctl.checks.node_sync import node_sync
    from jitctl.config.load import load
    from jitctl.control.schema import to_wire

    config = load(options.config_dir(ctx))
    check_view.show(to_wire(one_shot.run(node_sync(config))), output, strict=strict)

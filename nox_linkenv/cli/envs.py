"""``linkenv envs``: the environments that are known to use the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import opened, settings_of
from nox_linkenv.env.registry import check, find_known
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.units import ago, bytes_

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = "List the known environments: interpreter, last use, size, and whether each is intact."
EXAMPLES: Final = {
    "linkenv envs": "all environments that are known",
    "linkenv envs --json": "the same for a program",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""


def run(arguments: argparse.Namespace, output: Output) -> int:
    """List them."""
    store = opened(settings_of(arguments))
    found = []
    with output.progress() as progress:
        for known in find_known(store):
            progress(known.prefix)
            state, counts = check(store, known)
            tree = Disk().tree(known.prefix)
            receipt = known.receipt
            found.append(
                {
                    "path": known.prefix,
                    "session": known.root.session,
                    "python": None if receipt is None else receipt.facts.version,
                    "interpreter": None if receipt is None else receipt.interpreter,
                    "last_use": known.used,
                    "running": known.root.running,
                    "apparent_bytes": tree.apparent,
                    "own_bytes": tree.own,
                    "state": state.value,
                    "edited": counts["edited"],
                    "replaced": counts["replaced"],
                    "removed": counts["removed"],
                }
            )
    output.data({"store": store.layout.root, "environments": found})
    rows = [
        [
            str(entry["path"]),
            str(entry["python"] or "?"),
            "now" if entry["running"] else ago(float(str(entry["last_use"]))),
            bytes_(int(str(entry["apparent_bytes"]))),
            bytes_(int(str(entry["own_bytes"]))),
            str(entry["state"]),
        ]
        for entry in found
    ]
    output.table(["environment", "python", "last use", "size", "own", "state"], rows, right=[3, 4])
    if not rows:
        output.line("No environment is known to use this store.")
    return 0

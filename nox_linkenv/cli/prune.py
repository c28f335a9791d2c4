"""``linkenv prune``: removing from the store what has not been used for longest."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from nox_linkenv.cli.options import Commands, command, duration, opened, settings_of, size
from nox_linkenv.cli.output import Output, bytes_

if TYPE_CHECKING:
    import argparse

__all__ = ["add"]

_DEFAULT_AGE = 30 * 86_400.0


def add(commands: Commands) -> None:
    """Add the subcommand."""
    parser = command(
        commands,
        "prune",
        "remove from the store what has not been used for longest",
        run,
        description="Remove from the store what has not been used for longest, and what killed runs have left. What an"
        " environment that still exists was made of stays, and so does what was used just now. It is safe while"
        " sessions run, and goes on where it was when it was killed. Without options: --older-than 30d.",
    )
    parser.add_argument("--older-than", type=duration, metavar="AGE", help="what was not used for so long, as 30d, 12h")
    parser.add_argument("--max-size", type=size, metavar="SIZE", help="until the store takes no more, as 5GB, 800M")
    parser.add_argument("--unused", action="store_true", help="all that no existing environment was made of")
    parser.add_argument(
        "--grace",
        type=duration,
        metavar="AGE",
        help="what was used within this time counts as in use (10m); shorter than an installation takes is not safe",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Prune."""
    from nox_linkenv.env.registry import find_known, foreign, protected
    from nox_linkenv.maintenance.prune import GRACE, Pruning, prune

    store = opened(settings_of(arguments), exactly=bool(arguments.store))
    now = time.time()
    before = 0.0
    if arguments.unused:
        before = float("inf")
    elif arguments.older_than is not None or arguments.max_size is None:
        before = now - (_DEFAULT_AGE if arguments.older_than is None else arguments.older_than)
    known = find_known(store)
    pruning = Pruning(
        before=before,
        max_size=arguments.max_size,
        protected=protected(known),
        foreign=foreign(store, known),
        grace=GRACE if arguments.grace is None else arguments.grace,
        now=now,
        dry=arguments.dry_run,
    )
    with output.progress() as progress:
        pruned = prune(store, pruning, progress=progress)
    output.data(
        {
            "dry_run": pruning.dry,
            "cutoff": pruned.cutoff,
            "removed": dict(sorted(pruned.removed.items())),
            "freed_bytes": pruned.freed,
            "still_linked_bytes": pruned.linked,
            "kept_for_environments": len(known),
        }
    )
    would = "would be removed" if pruning.dry else "removed"
    output.table(["what", would], [[kind, str(count)] for kind, count in sorted(pruned.removed.items())], right=[1])
    if pruned.cutoff > 0:
        moment = datetime.fromtimestamp(pruned.cutoff).astimezone().isoformat(" ", "seconds")
        output.line(f"Used last before {moment}: {would}.")
    output.line(f"{bytes_(pruned.freed)} {'would be freed' if pruning.dry else 'freed'} on the disk.")
    if pruned.linked:
        output.line(f"{bytes_(pruned.linked)} more stay on the disk, because environments hold links to them.")
    if known:
        output.line(f"What {len(known)} environments were made of is kept; linkenv clean removes environments.")
    return 0

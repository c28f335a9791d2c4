"""``linkenv prune``: removing from the store what has not been used for longest."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import duration, opened, settings_of, size
from nox_linkenv.env.registry import find_known, foreign, protected
from nox_linkenv.maintenance.prune import prune
from nox_linkenv.maintenance.removal import GRACE, Pruning
from nox_linkenv.units import bytes_

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output
    from nox_linkenv.maintenance.removal import Pruned

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Remove from the store what has not been used for longest, and what killed runs have left. What an "
    "environment that still exists was made of stays, and so does what was used just now. It is safe while "
    "sessions run, and goes on where it was when it was killed. Without options: --older-than 30d, and the "
    "setting max-size, which upkeep keeps to by itself."
)
EXAMPLES: Final = {
    "linkenv prune --dry-run": "what would go, and how much room that makes",
    "linkenv prune --max-size 5GB": "until the store has no more than 5 GB",
}

_DEFAULT_AGE = 30 * 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("--older-than", type=duration, metavar="AGE", help="what was not used for so long, as 30d, 12h")
    parser.add_argument(
        "--max-size",
        type=size,
        metavar="SIZE",
        help="until the store takes no more, as 5GB, 800M; what is in use stays, and is told",
    )
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
    settings = settings_of(arguments)
    store = opened(settings, exactly=bool(arguments.store))
    now = time.time()
    before, limit = 0.0, arguments.max_size
    if arguments.unused:
        before = float("inf")
    elif arguments.older_than is not None:
        before = now - arguments.older_than
    elif limit is None:
        before, limit = now - _DEFAULT_AGE, settings.max_size or None
    known = find_known(store)
    pruning = Pruning(
        before=before,
        max_size=limit,
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
            **_sizes(pruned, pruning),
        }
    )
    would = "would be removed" if pruning.dry else "removed"
    output.table(["what", would], [[kind, str(count)] for kind, count in sorted(pruned.removed.items())], right=[1])
    if 0 < pruned.cutoff < pruning.now - pruning.grace:
        moment = datetime.fromtimestamp(pruned.cutoff).astimezone().isoformat(" ", "seconds")
        output.line(f"Used last before {moment}: {would}.")
    output.line(f"{bytes_(pruned.freed)} {'would be freed' if pruning.dry else 'freed'} on the disk.")
    if pruned.linked:
        output.line(f"{bytes_(pruned.linked)} more stay on the disk, because environments hold links to them.")
    if pruning.max_size is not None:
        _show_sizes(pruned, pruning, output, environments=len(known))
    elif known:
        output.line(f"What {len(known)} environments were made of is kept; linkenv clean removes environments.")
    return 0


def _sizes(pruned: Pruned, pruning: Pruning) -> dict[str, object]:
    if pruning.max_size is None:
        return {}
    return {
        "max_size": pruning.max_size,
        "store_bytes_before": pruned.before,
        "store_bytes": pruned.after,
        "max_size_met": pruned.after <= pruning.max_size,
        "needed_by_environments_bytes": pruned.needed,
        "used_within_grace_bytes": pruned.recent,
    }


def _show_sizes(pruned: Pruned, pruning: Pruning, output: Output, *, environments: int) -> None:
    """Say what the store took and takes; where that is too much, what holds it and how to go on."""
    assert pruning.max_size is not None
    takes = "would take" if pruning.dry else "takes"
    output.line(f"The store took {bytes_(pruned.before)} and {takes} {bytes_(pruned.after)} now.")
    if pruned.after <= pruning.max_size:
        return
    output.line(f"That is more than {bytes_(pruning.max_size)}:")
    if pruned.needed:
        output.line(
            f"  {bytes_(pruned.needed)} are what {environments} environments were made of;"
            " linkenv clean --older-than 7d removes environments, then prune again."
        )
    if pruned.recent:
        output.line(
            f"  {bytes_(pruned.recent)} were used within the last {pruning.grace:.0f} s, maybe by a running session;"
            " prune again later, or give a shorter --grace when none runs."
        )
    rest = pruned.after - pruned.needed - pruned.recent
    if rest > 0:
        output.line(f"  {bytes_(rest)} are directories, locks and the like; linkenv prune --unused removes most.")

"""``linkenv clean``: removing throwaway environments."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.env.registry import find_known
from nox_linkenv.errors import EnvError, SettingsError
from nox_linkenv.maintenance.disk_usage import Disk
from nox_linkenv.store.directories import is_directory
from nox_linkenv.store.roots import forget_root, read_root
from nox_linkenv.store.trash import empty_trash, find_trash, trash_name
from nox_linkenv.units import bytes_

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.cli.output import Output
    from nox_linkenv.env.registry import Known
    from nox_linkenv.store import Store
    from nox_linkenv.store.roots import Root

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Remove known environments at or below PATH, or all that were not used for a time. What a session uses at the "
    "moment stays. The store is left as it is: see prune."
)
EXAMPLES: Final = {
    "linkenv clean .nox/tests-3-12": "remove one environment",
    "linkenv clean --older-than 30d": "those that were not used for 30 days",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="an environment, or a directory with some below it")
    parser.add_argument("--older-than", type=duration, metavar="AGE", help="only those not used for so long, as 30d")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Remove them."""
    if arguments.path is None and arguments.older_than is None:
        raise SettingsError("Nothing says which environments", remedy="Name a PATH or an age with --older-than.")
    if arguments.path is not None and not os.path.lexists(arguments.path):
        raise EnvError("There is nothing of this name", path=arguments.path, remedy="linkenv envs lists environments.")
    store = opened(settings_of(arguments), exactly=bool(arguments.store))
    removed, busy, failed, freed = [], [], [], 0
    now = time.time()
    directories = set()
    with output.progress() as progress:
        for known in find_known(store):
            if not is_directory(f"{known.prefix}/{DIRECTORY}") or not _chosen(known, arguments, now):
                continue  # where no notes of ours are, something else stands there by now
            if known.root.running:
                busy.append(known.prefix)
                continue
            progress(known.prefix)
            directories.add(os.path.dirname(known.prefix))
            own = Disk().tree(known.prefix).own
            if not arguments.dry_run:
                try:
                    gone = _remove(store, known.root)
                except OSError as error:
                    failed.append({"path": known.prefix, "reason": error.strerror})
                    continue
                if not gone:
                    busy.append(known.prefix)
                    continue
            removed.append(known.prefix)
            freed += own
        for directory in () if arguments.dry_run else sorted(directories):
            for path in find_trash(directory):
                empty_trash(path)
    output.data(
        {
            "dry_run": arguments.dry_run,
            "removed": removed,
            "running": busy,
            "failed": failed,
            "freed_bytes": freed,
        }
    )
    would = "would be removed" if arguments.dry_run else "removed"
    for prefix in removed:
        output.line(f"{would}: {prefix}")
    for prefix in busy:
        output.warn(f"{prefix} is in use and stays.")
    for entry in failed:
        output.warn(f"{entry['path']} cannot be removed ({entry['reason']}).")
    output.line(f"{len(removed)} environments {would}, {bytes_(freed)} freed; what the store holds is still there.")
    return 1 if failed else 0


def _remove(store: Store, root: Root) -> bool:
    """Remove an environment; return False where a session has begun to use it meanwhile.

    A session says that it uses the environment before it touches it.  So a look right before it is moved away, and
    one right after, tell whether it is still the one that was chosen.

    Raises:
        OSError: it cannot be moved away.
    """
    if read_root(store, root.prefix) != root:
        return False
    aside = trash_name(root.prefix)
    os.rename(root.prefix, aside)
    if read_root(store, root.prefix) != root:
        with contextlib.suppress(OSError):  # the session has made another one there: then this one was the old one
            os.rename(aside, root.prefix)
            return False
        empty_trash(aside)
        return False
    forget_root(store, root.prefix)
    empty_trash(aside)
    return True


def _chosen(known: Known, arguments: argparse.Namespace, now: float) -> bool:
    if arguments.older_than is not None and now - known.used < arguments.older_than:
        return False
    if arguments.path is None:
        return True
    top = os.path.realpath(arguments.path)
    return os.path.realpath(known.prefix) == top or os.path.realpath(known.prefix).startswith(top + os.sep)

"""``linkenv export``: one archive of what was used of the store, for a machine that has nothing."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.cli.options import duration, opened, settings_of
from nox_linkenv.env.registry import Known, find_known
from nox_linkenv.errors import ArchiveError
from nox_linkenv.maintenance.background import wait
from nox_linkenv.transfer.export import Exported, export
from nox_linkenv.transfer.selection import EVERYTHING, Wanted, last_run, made_for, select, used_since
from nox_linkenv.transfer.zstd import ensure_zstd
from nox_linkenv.units import bytes_, count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.cli.output import Output
    from nox_linkenv.store import Store

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Write what was used of the store into one file, from which linkenv import makes another machine warm: wheels, "
    "bare environments, pip's answers and the pages they rest on, builds, and bytecode of what was imported. "
    "Background work is waited for. Without options: what the last run used."
)
EXAMPLES: Final = {
    "linkenv export linkenv.archive": "what the last run used",
    "linkenv export --since 2h linkenv.archive": "what was used within two hours",
    "linkenv export --env .nox/tests-3-12 linkenv.archive": "what one environment was made of",
}
#: Seconds to wait for background work, which compiles what was imported.
_PATIENCE: Final = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    parser.add_argument("file", metavar="FILE", help="the archive; what is there is replaced when the new one is whole")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--used", action="store_true", help="what the last run of nox or tox used (the default)")
    chosen.add_argument(
        "--since",
        metavar="WHEN",
        type=_moment,
        help="what was used within a time, as 2h, or since a file was written that is named",
    )
    chosen.add_argument(
        "--env", metavar="DIR", action="append", help="what this environment was made of; may be given several times"
    )
    chosen.add_argument("--all", action="store_true", help="everything")


def _moment(text: str) -> float:
    """Return the moment, in seconds since the epoch, that *text* says: a duration before now, or a file."""
    with contextlib.suppress(argparse.ArgumentTypeError):
        return time.time() - duration(text)
    try:
        return os.stat(text).st_mtime
    except OSError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a duration such as 2h or 45m nor a file that is there"
        ) from None


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Export."""
    began = time.perf_counter()
    ensure_zstd()
    path = _place(arguments.file)
    store = opened(settings_of(arguments), exactly=bool(arguments.store))
    with output.progress() as progress:
        progress("waiting for background work")
        with contextlib.suppress(OSError):  # no locks here: bytecode that is still compiled is missing, no more
            wait(store, within=_PATIENCE)
        progress("looking at what was used")
        selection = select(store, _wanted(arguments, store))
        nothing = not selection.files and not selection.notes
        exported = Exported() if nothing else export(store, selection, path, progress=progress)
    seconds = time.perf_counter() - began
    if selection.missing:
        output.warn(
            f"linkenv: {len(selection.missing)} entries are left out, as a file of them is missing or they cannot be"
            f" read, such as {selection.missing[0]}. linkenv verify --repair stores it again."
        )
    output.data(
        {
            "store": store.layout.root,
            "archive": None if nothing else path,
            "archive_bytes": exported.size,
            "content_bytes": exported.contents,
            "packs": exported.packs,
            "counts": dict(sorted(exported.counts.items())),
            "left_out": selection.missing,
            "seconds": round(seconds, 3),
        }
    )
    if nothing:
        stays = f", and {path} stays what it is" if os.path.exists(path) else ""
        output.warn(f"linkenv: Nothing of the store was used then: no archive is written{stays}.")
        return 0
    files = count_of(exported.counts["objects"] + exported.counts["bytecode"], "file")
    counts = [count_of(exported.counts[kind], word) for kind, word in (("wheels", "wheel"), ("resolutions", "answer"))]
    output.line(
        f"{', '.join(counts)}, {files}: {bytes_(exported.contents)} in {bytes_(exported.size)} ({seconds:.1f} s)"
    )
    return 0


def _place(file: str) -> str:
    """Return the absolute path of the archive to be written.

    Raises:
        ArchiveError: no file can be there.
    """
    path = os.path.abspath(file)
    if os.path.isdir(path):
        raise ArchiveError("This is a directory", path=path, remedy="Name the file that the archive is to be.")
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise ArchiveError(
            "There is no such directory", path=directory, remedy="Make it, or name a file in another one."
        )
    return path


def _wanted(arguments: argparse.Namespace, store: Store) -> Wanted:
    """Return what the *arguments* name of *store*.

    Raises:
        ArchiveError: no run, or no such environment, is known.
    """
    if arguments.all:
        return EVERYTHING
    known = find_known(store)
    if arguments.since is not None:
        return used_since(known, arguments.since)
    if arguments.env:
        return made_for([_named(path, known) for path in arguments.env])
    return last_run(store, known)


def _named(path: str, known: Sequence[Known]) -> Known:
    prefix = os.path.realpath(path)
    for environment in known:
        if os.path.realpath(environment.prefix) == prefix and environment.receipt is not None:
            return environment
    raise ArchiveError(
        "No finished environment of this store is there",
        path=path,
        remedy="linkenv envs lists those that are.",
    )

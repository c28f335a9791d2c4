"""``linkenv du``: what the store and its environments take on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.cli.options import known_environments, opened, set_completer, settings_of
from nox_linkenv.env.installed import find_distributions
from nox_linkenv.env.receipt import read_receipt
from nox_linkenv.env.registry import Known, StoredInodes, find_known
from nox_linkenv.errors import EnvError
from nox_linkenv.maintenance.disk_usage import Disk, disk_bytes, inodes_below, metadata_bytes
from nox_linkenv.maintenance.store_size import sizes_by_kind
from nox_linkenv.store.roots import Root
from nox_linkenv.units import bytes_

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from nox_linkenv.cli.output import Output
    from nox_linkenv.maintenance.disk_usage import Tree
    from nox_linkenv.store import Store

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION: Final = (
    "Show of each environment (default: all known ones, and the store) its apparent size, the bytes on the disk "
    "that are its own, and those it shares with the store and with other environments. Every block counts once in "
    "the total. Reflinked extents count as shared where the filesystem tells (btrfs, XFS)."
)
EXAMPLES: Final = {
    "linkenv du": "the store and all environments",
    "linkenv du --packages .nox/tests-3-12": "one environment, package by package",
}

#: How many of the environments that one shares with are listed.
_SHOWN: Final = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what this command takes."""
    environment = parser.add_argument("env", metavar="ENV", nargs="*", help="directories of environments")
    set_completer(environment, known_environments)
    parser.add_argument("--packages", action="store_true", help="show each distribution of each environment")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show it."""
    store = opened(settings_of(arguments))
    every = find_known(store)
    chosen = every
    if arguments.env:
        prefixes = [os.path.realpath(path) for path in arguments.env]
        for prefix in prefixes:
            if not os.path.isdir(prefix):
                raise EnvError("There is no such environment", path=prefix, remedy="linkenv envs lists them.")
        by_prefix = {os.path.realpath(known.prefix): known for known in every}
        chosen = [by_prefix.get(prefix) or Known(Root(prefix, "", 0.0), read_receipt(prefix)) for prefix in prefixes]
    disk = Disk()
    data: dict[str, Any] = {"store": store.layout.root, "environments": []}
    with output.progress() as progress:
        if not arguments.env:
            progress("the store")
            data["kinds"] = sizes_by_kind(store, disk)
        sharing = _Sharing(store, every)
        for known in chosen:
            progress(known.prefix)
            tree = disk.tree(known.prefix)
            data["environments"].append(_environment(known, tree, sharing, packages=arguments.packages))
        if not arguments.env:
            _totals(store, disk, data)
    output.data(data)
    _show(data, output)
    return 0


class _Sharing:
    """Knows what environments share; each is looked through once.

    Args:
        store: that knows of them.
        every: all of them.
    """

    def __init__(self, store: Store, every: list[Known]) -> None:
        self.stored = StoredInodes(store)
        self._every = every
        self._below: dict[str, set[int]] = {}

    def with_others(self, prefix: str, tree: Tree) -> list[dict[str, Any]]:
        """Return ``path`` and ``bytes`` of each other environment that shares some, the one with most first."""
        others: list[dict[str, Any]] = []
        device = _device(prefix)
        for other in (known.prefix for known in self._every if known.prefix != prefix and tree.inodes):
            if _device(other) != device:
                continue
            if other not in self._below:
                self._below[other] = inodes_below(other)
            shared = sum(tree.inodes[inode][0] for inode in tree.inodes.keys() & self._below[other])
            if shared:
                others.append({"path": other, "bytes": shared})
        return sorted(others, key=lambda entry: -int(entry["bytes"]))


def _environment(known: Known, tree: Tree, sharing: _Sharing, *, packages: bool) -> dict[str, Any]:
    stored = set() if known.receipt is None else sharing.stored.of(known.prefix, known.receipt)
    found: dict[str, Any] = {
        "path": known.prefix,
        "apparent_bytes": tree.apparent,
        "disk_bytes": tree.disk,
        "own_bytes": tree.own,
        "shared_with_store_bytes": sum(tree.inodes[inode][0] for inode in tree.inodes.keys() & stored),
        "shared_by_reflink_bytes": tree.hidden,
        "shared_with": sharing.with_others(known.prefix, tree),
        "files": tree.files,
        "directories": tree.directories,
        "symlinks": tree.symlinks,
    }
    if packages and known.receipt is not None:
        found["packages"] = _packages(known, stored)
    return found


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


def _packages(known: Known, stored: Collection[int]) -> list[dict[str, Any]]:
    """Return the size of each distribution by its RECORD, which also names what the session's interpreter compiled."""
    import csv

    assert known.receipt is not None
    found = []
    for distribution in find_distributions(known.prefix, known.receipt.facts):
        apparent = own = shared = 0
        site = os.path.dirname(distribution.info)
        try:
            with open(f"{known.prefix}/{distribution.info}/RECORD", encoding="utf-8", newline="") as stream:
                names = [row[0] for row in csv.reader(stream) if row]
        except OSError:
            continue
        for name in names:
            try:
                status = os.lstat(os.path.normpath(f"{known.prefix}/{site}/{name}"))
            except OSError:
                continue
            apparent += status.st_size
            if status.st_ino in stored:
                shared += disk_bytes(status)
            else:
                own += disk_bytes(status)
        version = os.path.basename(distribution.info).removesuffix(".dist-info").rpartition("-")[2]
        found.append(
            {
                "name": distribution.name,
                "version": version,
                "apparent_bytes": apparent,
                "own_bytes": own,
                "shared_with_store_bytes": shared,
            }
        )
    return sorted(found, key=lambda entry: -int(str(entry["apparent_bytes"])))


def _totals(store: Store, disk: Disk, data: dict[str, Any]) -> None:
    data["store_bytes"] = sum(data["kinds"].values())
    data["added_bytes"] = disk.total - data["store_bytes"]
    data["total_bytes"] = disk.total
    data["filesystem_metadata_bytes"] = metadata_bytes(store.layout.root)
    data["alone_bytes"] = sum(entry["disk_bytes"] for entry in data["environments"])
    data["saved_bytes"] = data["alone_bytes"] - disk.total


def _show(data: dict[str, Any], output: Output) -> None:
    rows = [
        [
            entry["path"],
            *(
                bytes_(entry[name])
                for name in ("disk_bytes", "own_bytes", "shared_with_store_bytes", "shared_by_reflink_bytes")
            ),
            str(len(entry["shared_with"])),
        ]
        for entry in data["environments"]
    ]
    output.table(
        ["environment", "on the disk", "own", "shared with store", "by reflink", "and environments"],
        rows,
        right=[1, 2, 3, 4, 5],
    )
    for entry in data["environments"]:
        if entry.get("packages"):
            output.line()
            output.line(entry["path"])
            output.table(
                ["package", "version", "size", "own", "shared"],
                [
                    [
                        package["name"],
                        package["version"],
                        *(bytes_(package[name]) for name in ("apparent_bytes", "own_bytes", "shared_with_store_bytes")),
                    ]
                    for package in entry["packages"]
                ],
                right=[2, 3, 4],
            )
        if len(data["environments"]) == 1:
            others = entry["shared_with"]
            for other in others[:_SHOWN]:
                output.line(f"shares {bytes_(other['bytes'])} with {other['path']}")
            if len(others) > _SHOWN:
                output.line(f"and with {len(others) - _SHOWN} more environments; --json names them")
    if "total_bytes" in data:
        _show_totals(data, output)


def _show_totals(data: dict[str, Any], output: Output) -> None:
    """Show rows that add up to the last one: what the store takes, and what environments add to it."""
    rows = [[kind, bytes_(taken)] for kind, taken in data["kinds"].items() if taken]
    rows.append([f"added by {len(data['environments'])} environments", bytes_(data["added_bytes"])])
    rows.append(["together", bytes_(data["total_bytes"])])
    output.line()
    output.table(["every block counted once", "on the disk"], rows, right=[1])
    if data["saved_bytes"] >= 0 and data["environments"]:
        output.line(
            f"Without the store, the environments would take {bytes_(data['alone_bytes'])}:"
            f" {bytes_(data['saved_bytes'])} saved."
        )
    elif data["environments"]:
        output.line(
            f"The environments alone would take {bytes_(data['alone_bytes'])}; the store holds more than they use."
        )
    else:
        output.line(f"No environment is known to use it; the store itself takes {bytes_(data['store_bytes'])}.")
    if data["filesystem_metadata_bytes"] is not None:
        taken = bytes_(data["filesystem_metadata_bytes"])
        output.line(f"df also counts the metadata of the whole filesystem, small files included: {taken}")

"""``linkenv du``: what the store and its environments take on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nox_linkenv.cli.options import Commands, command, opened, settings_of
from nox_linkenv.cli.output import Output, bytes_

if TYPE_CHECKING:
    import argparse

    from nox_linkenv.env.registry import Known
    from nox_linkenv.maintenance.disk_usage import Disk, Tree
    from nox_linkenv.store import Store

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the subcommand."""
    parser = command(
        commands,
        "du",
        "show what environments take on the disk, and what they share",
        run,
        description="Show of each environment (default: all known ones, and the store) its apparent size, the bytes on"
        " the disk that are its own, and those it shares with the store and with other environments. Every block"
        " counts once in the total. Reflinked extents count as shared where the filesystem tells (btrfs, XFS).",
    )
    parser.add_argument("env", metavar="ENV", nargs="*", help="directories of environments")
    parser.add_argument("--packages", action="store_true", help="show each distribution of each environment")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Show it."""
    from nox_linkenv.env.receipt import read_receipt
    from nox_linkenv.env.registry import Known, find_known
    from nox_linkenv.errors import EnvError
    from nox_linkenv.maintenance.disk_usage import Disk
    from nox_linkenv.store.roots import Root

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
    alone = 0
    with output.progress() as progress:
        for known in chosen:
            progress(known.prefix)
            tree = disk.tree(known.prefix)
            alone += tree.disk
            data["environments"].append(_environment(store, known, tree, every, packages=arguments.packages))
        if not arguments.env:
            progress("the store")
            _whole(store, disk, data, alone)
    output.data(data)
    _show(data, output)
    return 0


def _environment(store: Store, known: Known, tree: Tree, every: list[Known], *, packages: bool) -> dict[str, Any]:
    from nox_linkenv.env.registry import stored_inodes
    from nox_linkenv.maintenance.disk_usage import inodes_below

    stored = {} if known.receipt is None else stored_inodes(store, known.prefix, known.receipt)
    others = []
    for other in every:
        if other.prefix != known.prefix and _device(other.prefix) == _device(known.prefix):
            common = tree.inodes.keys() & inodes_below(other.prefix) if tree.inodes else set()
            shared = sum(tree.inodes[inode][0] for inode in common)
            if shared:
                others.append({"path": other.prefix, "bytes": shared})
    found: dict[str, Any] = {
        "path": known.prefix,
        "apparent_bytes": tree.apparent,
        "disk_bytes": tree.disk,
        "own_bytes": tree.own,
        "shared_with_store_bytes": sum(tree.inodes[inode][0] for inode in tree.inodes.keys() & stored.keys()),
        "shared_by_reflink_bytes": tree.hidden,
        "shared_with": others,
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


def _packages(known: Known, stored: dict[int, str]) -> list[dict[str, Any]]:
    """Return the size of each distribution by its RECORD, which also names what the session's interpreter compiled."""
    import csv

    from nox_linkenv.env.installed import find_distributions

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
                shared += status.st_blocks * 512
            else:
                own += status.st_blocks * 512
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


def _whole(store: Store, disk: Disk, data: dict[str, Any], alone: int) -> None:
    """Add the store, kind by kind, and the totals; what environments share with the store is counted already."""
    from nox_linkenv.maintenance.disk_usage import metadata_bytes
    from nox_linkenv.store.layers import find_companions

    kinds: dict[str, int] = {}
    base = store.layout.base
    for name in sorted(os.listdir(base)):
        kinds[name] = disk.tree(os.path.join(base, name)).disk
    for name in sorted(os.listdir(store.layout.root)):
        if name != os.path.basename(base):
            disk.tree(os.path.join(store.layout.root, name))
    for directory in (base, store.layout.root):
        disk.count(os.lstat(directory).st_blocks * 512)
    for companion in find_companions(store):
        kinds[f"companion {companion.layout.root}"] = disk.tree(companion.layout.root).disk
    data["kinds"] = kinds
    data["total_bytes"] = disk.total
    data["filesystem_metadata_bytes"] = metadata_bytes(store.layout.root)
    data["alone_bytes"] = alone
    data["saved_bytes"] = alone - disk.total


def _show(data: dict[str, Any], output: Output) -> None:
    rows = [
        [
            entry["path"],
            *(
                bytes_(entry[name])
                for name in ("apparent_bytes", "own_bytes", "shared_with_store_bytes", "shared_by_reflink_bytes")
            ),
            str(len(entry["shared_with"])),
        ]
        for entry in data["environments"]
    ]
    output.table(
        ["environment", "size", "own", "shared with store", "by reflink", "and environments"],
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
            for other in entry["shared_with"]:
                output.line(f"shares {bytes_(other['bytes'])} with {other['path']}")
    if "total_bytes" in data:
        output.line()
        output.table(
            ["store", "bytes"],
            [[kind, bytes_(taken)] for kind, taken in data["kinds"].items() if taken],
            right=[1],
        )
        output.line(
            f"on the disk: {bytes_(data['total_bytes'])}; the environments alone would take"
            f" {bytes_(data['alone_bytes'])}: {bytes_(data['saved_bytes'])} saved"
        )
        if data["filesystem_metadata_bytes"] is not None:
            taken = bytes_(data["filesystem_metadata_bytes"])
            output.line(f"df also counts the metadata of the whole filesystem, small files included: {taken}")

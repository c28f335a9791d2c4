"""Making spares: the links of a stored plan or skeleton, laid out in the store and ready to be moved."""

from __future__ import annotations

import os
import secrets
import stat
import time
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.env.assembly.assembler import Assembler
from nox_linkenv.env.assembly.donor import record_state, state_name
from nox_linkenv.env.bytecode import empty_bytecode, read_bytecode
from nox_linkenv.env.links import Links, joined
from nox_linkenv.env.paths import check_paths
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.store.directories import is_directory, names_of
from nox_linkenv.store.files import give_tree, make_directory, staging_name
from nox_linkenv.store.notes import rows
from nox_linkenv.store.spares import prebuilt_directory
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from nox_linkenv.env.interpreter.facts import Facts
    from nox_linkenv.store import Store

__all__ = ["make_prebuilt", "wants_prebuilt"]

#: Below this number of files an environment is linked as fast as moved.
_WORTHWHILE: Final = 200
#: Seconds for a finished tree to be old enough that no later change of it can go unseen.
_SETTLE: Final = 0.1
#: How many plans and skeletons have a spare; the least recently made go first.
_MOST: Final = 12


def wants_prebuilt(store: Store, prefix: str, name: str, links: Links) -> bool:
    """Return whether a spare of *links* would save time at the place of the environment *prefix*."""
    return (
        len(links.paths) >= _WORTHWHILE
        and os.stat(prefix).st_dev == os.stat(store.layout.base).st_dev
        and not _present(prebuilt_directory(store.layout, name))
    )


def make_prebuilt(store: Store, name: str, facts: Facts) -> None:
    """Make a spare for the stored plan or skeleton *name*, unless there is one or an object is damaged."""
    directory = prebuilt_directory(store.layout, name)
    found = _stored(store, name)
    if found is None or _present(directory):
        return
    links, empty = found
    bytecode = read_bytecode(store, name, facts, links)
    everything = links if bytecode is None else joined(links, bytecode.links)
    staged = staging_name(store.layout.staging)
    assembler = Assembler(staged, store.layout)
    inodes: list[int] = []
    try:
        os.mkdir(staged, 0o700)  # nobody else gets at it before it is finished
        os.mkdir(f"{staged}/{DIRECTORY}")
        assembler.directories(everything.directories)
        report = assembler.link(everything, inodes=inodes)
        if report.copied or report.damaged:
            return
        assembler.empty(empty)
        if bytecode is not None and bytecode.empty:
            assembler.empty_bytecode(bytecode.empty, empty_bytecode(store, facts, bytecode))
        loose = os.name == "posix" and os.lstat(f"{staged}/{DIRECTORY}").st_mode & stat.S_IWOTH
        if loose:
            _close(staged)
        time.sleep(_SETTLE)  # until then the status-change times of its directories say nothing
        record_state(f"{staged}/{DIRECTORY}/{state_name(name)}", staged, everything.directories, inodes)
        if loose:
            _close(f"{staged}/{DIRECTORY}")
        make_directory(directory)
        if not is_directory(directory):
            return
        give_tree(staged, directory)
        os.chmod(staged, 0o755)
        os.rename(staged, f"{directory}/{secrets.token_hex(8)}")
    finally:
        empty_trash(staged)
    _limit(os.path.dirname(directory))


def _close(tree: str) -> None:
    """Let not everybody write to the directories and files that were made in *tree*, whatever the umask is."""
    for top, directories, files in os.walk(tree):
        for name in (*directories, *files):
            mode = os.lstat(f"{top}/{name}").st_mode
            if mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
                os.chmod(f"{top}/{name}", stat.S_IMODE(mode) & ~stat.S_IWOTH)


def _present(directory: str) -> bool:
    return bool(names_of(directory))


def _stored(store: Store, name: str) -> tuple[Links, list[tuple[str, bool]]] | None:
    """Return the links and the empty files (path, executable) of a stored plan; a skeleton has no such files."""
    return store.load(name, _parse)


def _parse(data: dict[str, Any]) -> tuple[Links, list[tuple[str, bool]]]:
    links, empty = Links.from_json(data["links"]), rows(data.get("empty", []), str, bool)
    check_paths(links.directories, links.paths, [path for path, _ in empty])
    return links, empty


def _limit(directory: str) -> None:
    """Remove the spares beyond the number that is kept."""
    names = sorted(names_of(directory), key=lambda name: os.lstat(f"{directory}/{name}").st_mtime_ns)
    for name in names[:-_MOST]:
        for spare in names_of(f"{directory}/{name}"):
            empty_trash(f"{directory}/{name}/{spare}")

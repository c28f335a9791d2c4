"""Bringing files into a store from others behind it: the main store, a read-only one, an image's layer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from nox_linkenv.linking import clone_file, copy_file
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.files import make_directory, publish, staging_name, write_new
from nox_linkenv.store.layout import COMPANIONS, MAINS, Directory, Layout
from nox_linkenv.store.notes import string
from nox_linkenv.store.objects import discard, intact, is_whole
from nox_linkenv.store.store import Store, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["bring", "find_companions", "open_companion", "outdated"]


def bring(own: Layout, behind: Sequence[Layout], files: Iterable[tuple[str, int, int]]) -> int:
    """Put *files* into the store *own*, cloned or copied from the first store *behind* that has them intact.

    What stands in their place is taken out first.  A file that nobody has intact stays as it is.

    Args:
        files: name relative to the format directory, size in bytes, modification time in seconds; a size below 0
            has the content hashed instead.

    Returns:
        how many were brought.

    Raises:
        StoreUnwritableError: *own* cannot be written, or is full.
    """
    store = Store(own)
    done = 0
    with writing(own), store.locked():
        make_directory(own.staging)
        for name, size, mtime in dict.fromkeys(files):
            for layer in behind:
                source = f"{layer.base}/{name}"
                if intact(source, size=size, mtime=mtime) if size >= 0 else is_whole(layer, name):
                    _bring(own, name, source)
                    done += 1
                    break
    return done


def _bring(own: Layout, name: str, source: str) -> None:
    staged = staging_name(own.staging)
    try:
        try:
            clone_file(source, staged)
        except OSError:
            copy_file(source, staged)
        if source != f"{own.base}/{name}":
            discard(own, name)
        publish(staged, f"{own.base}/{name}")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise


def outdated(own: Layout, names: Iterable[str], since: int) -> set[str]:
    """Return those of *names* whose file may lie in a lower layer of the overlay that the store is on.

    Args:
        since: see :class:`~nox_linkenv.store.link_policy.Arrangement`.
    """
    found = set()
    for name in names:
        with contextlib.suppress(OSError):
            if os.stat(f"{own.base}/{name}").st_ctime_ns < since:
                found.add(name)
    return found


def open_companion(root: str, main: Store) -> Store:
    """Open the companion store of *main* at *root*, making it if it is not there; version control leaves it out."""
    new = not os.path.isdir(root)
    store = Store.open(root)
    for known, names, place in ((main, COMPANIONS, root), (store, MAINS, main.layout.root)):
        name = _name(names, place)
        if new or not os.path.exists(f"{known.layout.base}/{name}"):
            known.note(name, json.dumps({"root": place}))
    if new:
        with contextlib.suppress(OSError):
            write_new(os.path.join(root, ".gitignore"), b"*\n")
    return store


def find_companions(main: Store) -> Iterator[Store]:
    """Yield the companion stores of *main* that still exist, and say themselves that they are its.

    What *main* says alone may have come out of somebody's archive, and name a store of the user's that is none.
    """
    for name in names_of(main.layout.directory(COMPANIONS.name)):
        root = main.load(f"{COMPANIONS.name}/{name}", _root)
        if root is not None and os.path.isabs(root) and os.path.exists(Layout(root).description):
            companion = Store(Layout(root))
            if companion.load(_name(MAINS, main.layout.root), _root) == main.layout.root:
                yield companion


def _name(directory: Directory, root: str) -> str:
    return directory.file(hashlib.sha256(root.encode("utf-8", "surrogateescape")).hexdigest()[:40])


def _root(data: dict[str, Any]) -> str:
    return string(data["root"])

"""How large the store is, kind by kind, and how that is noted from day to day."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from nox_linkenv.maintenance.disk_usage import Disk, disk_bytes
from nox_linkenv.store.journal import Size, append, read
from nox_linkenv.store.layers import find_companions

if TYPE_CHECKING:
    from nox_linkenv.store import Store

__all__ = ["note_size", "sizes_by_kind"]

#: Kinds that hold the files themselves; prebuilt trees and companions hold links to them.
_FILES: Final = ("objects", "bytecode")
#: Seconds between two looks at the size of the store.
_PAUSE: Final = 20 * 3600.0


def sizes_by_kind(store: Store, disk: Disk) -> dict[str, int]:
    """Return the bytes on the disk of each kind of what *store* has: every block for the first kind that has it.

    Args:
        disk: what has been counted so far, and counts what is found.
    """
    kinds: dict[str, int] = {}
    base = store.layout.base

    def add(kind: str, path: str) -> None:
        before = disk.total
        disk.tree(path)
        kinds[kind] = kinds.get(kind, 0) + disk.total - before

    for name in sorted(os.listdir(base), key=lambda name: (name not in _FILES, name)):
        add(name, os.path.join(base, name))
    for name in sorted(os.listdir(store.layout.root)):
        if name != os.path.basename(base):
            add(name if name == os.path.basename(store.layout.throwaway) else "other", f"{store.layout.root}/{name}")
    for companion in find_companions(store):
        add(f"companion {companion.layout.root}", companion.layout.root)
    for directory in (base, store.layout.root):
        taken = disk_bytes(os.lstat(directory))
        disk.count(taken)
        kinds["other"] = kinds.get("other", 0) + taken
    return kinds


def note_size(store: Store, *, now: float, days: float) -> None:
    """Write the size of *store* into its journal, if that has not been done for about a day.

    Args:
        now: in seconds since the epoch.
        days: how long the journal is kept.

    Raises:
        OSError: the store cannot be read.
    """
    known = [entry.time for entry in read(store.layout, since=now - _PAUSE) if isinstance(entry, Size)]
    if not known:
        append(store.layout, [Size(now, sizes_by_kind(store, Disk()))], now=now, days=days)

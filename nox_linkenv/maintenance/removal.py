"""Removing files of a store and counting what the disk gets back, or only counting."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.maintenance.disk_usage import Disk, disk_bytes, freed_by, has_reflinks
from nox_linkenv.maintenance.leftovers import find_leftovers
from nox_linkenv.store.trash import empty_trash

if TYPE_CHECKING:
    from collections.abc import Collection

    from nox_linkenv.store.layout import Layout

__all__ = ["GRACE", "PATIENCE", "Pruned", "Pruning", "Removal"]

#: Seconds to try to get the exclusive lock.
PATIENCE: Final = 120.0
#: Seconds for which whatever was used counts as being used: from reading a manifest to the end of an installation.
GRACE: Final = 600.0


@dataclass(slots=True)
class Pruning:
    """What to prune.

    Args:
        before: what was used last before this moment goes, in seconds since the epoch.
        max_size: bytes on the disk that the store may keep; ``None`` for any number.
        protected: plans and skeletons which environments need, as :func:`stem_of` names them.
        foreign: paths of plans and skeletons in other stores whose objects here environments need.
        grace: seconds for which whatever was used counts as being used.
        now: seconds since the epoch.
        dry: whether to remove nothing.
    """

    before: float
    max_size: int | None = None
    protected: Collection[str] = ()
    foreign: Collection[str] = ()
    grace: float = GRACE
    now: float = field(default_factory=time)
    dry: bool = False


@dataclass(slots=True)
class Pruned:
    """What was removed, or would be.

    Args:
        removed: how many, by kind.
        freed: bytes that the disk has got back: of files whose last link it was.
        linked: bytes of removed files which the disk keeps, because environments hold them.
        cutoff: what was used before goes; seconds since the epoch.
        before: bytes that the store took on the disk; 0 where they were not added up, as no size was asked for.
        needed: bytes of it that environments need.
        recent: bytes of it that were used within the grace.
    """

    removed: Counter[str] = field(default_factory=Counter)
    freed: int = 0
    linked: int = 0
    cutoff: float = 0.0
    before: int = 0
    needed: int = 0
    recent: int = 0

    @property
    def after(self) -> int:
        """Bytes that the store takes on the disk now, as far as :attr:`before` is known."""
        return max(0, self.before - self.freed - self.linked)


class Removal:
    """Removes from one store.

    Args:
        layout: of the store.
        pruned: what is counted in.
        dry: whether to remove nothing.
    """

    def __init__(self, layout: Layout, pruned: Pruned, *, dry: bool) -> None:
        self.layout = layout
        self.pruned = pruned
        self.dry = dry
        self.spared: Counter[int] = Counter()  # inode -> links in removed spares, while nothing is really removed
        self._reflinks = has_reflinks(layout.base)

    def unlink(self, path: str, kind: str | None = None) -> None:
        """Unlink a file, if it is there; a directory in its place is removed with all that is in it."""
        try:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                self.trash(path, kind or "directories in the place of files")
                return
            taken = disk_bytes(status)
            links = status.st_nlink - self.spared[status.st_ino] if self.spared else status.st_nlink
            freed = freed_by(path, taken, reflinks=self._reflinks) if links <= 1 else 0
            if not self.dry:
                os.unlink(path)
        except FileNotFoundError:
            return
        self.pruned.freed += freed
        self.pruned.linked += taken - freed
        if kind is not None:
            self.pruned.removed[kind] += 1

    def trash(self, path: str, kind: str) -> None:
        """Remove a directory tree or file that nobody uses any more."""
        self.pruned.freed += Disk().tree(path).own
        self.pruned.removed[kind] += 1
        if not self.dry:
            empty_trash(path)

    def leftovers(self, *, now: float, grace: float) -> None:
        """Remove what killed processes have left; see :func:`~nox_linkenv.maintenance.leftovers.find_leftovers`."""
        for path in find_leftovers(self.layout, now=now, grace=grace):
            self.trash(path, "leftovers")

"""Pruning: removing what has not been used for longest, while others work.

Every object has the time of the last unit that refers to it; everything used before one moment, the cutoff, goes, but
for what is protected.  A unit goes before its objects: who finds one finds its objects, and who finds none asks again.
Killed at any moment, the next prune goes on: objects without a unit are removed like those of removed units.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from nox_linkenv.store.files import staging_name
from nox_linkenv.store.layout import ASIDE
from nox_linkenv.store.leftovers import find_leftovers, put_back
from nox_linkenv.store.roots import find_roots, forget_root
from nox_linkenv.store.spares import spares_directory
from nox_linkenv.store.units import Kind, Unit, Watch, key_of, pycs, references, stem_of, wheels_of
from nox_linkenv.store.usage import Disk, freed_by, has_reflinks, inodes_below
from nox_linkenv.trash import empty_trash, find_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from nox_linkenv.store.store import Store

__all__ = ["GRACE", "Pruned", "Pruning", "prune"]

#: Seconds for which whatever was used counts as being used: from reading a manifest to the end of an installation.
GRACE: Final = 600.0
#: How many files are removed under one hold of the exclusive lock: some milliseconds.
_BATCH: Final = 256
#: Seconds to try to get it.
_PATIENCE: Final = 120.0
_FOREVER: Final = float("inf")
#: SHA-256 of nothing: its bytecode belongs to no object.
_EMPTY: Final = 0xE3B0C44298FC1C14
#: Small files which are made again when they are gone.
_NOTES: Final = ("resolutions", "requests", "interpreters")
_PLAN: Final = re.compile(rb'"plan": ?"([^"]+)"')
_T = TypeVar("_T")


@dataclass(slots=True)
class Pruning:
    """What to prune.

    Args:
        before: what was used last before this moment goes, in seconds since the epoch.
        max_size: bytes on the disk that the store may keep; ``None`` for any number.
        protected: plans and skeletons which environments need, as :func:`stem_of` names them.
        grace: seconds for which whatever was used counts as being used.
        now: seconds since the epoch.
        dry: whether to remove nothing.
    """

    before: float
    max_size: int | None = None
    protected: Collection[str] = ()
    grace: float = GRACE
    now: float = field(default_factory=time.time)
    dry: bool = False


@dataclass(slots=True)
class Pruned:
    """What was removed, or would be.

    Args:
        removed: how many, by kind.
        freed: bytes that the disk has got back: of files whose last link it was.
        linked: bytes of removed files which the disk keeps, because environments hold them.
        cutoff: what was used before goes; seconds since the epoch.
    """

    removed: Counter[str] = field(default_factory=Counter)
    freed: int = 0
    linked: int = 0
    cutoff: float = 0.0


def prune(store: Store, pruning: Pruning, *, progress: Callable[[str], None] = lambda _: None) -> Pruned:
    """Prune *store*.

    Raises:
        StoreBusyError: others have been adding all the time.
        StoreUnwritableError: the store cannot be written.
    """
    from nox_linkenv.store.store import writing

    with writing(store.layout):
        return _Prune(store, pruning, progress).run()


class _Prune:
    def __init__(self, store: Store, pruning: Pruning, progress: Callable[[str], None]) -> None:
        self.store = store
        self.layout = store.layout
        self.base = store.layout.base
        self.pruning = pruning
        self.progress = progress
        self.pruned = Pruned()
        self.watch = Watch(store.layout)
        self.reflinks = has_reflinks(self.base)
        self.objects: dict[int, float] = {}  # key -> last use
        self.bytecode: dict[str, dict[int, float]] = {}  # tag -> key -> last use
        self.times: dict[str, float] = {}  # last use of units, that of what refers to them included
        self.gone: set[str] = set()  # trees that have been counted
        self.trees: list[str] = []  # moved away, to be removed
        self.spared: Counter[int] = Counter()  # inode -> links in removed spares, while nothing is really removed

    def run(self) -> Pruned:
        if not self.pruning.dry:
            with self.store.removing(within=_PATIENCE):
                put_back(self.layout)
        self.progress("looking at what is used")
        units = self._rate(self.watch.new())
        newest = self.pruning.now - self.pruning.grace
        cutoff = min(self.pruning.before, newest)
        if self.pruning.max_size is not None:
            self.progress("adding up what is stored")
            cutoff = max(cutoff, min(self._cutoff(self.pruning.max_size), newest))
        self.pruned.cutoff = cutoff
        self._leftovers()
        self._environments()
        self.progress("removing what nothing uses")
        doomed = sorted((unit for unit in units if self.times[unit.name] < cutoff), key=lambda unit: unit.time)
        self._each(doomed, self._unit)
        self._notes()
        self._spares()
        self._archives()
        for kind in ("objects", "bytecode"):
            self._each(filter(self._unused, self._files(kind)), self._file)
        return self.pruned

    # What is used, and when it was used last

    def _rate(self, units: list[Unit]) -> list[Unit]:
        """Give units, and what they refer to, the time of their last use."""
        by_wheel: dict[str, float] = {}
        for unit in sorted(units, key=lambda unit: unit.kind is Kind.WHEEL):  # wheels last: others refer to them
            used = _FOREVER if stem_of(unit.name) in self.pruning.protected else unit.time
            if unit.kind is Kind.WHEEL:
                used = max(used, by_wheel.get(unit.name[7:9] + unit.name[10:-5], 0.0))
            self.times[unit.name] = used
            content = self._read(unit.name)
            if unit.kind is not Kind.WHEEL:
                for digest in wheels_of(content):
                    by_wheel[digest] = max(by_wheel.get(digest, 0.0), used)
            for key in references(content, unit.kind):
                if used > self.objects.get(key, 0.0):
                    self.objects[key] = used
            for name in unit.lists:
                for tag, key in pycs(self._read(name)):
                    known = self.bytecode.setdefault(tag, {})
                    known[key] = max(known.get(key, 0.0), used)
        return units

    def _read(self, name: str) -> bytes:
        with contextlib.suppress(OSError), open(f"{self.base}/{name}", "rb") as stream:
            return stream.read()
        return b""

    def _cutoff(self, limit: int) -> float:
        """Return the moment before which everything has to go, for the rest to take no more than *limit* bytes."""
        sizes: Counter[float] = Counter()
        for kind in ("objects", "bytecode"):
            for path, tag, key in self._files(kind):
                with contextlib.suppress(OSError):
                    used = self._used(tag, key)
                    if used is not None:  # the rest goes in any case
                        sizes[used] += os.lstat(path).st_blocks * 512
        for name, used in self.times.items():
            with contextlib.suppress(OSError):
                sizes[used] += os.lstat(f"{self.base}/{name}").st_blocks * 512
        total = 0
        for used in sorted(sizes, reverse=True):
            total += sizes[used]
            if total > limit and used != _FOREVER:
                return used + 1e-6
        return 0.0

    def _used(self, tag: str | None, key: int) -> float | None:
        """Return when an object, or bytecode, was used last; ``None`` where nothing refers to it."""
        if tag is None:
            return self.objects.get(key)
        if key == _EMPTY:
            return _FOREVER
        return self.bytecode.get(tag, {}).get(key)

    def _files(self, kind: str) -> Iterator[tuple[str, str | None, int]]:
        """Yield path, tag and key of every object or pyc."""
        tops: list[tuple[str, str | None]] = [(f"{self.base}/objects", None)]
        if kind == "bytecode":
            tops = [(f"{self.base}/bytecode/{tag}", tag) for tag in _names(f"{self.base}/bytecode")]
        for top, tag in tops:
            for shard in _names(top):
                for name in _names(f"{top}/{shard}"):
                    with contextlib.suppress(ValueError):  # foreign files are verify's business
                        yield f"{top}/{shard}/{name}", tag, key_of(shard + name)

    # Removing

    def _each(self, items: Iterable[_T], remove: Callable[[_T], None]) -> None:
        """Remove *items*, a batch under each hold of the exclusive lock."""
        batch: list[_T] = []
        for item in items:
            batch.append(item)
            if len(batch) == _BATCH:
                self._batch(batch, remove)
                batch = []
        if batch:
            self._batch(batch, remove)

    def _batch(self, batch: list[_T], remove: Callable[[_T], None]) -> None:
        if self.pruning.dry:
            for item in batch:
                remove(item)
            return
        trees = len(self.trees)
        with self.store.removing(within=_PATIENCE):
            self._rate(self.watch.new())  # what has come meanwhile
            for item in batch:
                remove(item)
        for tree in self.trees[trees:]:
            empty_trash(tree)

    def _unit(self, unit: Unit) -> None:
        path = f"{self.base}/{unit.name}"
        if not self.pruning.dry:
            try:
                os.rename(path, path + ASIDE)
            except FileNotFoundError:
                return
            used = os.lstat(path + ASIDE).st_mtime
            if used > unit.time:
                os.rename(path + ASIDE, path)
                unit.time = used
                self._rate([unit])
                return
            path += ASIDE
        self._tree(spares_directory(self.layout, unit.name), "spares")
        for name in unit.lists:
            self._unlink(f"{self.base}/{name}")
        self._unlink(path, unit.kind.value)

    def _unused(self, item: tuple[str, str | None, int]) -> bool:
        """Return whether an object or pyc may go; one that nothing refers to may be part of something unfinished."""
        path, tag, key = item
        used = self._used(tag, key)
        if used is not None:
            return used < self.pruned.cutoff
        with contextlib.suppress(OSError):
            return self.pruning.now - os.lstat(path).st_ctime > self.pruning.grace
        return False

    def _file(self, item: tuple[str, str | None, int]) -> None:
        path, tag, _ = item
        if self._unused(item):
            self._unlink(path, "objects" if tag is None else "bytecode")

    def _unlink(self, path: str, kind: str | None = None) -> None:
        """Unlink a file and count what the disk gets back."""
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(path)
            if status.st_ino in self.spared:
                links = status.st_nlink - self.spared[status.st_ino]
                status = os.stat_result((*status[:3], links, *status[4:]), {"st_blocks": status.st_blocks})
            freed = freed_by(path, status, reflinks=self.reflinks)
            if not self.pruning.dry:
                os.unlink(path)
            self.pruned.freed += freed
            self.pruned.linked += status.st_blocks * 512 - freed
            if kind is not None:
                self.pruned.removed[kind] += 1

    def _tree(self, path: str, kind: str) -> None:
        """Move a directory tree away; it is removed when the lock has been released."""
        if path in self.gone or not os.path.isdir(path):
            return
        self.gone.add(path)
        self.pruned.freed += Disk().tree(path).own
        self.pruned.removed[kind] += 1
        if self.pruning.dry:
            self.spared.update(inodes_below(path))
            return
        aside = staging_name(self.layout.staging)
        os.rename(path, aside)
        self.trees.append(aside)

    def _trash(self, path: str, kind: str) -> None:
        self.pruned.freed += Disk().tree(path).own
        self.pruned.removed[kind] += 1
        if not self.pruning.dry:
            empty_trash(path)

    def _leftovers(self) -> None:
        for path in find_leftovers(self.layout, now=self.pruning.now, grace=self.pruning.grace):
            self._trash(path, "leftovers")

    def _environments(self) -> None:
        """Forget environments that are gone, and remove what is left of any that were replaced."""
        directories = set()
        for vanished in (False, True):
            for root in list(find_roots(self.store, vanished=vanished)):
                directories.add(os.path.dirname(root.prefix))
                if vanished and not root.running and root.since < self.pruning.now - self.pruning.grace:
                    self.pruned.removed["roots"] += 1
                    if not self.pruning.dry:
                        forget_root(self.store, root.prefix)
        for directory in sorted(directories):
            for path in find_trash(directory):
                self._trash(path, "trash")

    def _notes(self) -> None:
        """Remove what was remembered and is old, or speaks of a plan that is gone."""
        for kind in _NOTES:
            for top, _, names in os.walk(f"{self.base}/{kind}"):
                for name in names:
                    if self._forgettable(f"{top}/{name}"):
                        self._unlink(f"{top}/{name}", kind)

    def _forgettable(self, path: str) -> bool:
        try:
            used = os.lstat(path).st_mtime
            with open(path, "rb") as stream:
                plan = _PLAN.search(stream.read())
        except OSError:
            return False
        if plan is not None:
            return self.times.get(plan[1].decode(), used) < self.pruned.cutoff
        return used < self.pruned.cutoff

    def _spares(self) -> None:
        """Remove spares whose plan or skeleton is gone."""
        here = {spares_directory(self.layout, name) for name, used in self.times.items() if used >= self.pruned.cutoff}
        orphans = [f"{self.base}/spares/{name}" for name in _names(f"{self.base}/spares")]
        self._each([path for path in orphans if path not in here], lambda path: self._tree(path, "spares"))

    def _archives(self) -> None:
        """Remove built wheels whose builds are gone."""
        wanted: set[str] = set()
        for name, used in self.times.items():
            if name.startswith(Kind.BUILD.value) and used >= self.pruned.cutoff:
                wanted |= wheels_of(self._read(name))
        for digest in _names(f"{self.base}/projects/wheels"):
            path = f"{self.base}/projects/wheels/{digest}"
            with contextlib.suppress(OSError):
                if digest not in wanted and self.pruning.now - os.lstat(path).st_ctime > self.pruning.grace:
                    self._each([path], lambda path: self._tree(path, "projects/wheels"))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []

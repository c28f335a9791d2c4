"""Pruning: removing what has not been used for longest, while others work.

Every object has the time of the last unit that refers to it; everything used before one moment, the cutoff, goes, but
for what is protected.  A unit goes before its objects: who finds one finds its objects, and who finds none asks again.
Killed at any moment, the next prune goes on: objects without a unit are removed like those of removed units.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from nox_linkenv.maintenance.disk_usage import Disk, walk
from nox_linkenv.maintenance.last_use import Uses, file_key, shards
from nox_linkenv.maintenance.leftovers import put_back
from nox_linkenv.maintenance.links import refuse_links
from nox_linkenv.maintenance.prune_companion import prune_companion
from nox_linkenv.maintenance.prune_notes import prune_notes
from nox_linkenv.maintenance.removal import PATIENCE, Pruned, Pruning, Removal
from nox_linkenv.maintenance.units import Kind, Unit, wheels_of
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.files import staging_name
from nox_linkenv.store.layers import find_companions
from nox_linkenv.store.layout import ARCHIVES, ASIDE, BYTECODE, OBJECTS, PREBUILT, ROOTS
from nox_linkenv.store.link_policy import is_own
from nox_linkenv.store.roots import find_roots, forget_root
from nox_linkenv.store.spares import prebuilt_directory
from nox_linkenv.store.store import writing
from nox_linkenv.store.temporary import sweep_temporary
from nox_linkenv.store.trash import empty_trash, find_trash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nox_linkenv.store.store import Store

__all__ = ["prune"]

#: How many files are removed under one hold of the exclusive lock: some milliseconds.
_BATCH: Final = 256
_T = TypeVar("_T")
_File: TypeAlias = "tuple[str, str | None, int]"  # path, tag of bytecode, key


def prune(store: Store, pruning: Pruning, *, progress: Callable[[str], None] = lambda _: None) -> Pruned:
    """Prune *store*.

    Raises:
        StoreBusyError: others have been adding all the time.
        StoreUnwritableError: the store cannot be written.
        StoreError: a directory of the store is a link to somewhere else.
    """
    refuse_links(store.layout)
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
        self.removal = Removal(store.layout, self.pruned, dry=pruning.dry)
        self.uses = Uses(store.layout, pruning.protected)
        self.gone: set[str] = set()  # trees that have been counted
        self.trees: list[str] = []  # moved away, to be removed

    def run(self) -> Pruned:
        if not self.pruning.dry:
            with self.store.removing(within=PATIENCE):
                put_back(self.layout)
        self.progress("looking at what is used")
        units = self.uses.look()
        self.uses.keep(self.pruning.foreign)
        newest = self.pruning.now - self.pruning.grace
        cutoff = min(self.pruning.before, newest)
        if self.pruning.max_size is not None:
            self.progress("adding up what is stored")
            self.pruned.before = Disk().tree(self.layout.root).disk
            cutoff = max(cutoff, min(self.uses.cutoff(self.pruning.max_size, self.pruned.before), newest))
            self.pruned.needed, self.pruned.recent = self.uses.in_use(newest)
        self.pruned.cutoff = cutoff
        self.removal.leftovers(now=self.pruning.now, grace=self.pruning.grace)
        if not self.pruning.dry:
            sweep_temporary()
        self._environments()
        self.progress("removing what nothing uses")
        doomed = sorted((unit for unit in units if self.uses.times[unit.name] < cutoff), key=lambda unit: unit.time)
        self._each(doomed, self._unit)
        prune_notes(self.store, self.pruning, self.uses, self.removal)
        self._spares()
        self._archives()
        for kind in (OBJECTS.name, BYTECODE.name):
            self._each(self._files(kind), self._file)
        for companion in find_companions(self.store):
            if not is_own(companion.layout.root) and not os.access(companion.layout.base, os.W_OK):
                continue  # who links from it prunes it
            self.progress(f"pruning {companion.layout.root}")
            prune_companion(companion, self.store, self.pruning, self.pruned, kept=self._kept)
        return self.pruned

    def _kept(self, name: str) -> bool:
        """Return whether the object or pyc *name* (relative to the format directory) stays."""
        directory, _, file = name.rpartition("/")
        tag = directory.split("/")[1] if directory.startswith(f"{BYTECODE.name}/") else None
        return not self._unused((f"{self.base}/{name}", tag, file_key(directory.rpartition("/")[2], file)))

    def _files(self, kind: str) -> Iterator[_File]:
        """Yield path, tag and key of every object or pyc that may go."""
        for directory, tag in shards(self.base, kind):
            shard = os.path.basename(directory)
            for name in names_of(directory):
                item = (f"{directory}/{name}", tag, file_key(shard, name))
                if self._unused(item):
                    yield item

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
        with self.store.removing(within=PATIENCE):
            self.uses.look()  # what has come meanwhile
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
                self.uses.rate([unit])
                return
            path += ASIDE
        self._tree(prebuilt_directory(self.layout, unit.name), PREBUILT.name)
        for name in unit.lists:
            self.removal.unlink(f"{self.base}/{name}")
        self.removal.unlink(path, unit.kind.value)
        self.uses.forget(unit.name)

    def _unused(self, item: _File) -> bool:
        """Return whether an object or pyc may go; one that nothing refers to may be part of something unfinished."""
        path, tag, key = item
        if key < 0:
            return False
        used = self.uses.of(tag, key)
        if used is not None:
            return used < self.pruned.cutoff
        with contextlib.suppress(OSError):
            return self.pruning.now - os.lstat(path).st_ctime > self.pruning.grace
        return False

    def _file(self, item: _File) -> None:
        path, tag, _ = item
        if self.pruning.dry or self._unused(item):  # it may have come into use meanwhile
            self.removal.unlink(path, OBJECTS.name if tag is None else BYTECODE.name)

    def _tree(self, path: str, kind: str) -> None:
        """Move a directory tree away; it is removed when the lock has been released."""
        if path in self.gone or not os.path.isdir(path):
            return
        self.gone.add(path)
        self.pruned.freed += Disk().tree(path).own
        self.pruned.removed[kind] += 1
        if self.pruning.dry:
            self.removal.spared.update(status.st_ino for _, status in walk(path))
            return
        aside = staging_name(self.layout.staging)
        os.rename(path, aside)
        self.trees.append(aside)

    def _environments(self) -> None:
        """Forget environments that are gone, and remove what is left of any that were replaced."""
        directories = set()
        for vanished in (False, True):
            for root in list(find_roots(self.store, vanished=vanished)):
                directories.add(os.path.dirname(root.prefix))
                if vanished and not root.running and root.since < self.pruning.now - self.pruning.grace:
                    self.pruned.removed[ROOTS.name] += 1
                    if not self.pruning.dry:
                        forget_root(self.store, root.prefix)
        for directory in sorted(directories):
            for path in find_trash(directory):
                self.removal.trash(path, "trash")

    def _spares(self) -> None:
        """Remove spares whose plan or skeleton is gone."""
        here = {
            prebuilt_directory(self.layout, name)
            for name, used in self.uses.times.items()
            if used >= self.pruned.cutoff
        }
        orphans = [f"{self.base}/{PREBUILT.name}/{name}" for name in names_of(f"{self.base}/{PREBUILT.name}")]
        self._each([path for path in orphans if path not in here], lambda path: self._tree(path, PREBUILT.name))

    def _archives(self) -> None:
        """Remove built wheels whose builds are gone."""
        wanted: set[str] = set()
        for name, used in self.uses.times.items():
            if name.startswith(Kind.BUILD.value) and used >= self.pruned.cutoff:
                wanted |= wheels_of(self.uses.read(name))
        for digest in names_of(f"{self.base}/{ARCHIVES.name}"):
            path = f"{self.base}/{ARCHIVES.name}/{digest}"
            with contextlib.suppress(OSError):
                if digest not in wanted and self.pruning.now - os.lstat(path).st_ctime > self.pruning.grace:
                    self._each([path], lambda path: self._tree(path, ARCHIVES.name))

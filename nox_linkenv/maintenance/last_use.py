"""When everything in a store was used last: units by the times of their files, objects and bytecode by their units."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import EMPTY
from nox_linkenv.maintenance.disk_usage import Disk, disk_bytes
from nox_linkenv.maintenance.units import Kind, Unit, Watch, key_of, pycs, references, wheels_of
from nox_linkenv.regular import read_regular
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import ARCHIVES, BUILDS, WHEELS, stem_of
from nox_linkenv.store.spares import prebuilt_directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["Uses", "file_key", "shards"]

_FOREVER: Final = float("inf")
#: What stands for the empty file, whose bytecode belongs to no object.
_EMPTY: Final = key_of(EMPTY)


class Uses:
    """The last use of everything, in seconds since the epoch.

    Args:
        layout: of the store.
        protected: plans and skeletons that are always in use, as :func:`stem_of` names them.
    """

    def __init__(self, layout: Layout, protected: Collection[str]) -> None:
        self.layout = layout
        self.base = layout.base
        self.protected = protected
        self.times: dict[str, float] = {}  # of units by name, what refers to them included
        self._watch = Watch(layout)
        self._objects: dict[int, float] = {}  # by key
        self._bytecode: dict[str, dict[int, float]] = {}  # by tag and key
        self._sizes: Counter[float] = Counter()  # bytes on the disk by the time of last use

    def look(self) -> list[Unit]:
        """Look for units that have come since the last look, and return them."""
        return self.rate(self._watch.new())

    def keep(self, paths: Collection[str]) -> None:
        """Keep the objects that the plans and skeletons at *paths* name, in other stores."""
        for path in paths:
            with contextlib.suppress(OSError):
                self._objects.update(dict.fromkeys(references(read_regular(path), Kind.PLAN), _FOREVER))

    def forget(self, name: str) -> None:
        """Forget the unit *name*, which has been removed: it may come again."""
        self._watch.forget(name)

    def rate(self, units: list[Unit]) -> list[Unit]:
        """Give *units*, and what they refer to, the time of their last use."""
        by_wheel: dict[str, float] = {}
        for unit in sorted(units, key=lambda unit: unit.kind is Kind.WHEEL):  # wheels last: others refer to them
            used = _FOREVER if stem_of(unit.name) in self.protected else unit.time
            if unit.kind is Kind.WHEEL:
                used = max(used, by_wheel.get(WHEELS.key(unit.name), 0.0))
            self.times[unit.name] = used
            content = self.read(unit.name)
            if unit.kind is not Kind.WHEEL:
                for digest in wheels_of(content):
                    by_wheel[digest] = max(by_wheel.get(digest, 0.0), used)
            for key in references(content, unit.kind):
                if used > self._objects.get(key, 0.0):
                    self._objects[key] = used
            for name in unit.lists:
                for tag, key in pycs(self.read(name)):
                    known = self._bytecode.setdefault(tag, {})
                    known[key] = max(known.get(key, 0.0), used)
        return units

    def read(self, name: str) -> bytes:
        """Return the content of the file *name*, empty where there is none.

        Its digest is not looked at: of one that is damaged, whatever it still seems to name is better kept.
        """
        try:
            return read_regular(f"{self.base}/{name}")
        except OSError:
            return b""

    def of(self, tag: str | None, key: int) -> float | None:
        """Return when an object, or bytecode, was used last; ``None`` where nothing refers to it."""
        if tag is None:
            return self._objects.get(key)
        if key == _EMPTY:
            return _FOREVER
        return self._bytecode.get(tag, {}).get(key)

    def cutoff(self, limit: int, whole: int) -> float:
        """Return the moment before which everything has to go, for the rest to take no more than *limit* bytes.

        Args:
            whole: bytes that the store takes on the disk, with its directories, locks and notes, which stay.
        """
        sizes = self._sizes
        sizes.clear()
        unused = 0
        for directory, tag in shards(self.base, "objects", "bytecode"):
            shard = os.path.basename(directory)
            for name, taken in _taken(directory):
                used = self.of(tag, file_key(shard, name))
                if used is None:
                    unused += taken  # it goes in any case
                else:
                    sizes[used] += taken
        for name, used in self.times.items():
            with contextlib.suppress(OSError):
                sizes[used] += disk_bytes(os.lstat(f"{self.base}/{name}"))
            sizes[used] += self._beside(name)
        total = max(0, whole - unused - sizes.total())
        for used in sorted(sizes, reverse=True):
            total += sizes[used]
            if total > limit and used != _FOREVER:
                return used + 1e-6
        return 0.0

    def _beside(self, name: str) -> int:
        """Return the bytes of what goes with the unit *name* and nothing else holds: its spare, its kept wheels."""
        beside = [prebuilt_directory(self.layout, name)]
        if name.startswith(f"{BUILDS.name}/"):
            beside += [f"{self.base}/{ARCHIVES.name}/{digest}" for digest in wheels_of(self.read(name))]
        return sum(Disk().tree(path).own for path in beside if os.path.isdir(path))

    def in_use(self, since: float) -> tuple[int, int]:
        """Return the bytes that environments need, and the others used after *since*, as :meth:`cutoff` found them."""
        recent = sum(size for used, size in self._sizes.items() if since <= used < _FOREVER)
        return self._sizes[_FOREVER], recent


def shards(base: str, *kinds: str) -> Iterator[tuple[str, str | None]]:
    """Yield the directories with objects or pycs in the format directory *base*, and the tag of the latter."""
    for kind in kinds:
        tops: list[tuple[str, str | None]] = [(f"{base}/objects", None)]
        if kind == "bytecode":
            tops = [(f"{base}/bytecode/{tag}", tag) for tag in names_of(f"{base}/bytecode")]
        for top, tag in tops:
            yield from ((f"{top}/{shard}", tag) for shard in names_of(top))


def file_key(shard: str, name: str) -> int:
    """Return the key of an object or pyc; -1 for what is none, which is verify's business."""
    try:
        return key_of(shard + name)
    except ValueError:
        return -1


def _taken(directory: str) -> Iterator[tuple[str, int]]:
    """Yield the names in *directory* and the bytes that each takes on disk; relative look-ups are the fastest."""
    relative = os.scandir in os.supports_fd
    try:
        descriptor = os.open(directory, os.O_RDONLY) if relative else -1
    except OSError:
        return
    try:
        with os.scandir(descriptor if relative else directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.name, disk_bytes(entry.stat(follow_symlinks=False))
    finally:
        if relative:
            os.close(descriptor)

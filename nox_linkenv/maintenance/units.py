"""Units: what is used, and removed, as a whole: plans, skeletons, wheels and builds, with the files they refer to.

The last use of a unit is the modification time of its file: :meth:`Store.use` renews it, before it reads.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
import time as clock
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.directories import is_directory, names_of
from nox_linkenv.store.layout import ANSWERS, BUILDS, DIRECTORIES, PLANS, SKELETONS, WHEELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_linkenv.store.layout import Layout

__all__ = ["Kind", "Unit", "Watch", "key_of", "pycs", "references", "wheels_of"]

#: Objects are told apart by the first 64 bits of their address: two that agree in them only keep each other alive.
_SOURCE: Final = re.compile(rb"objects/([0-9a-f]{2})/([0-9a-f]{14})")
_ADDRESS: Final = re.compile(rb'"([0-9a-f]{16})[0-9a-f]{48}x?"')
_PYC: Final = re.compile(rb"bytecode/([^/\"]+)/([0-9a-f]{2})/([0-9a-f]{14})")
_DIGEST: Final = re.compile(rb'"([0-9a-f]{64})"')
#: How the names of the bytecode lists beside a plan or skeleton end: with the tag of an interpreter.
_LIST: Final = re.compile(r"(?P<stem>[0-9a-f]{40,64})\.(?P<tag>[^/]+)\.json")


#: A change so soon after another may have the same time.  Nanoseconds; some filesystems keep two seconds.
_RACY: Final = 3_000_000_000


class Kind(enum.Enum):
    """What a unit is."""

    PLAN = PLANS.name
    SKELETON = SKELETONS.name
    WHEEL = WHEELS.name
    BUILD = BUILDS.name
    ANSWER = ANSWERS.name


_SHARDED: Final = frozenset(directory.name for directory in DIRECTORIES if directory.sharded)


@dataclass(slots=True)
class Unit:
    """One unit.

    Args:
        kind: what it is.
        name: of its file, relative to the format directory.
        time: of its last use, in seconds since the epoch.
        lists: names of the bytecode lists that belong to it.
    """

    kind: Kind
    name: str
    time: float
    lists: list[str] = field(default_factory=list)


def key_of(addr: str) -> int:
    """Return what stands for the object (or for the bytecode of the object) at *addr* in tables of references."""
    return int(addr[:16], 16)


def references(content: bytes, kind: Kind) -> Iterator[int]:
    """Yield the keys of the objects that the file of a unit names."""
    if kind is Kind.WHEEL:
        yield from (int(found, 16) for found in _ADDRESS.findall(content))
    else:
        yield from (int(shard + rest, 16) for shard, rest in _SOURCE.findall(content))


def pycs(content: bytes) -> Iterator[tuple[str, int]]:
    """Yield tag and key of the bytecode that a bytecode list names."""
    for tag, shard, rest in set(_PYC.findall(content)):
        yield tag.decode(), int(shard + rest, 16)


def wheels_of(content: bytes) -> set[str]:
    """Return the digests of the wheels that the file of a plan or a build names, and maybe others."""
    return {found.decode() for found in _DIGEST.findall(content)}


class Watch:
    """Finds units, and later those which have come since: a directory whose time is the same has the same entries."""

    def __init__(self, layout: Layout) -> None:
        self._base = layout.base
        self._times: dict[str, int] = {}
        self._known: set[str] = set()

    def new(self) -> list[Unit]:
        """Return the units that no earlier call has returned."""
        found: dict[str, Unit] = {}
        lists: list[tuple[str, str]] = []
        for kind in Kind:
            for directory in self._directories(kind):
                self._look(kind, directory, found, lists)
        for stem, name in lists:
            if stem in found:
                found[stem].lists.append(name)
        return list(found.values())

    def forget(self, name: str) -> None:
        """Return the unit *name* again if it comes again."""
        self._known.discard(name)

    def _directories(self, kind: Kind) -> Iterator[str]:
        if kind.value not in _SHARDED:
            yield kind.value
            return
        for name in names_of(f"{self._base}/{kind.value}"):
            yield f"{kind.value}/{name}"

    def _look(self, kind: Kind, directory: str, found: dict[str, Unit], lists: list[tuple[str, str]]) -> None:
        path = f"{self._base}/{directory}"
        if not is_directory(path):
            return
        now = clock.time_ns()
        try:
            time = os.stat(path).st_mtime_ns
            if self._times.get(directory) == time:
                return
            with os.scandir(path) as entries:
                for entry in entries:
                    name = f"{directory}/{entry.name}"
                    if not name.endswith(".json"):
                        continue
                    matched = _LIST.fullmatch(entry.name)
                    if matched is not None:
                        lists.append((f"{directory}/{matched['stem']}.json", name))
                    elif name not in self._known:
                        with contextlib.suppress(FileNotFoundError):
                            found[name] = Unit(kind, name, entry.stat(follow_symlinks=False).st_mtime)
                            self._known.add(name)
        except (FileNotFoundError, NotADirectoryError):
            return
        if time < now - _RACY:
            self._times[directory] = time

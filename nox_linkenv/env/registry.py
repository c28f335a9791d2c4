"""The environments that are known to use a store, and what can be said about each."""

from __future__ import annotations

import contextlib
import enum
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_linkenv.env.audit import audit_links, keeps_modes
from nox_linkenv.env.bytecode import read_bytecode
from nox_linkenv.env.contents import contents
from nox_linkenv.env.receipt import DIRECTORY, Receipt, read_receipt
from nox_linkenv.store.layout import Layout, stem_of
from nox_linkenv.store.objects import discarded_inodes
from nox_linkenv.store.roots import Root, find_roots

if TYPE_CHECKING:
    from collections.abc import Collection

    from nox_linkenv.store import Store

__all__ = [
    "Known",
    "State",
    "StoredInodes",
    "check",
    "discarded_in",
    "find_known",
    "foreign",
    "others_with",
    "protected",
    "spread_edits",
]


class State(enum.Enum):
    """Whether an environment is what it was made as."""

    INTACT = "intact"
    CHANGED = "changed"  # files of packages were replaced or removed: its own business
    DAMAGED = "damaged"  # files were edited through their links, in the store too
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"  # the store has forgotten what it was made of


@dataclass(frozen=True, slots=True)
class Known:
    """An environment.

    Args:
        root: as it is registered.
        receipt: ``None`` where it is not finished.
    """

    root: Root
    receipt: Receipt | None

    @property
    def prefix(self) -> str:
        return self.root.prefix

    @property
    def used(self) -> float:
        """When it was used last, in seconds since the epoch."""
        return max(self.root.since, self.root.until)


def find_known(store: Store) -> list[Known]:
    """Return the registered environments that still exist and use this store, the least recently used first."""
    found = [Known(root, read_receipt(root.prefix)) for root in find_roots(store)]
    return sorted((known for known in found if _uses(known.receipt, store)), key=lambda known: known.used)


def _uses(receipt: Receipt | None, store: Store) -> bool:
    return receipt is None or store.layout.root in (receipt.store, *receipt.places)


def protected(known: list[Known]) -> set[str]:
    """Return the plans and skeletons that the environments *known* were made of, as :func:`stem_of` names them.

    One that is being installed into has no receipt, but the states of what was linked.
    """
    found: set[str] = set()
    for environment in known:
        if environment.receipt is not None:
            found.update(map(stem_of, environment.receipt.plans))
            found.update(map(stem_of, filter(None, [environment.receipt.skeleton])))
        with contextlib.suppress(OSError):
            names = os.listdir(f"{environment.prefix}/{DIRECTORY}")
            found.update(name.removesuffix(".state") for name in names if name.endswith(".state"))
    return found


def foreign(store: Store, known: list[Known]) -> list[str]:
    """Return the paths of plans and skeletons in other stores by which environments have symlinks into this one."""
    found: set[str] = set()
    for receipt in (environment.receipt for environment in known if environment.receipt is not None):
        if receipt.symlinked:
            names = (*receipt.plans, *filter(None, [receipt.skeleton]))
            layouts = [Layout(place) for place in (receipt.store, *receipt.places) if place != store.layout.root]
            found.update(f"{layout.base}/{name}" for layout in layouts for name in names)
    return sorted(found)


def check(store: Store, known: Known) -> tuple[State, Counter[str]]:
    """Look at every linked file of an environment; return also how many were ``edited``, ``replaced``, ``removed``."""
    counts: Counter[str] = Counter()
    receipt = known.receipt
    if receipt is None:
        return State.UNFINISHED, counts
    names = {*receipt.plans, *filter(None, [receipt.skeleton])}
    seen = set()
    bases = [Layout(place).base for place in receipt.places]
    modes_kept = keeps_modes(known.prefix)
    discarded = discarded_in(receipt)
    for content in contents(store, known.prefix, receipt):
        seen.add(content.name)
        links = content.links.selected(content.current)
        found = audit_links(known.prefix, bases, links, modes_kept=modes_kept, discarded=discarded)
        edited = len(found.edited) + len(found.spread)
        counts.update(edited=edited, replaced=len(found.replaced), removed=len(found.removed))
    if counts["edited"]:
        return State.DAMAGED, counts
    if counts["replaced"] or counts["removed"]:
        return State.CHANGED, counts
    return (State.INTACT if seen == names else State.UNKNOWN), counts


def discarded_in(receipt: Receipt) -> set[int]:
    """Return the numbers of the inodes that have been taken out of the stores which an environment is linked from."""
    return {number for place in receipt.places for number in discarded_inodes(Layout(place))}


def spread_edits(store: Store, prefix: str, receipt: Receipt) -> list[str]:
    """Return the paths of the files in the environment at *prefix* that hold an edit which has been found elsewhere."""
    discarded = discarded_in(receipt)
    found: list[str] = []
    bases = [Layout(place).base for place in receipt.places]
    for content in contents(store, prefix, receipt):
        links = content.links.selected(content.current)
        found += (links.paths[at] for at in audit_links(prefix, bases, links, discarded=discarded).spread)
    return found


def others_with(store: Store, prefix: str, inodes: Collection[int]) -> list[Known]:
    """Return the environments, other than the one at *prefix*, in which one of the files with these numbers is."""
    found = []
    for known in find_known(store):
        if known.prefix != prefix and known.receipt is not None:
            paths = (f"{known.prefix}/{path}" for content in contents(store, known.prefix, known.receipt)
                     for path in content.links.paths)  # fmt: skip
            if any(_inode(path) in inodes for path in paths):
                found.append(known)
    return found


def _inode(path: str) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return -1


class StoredInodes:
    """Which files of its stores an environment may hold, by inode; what environments have in common is looked at once.

    Args:
        store: that knows of the environments.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[int, int]] = {}  # (device, inode) by path, (-1, -1) where there is no such file

    def of(self, prefix: str, receipt: Receipt) -> set[int]:
        """Return the inode numbers of those files, bytecode included, for the environment at *prefix*."""
        found: set[int] = set()
        device = os.stat(prefix).st_dev
        bases = [Layout(place).base for place in receipt.places]
        for content in contents(self._store, prefix, receipt):
            bytecode = read_bytecode(self._store, content.name, receipt.facts, content.links)
            sources = content.links.sources if bytecode is None else [*content.links.sources, *bytecode.links.sources]
            for source in sources:
                for base in bases:
                    there, inode = self._identity(f"{base}/{source}")
                    if there == device:
                        found.add(inode)
        return found

    def _identity(self, path: str) -> tuple[int, int]:
        known = self._known.get(path)
        if known is None:
            known = (-1, -1)
            with contextlib.suppress(OSError):
                status = os.stat(path)
                known = (status.st_dev, status.st_ino)
            self._known[path] = known
        return known

"""What of a store was used, with all that it refers to: by environments, since a moment, or everything."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.env.plan import Plan
from nox_linkenv.env.skeleton import Skeleton
from nox_linkenv.errors import ArchiveError
from nox_linkenv.resolve.cache import CachedResolution
from nox_linkenv.store.directories import names_of
from nox_linkenv.store.layout import (
    ANSWERS,
    BUILDS,
    INTERPRETERS,
    PLANS,
    RESOLUTIONS,
    SKELETONS,
    SOURCES,
    WHEELS,
    Directory,
)
from nox_linkenv.transfer.members import ORDER, Carried, directory_of, parser_of
from nox_linkenv.transfer.references import files_of, pages_of, wheels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nox_linkenv.env.receipt import Receipt
    from nox_linkenv.env.registry import Known
    from nox_linkenv.store import Store

__all__ = ["EVERYTHING", "Selection", "Wanted", "last_run", "made_for", "select", "used_since"]

#: Seconds by which the clock of a filesystem may be behind the one that says when a session began.
_BEHIND: Final = 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be selected.

    Args:
        receipts: of environments: what they were made of.
        since: units that were used at that moment or later, in seconds since the epoch.
        loose: notes of which nobody can tell what they belong to, used at that moment or later.
    """

    receipts: tuple[Receipt, ...] = ()
    since: float = float("inf")
    loose: float = float("inf")


EVERYTHING: Final = Wanted(since=float("-inf"), loose=float("-inf"))


def used_since(known: Iterable[Known], moment: float) -> Wanted:
    """Return what was used at *moment* (seconds since the epoch) or later, in the environments *known* or not."""
    return Wanted(_receipts(environment for environment in known if environment.used >= moment), moment, moment)


def last_run(store: Store, known: Sequence[Known]) -> Wanted:
    """Return what the last run of a host used: the process that one of the environments *known* was registered by last.

    Raises:
        ArchiveError: there is none.
    """
    if not known:
        raise ArchiveError(
            "No run is known to have used this store",
            path=store.layout.root,
            remedy="Run nox or tox with it first, or export what was used since a moment, or all.",
        )
    process = max(known, key=lambda environment: environment.root.since).root.pid
    ours = [environment for environment in known if environment.root.pid == process]
    moment = min(environment.root.since for environment in ours) - _BEHIND
    return Wanted(_receipts(ours), moment, moment)


def made_for(known: Sequence[Known]) -> Wanted:
    """Return what the environments *known* were made of, and the answers to what was asked for in them."""
    began = min((environment.root.since for environment in known), default=float("inf"))
    return Wanted(_receipts(known), loose=began - _BEHIND)


def _receipts(known: Iterable[Known]) -> tuple[Receipt, ...]:
    return tuple(environment.receipt for environment in known if environment.receipt is not None)


@dataclass(slots=True)
class Selection:
    """What was selected.

    Attributes:
        files: of each wheel, and then of all the rest together: names relative to the format directory.
        notes: their names, in the order of :data:`~nox_linkenv.transfer.members.ORDER`.
        missing: names of notes that are left out, because a file or note which they name is not there.
    """

    files: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def select(store: Store, wanted: Wanted) -> Selection:
    """Return what is *wanted* of *store*, in an order that depends on nothing but what it is."""
    return _Selecting(store, wanted).run()


class _Read(NamedTuple):
    """A note that could be read; some say nothing of what they refer to."""

    entry: Carried | None


class _Selecting:
    def __init__(self, store: Store, wanted: Wanted) -> None:
        self.store = store
        self.wanted = wanted
        self.selection = Selection()
        self.files: dict[str, list[str]] = {}  # of each note that is taken
        self.lost: set[str] = set()
        self.there: dict[str, bool] = {}  # whether a file is

    def run(self) -> Selection:
        for receipt in self.wanted.receipts:
            for name in (receipt.skeleton, *receipt.plans):
                if name is not None:
                    self._take(name)
        ours = {WHEELS.key(name) for name in self.files if name.startswith(f"{WHEELS.name}/")}
        for directory in (SKELETONS, PLANS, WHEELS):
            for name in self._names(directory):
                if self._used(name) >= self.wanted.since:
                    self._take(name)
        self._projects(ours)
        self._answers()
        self._arrange()
        return self.selection

    def _projects(self, ours: set[str]) -> None:
        """Take builds and answers: those used, those of the wheels *ours*, and what leads to them."""
        for directory in (BUILDS, ANSWERS):
            for name, entry in self._entries(directory):
                since = self.wanted.loose if entry is None else self.wanted.since
                if self._used(name) >= since or (entry is not None and not ours.isdisjoint(wheels_of(entry))):
                    self._take_read(name, entry)
        for name, entry in self._entries(SOURCES):
            if self._used(name) >= self.wanted.loose if entry is None else self._has_all(wheels_of(entry)):
                self._take_read(name, entry)

    def _answers(self) -> None:
        """Take the answers whose plans are taken, and what belongs to no plan and was used."""
        for name, entry in self._entries(RESOLUTIONS):
            plan = entry.plan if isinstance(entry, CachedResolution) else None
            if self._used(name) >= self.wanted.loose if plan is None else plan in self.files:
                self._take_read(name, entry)
        for name in self._names(INTERPRETERS):
            # What was found on a search cannot be read as facts: it is of use to one machine only.
            if self._used(name) >= self.wanted.loose and self.store.load(name, lambda data: "facts" in data):
                self._take(name)

    def _entries(self, directory: Directory) -> Iterator[tuple[str, Carried | None]]:
        """Yield the notes in *directory*; one that cannot be read is left out, and said to be."""
        for name in self._names(directory):
            if (read := self._read(name)) is None:
                self.lost.add(name)
            else:
                yield name, read.entry

    def _take(self, name: str) -> bool:
        """Take the note *name* with all that it refers to, if it and all of that is there; return whether it is taken.

        What one could not read is left out, even if it can be read a moment later: nothing that it refers to has come.
        """
        if name in self.files or name in self.lost:
            return name in self.files
        if (read := self._read(name)) is None:
            self.lost.add(name)
            return False
        return self._take_read(name, read.entry)

    def _take_read(self, name: str, entry: Carried | None) -> bool:
        """Do the same with a note that has been read as *entry*."""
        if name in self.files or name in self.lost:
            return name in self.files
        files = list(files_of(entry))
        needed = [WHEELS.file(digest) for digest in wheels_of(entry)]
        if not all(map(self._is_there, files)) or not all(map(self._take, needed)):
            self.lost.add(name)
            return False
        self.files[name] = files
        if isinstance(entry, Plan | Skeleton):
            for beside in self._beside(name):
                self._take(beside)
        for page in pages_of(entry):
            self._take(page)  # one that is gone is no loss: pip is asked
        return True

    def _arrange(self) -> None:
        """Bring everything into its order; each file is listed once, with the first wheel that has it."""
        rank = {directory: at for at, directory in enumerate(ORDER)}
        notes = sorted(self.files, key=lambda name: (rank[directory_of(name)], name))
        seen: set[str] = set()
        rest: list[str] = []
        for name in notes:
            new = [file for file in dict.fromkeys(self.files[name]) if file not in seen]
            seen.update(new)
            if name.startswith(f"{WHEELS.name}/"):
                self.selection.files.append(new)
            else:
                rest += new
        self.selection.files = [group for group in (*self.selection.files, rest) if group]
        self.selection.notes = notes
        self.selection.missing = sorted(self.lost)

    def _read(self, name: str) -> _Read | None:
        """Return the note *name*, or ``None`` where it is not there or cannot be read."""
        parse = parser_of(name)
        return self.store.load(name, lambda data: _Read(parse(data)))

    def _names(self, directory: Directory) -> Iterator[str]:
        """Yield the names of the notes in *directory*, and of no lists beside them."""
        top = self.store.layout.directory(directory.name)
        places = [f"{directory.name}/{shard}" for shard in names_of(top)] if directory.sharded else [directory.name]
        for place in places:
            for name in names_of(f"{self.store.layout.base}/{place}"):
                if name.endswith(".json") and name.count(".") == 1:
                    yield f"{place}/{name}"

    def _beside(self, name: str) -> Iterator[str]:
        """Yield the names of the lists of bytecode beside the plan or skeleton *name*."""
        directory, _, file = name.rpartition("/")
        stem = file.removesuffix("json")
        for layout in self.store.layers:
            for found in names_of(f"{layout.base}/{directory}"):
                if found.startswith(stem) and found != file and found.endswith(".json"):
                    yield f"{directory}/{found}"

    def _used(self, name: str) -> float:
        try:
            return os.lstat(f"{self.store.layout.base}/{name}").st_mtime
        except OSError:
            return float("-inf")

    def _has_all(self, wheels: Iterable[str]) -> bool:
        return all(WHEELS.file(digest) in self.files for digest in wheels)

    def _is_there(self, name: str) -> bool:
        if name not in self.there:
            self.there[name] = self.store.find(name) is not None
        return self.there[name]

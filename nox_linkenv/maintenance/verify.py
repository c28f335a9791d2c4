"""Verifying: comparing what is stored with what it has to be."""

from __future__ import annotations

import contextlib
import enum
import os
import re
import stat
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import mtime_of
from nox_linkenv.env.assembly.donor import is_recorded
from nox_linkenv.maintenance.leftovers import find_leftovers
from nox_linkenv.maintenance.units import Kind, Watch
from nox_linkenv.regular import open_regular
from nox_linkenv.store.layout import (
    ASIDE,
    BYTECODE,
    DIRECTORIES,
    DISCARDED,
    LAYER,
    OBJECTS,
    PREBUILT,
    PROBE,
    PYC_DIGITS,
    WHEELS,
    Retention,
    object_name,
)
from nox_linkenv.store.notes import NoteError, read_note
from nox_linkenv.store.objects import EXECUTABLE_MODE, FILE_MODE, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.store.store import Store

__all__ = ["OBJECT_FILE", "PYC_FILE", "Finding", "Problem", "Verified", "verify"]

_SHARD: Final = re.compile(r"[0-9a-f]{2}")
#: Names of objects, and of bytecode, in their shards.
OBJECT_FILE: Final = re.compile(r"[0-9a-f]{62}x?")
PYC_FILE: Final = re.compile(rf"[0-9a-f]{{62}}-[0-9a-f]{{{PYC_DIGITS}}}\.pyc")
#: How the directories of notes are pruned.
_NOTES: Final = (Retention.UNIT, Retention.NOTE, Retention.ROOT)
#: What belongs into the format directory.
_KNOWN: Final = frozenset({PROBE, DISCARDED, *(directory.name.partition("/")[0] for directory in DIRECTORIES)})


class Problem(enum.Enum):
    """What can be wrong with a file of the store."""

    DAMAGED = "damaged"  # it is there, and not what it has to be
    MISSING = "missing"  # a manifest, plan or skeleton names it
    FOREIGN = "foreign"  # nobody has put it there
    LEFTOVER = "leftover"  # a killed process has left it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Args:
        problem: what.
        name: of the file, relative to the format directory.
        reason: in words.
        wheels: digests of the wheels that it belongs to, as far as known.
    """

    problem: Problem
    name: str
    reason: str
    wheels: tuple[str, ...] = ()


@dataclass(slots=True)
class Verified:
    """What was looked at.

    Args:
        objects, manifests, bytecode, notes: how many; a manifest is a note, too.
        findings: what is wrong.
    """

    objects: int = 0
    manifests: int = 0
    bytecode: int = 0
    notes: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(store: Store, *, full: bool, now: float, progress: Callable[[str], None] = lambda _: None) -> Verified:
    """Compare every stored file with what it has to be.

    Args:
        full: hash every object; otherwise sizes, modification times and modes are compared.
        now: seconds since the epoch.
    """
    return _Verification(store, full=full, now=now, progress=progress).run()


class _Verification:
    def __init__(self, store: Store, *, full: bool, now: float, progress: Callable[[str], None]) -> None:
        self.store = store
        self.base = store.layout.base
        self.full = full
        self.now = now
        self.progress = progress
        self.verified = Verified()
        self.damaged: dict[str, str] = {}  # name -> reason
        self.dropped: set[str] = set()  # names of damaged notes

    def run(self) -> Verified:
        self.progress("reading objects")
        self._objects()
        self.progress("reading bytecode")
        self._bytecode()
        self.progress("reading notes")
        self._notes()
        self._units()
        self._strangers()
        return self.verified

    def _objects(self) -> None:
        for name, entry in self._entries(OBJECTS.name, OBJECT_FILE):
            self.verified.objects += 1
            addr = name[8:10] + name[11:]
            reason = _look(entry.stat(follow_symlinks=False), addr) or self._content_reason(name)
            if reason is not None:
                self.damaged[name] = reason

    def _bytecode(self) -> None:
        for tag in _names(f"{self.base}/{BYTECODE.name}"):
            for name, entry in self._entries(f"{BYTECODE.name}/{tag}", PYC_FILE):
                self.verified.bytecode += 1
                addr = name.split("/")[2] + entry.name.partition("-")[0]
                reason = _look(entry.stat(follow_symlinks=False), addr) or self._content_reason(name)
                if reason is None and self.full:
                    reason = _pyc_reason(entry.path, addr)
                if reason is not None:
                    self._found(Problem.DAMAGED, name, reason)

    def _content_reason(self, name: str) -> str | None:
        if not self.full or is_whole(self.store.layout, name):
            return None
        return "its content is not what its name says"

    def _notes(self) -> None:
        """Compare every note with the digest that it carries."""
        for kind in DIRECTORIES:
            if kind.retention in _NOTES:
                shards = [f"{kind.name}/{shard}" for shard in _names(f"{self.base}/{kind.name}")]
                for directory in shards if kind.sharded else [kind.name]:
                    for name in _names(f"{self.base}/{directory}"):
                        if name.endswith(".json"):
                            self._note(f"{directory}/{name}")
        for plan in _names(f"{self.base}/{PREBUILT.name}"):
            for tree in _names(f"{self.base}/{PREBUILT.name}/{plan}"):
                name = f"{PREBUILT.name}/{plan}/{tree}"
                if not is_recorded(f"{self.base}/{name}", plan):
                    self._found(Problem.DAMAGED, name, "its recorded state is not what its digest says")

    def _note(self, name: str) -> None:
        self.verified.notes += 1
        reason = _note_reason(f"{self.base}/{name}", name)
        if reason is not None:
            self.dropped.add(name)
            wheels = (WHEELS.key(name),) if name.startswith(f"{WHEELS.name}/") else ()
            self._found(Problem.DAMAGED, name, reason, wheels)

    def _units(self) -> None:
        """Look for what manifests name, and tell which wheels damaged objects belong to."""
        owners: dict[str, list[str]] = {}
        missing: dict[str, list[str]] = {}
        reasons: dict[str, str] = {}
        for unit in Watch(self.store.layout).new():
            if unit.kind is not Kind.WHEEL:
                continue
            self.verified.manifests += 1
            if unit.name in self.dropped:
                continue
            digest = WHEELS.key(unit.name)
            manifest = self.store.manifest(digest, used=False)
            if manifest is None:
                self._found(Problem.DAMAGED, unit.name, "it is not a manifest", (digest,))
                continue
            for file in manifest.files:
                name = object_name(file.address)
                if name in self.damaged:
                    owners.setdefault(name, []).append(digest)
                    continue
                try:
                    size = os.stat(f"{self.base}/{name}").st_size
                except OSError:
                    missing.setdefault(name, []).append(digest)
                    continue
                if size != file.size:
                    reasons[name] = f"it has {size} bytes instead of {file.size}"
                    owners.setdefault(name, []).append(digest)
        for name, reason in {**reasons, **self.damaged}.items():
            self._found(Problem.DAMAGED, name, reason, tuple(dict.fromkeys(owners.get(name, ()))))
        for name, wheels in missing.items():
            self._found(Problem.MISSING, name, "a manifest names it", tuple(dict.fromkeys(wheels)))

    def _strangers(self) -> None:
        for name in _names(self.base):
            if name not in _KNOWN and not name.startswith(LAYER):
                self._found(Problem.FOREIGN, name, "nothing of this store has that name")
        for path in find_leftovers(self.store.layout, now=self.now, grace=3600.0):
            self._found(Problem.LEFTOVER, os.path.relpath(path, self.base), "its process has ended")
        for kind in Kind:
            for top, _, names in os.walk(self.store.layout.directory(kind.value)):
                for name in names:
                    if name.endswith(ASIDE):
                        path = os.path.relpath(os.path.join(top, name), self.base)
                        self._found(Problem.LEFTOVER, path, "a prune was killed")

    def _entries(self, directory: str, names: re.Pattern[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
        for shard in _names(f"{self.base}/{directory}"):
            if _SHARD.fullmatch(shard) is None or not os.path.isdir(f"{self.base}/{directory}/{shard}"):
                self._found(Problem.FOREIGN, f"{directory}/{shard}", "it is not a directory of two digits")
                continue
            with os.scandir(f"{self.base}/{directory}/{shard}") as entries:
                for entry in entries:
                    name = f"{directory}/{shard}/{entry.name}"
                    if names.fullmatch(entry.name) is None:
                        self._found(Problem.FOREIGN, name, "it is not named by a digest")
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        yield name, entry

    def _found(self, problem: Problem, name: str, reason: str, wheels: tuple[str, ...] = ()) -> None:
        self.verified.findings.append(Finding(problem, name, reason, wheels))


def _look(status: os.stat_result, addr: str) -> str | None:
    """Return what of an object's status is not as it has to be, or ``None``."""
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file"
    if status.st_mtime_ns != mtime_of(addr) * 1_000_000_000:
        return "it was written to, or its modification time was changed"
    if stat.S_IMODE(status.st_mode) != (EXECUTABLE_MODE if addr.endswith("x") else FILE_MODE):
        return f"its mode is {stat.S_IMODE(status.st_mode):o}"
    return None


def _pyc_reason(path: str, addr: str) -> str | None:
    """Return what is wrong with the head of a pyc (PEP 552: magic, flags, source's time and size), or ``None``."""
    with open(open_regular(path), "rb") as stream:
        head = stream.read(16)
    if len(head) < 16:
        return "it is cut off"
    flags, mtime = struct.unpack_from("<LL", head, 4)
    if flags != 0 or mtime != mtime_of(addr) & 0xFFFFFFFF:
        return "it was not made of the object it belongs to"
    return None


def _note_reason(path: str, name: str) -> str | None:
    """Return what is wrong with the note *name* in the file at *path*, or ``None``."""
    try:
        read_note(path, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error.strerror)
    except NoteError as error:
        return str(error)
    return None


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []

"""Where things lie in the store.

A store is a directory with a small description file, ``linkenv-store.json``, and one directory per format, ``v2``.
All paths handed out are strings: the linking loop works on tens of thousands of them.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = [
    "ANSWERS",
    "ARCHIVES",
    "ASIDE",
    "BUILDS",
    "BYTECODE",
    "COMPANIONS",
    "DESCRIPTION",
    "DIRECTORIES",
    "DISCARDED",
    "FORMAT",
    "INTERPRETERS",
    "JOURNAL",
    "LAYER",
    "LOCKS",
    "MAINS",
    "OBJECTS",
    "PAGES",
    "PLANS",
    "PREBUILT",
    "PROBE",
    "PROJECTS",
    "PYC_DIGITS",
    "REHASH",
    "REQUESTS",
    "RESOLUTIONS",
    "ROOTS",
    "SKELETONS",
    "SOURCES",
    "STAGING",
    "TESTS",
    "WHEELS",
    "Directory",
    "Layout",
    "Retention",
    "bytecode_name",
    "digest_in",
    "object_name",
    "stem_of",
    "unit_name",
]

#: The store format that this version reads and writes.
FORMAT: Final = 2
#: Names the newest format in the store; read before anything else.
DESCRIPTION: Final = "linkenv-store.json"
#: Digits of its own SHA-256 in the name of a pyc; names are to be short.
PYC_DIGITS: Final = 32
#: Ends the name of a file that a prune has moved aside for a moment, to see whether anyone has just used it.
ASIDE: Final = ".aside"
#: Begins the name of the marker of an overlay's upper layer; another layer's goes when it is old.
LAYER: Final = "layer-"
#: A small file that links are tried with; it stays.
PROBE: Final = "probe"
#: Inode number and name of each file that was taken out of the store; it goes when nothing is as old as it is.
DISCARDED: Final = "discarded"


class Retention(enum.Enum):
    """What has an entry of the store go."""

    UNIT = enum.auto()  # that it was not used for long
    PART = enum.auto()  # that no unit refers to it any more
    NOTE = enum.auto()  # that the unit which it names was not used for long; without one, that it is old itself
    ROOT = enum.auto()  # that what it names is not there any more
    LEFTOVER = enum.auto()  # that the process which made it is gone
    NONE = enum.auto()  # nothing


class Directory(NamedTuple):
    """A directory of the format.

    Attributes:
        name: relative to the format directory.
        retention: of what lies in it.
        sharded: whether its entries lie in directories named by the first two digits of theirs.
    """

    name: str
    retention: Retention
    sharded: bool = False

    def file(self, key: str) -> str:
        """Return the name, relative to the format directory, of the JSON file with *key*, which is hexadecimal."""
        return f"{self.name}/{key[:2]}/{key[2:]}.json" if self.sharded else f"{self.name}/{key}.json"

    def key(self, name: str) -> str:
        """Return the key of the JSON file whose name is *name*."""
        return name[len(self.name) + 1 :].removesuffix(".json").replace("/", "")


OBJECTS: Final = Directory("objects", Retention.PART, sharded=True)
BYTECODE: Final = Directory("bytecode", Retention.PART)  # below it one sharded directory for each interpreter's tag
WHEELS: Final = Directory("wheels", Retention.UNIT, sharded=True)
PLANS: Final = Directory("plans", Retention.UNIT, sharded=True)
SKELETONS: Final = Directory("skeletons", Retention.UNIT)
BUILDS: Final = Directory("projects/builds", Retention.UNIT)
ANSWERS: Final = Directory("projects/answers", Retention.UNIT)
ARCHIVES: Final = Directory("projects/wheels", Retention.PART)
PREBUILT: Final = Directory("spares", Retention.PART)
RESOLUTIONS: Final = Directory("resolutions", Retention.NOTE, sharded=True)
REQUESTS: Final = Directory("requests", Retention.NOTE, sharded=True)
PAGES: Final = Directory("pages", Retention.NOTE, sharded=True)
INTERPRETERS: Final = Directory("interpreters", Retention.NOTE)
PROJECTS: Final = Directory("projects", Retention.NOTE)
SOURCES: Final = Directory("projects/sources", Retention.NOTE)
ROOTS: Final = Directory("roots", Retention.ROOT)
MAINS: Final = Directory("mains", Retention.ROOT)
COMPANIONS: Final = Directory("companions", Retention.ROOT)
STAGING: Final = Directory("staging", Retention.LEFTOVER)
TESTS: Final = Directory("tests", Retention.LEFTOVER)
REHASH: Final = Directory("rehash", Retention.NOTE)
JOURNAL: Final = Directory("journal", Retention.NOTE)
LOCKS: Final = Directory("locks", Retention.NONE)
#: Every directory of the format.
DIRECTORIES: Final = (
    OBJECTS, BYTECODE, WHEELS, PLANS, SKELETONS, BUILDS, ANSWERS, ARCHIVES, PREBUILT, RESOLUTIONS, REQUESTS,
    PAGES, INTERPRETERS, PROJECTS, SOURCES, ROOTS, COMPANIONS, MAINS, STAGING, TESTS, REHASH, JOURNAL, LOCKS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of the directories and files below one store's *root* (absolute)."""

    root: str

    @property
    def description(self) -> str:
        return os.path.join(self.root, DESCRIPTION)

    @property
    def base(self) -> str:
        """The directory of this format: everything below it is ours alone."""
        return os.path.join(self.root, f"v{FORMAT}")

    @property
    def probe(self) -> str:
        """A file to try links with."""
        return f"{self.base}/{PROBE}"

    def directory(self, name: str) -> str:
        return os.path.join(self.base, name)

    @property
    def staging(self) -> str:
        """Unfinished work: never read by anyone but the process that made it."""
        return self.directory(STAGING.name)

    @property
    def throwaway(self) -> str:
        """Environments of ``linkenv run``: each is named by its process."""
        return os.path.join(self.root, "throwaway")

    def object(self, addr: str) -> str:
        return f"{self.base}/{object_name(addr)}"

    def manifest(self, wheel_digest: str) -> str:
        return f"{self.base}/{WHEELS.file(wheel_digest)}"

    def lock(self, name: str) -> str:
        return os.path.join(self.base, LOCKS.name, name + ".lock")


def unit_name(directory: Directory, name: object) -> str:
    """Return *name*, which is that of a JSON file in *directory*, relative to the format directory.

    Raises:
        TypeError, ValueError: it is not; it may lead out of the store.
    """
    if not isinstance(name, str):
        raise TypeError("not a name")
    key = directory.key(name)
    if name != directory.file(key) or not (key.isascii() and key.isalnum()):
        raise ValueError("not the name of a file of the store")
    return name


def object_name(addr: str) -> str:
    """Return the path of an object relative to the format directory; two hexadecimal digits make the shard."""
    return f"{OBJECTS.name}/{addr[:2]}/{addr[2:]}"


def bytecode_name(tag: str, addr: str, digest: str) -> str:
    """Return the path, relative to the format directory, of bytecode.

    Args:
        tag: of the interpreter that made it.
        addr: of the object that it was made of.
        digest: hexadecimal SHA-256 of the pyc itself; two processes may make different ones of one object.
    """
    return f"{BYTECODE.name}/{tag}/{addr[:2]}/{addr[2:64]}-{digest[:PYC_DIGITS]}.pyc"


def digest_in(name: str) -> str:
    """Return how the SHA-256 of an object or pyc begins, by its *name* relative to the format directory."""
    if name.startswith(f"{BYTECODE.name}/"):
        return name[-PYC_DIGITS - 4 : -4]
    return name.removeprefix(f"{OBJECTS.name}/").replace("/", "")[:64]


def stem_of(name: str) -> str:
    """Return what the files in an environment, and spares, are named by that belong to the plan or skeleton *name*."""
    return os.path.basename(name).removesuffix(".json")[:40]

"""Where things lie in the store.

A store is a directory with a small description file, ``linkenv-store.json``, and one directory per format, ``v1``.
All paths handed out are strings: the linking loop works on tens of thousands of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

__all__ = ["ASIDE", "DESCRIPTION", "FORMAT", "LAYER", "Layout", "bytecode_name", "object_name", "stem_of"]

#: The store format that this version reads and writes.
FORMAT: Final = 1
#: Names the newest format in the store; read before anything else.
DESCRIPTION: Final = "linkenv-store.json"
#: Ends the name of a file that a prune has moved aside for a moment, to see whether anyone has just used it.
ASIDE: Final = ".aside"
#: Begins the name of the marker of an overlay's upper layer.
LAYER: Final = "layer-"


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
        return f"{self.base}/probe"

    def directory(self, name: str) -> str:
        return os.path.join(self.base, name)

    @property
    def staging(self) -> str:
        """Unfinished work: never read by anyone but the process that made it."""
        return self.directory("staging")

    @property
    def throwaway(self) -> str:
        """Environments of ``linkenv run``: each is named by its process."""
        return os.path.join(self.root, "throwaway")

    def object(self, addr: str) -> str:
        return f"{self.base}/{object_name(addr)}"

    def manifest(self, wheel_digest: str) -> str:
        return f"{self.base}/wheels/{wheel_digest[:2]}/{wheel_digest[2:]}.json"

    def lock(self, name: str) -> str:
        return os.path.join(self.base, "locks", name + ".lock")


def object_name(addr: str) -> str:
    """Return the path of an object relative to the format directory; two hexadecimal digits make the shard."""
    return f"objects/{addr[:2]}/{addr[2:]}"


def bytecode_name(tag: str, addr: str) -> str:
    """Return the path, relative to the format directory, of the bytecode that the interpreter *tag* made of *addr*."""
    return f"bytecode/{tag}/{addr[:2]}/{addr[2:64]}.pyc"


def stem_of(name: str) -> str:
    """Return what the files in an environment, and spares, are named by that belong to the plan or skeleton *name*."""
    return os.path.basename(name).removesuffix(".json")[:40]

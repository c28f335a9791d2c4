"""The recorded state of a tree: by it, a later environment knows what of the tree is still as it was."""

from __future__ import annotations

import array
import hashlib
import itertools
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.env.assembly.assembler import write_private
from nox_linkenv.env.receipt import DIRECTORY
from nox_linkenv.regular import read_regular
from nox_linkenv.store.layout import stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PreviousTree", "State", "read_state", "record_state", "state_name"]

#: A change within the clock's tick of the one before has the same time.  Nanoseconds; ticks are 10 ms at most.
_RACY: Final = 20_000_000
#: The same for filesystems which keep whole seconds, or two.
_RACY_SECONDS: Final = 3_000_000_000
#: Bytes of the digest before the numbers.
_DIGEST: Final = 32


class State(NamedTuple):
    """What was true of a tree when it was recorded.

    Args:
        inodes: number of the inode of each link, 0 where it is not one of the store's.
        changes: status-change time of each directory in nanoseconds, 0 where it may still change unseen.
    """

    inodes: Sequence[int]
    changes: Sequence[int]


class PreviousTree(NamedTuple):
    """A tree to take over from: its absolute path and its recorded state."""

    path: str
    state: State


def state_name(name: str) -> str:
    """Return the file name, in our directory of an environment, for the state of a plan or skeleton."""
    return stem_of(name) + ".state"


def record_state(
    path: str, prefix: str, directories: Sequence[str], inodes: Sequence[int], *, known: Sequence[int] = ()
) -> None:
    """Record the state of the tree at *prefix* in the file *path*: a digest, then unsigned 64-bit integers.

    Args:
        known: status-change times that were seen just now, 0 for the others.
    """
    changes = []
    now = time.time_ns()
    for directory, change in zip(directories, known or itertools.repeat(0), strict=False):
        if change == 0:
            change = os.lstat(f"{prefix}/{directory}").st_ctime_ns
            racy = _RACY_SECONDS if change % 1_000_000_000 == 0 else _RACY
            if change >= now - racy:
                change = 0
        changes.append(change)
    numbers = array.array("Q", [*inodes, *changes]).tobytes()
    write_private(path, _digest(path, numbers) + numbers, executable=False)


def read_state(path: str, *, links: int, directories: int) -> State | None:
    """Return the state that :func:`record_state` wrote of so many *links* and *directories*, or ``None``."""
    size = _DIGEST + 8 * (links + directories)
    try:
        content = read_regular(path, limit=size)
    except OSError:
        return None
    if len(content) != size or content[:_DIGEST] != _digest(path, content[_DIGEST:]):
        return None
    numbers = array.array("Q", content[_DIGEST:])
    return State(numbers[:links], numbers[links:])


def is_recorded(tree: str, stem: str) -> bool:
    """Return whether the state of a prebuilt *tree* is as it was recorded; *stem* names its plan or skeleton.

    One that another user keeps to himself, as his umask says, is taken for that: nobody else can take it over.
    """
    path = f"{tree}/{DIRECTORY}/{stem}.state"
    try:
        content = read_regular(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return content[:_DIGEST] == _digest(path, content[_DIGEST:])


def _digest(path: str, numbers: bytes) -> bytes:
    """Return the digest of a state by the name of its file, which is that of the plan or skeleton, and its numbers."""
    return hashlib.sha256(os.path.basename(path).encode() + b"\0" + numbers).digest()

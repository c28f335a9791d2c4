"""The shim between a process and the C library: compiled here, and spoken to where it has been loaded."""

from __future__ import annotations

import contextlib
import ctypes
import enum
import errno
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BEGINS", "ENDS", "Fault", "Kinds", "Shim", "Strike", "compiled"]

#: Looked for, in vain, before and after an operation, and where it is paused, so that whoever traces the system's
#: calls sees which are its own.
BEGINS: Final = "/operation-begins"
ENDS: Final = "/operation-ends"
_SOURCE: Final = Path(__file__).with_name("shim.c")


class Kinds(enum.IntFlag):
    """Kinds of file operations."""

    CHANGES = 1  # something on the disk
    TAKES = 2  # and may need space there
    LOOKS = 4  # opens what is there, or locks it
    READS = 8
    WRITES = 16  # bytes, some of which may come to the disk without the others


class Strike(NamedTuple):
    """What becomes of an operation.

    Attributes:
        error: number of the system; 0 kills the process, -1 does so when half of the bytes are written.
        kinds: operations that are counted.
        lasting: whether all later ones fail, too.
    """

    error: int
    kinds: Kinds
    lasting: bool = False


_ALL: Final = Kinds.CHANGES | Kinds.LOOKS
_KILLED: Final = 0
_TORN: Final = -1


class Fault(enum.Enum):
    """Faults, each with the operations that it is tried at.

    Where a process is killed at what only looks, it leaves what it leaves at the change before.
    """

    KILL = Strike(_KILLED, Kinds.CHANGES)
    TORN = Strike(_TORN, Kinds.WRITES)
    EIO = Strike(errno.EIO, _ALL | Kinds.READS)
    ENOSPC = Strike(errno.ENOSPC, _ALL)
    FULL_FROM_THERE = Strike(errno.ENOSPC, Kinds.TAKES, lasting=True)
    EROFS = Strike(errno.EROFS, _ALL)
    EDQUOT = Strike(errno.EDQUOT, _ALL)
    EMFILE = Strike(errno.EMFILE, _ALL)
    ENAMETOOLONG = Strike(errno.ENAMETOOLONG, _ALL)


def compiled(directory: Path) -> Path:
    """Compile the shim into *directory* and return its path, which is what ``LD_PRELOAD`` takes."""
    library = directory / "shim.so"
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


class Shim:
    """The shim that is loaded in this process.

    Raises:
        AttributeError: none is.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._arm = library.faults_arm
        self._arm.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int)
        self._arm.restype = None
        self._disarm = library.faults_disarm
        self._disarm.restype = ctypes.c_long
        self._pause = library.faults_pause
        self._armed = False

    def arm(self, root: Path, strike: Strike, number: int, log: int = -1) -> None:
        """Have *strike* come at the operation *number* below *root*; write it to the descriptor *log*.

        With the number 0 none comes, and all are written.
        """
        self._armed = True
        self._arm(str(root).encode(), strike.kinds, number, strike.error, strike.lasting, log)

    def disarm(self) -> int:
        """Return how many operations there were."""
        self._armed = False
        return int(self._disarm())

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do what another process would do."""
        if not self._armed:
            yield
            return
        os.access(ENDS, os.F_OK)
        self._pause(1)
        try:
            yield
        finally:
            self._pause(0)
            os.access(BEGINS, os.F_OK)

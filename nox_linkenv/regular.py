"""Opening files of which others may have made something else: a pipe, a device, a link, a file without end.

A store is written by many, comes out of caches, and outlives disks that fail.  What is opened here is a regular file
that stands at that very path, opening it never waits, and no more of it is read than it may have.
"""

from __future__ import annotations

import os
import stat
from typing import Final

__all__ = ["LIMIT", "IrregularError", "open_regular", "read_regular"]

#: Bytes of the largest file that is read as a whole: far more than any note has.
LIMIT: Final = 256 << 20
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class IrregularError(OSError):
    """What stands at a path is no regular file, or is larger than it may be; the message says which."""

    def __init__(self, what: str, path: str) -> None:
        super().__init__(what)
        self.filename = path
        self.strerror = what


def open_regular(path: str) -> int:
    """Return a descriptor for reading the regular file at *path*.

    Raises:
        IrregularError: it is none.
        OSError: it cannot be opened; a symbolic link gives ``ELOOP``.
    """
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IrregularError("it is not a regular file", path)
    return descriptor


def read_regular(path: str, *, limit: int = LIMIT) -> bytes:
    """Return the content of the regular file at *path*.

    Raises:
        IrregularError: it is none, or has more than *limit* bytes.
        OSError: it cannot be read.
    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > limit:  # nothing of it is read: that would take the memory, and many such files would take minutes
            raise IrregularError(f"it has more than {limit} bytes", path)
        content = os.read(descriptor, size + 1)
        while len(content) <= limit and len(content) != size and (block := os.read(descriptor, limit)):
            content += block  # a file that grows, or a system that gives less than there is
        if len(content) > limit:
            raise IrregularError(f"it has more than {limit} bytes", path)
        return content
    finally:
        os.close(descriptor)

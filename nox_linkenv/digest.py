"""Digests and object addresses.

An object is addressed by the SHA-256 of its content *and* its executable bit, because hard links share the
mode.  Its modification time is derived from its digest, so that two different contents practically never share
``(size, mtime)`` and Python cannot take the bytecode of one for that of the other (see PEP 552, timestamp pycs).
"""

from __future__ import annotations

import hashlib
from typing import IO, Final

from nox_linkenv.regular import open_regular

__all__ = ["BLOCK", "EMPTY", "EXECUTABLE_SUFFIX", "address", "digest_of", "file_digest", "is_derived", "mtime_of"]

#: Bytes read at a time when a file is streamed.
BLOCK: Final = 1 << 20
#: Ends the address of an executable object.
EXECUTABLE_SUFFIX: Final = "x"

#: SHA-256 of nothing.
EMPTY: Final = hashlib.sha256().hexdigest()

_EPOCH: Final = 946_684_800  # 2000-01-01T00:00:00Z: after the 1980 of zip archives, before any real build
_SPAN: Final = 500_000_000  # seconds, about 15.8 years: ends in 2015, before 2016 (the other pinned date of wheels)


def address(digest: str, *, executable: bool) -> str:
    """Return the address of an object: 64 hexadecimal digits, then ``x`` when it is executable."""
    return digest + EXECUTABLE_SUFFIX if executable else digest


def mtime_of(addr: str) -> int:
    """Return the modification time, in whole seconds since the epoch, of the object at *addr*.

    Whole seconds, because a pyc holds no more than that and not every filesystem keeps more.
    """
    return _EPOCH + int(addr[:12], 16) % _SPAN


def is_derived(mtime: int) -> bool:
    """Return whether the modification time *mtime*, in nanoseconds since the epoch, can be one of :func:`mtime_of`."""
    seconds, rest = divmod(mtime, 1_000_000_000)
    return rest == 0 and _EPOCH <= seconds < _EPOCH + _SPAN


def digest_of(path: str) -> str | None:
    """Return the hexadecimal SHA-256 of the regular file at *path*, ``None`` where there is none that can be read."""
    try:
        with open(open_regular(path), "rb") as stream:
            return file_digest(stream)
    except OSError:
        return None


def file_digest(stream: IO[bytes]) -> str:
    """Return the hexadecimal SHA-256 of what is left of *stream*, read block by block."""
    digest = hashlib.sha256()
    while block := stream.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()

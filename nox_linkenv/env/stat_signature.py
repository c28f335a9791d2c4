"""What can be seen of a file without opening it: modification time, size and mode."""

from __future__ import annotations

import os
import stat
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from nox_linkenv.digest import EXECUTABLE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nox_linkenv.env.links import Links

__all__ = ["StatSignature", "expected_signatures", "signature_of", "signatures_below", "signatures_of_all"]

#: Modification time in seconds since the epoch, size in bytes, type and permissions.
StatSignature: TypeAlias = tuple[float, int, int]
_REGULAR: Final = stat.S_IFREG | 0o644
_EXECUTABLE: Final = stat.S_IFREG | 0o755

#: Return the signature of a file by its status.
signature_of: Callable[[os.stat_result], StatSignature] = attrgetter("st_mtime", "st_size", "st_mode")


def expected_signatures(links: Links) -> list[StatSignature]:
    """Return how each file of *links* looks as long as nobody has changed it."""
    modes = [_EXECUTABLE if source[-1] == EXECUTABLE_SUFFIX else _REGULAR for source in links.sources]
    return list(zip(links.mtimes, links.sizes, modes, strict=True))


def signatures_of_all(directory: str, paths: Iterable[str]) -> list[StatSignature]:
    """Return how each of *paths*, relative to *directory*, looks.

    Raises:
        OSError: one is missing.
    """
    if os.stat not in os.supports_dir_fd:
        return [signature_of(os.lstat(f"{directory}/{path}")) for path in paths]
    descriptor = os.open(directory, os.O_RDONLY)
    try:  # the system walks the path to the directory once, and not for every file
        return signatures_below(descriptor, paths)
    finally:
        os.close(descriptor)


def signatures_below(descriptor: int, paths: Iterable[str]) -> list[StatSignature]:
    """Return how each of *paths*, relative to the directory that is open as *descriptor*, looks.

    Raises:
        OSError: one is missing.
    """
    stat_of = os.stat
    return [signature_of(stat_of(path, dir_fd=descriptor, follow_symlinks=False)) for path in paths]

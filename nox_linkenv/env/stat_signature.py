"""What can be seen of a file without opening it: modification time, size and mode."""

from __future__ import annotations

import itertools
import os
import stat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nox_linkenv.digest import EXECUTABLE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nox_linkenv.env.links import Links

__all__ = [
    "StatSignature",
    "expected_signatures",
    "owned_signature_of",
    "signature_of",
    "signatures_below",
    "signatures_of_all",
]

#: Modification time in seconds since the epoch, size in bytes, type and permissions.
StatSignature: TypeAlias = tuple[float, int, int]
_REGULAR: Final = stat.S_IFREG | 0o644
_EXECUTABLE: Final = stat.S_IFREG | 0o755

#: Return the signature of a file by its status.
signature_of: Callable[[os.stat_result], StatSignature] = attrgetter("st_mtime", "st_size", "st_mode")

#: The same, and whose it is.
owned_signature_of: Callable[[os.stat_result], tuple[float, int, int, int]] = attrgetter(
    "st_mtime", "st_size", "st_mode", "st_uid"
)


def expected_signatures(links: Links, owner: int | None = None) -> list[Any]:
    """Return how each file of *links* looks as long as nobody has changed it.

    Args:
        owner: number of the user whose they are, where that is a part of how they look.
    """
    modes = [_EXECUTABLE if source[-1] == EXECUTABLE_SUFFIX else _REGULAR for source in links.sources]
    if owner is not None:
        return list(zip(links.mtimes, links.sizes, modes, itertools.repeat(owner), strict=False))
    return list(zip(links.mtimes, links.sizes, modes, strict=True))


def signatures_of_all(
    directory: str, paths: Iterable[str], signature: Callable[[os.stat_result], Any] = signature_of
) -> list[Any]:
    """Return how each of *paths*, relative to *directory*, looks.

    Args:
        signature: what is looked at.

    Raises:
        OSError: one is missing.
    """
    if os.stat not in os.supports_dir_fd:
        return [signature(os.lstat(f"{directory}/{path}")) for path in paths]
    descriptor = os.open(directory, os.O_RDONLY)
    try:  # the system walks the path to the directory once, and not for every file
        return signatures_below(descriptor, paths, signature)
    finally:
        os.close(descriptor)


def signatures_below(
    descriptor: int, paths: Iterable[str], signature: Callable[[os.stat_result], Any] = signature_of
) -> list[Any]:
    """Return how each of *paths*, relative to the directory that is open as *descriptor*, looks.

    Raises:
        OSError: one is missing.
    """
    stat_of = os.stat
    return [signature(stat_of(path, dir_fd=descriptor, follow_symlinks=False)) for path in paths]

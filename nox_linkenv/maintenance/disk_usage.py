"""What files take on the disk: blocks, each counted once, and extents which reflinks share, where the system tells."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.linking.probe import mount_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Disk",
    "Tree",
    "disk_bytes",
    "filesystem_of",
    "freed_by",
    "has_reflinks",
    "inodes_below",
    "metadata_bytes",
    "shared_extents",
    "walk",
]

#: ``struct fiemap`` and ``struct fiemap_extent`` of linux/fiemap.h; FS_IOC_FIEMAP.
_FIEMAP: Final = 0xC020660B
_HEAD: Final = struct.Struct("=QQLLLL")
_EXTENT: Final = struct.Struct("=QQQQQLLLL")
_SYNC: Final = 0x1
_LAST: Final = 0x1
_INLINE: Final = 0x200
_UNPLACED: Final = 0x2 | 0x4 | _INLINE  # unknown, delayed allocation, inline
_SHARED: Final = 0x2000
_AT_ONCE: Final = 128
#: ``struct btrfs_ioctl_space_args`` and ``struct btrfs_ioctl_space_info`` of linux/btrfs.h; BTRFS_IOC_SPACE_INFO.
_SPACE_INFO: Final = 0xC0109414
_SPACES: Final = struct.Struct("=QQ")
_SPACE: Final = struct.Struct("=QQQ")
_METADATA: Final = 1 << 2
_TWICE: Final = 1 << 4 | 1 << 5 | 1 << 6  # RAID1, DUP, RAID10
_CLUSTER: Final = 4096
#: Filesystems with reflinks that answer FIEMAP.
_REFLINKS: Final = frozenset({"btrfs", "xfs", "ocfs2", "bcachefs"})


def disk_bytes(status: os.stat_result) -> int:
    """Return what a file of this *status* takes on the disk, in bytes.

    Windows does not tell: there its size counts, in whole clusters of NTFS's usual size.
    """
    blocks: int | None = getattr(status, "st_blocks", None)
    return -(-status.st_size // _CLUSTER) * _CLUSTER if blocks is None else blocks * 512


def filesystem_of(path: str) -> str:
    """Return the type of the filesystem at *path*, such as ``ext4``; ``unknown`` where the system does not tell."""
    return mount_of(path).kind or "unknown"


def shared_extents(path: str) -> list[tuple[int, int]]:
    """Return (physical position, length) in bytes of the parts of the file at *path* which other files share.

    Empty where nothing is shared and where the filesystem does not tell.
    """
    return _shared(_extents(path))


def _shared(extents: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(start, length) for start, length, flags in extents if flags & _SHARED and not flags & _UNPLACED]


def _extents(path: str) -> list[tuple[int, int, int]]:
    """Return physical position and length in bytes, and flags, of the parts of a file, as far as the system tells."""
    if sys.platform != "linux":
        return []
    import fcntl

    found: list[tuple[int, int, int]] = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return found
    try:
        start = 0
        while True:
            buffer = bytearray(_HEAD.size + _AT_ONCE * _EXTENT.size)
            _HEAD.pack_into(buffer, 0, start, 0xFFFFFFFFFFFFFFFF - start, _SYNC, 0, _AT_ONCE, 0)
            fcntl.ioctl(descriptor, _FIEMAP, buffer)
            count = _HEAD.unpack_from(buffer)[3]
            last = True
            for number in range(count):
                logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(
                    buffer, _HEAD.size + number * _EXTENT.size
                )
                found.append((physical, length, flags))
                start, last = logical + length, bool(flags & _LAST)
            if last or count == 0:
                return found
    except OSError:
        return found
    finally:
        os.close(descriptor)


def metadata_bytes(path: str) -> int | None:
    """Return what the metadata of the whole btrfs filesystem at *path* takes, small files included.

    ``df`` counts it, and it belongs to no file.  ``None`` on other filesystems, and where the system does not tell.
    """
    if sys.platform != "linux" or filesystem_of(path) != "btrfs":
        return None
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    try:
        buffer = bytearray(_SPACES.size)
        fcntl.ioctl(descriptor, _SPACE_INFO, buffer)
        count = _SPACES.unpack(buffer)[1]
        buffer = bytearray(_SPACES.size + count * _SPACE.size)
        _SPACES.pack_into(buffer, 0, count, 0)
        fcntl.ioctl(descriptor, _SPACE_INFO, buffer)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    spaces: Iterator[tuple[int, int, int]] = _SPACE.iter_unpack(bytes(buffer[_SPACES.size :]))
    return sum(used * (2 if flags & _TWICE else 1) for flags, _, used in spaces if flags & _METADATA)


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything at and below *root*, *root* included, with its status; what vanishes meanwhile is left out."""
    with contextlib.suppress(OSError):
        status = os.lstat(root)
        yield root, status
        if not stat.S_ISDIR(status.st_mode):
            return
    pending = [root]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.path, entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)


def inodes_below(root: str) -> set[int]:
    """Return the numbers of the inodes below *root*, without a look at any of them."""
    found = set()
    pending = [root]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    found.add(entry.inode())
    return found


def freed_by(path: str, taken: int, *, reflinks: bool) -> int:
    """Return the bytes that the disk gets back when the last link to the file at *path*, of *taken* bytes, goes."""
    if reflinks and taken:
        return taken - min(taken, sum(length for _, length in shared_extents(path)))
    return taken


def has_reflinks(path: str) -> bool:
    """Return whether the filesystem at *path* may share extents between files, and tells about it."""
    return filesystem_of(path) in _REFLINKS


@dataclass(slots=True)
class Tree:
    """What one directory tree is made of.

    Args:
        files, directories, symlinks: how many.
        apparent: sum of the sizes of files, in bytes.
        disk: bytes on the disk, every inode once.
        own: bytes on the disk that nothing outside of the tree shares.
        inodes: inode number -> (bytes on the disk, links within the tree, links) of files with several links.
        extents: extents shared by reflinks, with anything, as (position, length).
        hidden: bytes of those extents.
    """

    files: int = 0
    directories: int = 0
    symlinks: int = 0
    apparent: int = 0
    disk: int = 0
    own: int = 0
    inodes: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    extents: list[tuple[int, int]] = field(default_factory=list)
    hidden: int = 0


class Disk:
    """Adds trees up: every inode once, every shared extent once."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()
        self._extents: dict[int, list[tuple[int, int]]] = {}
        self._reflinks: dict[int, bool] = {}
        self._plain = 0

    def tree(self, root: str) -> Tree:
        """Measure the tree at *root*, and count what of it has not been counted."""
        tree = Tree()
        several: dict[tuple[int, int], list[int]] = {}
        for path, status in walk(root):
            taken = disk_bytes(status)
            if stat.S_ISDIR(status.st_mode):
                tree.directories += 1
                self._plain += taken
                tree.own += taken
                tree.disk += taken
                continue
            if stat.S_ISLNK(status.st_mode):
                tree.symlinks += 1
            else:
                tree.files += 1
                tree.apparent += status.st_size
            identity = (status.st_dev, status.st_ino)
            if identity in several:
                several[identity][1] += 1
                continue
            hidden = 0
            if taken and stat.S_ISREG(status.st_mode) and self._may_share(path, status.st_dev):
                parts = _extents(path)
                if any(flags & _INLINE for _, _, flags in parts):
                    taken = 0  # it is in the filesystem's metadata
                extents = _shared(parts)
                hidden = min(taken, sum(length for _, length in extents))
                tree.extents.extend(extents)
                tree.hidden += hidden
                self._extents.setdefault(status.st_dev, []).extend(extents)
            tree.disk += taken
            if status.st_nlink > 1:
                several[identity] = [taken, 1, status.st_nlink]
            if status.st_nlink == 1:
                tree.own += taken - hidden
                self._plain += taken - hidden
            elif identity not in self._seen:
                self._seen.add(identity)
                self._plain += taken - hidden
        for (_, inode), (taken, inside, links) in several.items():
            if inside == links:
                tree.own += taken
            tree.inodes[inode] = (taken, inside, links)
        return tree

    def count(self, taken: int) -> None:
        """Count bytes that belong to no tree."""
        self._plain += taken

    @property
    def total(self) -> int:
        """Bytes on the disk of all trees so far."""
        return self._plain + sum(_union(extents) for extents in self._extents.values())

    def _may_share(self, path: str, device: int) -> bool:
        if device not in self._reflinks:
            self._reflinks[device] = has_reflinks(path)
        return self._reflinks[device]


def _union(extents: list[tuple[int, int]]) -> int:
    """Return how many bytes the *extents* cover together."""
    total = end = 0
    for start, length in sorted(extents):
        total += max(0, start + length - max(start, end))
        end = max(end, start + length)
    return total

"""Taking over what a donor holds of an environment: directories are moved as they are, after a look at every file.

A donor is a tree laid out like an environment: the one that stood here before, or a spare made ahead.  What differs
from what a fresh environment would have is removed from it; what is missing is left to be linked.
"""

from __future__ import annotations

import array
import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nox_linkenv.env.build import EMPTY_MTIME
from nox_linkenv.env.links import Links, is_executable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Leftover", "Part", "inodes_name", "read_inodes", "take_over", "write_inodes"]


@dataclass(frozen=True, slots=True)
class Part:
    """Links, and the inode number under which each was linked into the donor."""

    links: Links
    inodes: Sequence[int]


@dataclass(slots=True)
class Leftover:
    """What was not taken over.

    Args:
        directories: still to be made, parents first.
        positions: still to be linked, for each part.
        kept: paths of private files that are as they should be.
    """

    directories: list[str]
    positions: list[list[int]]
    kept: set[str] = field(default_factory=set)


def inodes_name(name: str) -> str:
    """Return the file name, in our directory of an environment, for the inode numbers of a plan or skeleton."""
    return os.path.basename(name).removesuffix(".json")[:40] + ".inodes"


def write_inodes(path: str, inodes: Sequence[int]) -> None:
    """Write inode numbers as unsigned 64-bit integers of this machine."""
    with open(path, "wb") as stream:
        array.array("Q", inodes).tofile(stream)


def read_inodes(path: str, expected: int) -> Sequence[int] | None:
    """Return *expected* inode numbers that :func:`write_inodes` wrote, or ``None``."""
    numbers = array.array("Q")
    try:
        with open(path, "rb") as stream:
            numbers.frombytes(stream.read())
    except (OSError, ValueError):
        return None
    return numbers if len(numbers) == expected else None


def take_over(
    donor: str, prefix: str, parts: Sequence[Part], private: Mapping[str, int], *, roots: Sequence[str]
) -> Leftover:
    """Move directories of packages from *donor* into the environment at *prefix*.

    Args:
        donor, prefix: absolute paths on one filesystem.
        parts: what belongs there.
        private: sizes in bytes, by path, of files which are not links and have the modification time of empty files.
        roots: site-packages directories; what lies directly in them is moved as a whole.
    """
    return _Taking(donor, prefix, parts, private, roots).run()


class _Taking:
    def __init__(
        self, donor: str, prefix: str, parts: Sequence[Part], private: Mapping[str, int], roots: Sequence[str]
    ) -> None:
        self.donor = donor
        self.prefix = prefix
        self.parts = parts
        self.private = private
        self.directories = [path for part in parts for path in part.links.directories]
        self.known = set(self.directories)
        self.units = [path for path in dict.fromkeys(self.directories) if path.rpartition("/")[0] in roots]
        self.index: dict[str, int] = {}
        self.inodes: list[int] = []
        self.sizes: list[int] = []
        self.mtimes: list[int] = []
        self.modes: list[int] = []
        regular, executable = stat.S_IFREG | 0o644, stat.S_IFREG | 0o755
        for part in parts:
            start = len(self.inodes)
            self.index.update(zip(part.links.paths, range(start, start + len(part.links.paths)), strict=True))
            self.inodes.extend(part.inodes)
            self.sizes.extend(part.links.sizes)
            self.mtimes.extend(part.links.mtimes)
            self.modes.extend(executable if is_executable(source) else regular for source in part.links.sources)
        self.done = bytearray(len(self.inodes))
        self.made: set[str] = set()
        self.kept: set[str] = set()
        # What this process's umask makes of a new directory can be seen on the environment's own; asking the umask
        # means setting it, which other threads would notice.
        self.mode = os.stat(prefix).st_mode
        self.file_mode = stat.S_IFREG | (0o666 & self.mode)

    def run(self) -> Leftover:
        for unit in self.units:
            source, target = f"{self.donor}/{unit}", f"{self.prefix}/{unit}"
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                if stat.S_ISDIR(os.lstat(source).st_mode) and not os.path.lexists(target):
                    made: list[str] = []
                    self._check(unit, made)
                    os.rename(source, target)
                    self.made.update(made)
        positions = []
        start = 0
        for part in self.parts:
            end = start + len(part.links.paths)
            positions.append([at - start for at in range(start, end) if not self.done[at]])
            start = end
        directories = [path for path in dict.fromkeys(self.directories) if path not in self.made]
        return Leftover(directories, positions, self.kept)

    def _check(self, directory: str, made: list[str]) -> None:
        """Compare one directory of the donor, and those below it, with what belongs there."""
        made.append(directory)
        below = []
        index, inodes, sizes, mtimes, modes, done = (
            self.index,
            self.inodes,
            self.sizes,
            self.mtimes,
            self.modes,
            self.done,
        )
        descriptor = os.open(f"{self.donor}/{directory}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_mode != self.mode:
                os.fchmod(descriptor, stat.S_IMODE(self.mode))
            start = directory + "/"
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = start + entry.name
                    at = index.get(path)
                    if at is None:
                        if path in self.known and entry.is_dir(follow_symlinks=False):
                            below.append(path)
                        elif not self._keeps(path, entry):
                            self._discard(path, entry)
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if (
                        status.st_ino == inodes[at]
                        and status.st_mtime == mtimes[at]
                        and status.st_size == sizes[at]
                        and status.st_mode == modes[at]
                    ):
                        done[at] = 1
                    else:
                        self._discard(path, entry)
        finally:
            os.close(descriptor)
        for path in below:
            self._check(path, made)

    def _keeps(self, path: str, entry: os.DirEntry[str]) -> bool:
        size = self.private.get(path)
        if size is None:
            return False
        status = entry.stat(follow_symlinks=False)
        good = (
            status.st_mode == self.file_mode
            and status.st_size == size
            and status.st_mtime == EMPTY_MTIME
            and status.st_nlink == 1
        )
        if good:
            self.kept.add(path)
        return good

    def _discard(self, path: str, entry: os.DirEntry[str]) -> None:
        """Take what does not belong out of the way; a directory stays in the donor, which is removed later."""
        if entry.is_dir(follow_symlinks=False):
            attic = f"{self.donor}/.linkenv/foreign"
            os.makedirs(attic, exist_ok=True)
            os.rename(f"{self.donor}/{path}", f"{attic}/{len(os.listdir(attic))}")
        else:
            os.unlink(f"{self.donor}/{path}")

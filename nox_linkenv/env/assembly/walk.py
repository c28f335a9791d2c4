"""Going through what a donor holds of a package whose files may be other than they should be.

Imported only where that is in doubt.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING, Any

from nox_linkenv.store.directories import open_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence


__all__ = ["Walk"]


class Walk:
    """Goes through packages of a donor entry by entry, taking out what does not belong.

    Args:
        donor: descriptor of the directory that is taken over from.
        inodes: number of the inode of each link, as recorded.
        mode: of its directories, as it should be.
        index: path of each link -> its position.
        expected: how each link looks.
        signature: returns how a file looks, by its status.
        known: the directories that belong there.
        private: paths of the files that are not links; they are looked at when their package has been moved.

    Attributes:
        done: positions of the links that are as they should be, in the packages that were put right.
        made: directories of those packages.
    """

    def __init__(
        self,
        donor: int,
        inodes: Sequence[int],
        mode: int,
        index: Mapping[str, int],
        expected: Sequence[Any],
        signature: Callable[[os.stat_result], Any],
        known: Container[str],
        private: Container[str],
    ) -> None:
        self.donor = donor
        self.inodes = inodes
        self.mode = mode
        self.index = index
        self.expected = expected
        self.signature = signature
        self.known = known
        self.private = private
        self.done: set[int] = set()
        self.made: set[str] = set()
        self._attic = ""

    def check(self, package: str, name: str, *, at: int) -> bool:
        """Put *package* right, and all below it.

        Args:
            package: its path in the donor.
            name: that in its parent.
            at: descriptor of the parent.

        Returns:
            False where the system refuses that: then it is not to be taken over.
        """
        done: list[int] = []
        made: list[str] = []
        try:
            self._check(package, name, at, done, made)
        except OSError:
            return False
        self.done.update(done)
        self.made.update(made)
        return True

    def _check(self, directory: str, name: str, parent: int, done: list[int], made: list[str]) -> None:
        """Compare one directory of the donor, and those below it, with what belongs there."""
        below = []
        descriptor = _open(name, parent)
        try:
            status = os.fstat(descriptor)
            if sys.platform != "win32":
                if status.st_uid != os.geteuid():  # root's session has given it away
                    os.fchown(descriptor, os.geteuid(), -1)
                if status.st_mode != self.mode:
                    os.fchmod(descriptor, stat.S_IMODE(self.mode))
            made.append(directory)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = f"{directory}/{entry.name}"
                    at = self.index.get(path)
                    if at is not None:
                        status = entry.stat(follow_symlinks=False)
                        if status.st_ino == self.inodes[at] and self.signature(status) == self.expected[at]:
                            done.append(at)
                        else:
                            self._discard(entry, descriptor)
                    elif path in self.known and entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif path not in self.private or not entry.is_file(follow_symlinks=False):
                        self._discard(entry, descriptor)
            for child in below:
                self._check(f"{directory}/{child}", child, descriptor, done, made)
        finally:
            os.close(descriptor)

    def _discard(self, entry: os.DirEntry[str], parent: int) -> None:
        """Take what does not belong out of the way; a directory stays in the donor, which is removed later."""
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=parent)
            return
        if not self._attic:  # a new name: what stands in the donor under a known one may be a link
            self._attic = f".linkenv-foreign-{secrets.token_hex(8)}"
            os.mkdir(self._attic, stat.S_IRWXU, dir_fd=self.donor)
        os.chmod(entry.name, stat.S_IRWXU, dir_fd=parent)  # to be moved, a directory must be writable
        attic = open_directory(self._attic, at=self.donor)
        try:
            os.rename(entry.name, secrets.token_hex(8), src_dir_fd=parent, dst_dir_fd=attic)
        finally:
            os.close(attic)


def _open(name: str, parent: int) -> int:
    """Return a descriptor of the directory *name* in *parent*."""
    try:
        return open_directory(name, at=parent)
    except PermissionError:  # the last session has made it unreadable; it is ours all the same, and no link
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        return open_directory(name, at=parent)

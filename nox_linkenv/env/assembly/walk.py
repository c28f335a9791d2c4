"""Going through what a donor holds of a package whose files may be other than they should be.

Imported only where that is in doubt.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from nox_linkenv.env.stat_signature import signature_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from nox_linkenv.env.assembly.donor import PreviousTree
    from nox_linkenv.env.stat_signature import StatSignature

__all__ = ["Walk"]


class Walk:
    """Goes through packages of *donor* entry by entry, taking out what does not belong.

    Args:
        donor: what is taken over from.
        mode: of its directories, as it should be.
        index: path of each link -> its position.
        expected: how each link looks.
        known: the directories that belong there.
        private: paths of the files that are not links; they are looked at when their package has been moved.
    """

    def __init__(
        self,
        donor: PreviousTree,
        mode: int,
        index: Mapping[str, int],
        expected: Sequence[StatSignature],
        known: Container[str],
        private: Container[str],
    ) -> None:
        self.donor = donor
        self.mode = mode
        self.index = index
        self.expected = expected
        self.known = known
        self.private = private
        self.done: set[int] = set()
        self.made: set[str] = set()

    def check(self, directory: str) -> None:
        """Compare one directory of the donor, and those below it, with what belongs there."""
        below = []
        inodes = self.donor.state.inodes
        descriptor = self._open(f"{self.donor.path}/{directory}")
        try:
            if os.fstat(descriptor).st_mode != self.mode:
                os.fchmod(descriptor, stat.S_IMODE(self.mode))
            self.made.add(directory)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = f"{directory}/{entry.name}"
                    at = self.index.get(path)
                    if at is not None:
                        status = entry.stat(follow_symlinks=False)
                        if status.st_ino == inodes[at] and signature_of(status) == self.expected[at]:
                            self.done.add(at)
                        else:
                            self._discard(path, entry)
                    elif path in self.known and entry.is_dir(follow_symlinks=False):
                        below.append(path)
                    elif path not in self.private or not entry.is_file(follow_symlinks=False):
                        self._discard(path, entry)
        finally:
            os.close(descriptor)
        for path in below:
            self.check(path)

    @staticmethod
    def _open(directory: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        try:
            return os.open(directory, flags)
        except PermissionError:  # the last session has made it unreadable; it is ours all the same
            os.chmod(directory, stat.S_IRWXU)
            return os.open(directory, flags)

    def _discard(self, path: str, entry: os.DirEntry[str]) -> None:
        """Take what does not belong out of the way; a directory stays in the donor, which is removed later."""
        if entry.is_dir(follow_symlinks=False):
            attic = f"{self.donor.path}/.linkenv/foreign"
            os.makedirs(attic, exist_ok=True)
            os.chmod(f"{self.donor.path}/{path}", stat.S_IRWXU)  # to be moved, a directory must be writable
            os.rename(f"{self.donor.path}/{path}", f"{attic}/{secrets.token_hex(8)}")
        else:
            os.unlink(f"{self.donor.path}/{path}")

"""Taking over what a donor holds of an environment: directories are moved as they are, after a look at every file.

A donor is a tree laid out like an environment: the one that stood here before, or a spare made ahead.  What differs
from what a fresh environment would have is removed from it; what is missing is left to be linked.

A directory whose status-change time is the recorded one has the same entries as when that was recorded, so that only
its files' sizes, dates and modes need a look.  Packages with other directories are gone through entry by entry.

No link is followed: everything is looked at, and moved, by descriptors of directories.  Where a link stands in the
place of a directory, nothing is taken over.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.env.assembly.assembler import EMPTY_MTIME
from nox_linkenv.env.stat_signature import expected_signatures, owned_signature_of, signature_of, signatures_below
from nox_linkenv.store.directories import open_below, open_directory

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from nox_linkenv.env.assembly.donor import PreviousTree, State
    from nox_linkenv.env.assembly.walk import Walk
    from nox_linkenv.env.links import Links

__all__ = ["Leftover", "Private", "take_over"]

#: A name that no file has.
_NOTHING: Final = ".linkenv-nothing"
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Private(NamedTuple):
    """A file that every environment has for itself.

    Args:
        content: all of it.
        timed: whether its modification time is the one of empty files, else it is that of its writing.
    """

    content: bytes
    timed: bool


@dataclass(slots=True, eq=False)
class Leftover:
    """What was not taken over.

    Args:
        directories: still to be made, parents first.
        positions: of the links still to be made.
        kept: paths of private files that are as they should be.
        changes: status-change time of each directory of the links, 0 where it must be asked for.
    """

    directories: list[str]
    positions: list[int]
    kept: set[str] = field(default_factory=set)
    changes: Sequence[int] = ()


def take_over(
    donor: PreviousTree,
    prefix: str,
    links: Links,
    private: Mapping[str, Private],
    *,
    roots: Sequence[str],
    owner: int | None = None,
) -> Leftover:
    """Move directories of packages from *donor* into the environment at *prefix*.

    Args:
        donor: on the same filesystem.
        prefix: absolute path; its site-packages directories exist.
        links: what belongs there.
        private: by path, files which are not links; they are kept where they are the same.
        roots: site-packages directories; what lies directly in them is moved as a whole.
        owner: number of the user whose the links have to be, ``None`` for any.
    """
    with contextlib.ExitStack() as opened:
        try:
            old, new = (_until(opened, open_directory(path)) for path in (donor.path, prefix))
        except OSError:  # such as a link to an environment elsewhere
            return Leftover(links.directories, list(range(len(links.paths))))
        sites = []
        for root in roots:
            with contextlib.suppress(OSError):
                there, here = _until(opened, open_below(root, at=old)), _until(opened, open_below(root, at=new))
                if _can_move(there, here):
                    sites.append(_Site(f"{root}/", there, here))
        return _Taking(donor.state, old, new, sites, links, private, owner).run()


def _until(stack: contextlib.ExitStack, descriptor: int) -> int:
    """Have *descriptor* closed with the *stack*, and return it."""
    stack.callback(os.close, descriptor)
    return descriptor


def _can_move(old: int, new: int) -> bool:
    """Return whether files can be moved from one open directory to another: both may be on one device and two mounts.

    The system compares the mounts before it looks for the file (rename(2), EXDEV).
    """
    try:
        os.rename(_NOTHING, _NOTHING, src_dir_fd=old, dst_dir_fd=new)
    except OSError as error:
        return error.errno != errno.EXDEV
    return True


class _Site(NamedTuple):
    """A site-packages directory which both trees have.

    Attributes:
        root: its path, relative to either tree, with a final ``/``.
        old, new: descriptors of the donor's and of the environment's.
    """

    root: str
    old: int
    new: int


class _Taking:
    """Decides package by package: sure, to be gone through, or not there.

    A package here is a directory directly in site-packages; it is named by its path with a final ``/``.

    Args:
        state: of the donor, as recorded.
        old, new: descriptors of the donor and of the environment.
    """

    def __init__(
        self,
        state: State,
        old: int,
        new: int,
        sites: Sequence[_Site],
        links: Links,
        private: Mapping[str, Private],
        owner: int | None,
    ) -> None:
        self.state = state
        self.old = old
        self.new = new
        self.sites = sites
        self.links = links
        self.private = private
        # What this process's umask makes of a new directory can be seen on the environment's own; asking the umask
        # means setting it, which other threads would notice.
        made = os.fstat(new)
        self.mode, self.user = made.st_mode, made.st_uid
        self.file_mode = stat.S_IFREG | (0o666 & self.mode)
        self.expected = expected_signatures(links, owner)
        self.signature = signature_of if owner is None else owned_signature_of
        self.owners = self._packages([path + "/" for path in links.directories])
        package_of = dict(zip(links.directories, self.owners, strict=True)).get
        self.packages = [package_of(folder, "") for folder in links.folders()]

    @cached_property
    def index(self) -> dict[str, int]:
        """The position of each link by its path; needed only where something has changed."""
        return dict(zip(self.links.paths, itertools.count(), strict=False))

    @cached_property
    def known(self) -> set[str]:
        """The directories."""
        return set(self.links.directories)

    def run(self) -> Leftover:
        wanted = {package for package in set(self.owners) if package and self._is_here(package)}
        doubtful = self._doubtful(wanted)
        walk = self._walk() if doubtful else None
        for package in sorted(wanted):
            site, name = self._place(package)
            if walk is not None and package in doubtful and not walk.check(package[:-1], name, at=site.old):
                wanted.discard(package)
            else:
                os.rename(name, name, src_dir_fd=site.old, dst_dir_fd=site.new)
        sure = wanted - doubtful
        done: Container[int] = () if walk is None else walk.done
        made: Container[str] = () if walk is None else walk.made
        positions = [at for at, package in enumerate(self.packages) if package not in sure and at not in done]
        private = zip(self.private, self._packages(list(self.private)), strict=True)
        kept = {path for path, package in private if package in wanted and self._keep(path)}
        owned = list(zip(self.links.directories, self.owners, strict=True))
        return Leftover(
            [path for path, package in owned if package not in sure and path not in made],
            positions,
            kept,
            [  # moving a package renews the time of its own directory, not of those below
                change if package in sure and len(path) >= len(package) else 0
                for (path, package), change in zip(owned, self.state.changes, strict=True)
            ],
        )

    def _walk(self) -> Walk:
        from nox_linkenv.env.assembly.walk import Walk

        looks = (self.index, self.expected, self.signature)
        return Walk(self.old, self.state.inodes, self.mode, *looks, self.known, self.private)

    def _keep(self, path: str) -> bool:
        """Return whether the environment has the private file *path* as it should be; another one is removed."""
        private = self.private[path]
        status = _status(path, self.new)
        if status is None:
            return False
        if (
            status.st_mode == self.file_mode
            and status.st_uid == self.user
            and status.st_nlink == 1
            and status.st_size == len(private.content)
            and not (private.timed and status.st_mtime != EMPTY_MTIME)
            and (not private.content or self._read(path) == private.content)
        ):
            if not private.timed:  # as if it had just been written: the last session may have dated it
                os.utime(path, dir_fd=self.new, follow_symlinks=False)
            return True
        os.unlink(path, dir_fd=self.new)
        return False

    def _read(self, path: str) -> bytes:
        descriptor = os.open(path, _READ, dir_fd=self.new)
        with open(descriptor, "rb") as stream:
            return stream.read()

    def _packages(self, paths: Sequence[str]) -> list[str]:
        """Return the package that each of *paths* lies in, or an empty string."""
        found = [""] * len(paths)
        for site in self.sites:
            start, length = site.root, len(site.root)
            found = [
                path[: path.find("/", length) + 1] if path.startswith(start) else package
                for path, package in zip(paths, found, strict=True)
            ]
        return found

    def _place(self, package: str) -> tuple[_Site, str]:
        """Return the site-packages directory in which *package* is, and its name there."""
        site = next(site for site in self.sites if package.startswith(site.root))
        return site, package[len(site.root) : -1]

    def _same(self, directory: str, status: os.stat_result, change: int) -> bool:
        """Return whether *directory* has the mode and the entries that it should have."""
        if status.st_mode != self.mode or status.st_uid != self.user:
            return False
        return status.st_ctime_ns == change or (change == 0 and self._unchanged(directory))

    def _unchanged(self, directory: str) -> bool:
        """Return whether a directory whose status-change time says nothing has the entries that it should have.

        Missing ones are found when they are looked at.  Directories that were just moved are of this kind.
        """
        inodes = self.state.inodes
        try:
            descriptor = open_directory(directory, at=self.old)
        except OSError:  # it cannot be read
            return False
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = f"{directory}/{entry.name}"
                    at = self.index.get(path)
                    if at is not None:
                        if entry.inode() != inodes[at]:
                            return False
                    elif path in self.known:
                        if not entry.is_dir(follow_symlinks=False):
                            return False
                    elif path not in self.private or not entry.is_file(follow_symlinks=False):
                        return False
        finally:
            os.close(descriptor)
        return True

    def _is_here(self, package: str) -> bool:
        """Return whether the donor has the directory of *package* and the environment has not."""
        site, name = self._place(package)
        status = _status(name, site.old)
        return status is not None and stat.S_ISDIR(status.st_mode) and _status(name, site.new) is None

    def _doubtful(self, wanted: set[str]) -> set[str]:
        """Return those of the packages *wanted* in which anything may be other than it should be."""
        doubtful = set()
        for path, package, change in zip(self.links.directories, self.owners, self.state.changes, strict=True):
            if package in wanted and package not in doubtful:
                status = _status(path, self.old)
                if status is None or not self._same(path, status, change):
                    doubtful.add(package)
        if 0 in self.state.inodes:  # objects that have been taken out of the store, or were never linked
            doubtful.update(
                package for package, inode in zip(self.packages, self.state.inodes, strict=True) if inode == 0
            )
            doubtful &= wanted
        sure = wanted - doubtful
        chosen = [package in sure for package in self.packages]
        expected = list(itertools.compress(self.expected, chosen))
        with contextlib.suppress(OSError):
            if signatures_below(self.old, itertools.compress(self.links.paths, chosen), self.signature) == expected:
                return doubtful
        for at, signature in zip(itertools.compress(itertools.count(), chosen), expected, strict=True):
            status = _status(self.links.paths[at], self.old)
            if status is None or self.signature(status) != signature:
                doubtful.add(self.packages[at])
        return doubtful


def _status(path: str, at: int) -> os.stat_result | None:
    try:
        return os.stat(path, dir_fd=at, follow_symlinks=False)
    except OSError:
        return None

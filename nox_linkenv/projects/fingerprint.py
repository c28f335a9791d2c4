"""The fingerprint of a project: a digest of every file that its build can see.

The tree is walked with ``lstat`` alone as long as nothing changes: an index in the store remembers the digest of each
file by its size, times and inode.  As git does with its index ("racy git"), a file that was changed so shortly before
it was read that a second change could have left the same times is not remembered, but read again.

What counts and what does not is decided for builds, not for taste: left out are only the directories which tools mark
or reserve as their own and which sessions themselves fill.  Leavings of builds (``build/``, ``*.egg-info``) do count,
because setuptools reads them again: files which are gone from the sources but stand in ``build/lib`` get into the next
wheel, and ``SOURCES.txt`` decides which data files do.

Of a declarative project less counts: not the repository around it, where its backend does not ask that, and, for an
editable, of most Python modules only that they are there.

Nothing here guesses what else a build reads, or what of the files that are left out: that is noted when it is built
(:mod:`nox_linkenv.projects.watch`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nox_linkenv.digest import file_digest
from nox_linkenv.projects.build_config import above, read_declared
from nox_linkenv.projects.git import git_files, index_digest
from nox_linkenv.projects.tree_index import Index
from nox_linkenv.store.layout import PROJECTS
from nox_linkenv.store.notes import string

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nox_linkenv.projects.build_config import Declaration
    from nox_linkenv.store import Store

__all__ = ["IGNORED", "Tree", "UnknownTreeError", "fingerprint", "repository_above"]

#: Directories of tools which sessions fill and no build takes anything from.
IGNORED: Final = frozenset(
    {
        ".nox",
        ".tox",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
    }
)
#: Files which measuring coverage leaves behind.
_COVERAGE: Final = re.compile(r"\.coverage(\..+)?")
#: What building distributions by hand leaves in ``dist/``.
_ARCHIVE: Final = re.compile(r"dist/[^/]+(\.whl|\.tar\.gz|\.zip)")
#: What marks the root of a repository: a build may ask it for a version, which depends on all of it.
_REPOSITORIES: Final = (".git", ".hg", ".svn", ".bzr")
#: Nanoseconds: more than the coarsest timestamps of a filesystem in use (FAT: two seconds).
_RACY: Final = 2_500_000_000
#: More files than this are not looked at for the sake of not building.
_LIMIT: Final = 40_000


class UnknownTreeError(Exception):
    """It cannot be told what a build of this tree sees; the message says why."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What a build can see of a project.

    Args:
        project: its real path.
        root: the real path of the repository that it lies in, or its own.
        entries: what stands at each path relative to *root*: kind, executable bits, content digest or link target.
        declarative: whether its build runs no code of its own.
        editable: whether it was looked at for an editable wheel, to which less of it may count.
    """

    project: str
    root: str
    entries: dict[str, str]
    declarative: bool
    editable: bool

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tree:
        """Return the tree whose fields *data* has.

        Raises:
            KeyError, TypeError, AttributeError: *data* has not.
        """
        entries = {string(path): string(entry) for path, entry in data["entries"].items()}
        switches = bool(data["declarative"]), bool(data["editable"])
        return cls(string(data["project"]), string(data["root"]), entries, *switches)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over the project's place in the repository and all entries."""
        place = os.path.relpath(self.project, self.root)
        # One string for all: json.dumps of a sorted list of pairs is the fastest unambiguous form.
        return hashlib.sha256(
            json.dumps([place, sorted(self.entries.items())]).encode("utf-8", "surrogatepass")
        ).hexdigest()

    def changes(self, other: Tree) -> set[str]:
        """Return the paths, relative to the project, at which *other* differs."""
        return {self.path_of(name) for name, _ in self.entries.items() ^ other.entries.items()}

    def path_of(self, name: str) -> str:
        """Return the path of the entry *name*, which is relative to the root, relative to the project."""
        prefix = os.path.relpath(self.project, self.root)
        if prefix == ".":
            return name
        return name[len(prefix) + 1 :] if name.startswith(f"{prefix}/") else f"../{name}"


def fingerprint(
    store: Store,
    project: str,
    *,
    editable: bool = False,
    skip: Collection[str] = (),
    passing: bool = False,
    clock: Callable[[], int] = time.time_ns,
) -> Tree:
    """Look at the tree of *project*.

    Args:
        project: path of its directory.
        editable: whether it is looked at for an editable wheel, made without settings for its backend.
        skip: real paths of directories which do not count, such as the environment and the store.
        passing: whether it is gone in a moment, and nothing of it is worth to be remembered.
        clock: the seam to time; nanoseconds since the epoch.

    Raises:
        UnknownTreeError: the build may see more than can be looked at, or a file cannot be read.
    """
    real = os.path.realpath(project)
    name = PROJECTS.file(hashlib.sha256(os.fsencode(real)).hexdigest())
    known = store.load(name, Index.from_json)
    index = Index() if known is None else replace(known)
    try:
        declaration = _declaration(real, index)
        root = real if declaration is not None and not declaration.repository else repository_above(real) or real
        counted = None
        if declaration is not None and editable:
            inner = "" if root == real else os.path.relpath(real, root).replace(os.sep, "/") + "/"
            counted = partial(declaration.counts, inner=inner)
        walk = _Walk(
            root,
            index.files,
            frozenset([*skip, os.path.realpath(store.layout.root)]),
            clock(),
            repository=declaration is None or declaration.repository,
            counted=counted,
        )
        walk.directory(root, "")
    except OSError as error:
        raise UnknownTreeError(f"{error.filename} cannot be read ({error.strerror})") from error
    index.files = walk.trusted
    if index != known and not passing:
        store.note(name, index.dumps())  # a store that cannot be written still serves
    return Tree(real, root, walk.entries, declaration is not None, editable)


def _declaration(project: str, index: Index) -> Declaration | None:
    """Return what is known of the build of *project* where it is declarative."""
    declaration = index.declared(read_declared(project))
    return declaration if declaration is not None and declaration.holds(project) else None


class _Walk:
    """One walk over a tree.

    Args:
        root: where it starts.
        known: digest and stamp of files as last remembered, by their path.
        skip: directories which do not count.
        now: when it starts; nanoseconds since the epoch.
        repository: whether the state of repositories counts.
        counted: tells which Python modules count with their content; without it, all do.
    """

    def __init__(
        self,
        root: str,
        known: dict[str, list[object]],
        skip: frozenset[str],
        now: int,
        *,
        repository: bool,
        counted: Callable[[str], bool] | None,
    ) -> None:
        self.root = root
        self.known = known
        self.skip = skip
        self.now = now
        self.repository = repository
        self.counted = counted
        self.entries: dict[str, str] = {}
        self.trusted: dict[str, list[object]] = {}

    def directory(self, path: str, prefix: str) -> None:
        """Enter everything below the directory at *path*, whose name relative to the root is *prefix* with ``/``."""
        with os.scandir(path) as found:
            children = sorted(found, key=lambda entry: entry.name)
        for entry in children:
            name = prefix + entry.name
            if entry.name == ".git":
                if self.repository:
                    self._git(entry.path, name)
            elif entry.is_symlink():
                self._symlink(entry.path, name)
            elif entry.is_dir():
                if entry.name in IGNORED or entry.path in self.skip or _is_environment(entry.path):
                    continue
                self.entries[name] = "directory"
                self.directory(entry.path, f"{name}/")
            elif self.counted is not None and name.endswith(".py") and not self.counted(name):
                self.entries[name] = "module"
                if name in self.known:
                    self.trusted[name] = self.known[name]
            elif not _COVERAGE.fullmatch(entry.name) and not _ARCHIVE.fullmatch(name):
                self.file(entry.path, name, entry.stat(follow_symlinks=False))
        if len(self.entries) > _LIMIT:
            raise UnknownTreeError(f"it lies among more than {_LIMIT:,} files")

    def file(self, path: str, name: str, status: os.stat_result | None = None, *, index: bool = False) -> None:
        """Enter the file at *path* as *name*; one that does not exist is nothing.

        Args:
            index: whether it is git's index, of which only what git means by it counts.
        """
        if status is None:
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                return
        if not stat.S_ISREG(status.st_mode):
            self.entries[name] = f"special {stat.S_IFMT(status.st_mode):o}"
            return
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        remembered = self.known.get(name)
        if remembered is not None and remembered[1:] == stamp:
            digest = str(remembered[0])
        else:
            with open(path, "rb") as stream:
                digest = index_digest(stream.read()) if index else file_digest(stream)
        if max(status.st_mtime_ns, status.st_ctime_ns) + _RACY < self.now:
            self.trusted[name] = [digest, *stamp]
        self.entries[name] = f"file {status.st_mode & 0o111:o} {digest}"

    def _symlink(self, path: str, name: str) -> None:
        """Enter a symbolic link: its target, and what it leads to unless that is looked at anyway."""
        target = os.readlink(path)
        if os.path.basename(name) in IGNORED:
            return
        self.entries[name] = f"symlink {target}"
        real = os.path.realpath(path)
        if real == self.root or real.startswith(self.root + os.sep):
            parts = os.path.relpath(real, self.root).split(os.sep)
            if not IGNORED.isdisjoint(parts) or ".git" in parts:
                raise UnknownTreeError(f"{path} leads to a directory that is not looked at")
        elif os.path.isdir(real):
            if not _is_environment(real) and real not in self.skip:
                raise UnknownTreeError(f"{path} leads to a directory outside of the project")
        else:
            self.file(real, f"{name} ->")

    def _git(self, path: str, name: str) -> None:
        """Enter the state of a repository."""
        for part, file, index in git_files(path):
            self.file(file, f"{name}/{part}", index=index)


def _is_environment(path: str) -> bool:
    # The file alone may be data of a package: a template, or of a test.
    pythons = ("bin/python", "Scripts/python.exe")
    return os.path.exists(f"{path}/pyvenv.cfg") and any(os.path.lexists(f"{path}/{name}") for name in pythons)


def repository_above(project: str) -> str | None:
    """Return the directory that holds the repository which *project* lies in, ``None`` where it lies in none."""
    for directory in (project, *above(project)):
        if any(os.path.lexists(os.path.join(directory, marker)) for marker in _REPOSITORIES):
            return directory
    return None

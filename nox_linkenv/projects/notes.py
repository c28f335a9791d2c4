"""From what was noted while builds ran to what they have read."""

from __future__ import annotations

import enum
import os
import re
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.fingerprint import IGNORED
from nox_linkenv.projects.inside import Inside
from nox_linkenv.projects.looking import (
    OWN,
    Watched,
    and_above,
    is_same,
    metadata_in,
    plain_path,
    signature,
    source_of,
    temporary_places,
    within,
)
from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.watch import Note

__all__ = ["Kind", "UnsettledError", "made_in", "reads_of"]


class Kind(enum.Enum):
    """What a note is about, and what follows in it."""

    START = "start"  # a process
    VARIABLE = "variable"  # name
    VARIABLES = "variables"
    FILE = "file"  # path, what stood there
    STATE = "state"  # path, what stood there
    KIND = "kind"  # the same, where it was asked of what kind it is, and nothing else
    LIST = "list"  # path, what stood there
    SCAN = "scan"  # path, what stood there; kinds, sizes and times of what is in it may have been read, too
    NAMES = "names"  # path, what stood there, the pattern of names that it was listed for, what for
    METADATA = "metadata"  # path, names of what setuptools has left of metadata in it
    MADE = "made"  # path
    TOUCH = "touch"  # path of what was changed, or gone to, if it stood there
    LINK = "link"  # path, what it leads to
    FACT = "fact"  # what was asked of the process or the machine
    NATIVE = "native"  # path or name of a library
    EXTENSION = "extension"  # path of a module
    CALL = "call"  # name of a function of a library
    RUN = "run"  # path or name, arguments, directory, whether what it runs is watched
    REMOTE = "remote"  # path of a socket, None
    UNSEEN = "unseen"  # why it cannot be told what is read


class UnsettledError(Exception):
    """Something that the build has read changed meanwhile, or too much was read; the message says what."""


#: Where reading does not count: what is there is made by the kernel, each time anew.
_KERNEL: Final = re.compile(r"/dev/(?!shm/)|/proc/|/sys/")
#: There it counts, or leads elsewhere.
_ENVIRON: Final = re.compile(r"/proc/[^/]+/environ")
_ELSEWHERE: Final = re.compile(r"/proc/[^/]+/(?:task/[^/]+/)?(?:cwd|root|fd|map_files)/.+|/dev/fd/.+")
#: Directories that pip makes for what it builds.
_PIPS: Final = re.compile(
    r"pip-(?:install|req-build|build-env|build-tracker|wheel|modern-metadata|unpack|ephem-wheel-cache|egg-info|record"
    r"|standalone-pip|editable|resolver|[a-z-]+-)-?[a-z0-9_]{8}(?:/.*)?"
)
#: A directory that pip makes in its cache for a wheel to be built into.
_WHEEL_TO_BE: Final = re.compile(r".*/wheels/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{20,}/tmp[a-z0-9_]{8}(?:/.*)?")
#: What it makes that in, by a name that is a digest of the source's: it is there whenever anything is built into it.
_WHEEL_KEPT: Final = re.compile(r".*/wheels/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{20,}")
#: Distributions whose native modules open files as Python does, so that it is seen; their beginnings.
_SEEN: Final = (
    "Cython/", "cython", "numpy/", "scipy/", "mypy/", "mypyc/", "tomli/", "charset_normalizer/", "yaml/", "_yaml/",
    "_cffi_backend", "markupsafe/", "pydantic_core/", "rpds/", "_ruamel_yaml", "simplejson/", "setuptools/",
    "zstandard/",
)  # fmt: skip
_COMPILED: Final = re.compile(r"[0-9a-f]+__mypyc\.[^/]*")
#: What :mod:`tempfile` calls what it makes.
_RANDOM: Final = re.compile(r"(?:tmp|[\w.]+[-_.])?[a-z0-9_]{8}[\w.-]*(?:/.*)?")
#: Functions of native libraries that read nothing unseen.
_PURE: Final = re.compile(
    r"Py.*|_Py(?!_w?(?:fopen|open|stat|read|real|get)).*|gnu_get_libc_version|getenv|malloc|calloc|free|str\w*|mem\w*"
)
#: What is decided by where temporary files lie.
_TEMPORARY: Final = frozenset({"TMPDIR", "TEMP", "TMP"})
_ARCHIVE: Final = re.compile(r"dist/[^/]+|\.coverage(\..+)?")
_MANY: Final = 4_000


def reads_of(notes: Iterable[Note], watched: Watched) -> Reads:
    """Return what has been read according to *notes*.

    What was read of the project is named only where it is all that can have been read of it.

    Raises:
        UnsettledError: this cannot be told.
    """
    collector = _Collector(watched)
    for note in notes:
        collector.add(Kind(note[0]), *note[1:])
    return collector.reads()


def made_in(notes: Iterable[Note]) -> frozenset[str]:
    """Return the paths, without detours, of what has been made according to *notes*."""
    return frozenset(plain_path(str(note[1])) for note in notes if note[0] == Kind.MADE.value)


class _Collector:
    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        names = ("variables", "programs", "files", "states", "lists", "scans", "trees", "facts", "metadata")
        self.sets: dict[str, set[str]] = {name: set() for name in names}
        self.flags: set[str] = set()
        self.made: set[str] = set()
        self.links: dict[str, str] = {}  # which the build has made
        self.listed: set[str] = set()
        self.path = [place for place in watched.environ.get("PATH", "").split(os.pathsep) if place]
        tree = watched.tree
        roots = [watched.prefix, *watched.inert, *([tree.root, tree.project] if tree is not None else [])]
        self.temporary = tuple(dict.fromkeys(temporary_places(watched.environ)))
        self.ancestors = {parent for root in (*roots, *self.temporary) for parent in and_above(root)}
        self.runs = Runs(self)
        self.inside = Inside(tree)

    def reads(self) -> Reads:
        self.runs.finish()
        if sum(map(len, self.sets.values())) > _MANY:
            raise UnsettledError(f"its build reads more than {_MANY:,} files and variables besides it")
        sets = {name: frozenset(found) for name, found in self.sets.items()}
        return Reads(**sets, **self.inside.found(), **dict.fromkeys(self.flags, True))  # type: ignore[arg-type]

    def add(self, kind: Kind, *about: object) -> None:
        if kind is Kind.VARIABLE:
            self._variable(str(about[0]))
        elif kind is Kind.VARIABLES:
            self.flags.add("all_variables")
        elif kind is Kind.MADE:
            self.made.add(plain_path(str(about[0])))
            self._touch(plain_path(str(about[0])))
        elif kind is Kind.TOUCH:
            self._touch(plain_path(str(about[0])))
        elif kind is Kind.LINK:
            link = plain_path(str(about[0]))
            self.links[link] = os.path.normpath(os.path.join(os.path.dirname(link), str(about[1])))
        elif kind is Kind.FACT:
            self.sets["facts"].add(str(about[0]))
        elif kind is Kind.METADATA:
            self._look_for_metadata(str(about[0]), about[1])
        elif kind in (Kind.FILE, Kind.STATE, Kind.KIND, Kind.LIST, Kind.SCAN):
            self.look(kind, str(about[0]), about[1])
        elif kind is Kind.NAMES:
            self.look(kind, str(about[0]), about[1], pattern=str(about[2]), sources=about[3] == "sources")
        elif kind in (Kind.NATIVE, Kind.EXTENSION, Kind.CALL):
            self._native(kind, about[0])
        elif kind is Kind.REMOTE:
            if about[0] is None or not self.is_own(plain_path(str(about[0]))):
                self.flags |= {"remote", "unseen"}
        elif kind is Kind.UNSEEN:
            self.flags.add("unseen")
        elif kind is Kind.RUN:
            self.inside.whole = True
            program, arguments, directory, is_watched = about
            assert isinstance(arguments, tuple)
            self.runs.add(str(program), arguments, str(directory), is_watched=bool(is_watched))

    def _variable(self, name: str) -> None:
        if name == "PATH":
            self.flags.add("path")
        elif not name.startswith(("_PYPROJECT_HOOKS_", "PEP517_")):
            self.sets["variables"].add(name)

    def _native(self, kind: Kind, name: object) -> None:
        """Take in that native code is called *name*; what it reads is seen if it has Python open its files."""
        self.flags.add("all_variables")
        self.inside.whole = True
        if kind is Kind.CALL and not (isinstance(name, str) and _PURE.fullmatch(name)):
            self.flags.add("unseen")
        elif kind is Kind.EXTENSION:
            module = str(name).rpartition("/site-packages/")[2]
            if not module.startswith(_SEEN) and not _COMPILED.fullmatch(module):
                self.flags.add("unseen")

    def _touch(self, plain: str) -> None:
        """Take in that it shows whether something stands at *plain*; in the project that counts.

        A build that changes the environment of a session is none that can be used again.
        """
        tree = self.watched.tree
        if plain.startswith(f"{self.watched.prefix}/"):
            if not self.watched.isolated and "/__pycache__" not in plain and not os.path.isdir(plain):
                self.flags.add("unseen")
        elif tree is not None and (name := within(plain, tree.root)) is not None:
            self.inside.entry(name)

    def look(self, kind: Kind, path: str, seen: object, *, pattern: str = "", sources: bool = False) -> None:
        """Take in that the file or directory at *path* was looked at, when *seen* stood there.

        Args:
            pattern: of the names that a directory was listed for.
            sources: whether that served nothing but setuptools' list of sources.

        Raises:
            UnsettledError: something else stands there now.
        """
        if _KERNEL.match(path):
            if _ENVIRON.fullmatch(path):
                self.flags.add("all_variables")
            if kind is Kind.FILE and _ELSEWHERE.fullmatch(path):
                self.flags.add("unseen")
            return
        path = self.followed(path)
        source = source_of(path, self.watched.environ.get("PYTHONPYCACHEPREFIX", ""))
        if source is not None:
            path, seen = source, signature(source)
        plain = plain_path(path)
        if kind in (Kind.LIST, Kind.SCAN, Kind.NAMES):
            self.listed.add(plain)
        if self.is_own(plain):
            return
        if plain.startswith(f"{self.watched.prefix}/"):
            if not self.watched.isolated:
                self._look_at_installed(kind, plain)
            elif kind is Kind.FILE and self._is_foreign(plain):
                self.flags.add("installed")
            return
        if self.watched.tree is not None and (name := within(plain, self.watched.tree.root)) is not None:
            if self._is_counted(kind, name, plain, self.watched.tree, seen):
                self._look_inside(kind, name, pattern, sources=sources)
                return
        elif kind in (Kind.STATE, Kind.KIND):
            if plain in self.ancestors or (self.watched.by_pip and _WHEEL_KEPT.fullmatch(plain)):
                return
            if os.path.dirname(path) in self.path:
                self.sets["programs"].add(os.path.basename(path))
                self.flags.add("path")
                return
        # Outside, it makes no difference what exactly was asked.
        kind = {Kind.KIND: Kind.STATE, Kind.NAMES: Kind.SCAN}.get(kind, kind)
        if not is_same(seen, signature(path), content=kind is not Kind.STATE):
            raise UnsettledError(f"{path} changed while it was built")
        if any(within(plain, place) is not None for place in self.temporary):
            self.sets["variables"] |= _TEMPORARY
        self.sets[f"{kind.value}s"].add(path)

    def _look_at_installed(self, kind: Kind, plain: str) -> None:
        """Take in what is at *plain* in the environment by its content: its times are those of the installation."""
        name = plain[len(self.watched.prefix) + 1 :]
        if name.startswith("bin/python") or name == "pyvenv.cfg" or os.path.basename(name).startswith(OWN):
            return
        if kind in (Kind.FILE, Kind.STATE, Kind.KIND):
            self.sets["files"].add(plain)
            return
        self.sets["lists"].add(plain)
        if kind is Kind.SCAN and os.path.isdir(plain):
            paths = (os.path.join(plain, name) for name in os.listdir(plain) if not name.startswith(OWN))
            self.sets["files"].update(path for path in paths if not path.endswith("/__pycache__"))

    def _look_inside(self, kind: Kind, name: str, pattern: str, *, sources: bool) -> None:
        if kind is Kind.KIND:
            self.inside.kind(name)
        elif kind is Kind.LIST:
            self.inside.listed(name)
        elif kind is Kind.SCAN:
            self.inside.scanned(name)
        elif kind is Kind.NAMES:
            self.inside.listed(name, pattern, sources=sources)
        else:
            self.inside.entry(name)

    def _look_for_metadata(self, path: str, seen: object) -> None:
        """Take in that the directory at *path* was listed for the sake of metadata, of which there was *seen*."""
        plain = plain_path(path)
        tree = self.watched.tree
        if self.is_own(plain) or (tree is not None and within(plain, tree.root) is not None):
            return
        if metadata_in(path) != seen:
            raise UnsettledError(f"{path} changed while it was built")
        self.sets["metadata"].add(path)

    def look_at(self, path: str, *, content: bool) -> None:
        """Take in that what is at *path* counts, with its *content* or only as it looks."""
        self.look(Kind.FILE if content else Kind.STATE, path, signature(path))

    def followed(self, path: str) -> str:
        """Return where *path* leads by the links that the build has made, which may be gone."""
        for _ in self.links:
            plain = plain_path(path)
            link = next((place for place in and_above(plain) if place in self.links), None)
            if link is None:
                break
            path = self.links[link] + plain[len(link) :]
        return path

    def is_left_out(self, name: str) -> bool:
        """Return whether what is at *name* in the project is no part of its fingerprint."""
        return not IGNORED.isdisjoint(name.split("/")) or _ARCHIVE.fullmatch(name) is not None

    def is_own(self, plain: str) -> bool:
        """Return whether the build, or pip for it, has made what is at *plain*, or it is known anyway.

        What a build has made elsewhere, by a name that is no temporary one, and left there, the next one finds.
        """
        if any(within(plain, place) is not None for place in self.watched.inert):
            return True
        if self.watched.by_pip and _WHEEL_TO_BE.fullmatch(plain):
            return True
        temporary = [name for place in self.temporary if (name := within(plain, place)) is not None]
        if any(map(_PIPS.fullmatch, temporary)):
            return True
        passing = any(map(_RANDOM.fullmatch, temporary))
        made = self.made.intersection(and_above(plain))
        tree = self.watched.tree
        if not made or passing or (tree is not None and within(plain, tree.root) is not None):
            return bool(made)
        return not any(map(os.path.lexists, made)) or plain.startswith(f"{self.watched.prefix}/")

    def _is_counted(self, kind: Kind, name: str, plain: str, tree: Tree, seen: object) -> bool:
        """Return whether what was looked for in the file *name* is part of the fingerprint."""
        entry = tree.entries.get(name)
        if kind is not Kind.FILE:
            # What is left out counts where it is asked for by its name, not where a walk through all has found it.
            walked = os.path.dirname(plain) in self.listed
            return kind not in (Kind.STATE, Kind.KIND) or walked or not self.is_left_out(name)
        if entry is None:
            parent = os.path.dirname(name)
            return seen is None and (not parent or tree.entries.get(parent) == "directory")
        if entry.startswith("symlink "):  # what was read is what it leads to, of which less may count
            real = os.path.realpath(plain)
            led = within(real, tree.root)
            return led in (None, name) or self._is_counted(kind, led, real, tree, seen)
        return entry != "module"

    def _is_foreign(self, plain: str) -> bool:
        """Return whether the file at *plain* in the environment is there because something was installed."""
        name = plain[len(self.watched.prefix) + 1 :]
        inside = name.partition("/site-packages/")[2]
        return not (
            name == "pyvenv.cfg"
            or name.startswith("bin/python")
            or inside.startswith(("pip/", "_distutils_hack/", "_virtualenv"))
            or (inside and "/" not in inside and inside.endswith((".pth", ".start")))
        )

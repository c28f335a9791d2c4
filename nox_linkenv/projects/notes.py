"""From what was noted while builds ran to what they have read."""

from __future__ import annotations

import enum
import os
import re
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nox_linkenv.projects.reads import Reads
from nox_linkenv.projects.vcs_config import configuration_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.watch import Note

__all__ = ["Kind", "UnsettledError", "Watched", "reads_of"]


class Kind(enum.Enum):
    """What a note is about, and what follows in it."""

    START = "start"  # a process
    VARIABLE = "variable"  # name
    VARIABLES = "variables"
    FILE = "file"  # path, what stood there
    STATE = "state"  # path, what stood there
    LIST = "list"  # path, what stood there
    MADE = "made"  # path
    NATIVE = "native"  # path or name of a library
    RUN = "run"  # path or name, arguments, directory, whether what it runs is watched
    REMOTE = "remote"


class UnsettledError(Exception):
    """Something that the build has read changed meanwhile, or too much was read; the message says what."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was watched.

    Attributes:
        prefix: absolute path of its environment.
        environ: the variables that pip would run with, whatever the build had.
        tree: of the project, ``None`` where pip makes directories for what it builds.
        inert: absolute paths of directories that do not count.
    """

    prefix: str
    environ: Mapping[str, str]
    tree: Tree | None
    inert: tuple[str, ...] = field(default=())


#: Where reading does not count: what is there is made by the kernel, each time anew.
_KERNEL: Final = ("/dev/", "/proc/", "/sys/")
_ENVIRON: Final = re.compile(r"/proc/[^/]+/environ")
#: Tools that run only others of :data:`nox_linkenv.projects.surroundings.TOOLS`.
_KNOWN: Final = re.compile(
    r"(.*-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cpp|gfortran|as|ld|ar|nm|ranlib|strip|objcopy|objdump|readelf)(-[\d.]+)?"
    r"|git|hg|uname|ldconfig|ldd|lsb_release|xcrun|xcode-select|sw_vers|install_name_tool|otool|lipo|codesign|uv|uv-build"
)
#: Such a tool that also reads what lies about in the project, with what its configuration names.
_BACKEND: Final = "uv-build"
#: Files that tell programs what to read.
_CONFIGURING: Final = (
    "pyproject.toml", "setup.cfg", "Cargo.toml", "CMakeLists.txt", "meson.build", "Makefile", "MANIFEST.in",
)  # fmt: skip
#: A path in them that may lead out of the project.
_NAMED: Final = re.compile(r"""(?<![\w./~])((?:/|~/|\.\./)[^\s"'(),;]+)""")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "env"})
_WORD: Final = re.compile(r"[\w.+-]+")
#: A path in an argument, from its beginning or after what an option is called.
_PATH: Final = re.compile(r"(?:^|=|^-[A-Za-z]+)((?:\.\.)?/.*|\.\.)$")
#: Names of directories that pip makes for what it builds.
_PIPS: Final = "pip-"
_MANY: Final = 4_000


def reads_of(notes: Iterable[Note], watched: Watched) -> Reads:
    """Return what has been read according to *notes*.

    Raises:
        UnsettledError: this cannot be told.
    """
    collector = _Collector(watched)
    for note in notes:
        collector.add(Kind(note[0]), *note[1:])
    return collector.reads()


class _Collector:
    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.sets: dict[str, set[str]] = {name: set() for name in ("variables", "programs", "files", "states", "lists")}
        self.trees: set[str] = set()
        self.flags: set[str] = set()
        self.made: set[str] = set()
        self.strangers = False  # whether a program ran of which it is not known what it reads
        self.path = [place for place in watched.environ.get("PATH", "").split(os.pathsep) if place]
        tree = watched.tree
        roots = [watched.prefix, *watched.inert, *([tree.root, tree.project] if tree is not None else [])]
        temporary = list(_temporary(watched.environ))
        self.ancestors = {parent for root in (*roots, *temporary) for parent in _and_above(root)}
        self.temporary = tuple(os.path.join(place, _PIPS) for place in temporary)

    @property
    def _directory(self) -> str:
        """The directory that programs are run in to be asked."""
        return self.watched.tree.project if self.watched.tree is not None else "/"

    def reads(self) -> Reads:
        if self.strangers and self.watched.tree is not None:
            self._look_for_strangers(self.watched.tree)
        if sum(map(len, self.sets.values())) > _MANY:
            raise UnsettledError(f"its build reads more than {_MANY:,} files and variables besides it")
        sets = {name: frozenset(found) for name, found in self.sets.items()}
        flags = dict.fromkeys(self.flags, True)
        return Reads(**sets, trees=frozenset(self.trees), **flags)  # type: ignore[arg-type]

    def add(self, kind: Kind, *about: object) -> None:
        if kind is Kind.VARIABLE:
            self._variable(str(about[0]))
        elif kind is Kind.VARIABLES:
            self.flags.add("all_variables")
        elif kind is Kind.MADE:
            self.made.add(_plain(str(about[0])))
        elif kind in (Kind.FILE, Kind.STATE, Kind.LIST):
            self._path(kind, str(about[0]), about[1])
        elif kind is Kind.NATIVE:
            self.flags.add("all_variables")
        elif kind is Kind.REMOTE:
            self.flags.add("remote")
        elif kind is Kind.RUN:
            program, arguments, directory, is_watched = about
            assert isinstance(arguments, tuple)
            self._run(str(program), arguments, str(directory), is_watched=bool(is_watched))

    def _variable(self, name: str) -> None:
        if name == "PATH":
            self.flags.add("path")
        elif not name.startswith(("_PYPROJECT_HOOKS_", "PEP517_")):
            self.sets["variables"].add(name)

    def _path(self, kind: Kind, path: str, seen: object) -> None:
        """Take in that the file or directory at *path* was looked at, when *seen* stood there."""
        if path.startswith(_KERNEL):
            if _ENVIRON.fullmatch(path):
                self.flags.add("all_variables")
            return
        if os.path.basename(os.path.dirname(path)) == "__pycache__":
            path = _source(path)
            seen = _signature(path)
        plain = _plain(path)
        if self._is_own(plain):
            return
        if plain.startswith(f"{self.watched.prefix}/"):
            if kind is Kind.FILE and self._is_foreign(plain):
                self.flags.add("installed")
            return
        if self.watched.tree is not None and (name := _within(plain, self.watched.tree.root)) is not None:
            if kind is not Kind.FILE or self._is_counted(name, self.watched.tree, seen):
                return
        elif kind is Kind.STATE:
            if plain in self.ancestors:
                return
            if os.path.dirname(path) in self.path:
                self.sets["programs"].add(os.path.basename(path))
                self.flags.add("path")
                return
        if not _is_same(kind, seen, _signature(path)):
            raise UnsettledError(f"{path} changed while it was built")
        self.sets[f"{kind.value}s"].add(path)

    def _is_own(self, plain: str) -> bool:
        """Return whether the build, or pip for it, has made what is at *plain*, or it is known anyway."""
        if plain.startswith(self.temporary) or any(_within(plain, place) is not None for place in self.watched.inert):
            return True
        return not self.made.isdisjoint(_and_above(plain))

    def _is_counted(self, name: str, tree: Tree, seen: object) -> bool:
        """Return whether the content of the file *name* is part of the fingerprint, or its absence is."""
        entry = tree.entries.get(name)
        if entry is None:
            parent = os.path.dirname(name)
            return seen is None and (not parent or tree.entries.get(parent) == "directory")
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

    # What runs.

    def _run(self, program: str, arguments: Sequence[str], directory: str, *, is_watched: bool) -> None:
        name = os.path.basename(program)
        if is_watched and not _without_site(arguments):
            return
        if "/" not in program:  # there is none
            self.sets["programs"].add(name)
            self.flags.add("path")
            return
        self.flags |= {"all_variables", "path", "tools"}
        if not _KNOWN.fullmatch(name):
            self.flags.add("commands")
            self.strangers = True
        self.strangers |= name == _BACKEND
        self._path(Kind.STATE, program, _signature(program))
        if name in _SHELLS:
            self.sets["programs"].update(word for text in arguments[1:] for word in _WORD.findall(text))
        if name in ("git", "hg"):
            for path in configuration_files(name, self._directory, self.watched.environ):
                self._path(Kind.FILE, path, _signature(path))
        for argument in arguments[1:]:
            found = _PATH.search(argument)
            if found is not None:
                self._given(os.path.join(directory, found[1]))

    def _look_for_strangers(self, tree: Tree) -> None:
        """Take in what programs may read that is no part of the fingerprint of *tree*: archives, and what is named."""
        if os.path.isdir(f"{tree.project}/dist"):
            names = sorted(os.listdir(f"{tree.project}/dist"))
            paths = [f"{tree.project}/dist/{name}" for name in names]
            self.sets["files"].update(path for path in paths if os.path.isfile(path))
        for name in _CONFIGURING:
            try:
                with open(f"{tree.project}/{name}", encoding="utf-8", errors="replace") as stream:
                    text = stream.read()
            except OSError:
                continue
            for found in _NAMED.findall(text):
                path = os.path.join(tree.project, os.path.expanduser(found))
                if not os.path.isdir(path):
                    self._given(path)

    def _given(self, path: str) -> None:
        """Take in that a foreign program was given *path*."""
        plain = _plain(path)
        tree = self.watched.tree
        if self._is_own(plain) or plain.startswith((f"{self.watched.prefix}/", *_KERNEL)) or plain in self.ancestors:
            return
        if tree is not None and _within(plain, tree.root) is not None:
            return
        if os.path.isdir(plain):
            self.trees.add(plain)
        else:
            self._path(Kind.FILE, plain, _signature(plain))


def _without_site(arguments: Sequence[str]) -> bool:
    """Return whether an interpreter that is called with *arguments* leaves ``.pth`` files alone."""
    for argument in arguments[1:]:
        if not argument.startswith("-") or argument.startswith(("-c", "-m")):
            return False
        if not argument.startswith("--") and "S" in argument:
            return True
    return False


def _temporary(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the directories for temporary files."""
    named = (environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for place in (*named, "/tmp", "/var/tmp", tempfile.gettempdir()):
        if place:
            yield from (place, os.path.realpath(place))


def _plain(path: str) -> str:
    """Return *path* without detours: links in the directories that lead to it are followed, it itself may be one."""
    directory, name = os.path.split(path.rstrip("/") or "/")
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(directory), name)


def _within(plain: str, place: str) -> str | None:
    """Return the path of *plain* relative to *place*, with ``/``, ``None`` where it is not in it."""
    return plain[len(place) + 1 :] if plain.startswith(f"{place}/") else "" if plain == place else None


def _and_above(path: str) -> Iterator[str]:
    while True:
        yield path
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent


def _source(path: str) -> str:
    """Return the path of the module whose bytecode is at *path*."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.dirname(directory), f"{name.partition('.')[0]}.py")


def _signature(path: str) -> object:
    """Return the same as the recorder notes of *path*."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino


def _is_same(kind: Kind, before: object, now: object) -> bool:
    """Return whether what was seen *before* is there *now*, as far as it counts for the *kind*."""
    if isinstance(before, tuple) and isinstance(now, tuple) and kind is Kind.STATE and before[0] & 0o170000 == 0o040000:
        return bool(before[0] == now[0])
    return before == now

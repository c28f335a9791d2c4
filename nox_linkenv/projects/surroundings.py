"""The surroundings of a build: what it could read besides the project, and a digest of what it did read.

Values of variables may be secrets.  They are only ever kept as a part of one digest over all that was read.

Sources: the manuals of the shells, terminals and services that set the variables named here; gcc(1), ld(1).
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import file_digest
from nox_linkenv.projects.looking import OWN, metadata_in
from nox_linkenv.resolve.inputs import digest, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nox_linkenv.projects.fingerprint import Tree
    from nox_linkenv.projects.reads import Reads

__all__ = ["HARMLESS", "HARMLESS_PREFIXES", "MANY", "READ", "TOOLS", "Surroundings"]

#: Ends the names of inputs that were read by builds.
READ: Final = ", which a build reads,"

#: Variables that do not count where a program could read all of them; one that is looked up by its name always counts.
HARMLESS: Final = frozenset(
    {
        # of shells and terminals
        "_", "COLORFGBG", "COLORTERM", "COLUMNS", "EDITOR", "HISTCONTROL", "HISTFILE", "HISTSIZE", "LESS",
        "LESSCLOSE", "LESSOPEN", "LINES", "LS_COLORS", "OLDPWD", "PAGER", "PROMPT_COMMAND", "PS1", "PWD", "SHLVL",
        "STY", "TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "VISUAL", "WINDOW", "WINDOWID",
        "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "NO_COLOR", "PY_COLORS",
        # of a user's session
        "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "GPG_AGENT_INFO", "GPG_TTY", "INVOCATION_ID", "JOURNAL_STREAM", "MAIL",
        "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
        # of one step of a job
        "GITHUB_ACTION", "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY",
        # of one session, environment or test of our hosts
        "NOX_CURRENT_SESSION", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER",
        "TMP", "TMPDIR", "TEMP", "TOX_ENV_DIR", "TOX_ENV_NAME", "TOX_WORK_DIR", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT",
        # of Python, which change neither what it imports nor what it decides
        "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONINSPECT",
        "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONUNBUFFERED", "PYTHON_BASIC_REPL", "PYTHON_COLORS",
        "PYTHON_HISTORY",
        # which builds run without, or with a value that whoever builds gives them
        "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONPATH",
        # which counts in other ways
        "PATH",
    }
)  # fmt: skip
#: Beginnings of the names of further ones.  Those of pip are inputs of the request.
HARMLESS_PREFIXES: Final = (
    "ITERM_", "KONSOLE_", "LC_TERMINAL", "LINKENV_", "PIP_", "SSH_", "TMUX", "VSCODE_", "VTE_", "XDG_SESSION_",
    "XDG_VTNR", "ZELLIJ",
)  # fmt: skip
#: Read by the interpreter itself and by the C library.
_NATIVE: Final = ("PYTHON", "_PYTHON", "LC_", "LANG", "TZ", "LD_", "DYLD_", "MALLOC_")
#: Programs that compilers and their like run.
TOOLS: Final = (
    "cc", "gcc", "clang", "c++", "g++", "clang++", "gfortran", "as", "ld", "ar", "make", "ninja", "cmake", "meson",
    "pkg-config", "rustc", "cargo", "swig", "git", "hg", "ccache",
)  # fmt: skip
#: What changes with the system's headers and libraries.
_SYSTEM: Final = (
    "/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/pacman/local", "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages", "/Library/Developer/CommandLineTools/SDKs",
    "/etc/ld.so.cache",
)  # fmt: skip
#: Headers and libraries that no package manager looks after, where compilers and their like look unasked.
_LOCAL: Final = ("/usr/local/include", "/usr/local/lib/pkgconfig", "/usr/local/share/pkgconfig", "/usr/local/lib/cmake")
#: Bytes up to which programs, and files that were looked at, count with their content.
_SMALL: Final = 64 << 10
#: The same of files that were read.
_LARGE: Final = 16 << 20
#: Files in a directory that a foreign program was given, beyond which only the names in it count.
MANY: Final = 5_000
#: What every environment has among its scripts.
_USUAL: Final = re.compile(r"(python|pip|pypy|wheel)[-\d.]*|(de)?activate.*|pydoc.*", re.I)


class Surroundings:
    """What can be read by builds for one request.

    Args:
        environ: the variables that pip would run with.
        prefix: absolute path of the environment.
        installed: returns a digest of what is installed in it.
        now: seconds since the epoch.

    Attributes:
        tree: the project, where what was read of it is told apart.
    """

    def __init__(
        self, environ: Mapping[str, str], prefix: str, installed: Callable[[], str | None], now: float
    ) -> None:
        self.tree: Tree | None = None
        self.environ = environ
        self.prefix = prefix
        self.installed = installed
        self.now = now

    def of(self, tree: Tree) -> Surroundings:
        """Return the same with the project as it is in *tree*."""
        found = copy.copy(self)
        found.tree = tree
        return found

    def digest(self, reads: Reads) -> str:
        """Return the hexadecimal SHA-256 of all that *reads* names, as it is now, with the names."""
        values = [reads.to_json(), list(self._values(reads))]
        return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogatepass")).hexdigest()

    def short(self, reads: Reads) -> dict[str, str]:
        """Return a very short digest of each thing that *reads* names: it tells that a value differs, and no value."""
        return {
            f"{name}{READ}": hashlib.sha256(json.dumps(value).encode("utf-8", "surrogatepass")).hexdigest()[:3]
            for name, value in self._values(reads)
        }

    def _values(self, reads: Reads) -> Iterator[tuple[str, object]]:
        everything = reads.all_variables
        under_tox = "TOX_ENV_NAME" in self.environ  # which gives each of its runs another seed
        for name, value in sorted(self.environ.items()):
            looped = (everything or name.startswith(_NATIVE)) and not _is_harmless(name)
            if name in reads.variables or (looped and not (under_tox and name == "PYTHONHASHSEED")):
                yield name, value
        if reads.path or reads.commands or reads.all_variables:
            yield "PATH", self.path
        yield from ((f"{name} on PATH", list(self._found(name))) for name in sorted(reads.programs))
        if reads.tools:
            yield "a tool", self._tools
        if reads.commands:
            yield "a program on PATH", self._commands
        yield from ((path, _content(path)) for path in sorted(reads.files))
        yield from ((f"what is at {path}", _state(path)) for path in sorted(reads.states))
        yield from ((f"the list of {path}", self._names(path)) for path in sorted(reads.lists))
        yield from ((f"the metadata in {path}", metadata_in(path)) for path in sorted(reads.metadata))
        yield from ((f"what is in {path}", _entries(path)) for path in sorted(reads.scans))
        yield from ((f"the content of {path}", _tree(path)) for path in sorted(reads.trees))
        yield from ((f"what os.{name} says", _fact(name)) for name in sorted(reads.facts))
        yield from ((f"the archive {path}", _signature(path, exact=True)) for path in sorted(reads.archives))
        if reads.location:
            yield "the environment's path", self.prefix
        if reads.installed:
            yield "what is installed", self.installed()
        if self.tree is not None:
            from nox_linkenv.projects.inside import values_inside

            yield from values_inside(self.tree, reads)
        if reads.date:
            yield "the date", [time.strftime("%F", when) for when in (time.gmtime(self.now), time.localtime(self.now))]

    def _names(self, path: str) -> object:
        """Return what is in the directory at *path*; in the environment, without what is there from time to time."""
        names = _names(path)
        if not isinstance(names, list) or not path.startswith(f"{self.prefix}/"):
            return names
        return [name for name in names if name != "__pycache__" and not name.startswith(OWN)]

    @functools.cached_property
    def path(self) -> list[str]:
        """The directories of ``PATH`` but for the environment's own, which is another one for each of them."""
        own = f"{self.prefix}/bin"
        return [place for place in self.environ.get("PATH", "").split(os.pathsep) if place and place != own]

    @functools.cached_property
    def _programs(self) -> dict[str, list[str]]:
        """The directories on ``PATH`` that have something, by its name."""
        found: dict[str, list[str]] = {}
        for place in self.path:
            with contextlib.suppress(OSError):
                for name in os.listdir(place):
                    found.setdefault(name, []).append(place)
        return found

    def _found(self, name: str) -> Iterator[object]:
        """Yield where on ``PATH`` there is something called *name*, and what."""
        own = f"{self.prefix}/bin/{name}"
        if not _USUAL.fullmatch(name) and os.path.lexists(own):
            yield ["", self._script(own)]
        for place in self._programs.get(name, ()):
            yield [place, _look(f"{place}/{name}")]

    def _script(self, path: str) -> object:
        """Return what stands at *path* in the environment, but for the environment's path and the time of writing."""
        with contextlib.suppress(OSError):
            size = os.stat(path).st_size
            if size > _SMALL:
                return size
            with open(path, "rb") as stream:
                return hashlib.sha256(stream.read().replace(os.fsencode(self.prefix), b"")).hexdigest()
        return None

    @functools.cached_property
    def _tools(self) -> list[object]:
        tools = ([name, *self._found(name)] for name in TOOLS)
        return [*tools, *map(_signature, _SYSTEM), *map(_tree, _LOCAL)]

    @functools.cached_property
    def _commands(self) -> str:
        """A digest of everything in the directories of ``PATH``."""
        found: list[object] = []
        for place in self.path:
            with contextlib.suppress(OSError), os.scandir(place) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        found.append([entry.path, status.st_mode, status.st_size, status.st_mtime_ns])
        own: list[object] = []
        with contextlib.suppress(OSError):
            names = [name for name in os.listdir(f"{self.prefix}/bin") if not _USUAL.fullmatch(name)]
            own += ([name, self._script(f"{self.prefix}/bin/{name}")] for name in names)
        # What scripts run lies among the packages.
        installed = self.installed() if own else None
        return hashlib.sha256(json.dumps([sorted(map(repr, [*found, *own])), installed]).encode()).hexdigest()


def _fact(name: str) -> object:
    """Return what is asked of the process or the machine by *name*, ``None`` where that cannot be told."""
    if name == "umask":  # which cannot be asked for without being set
        with contextlib.suppress(OSError), open("/proc/self/status", encoding="utf-8") as stream:
            return next((line for line in stream if line.startswith("Umask:")), None)
        return None
    with contextlib.suppress(OSError, AttributeError):  # some systems do not have it
        named = name in ("nodename", "release")
        ask = getattr(os, "uname" if named else name)
        return getattr(ask(), name) if named else sorted(ask(0)) if name == "sched_getaffinity" else ask()
    return None


def _is_harmless(name: str) -> bool:
    return name in HARMLESS or name.startswith(HARMLESS_PREFIXES)


def _signature(path: str, *, exact: bool = False) -> object:
    """Return what tells states of the file at *path* apart without reading it, ``None`` where there is none.

    Args:
        exact: whether a file that was written anew with the size and the time of the former one is another one.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return "directory"
    if not stat.S_ISREG(status.st_mode):
        return f"special {stat.S_IFMT(status.st_mode):o}"
    signature = [status.st_mode & 0o111, status.st_size, status.st_mtime_ns]
    return [*signature, status.st_ctime_ns, status.st_ino] if exact else signature


def _content(path: str) -> object:
    """Return a digest of the file at *path*; of one that is large, or cannot be read, what can be told."""
    signature = _signature(path, exact=True)
    if isinstance(signature, list) and signature[1] <= _LARGE:
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            return [signature[0], file_digest(stream)]
    return signature


def _look(path: str) -> object:
    """Return what stands at *path*, links included; small files with their content, for they are soon written anew."""
    signature = _signature(path)
    if isinstance(signature, list) and signature[1] <= _SMALL:
        signature = _content(path)
    with contextlib.suppress(OSError, ValueError):
        return [os.readlink(path), signature]
    return signature


def _state(path: str) -> object:
    """Return what can be read of what stands at *path* by looking at it, besides its content if it is small."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _look(path)
    # The times of directories change with everything in them, and are hardly ever what is asked for.
    when = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    return [status.st_mode, when, status.st_uid, status.st_gid, _look(path)]


def _names(path: str) -> object:
    try:
        return sorted(os.listdir(path))
    except (OSError, ValueError):
        return None


def _entries(path: str) -> object:
    """Return what can be read of what is in the directory at *path* by going through it."""
    found: list[object] = []
    try:
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                status = entry.stat(follow_symlinks=False)
                plain = stat.S_ISREG(status.st_mode)
                found.append([entry.name, status.st_mode, *([status.st_size, status.st_mtime_ns] if plain else [])])
    except (OSError, ValueError):
        return None
    return found


def _said(path: str) -> object:
    data = read_file(path)
    return None if data is None else digest(data)


def _tree(path: str) -> object:
    """Return what tells states of the directory at *path* apart, with all that is in it.

    Of the references of a repository, that is what they say: a fresh clone has the same ones in other files.
    """
    told = _said if path.endswith(f"{os.sep}.git{os.sep}refs") else functools.partial(_signature, exact=True)
    found: list[object] = []
    for place, directories, files in os.walk(path):
        directories.sort()
        found += [[path, told(path)] for path in (os.path.join(place, name) for name in sorted(files))]
        if len(found) > MANY:
            return _names(path)
    return found

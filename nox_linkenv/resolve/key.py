"""The key of a request: everything that can change pip's answer to it.

Two requests with the same key get the same answer from pip, as long as the indexes they ask say the same: so much is
left to the age of a resolution.  What cannot be made sure of is not keyed but left to pip.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.resolve.inputs import ARGUMENTS, INSTALLED, PIP, Inputs, UnkeyableError
from nox_linkenv.resolve.pip_arguments import Arguments, Kind, without_file_names
from nox_linkenv.resolve.pip_config import HARMLESS, setting_name, settings_in
from nox_linkenv.resolve.requirement_files import Option, decode, expand, is_lock, logical_lines, parse_line
from nox_linkenv.resolve.specifiers import (
    ARCHIVES,
    LOCAL_PROJECT,
    bare,
    editable_reason,
    file_named,
    is_remote,
    local_place,
    specifier,
    without_extras,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nox_linkenv.resolve.inputs import Interpreter
    from nox_linkenv.resolve.pip_config import PipConfig
    from nox_linkenv.store import Store

__all__ = ["MORE", "Key", "Unkeyable", "is_numbered", "request_key"]


@dataclass(frozen=True, slots=True)
class Key:
    """What a request depends on.

    Args:
        digest: hexadecimal SHA-256 over all of it.
        inputs: what it depends on, in words for a user, and a short digest of each.
        pinned: every requirement names one version and its hashes, so that no index can change the answer.
        archives: absolute paths, by their names, of archives that stand for any other with the same members.
        replaces: whether what is installed is replaced whatever it is, and so is not among the inputs.
        indexes: URLs of the indexes that are named; user names and passwords may be in them, so they are never written.
        remote: URLs of requirement files on servers, without user names and passwords.  What they say is no part of
            the digest: it is among the pages that pip reads, and may be no more than versions.
    """

    digest: str
    inputs: Mapping[str, str]
    pinned: bool
    archives: Mapping[str, str] = field(default_factory=dict)
    replaces: bool = False
    indexes: tuple[str, ...] = field(default=(), repr=False, compare=False)
    remote: frozenset[str] = frozenset()


#: What is said of a requirement file on a server that names paths, URLs, variables or options.
MORE: Final = "says more than versions"


class Unkeyable(NamedTuple):
    """A request that only pip can answer.

    Args:
        reason: why, in one clause.
    """

    reason: str


#: Settings that name what is never keyed.
_REFUSED: Final = {
    "editable": LOCAL_PROJECT,
    "group": "a setting names a dependency group",
    "requirements-from-script": "a setting names a script",
    # What the environment holds decides how an sdist is built; names and versions of that are known, not its content.
    "no-build-isolation": "distributions are built without isolation",
}
_INDEXES: Final = frozenset({"index-url", "pypi-url", "extra-index-url"})
_CONSTRAINTS: Final = frozenset({"constraint", "constraints", "build-constraint"})
_REQUIREMENTS: Final = frozenset({"requirement", "requirements"})
#: Occurs in every configuration file that names a file or must be refused.
_TELLING: Final = (
    "(?i)constraint|requirement|find[-_]links|index[-_]url|pypi[-_]url|editable|group|isolation|require[-_]hashes"
)

#: Variables of Python that change neither what it imports nor what it decides.
_PYTHON_HARMLESS: Final = frozenset(
    {
        "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT", "PYTHONDEVMODE", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED", "PYTHONINSPECT", "PYTHONIOENCODING", "PYTHONMALLOC", "PYTHONPROFILEIMPORTTIME",
        "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONTRACEMALLOC", "PYTHONUNBUFFERED", "PYTHONVERBOSE",
        "PYTHONWARNINGS", "PYTHON_BASIC_REPL", "PYTHON_COLORS", "PYTHON_CONTEXT_AWARE_WARNINGS", "PYTHON_CPU_COUNT",
        "PYTHON_DISABLE_REMOTE_DEBUG", "PYTHON_GIL", "PYTHON_HISTORY", "PYTHON_JIT", "PYTHON_THREAD_INHERIT_CONTEXT",
        "PYTHON_TLBC",
    }
)  # fmt: skip
#: Further variables that are read by pip's interpreter, or by the usual build backends when an sdist is built.
_BUILD: Final = frozenset(
    {
        "_PYTHON_HOST_PLATFORM", "_PYTHON_SYSCONFIGDATA_NAME", "MACOSX_DEPLOYMENT_TARGET", "ARCHFLAGS",
        "AR", "CC", "CXX", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LDSHARED", "RUSTFLAGS",
    }
)  # fmt: skip
_PREFIXES: Final = ("PIP_", "_PIP_", "PYTHON")
_BUILD_PREFIXES: Final = ("SETUPTOOLS_", "DISTUTILS_", "CMAKE_", "CARGO_", "MATURIN_", "SKBUILD_")


def request_key(
    arguments: Arguments,
    *,
    verbatim: Sequence[str],
    environ: Mapping[str, str],
    directory: str,
    config: PipConfig,
    prefix: str,
    facts: Interpreter,
    installed: str,
    local: Collection[str] = (),
    builds: bool = True,
    store: Store | None = None,
) -> Key | Unkeyable:
    """Return the key of a request, or why it has none.

    Nothing is run and nothing is fetched.  What is read can change before pip reads it: a resolution is that of this
    key only if the key is still the same when pip has answered.

    Args:
        arguments: of ``pip install``, sorted.
        verbatim: the same as they were given.
        environ: all variables that pip would run with.
        directory: absolute path of the directory that pip would run in.
        config: pip's configuration files.
        prefix: absolute path of the environment.
        facts: about the environment's interpreter and its pip.
        installed: digest of what is installed in the environment.
        local: what requirement files have of local projects, as it is written there: these are keyed elsewhere.
        builds: whether distributions may be built for the answer, and what they are built with counts.
        store: that remembers the contents of directories of archives; without one, they are read each time.
    """
    collector = _Collector(directory, environ, local, builds=builds, store=store)
    try:
        collector.archives(arguments)
        named = without_file_names(verbatim, is_numbered) if arguments.names_files() else verbatim
        collector.inputs.add(ARGUMENTS, "\0".join(collector.movable.get(argument, argument) for argument in named))
        if not collector.replaces:
            collector.inputs.add(INSTALLED, installed)
        collector.inputs.add(PIP, facts.pip)
        collector.inputs.add_interpreter(prefix, facts, environ)
        collector.variables()
        for path, text in config.files():
            collector.configuration(path, text)
        collector.arguments(arguments)
    except UnkeyableError as error:
        return Unkeyable(error.reason)
    except OSError as error:  # it went while it was being looked at
        return Unkeyable(f"{error.filename} cannot be read")
    return collector.key()


def is_numbered(name: str) -> bool:
    """Return whether the file *name*, as pip is given it, is known by its place among others and by what it says."""
    return not is_lock(without_extras(name))


class _Collector:
    """Collects the inputs of one request.

    Args:
        directory: absolute path of the directory that pip would run in.
        environ: all variables that pip would run with.
        local: what requirement files have of local projects.
        builds: whether distributions may be built for the answer.
        store: that remembers the contents of directories of archives.
    """

    def __init__(
        self,
        directory: str,
        environ: Mapping[str, str],
        local: Collection[str],
        *,
        builds: bool,
        store: Store | None,
    ) -> None:
        self.inputs = Inputs(directory)
        self.directory = self.inputs.directory
        self.environ = environ
        self.local = local
        self.builds = builds
        self.store = store
        self.movable: dict[str, str] = {}  # arguments that name archives -> name of the archive
        self.replaces = False
        self._alone = False  # whether wheels that are at hand are all there is to be installed
        self._hashed = 0  # requirements that are pinned and hashed
        self._loose = False  # whether there is any other
        self._indexes: list[str] = []
        self._remote: set[str] = set()
        self._reader = ARGUMENTS  # what names the files that are read

    def key(self) -> Key:
        pinned = not self._remote and ((self._hashed > 0 and not self._loose) or self._alone)
        return Key(
            digest=self.inputs.digest(),
            inputs=self.inputs.short(),
            pinned=pinned,
            archives={
                name: os.path.normpath(os.path.join(self.directory, path)) for path, name in self.movable.items()
            },
            replaces=self.replaces,
            indexes=tuple(self._indexes),
            remote=frozenset(self._remote),
        )

    def archives(self, arguments: Arguments) -> None:
        """Find the archives that may lie anywhere: named by nothing but their paths, each by another name."""
        named = {path: os.path.basename(path) for path in arguments.requirements if path.lower().endswith(ARCHIVES)}
        paths = {path: name for path, name in named.items() if os.path.isfile(os.path.join(self.directory, path))}
        if not paths or len(set(paths.values())) < len(paths):
            return
        from nox_linkenv.resolve.archives import members_digest

        for path, name in paths.items():
            found = members_digest(os.path.join(self.directory, path))
            if found is not None:
                self.movable[path] = name
                self.inputs.add(f"local archive {name}", found)
        options = {option for _, option, _ in arguments.options}
        if len(self.movable) < len(arguments.requirements) or "--no-deps" not in options:
            return
        if any(arguments.values(kind) for kind in (Kind.REQUIREMENT_FILE, Kind.EDITABLE, Kind.GROUP)):
            return
        # Without dependencies there is nothing that an index, or what is installed, could decide.
        self.replaces = "--force-reinstall" in options
        self._alone = all(name.lower().endswith(".whl") for name in self.movable.values())

    def arguments(self, arguments: Arguments) -> None:
        for kind, option, value in arguments.options:
            if option == "--no-build-isolation" and self.builds:
                raise UnkeyableError(_REFUSED["no-build-isolation"])
            if value is None:
                continue
            if kind is Kind.EDITABLE:
                raise UnkeyableError(editable_reason(value))
            if kind in (Kind.REQUIREMENT_FILE, Kind.CONSTRAINT_FILE) and is_remote(value):
                self._remote_file(value)
            elif kind is Kind.REQUIREMENT_FILE:
                self._file(value)
            elif kind is Kind.CONSTRAINT_FILE or option.startswith("--build-constraint"):
                self._file(value, constraint=True)
            elif kind is Kind.GROUP:
                self._group(value)
            elif option in {"-f", "--find-links"}:
                self._find_links(value)
            elif option in {"-i", "--index-url", "--pypi-url", "--extra-index-url"}:
                self._index(value)
        for requirement in arguments.requirements:
            self._requirement(requirement)
            self._loose = True  # a hash cannot stand here

    def variables(self) -> None:
        """Add the variables that pip, its interpreter and the usual build backends read."""
        for name, value in self.environ.items():
            if name.startswith("PIP_"):
                setting = setting_name(name[4:])
                if setting not in HARMLESS:
                    self.inputs.add(name, _without_names(setting, value))
                    self._reader = name
                    self._apply(setting, value)
            elif name.startswith(_PREFIXES):
                if name not in _PYTHON_HARMLESS:
                    self.inputs.add(name, self._seen(value) if name == "PYTHONPATH" else value)
            elif name in _BUILD or name.startswith(_BUILD_PREFIXES):
                self.inputs.add(name, value)
        self._reader = ARGUMENTS

    def configuration(self, path: str, text: str) -> None:
        """Add the *text* of the pip configuration file at *path*."""
        self.inputs.add(f"pip configuration {path}", text)
        if text and re.search(_TELLING, text) is not None:
            self._reader = f"pip configuration {path}"
            for name, value in settings_in(path, text):
                self._apply(name, value)
            self._reader = ARGUMENTS

    def _apply(self, setting: str, value: str) -> None:
        """Add the files which *setting* of pip names with *value*, from a variable or a configuration file."""
        if not value:
            return
        if setting in _REFUSED:
            raise UnkeyableError(_REFUSED[setting])
        if setting == "no-require-hashes":
            self._loose = True
        elif setting in _CONSTRAINTS:
            for name in value.split():
                self._file(name, constraint=True)
        elif setting in _REQUIREMENTS:
            for name in value.split():
                self._file(name)
        elif setting == "find-links":
            for location in value.split():
                self._find_links(location)
        elif setting in _INDEXES:
            for location in value.split():
                self._index(location)

    def _file(self, name: str, *, constraint: bool = False) -> None:
        """Add the requirement file *name*, as given to pip, with all that it names."""
        if not constraint and is_lock(without_extras(name)):
            self._lock(without_extras(name))
        else:
            self._read_file(file_named(name, self.directory), (), constraint=constraint)

    def _remote_file(self, url: str) -> None:
        """Add the requirement or constraint file that pip asks a server for."""
        if is_lock(without_extras(url)):
            raise UnkeyableError("a lock file is a URL")
        try:
            shown = bare(url)
        except ValueError:
            raise UnkeyableError("a requirement file is a URL that is not understood") from None
        self.inputs.add_remote(url, shown, self._reader)
        self._remote.add(shown)
        self._indexes.append(url)

    def _lock(self, name: str) -> None:
        from nox_linkenv.resolve.lock_files import check_lock

        if check_lock(*self._text(file_named(name, self.directory), None)):
            self._hashed += 1
        else:
            self._loose = True

    def _group(self, value: str) -> None:
        from nox_linkenv.resolve.lock_files import check_project

        place, _, group = value.rpartition(":")
        name = place or "pyproject.toml"
        if is_lock(without_extras(name)):
            self._lock(without_extras(name))
            return
        check_project(*self._text(file_named(name, self.directory), None), group)
        self._loose = True

    def _text(self, path: str, reader: str | None) -> tuple[str, str]:
        """Add the requirement file at *path*, named by *reader*; return its text, and its name for a user."""
        shown = self.inputs.shown(path)
        return decode(self.inputs.add_file(path, reader), self.environ, shown), shown

    def _read_file(self, path: str, readers: tuple[str, ...], *, constraint: bool) -> None:
        text, shown = self._text(path, self._reader)
        if path in readers:
            raise UnkeyableError(f"{shown} includes itself")
        used: set[str] = set()
        for raw in logical_lines(text):
            line = parse_line(expand(raw, self.environ, used), shown)
            for option, value in line.options:
                if option is Option.EDITABLE:
                    if value not in self.local:
                        raise UnkeyableError(editable_reason(value or ""))
                    self._loose = True
                if option is Option.NO_REQUIRE_HASHES:
                    self._loose = True
                if value is None:
                    continue
                if option in {Option.REQUIREMENT_FILE, Option.CONSTRAINT_FILE} and is_remote(value):
                    self._remote_file(value)
                elif option in {Option.REQUIREMENT_FILE, Option.CONSTRAINT_FILE}:
                    nested = file_named(value, os.path.dirname(path))
                    # In a constraint file, too, "-r" names a file of requirements.
                    self._read_file(nested, (*readers, path), constraint=option is Option.CONSTRAINT_FILE)
                elif option is Option.FIND_LINKS:
                    beside = os.path.join(os.path.dirname(path), value)
                    self._find_links(beside if os.path.exists(beside) else value)
                elif option is Option.INDEX:
                    self._index(value)
            if line.requirement in self.local:
                self._loose = True
            elif line.requirement:
                exact = self._requirement(line.requirement)
                if not constraint:
                    self._hashed += exact and line.hashed
                    self._loose |= not (exact and line.hashed)
        for name in used:
            self.inputs.add_secret(f"${{{name}}}", self.environ.get(name, ""))

    def _requirement(self, text: str) -> bool:
        """Add what *text* depends on; return whether it names exactly one version."""
        found = specifier(text, self.directory)
        if found.path is not None and text not in self.movable:
            from nox_linkenv.resolve.local_files import add_archive

            add_archive(self.inputs, found.path)
        return found.exact

    def _find_links(self, location: str) -> None:
        self._indexes.append(location)
        path = local_place(location, self.directory, self.environ)
        if path is not None:
            from nox_linkenv.resolve.local_files import add_find_links

            add_find_links(self.inputs, path, self.store)

    def _index(self, location: str) -> None:
        self._indexes.append(location)
        path = local_place(location, self.directory, self.environ)
        if path is not None:
            from nox_linkenv.resolve.local_files import add_index

            add_index(self.inputs, path)

    def _seen(self, python_path: str) -> str:
        from nox_linkenv.resolve.local_files import seen_on_path

        return seen_on_path(python_path, self.directory)


def _without_names(setting: str, value: str) -> str:
    """Return the *value* of a variable for *setting* of pip, or the number of files in it whose content is added."""
    if setting in _CONSTRAINTS:
        return str(len(value.split()))
    if setting in _REQUIREMENTS and all(map(is_numbered, value.split())):
        return str(len(value.split()))
    return value

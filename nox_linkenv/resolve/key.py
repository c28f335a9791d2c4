"""The key of a request: everything that can change pip's answer to it.

Two requests with the same key get the same answer from pip, as long as the indexes they ask say the same: so much is
left to the age of a resolution.  What cannot be made sure of is not keyed but left to pip.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from nox_linkenv.resolve.arguments import Arguments, Kind
from nox_linkenv.resolve.requirement_files import (
    ARCHIVES,
    Option,
    Place,
    UnkeyableError,
    check_lock,
    check_project,
    decode,
    expand,
    is_lock,
    local_path,
    logical_lines,
    parse_line,
    refuse_nul,
    specifier,
    without_extras,
)
from nox_linkenv.resolve.unmodelled import configuration_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nox_linkenv.wheel import Scheme

__all__ = ["Interpreter", "Key", "Unkeyable", "changed", "request_key"]


class Interpreter(Protocol):
    """What must be known of the environment's interpreter: a part of its facts."""

    @property
    def version(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def pip(self) -> str: ...
    @property
    def schemes(self) -> Mapping[Scheme, str]: ...


@dataclass(frozen=True, slots=True)
class Key:
    """What a request depends on.

    Args:
        digest: hexadecimal SHA-256 over all of it.
        inputs: what it depends on, in words for a user, and a short digest of each.
        pinned: every requirement names one version and its hashes, so that no index can change the answer.
    """

    digest: str
    inputs: Mapping[str, str]
    pinned: bool


@dataclass(frozen=True, slots=True)
class Unkeyable:
    """A request that only pip can answer.

    Args:
        reason: why, in one clause.
    """

    reason: str


_ARGUMENTS: Final = "arguments"
_INTERPRETER: Final = "interpreter"
_PIP: Final = "pip's version"
_INSTALLED: Final = "what is installed"
_REST: Final = (_ARGUMENTS, _INTERPRETER, _PIP, _INSTALLED)
#: How the input of a variable is called: as the variable, or ``${NAME}`` where a requirement file uses it.
_VARIABLE: Final = re.compile(r"_?[A-Z][A-Za-z0-9_]*|\$\{\w+\}")

#: Settings of pip that do not change its answer, as in ``PIP_NO_COLOR``.
_HARMLESS: Final = frozenset(
    {
        # what it prints, logs and asks
        "progress-bar", "no-color", "quiet", "verbose", "log", "log-file", "local-log", "debug", "no-input",
        "root-user-action", "no-warn-script-location", "no-warn-conflicts", "no-python-version-warning",
        "disable-pip-version-check", "auto-complete",
        # how an index is reached, not what it says
        "timeout", "default-timeout", "retries", "resume-retries", "cert", "client-cert", "proxy", "no-proxy-env",
        "keyring-provider", "user-agent-user-data",
        # where downloads are kept
        "cache-dir", "no-cache-dir", "no-clean",
        # whether it runs at all, and what it does after it has answered
        "require-virtualenv", "require-venv", "exists-action", "compile", "no-compile",
    }
)  # fmt: skip
#: Settings that name what is never keyed.
_REFUSED: Final = {
    "editable": "a local project is among the requirements",
    "group": "a setting names a dependency group",
    "requirements-from-script": "a setting names a script",
    # What the environment holds decides how an sdist is built; names and versions of that are known, not its content.
    "no-build-isolation": "distributions are built without isolation",
}
_INDEXES: Final = frozenset({"index-url", "pypi-url", "extra-index-url"})
#: Occurs in every configuration file that names a file or must be refused.
_TELLING: Final = re.compile(
    "constraint|requirement|find[-_]links|index[-_]url|pypi[-_]url|editable|group|isolation|require[-_]hashes", re.I
)

#: Variables of Python that change neither what it imports nor what it decides.
_PYTHON_HARMLESS: Final = frozenset(
    {
        "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT", "PYTHONDEVMODE", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER",
        "PYTHONHASHSEED", "PYTHONINSPECT", "PYTHONIOENCODING", "PYTHONMALLOC", "PYTHONPROFILEIMPORTTIME",
        "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONTRACEMALLOC", "PYTHONUNBUFFERED", "PYTHONVERBOSE",
        "PYTHONWARNINGS", "PYTHON_BASIC_REPL", "PYTHON_COLORS", "PYTHON_HISTORY",
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

#: Archives up to this many bytes are digested; of larger ones the inode's data must do.
_DIGESTED: Final = 64 << 20
#: Projects in a local index, each of which costs two calls of stat.
_PROJECTS: Final = 10_000
_LINKS: Final = re.compile(r"href", re.I)
_REMOTE_LINKS: Final = re.compile(r"""href\s*=\s*["']?\s*https?://""", re.I)
_ABSENT: Final = "absent"


def request_key(
    arguments: Arguments,
    *,
    verbatim: Sequence[str],
    environ: Mapping[str, str],
    directory: str,
    prefix: str,
    facts: Interpreter,
    installed: str,
) -> Key | Unkeyable:
    """Return the key of a request, or why it has none.

    Nothing is run and nothing is fetched.  What is read can change before pip reads it: a resolution is that of this
    key only if the key is still the same when pip has answered.

    Args:
        arguments: of ``pip install``, sorted.
        verbatim: the same as they were given.
        environ: all variables that pip would run with.
        directory: absolute path of the directory that pip would run in.
        prefix: absolute path of the environment.
        facts: about the environment's interpreter and its pip.
        installed: digest of what is installed in the environment.
    """
    collector = _Collector(directory, environ)
    try:
        collector.add(_ARGUMENTS, "\0".join(verbatim))
        collector.add(_INSTALLED, installed)
        collector.add(_PIP, facts.pip)
        collector.interpreter(prefix, facts)
        collector.variables()
        for path in configuration_files(environ, prefix):
            collector.configuration(os.path.join(directory, path))
        collector.arguments(arguments)
    except UnkeyableError as error:
        return Unkeyable(error.reason)
    except OSError as error:  # it went while it was being looked at
        return Unkeyable(f"{error.filename} cannot be read")
    return collector.key()


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the most telling difference between the inputs of two keys, such as ``requirements.txt changed``.

    Files come before variables and these before the rest; ``None`` stands for no difference.
    """
    differences: list[tuple[int, int, str]] = []
    for name in {**before, **now}:
        if name not in now:
            verb = 2
        elif name not in before:
            verb = 1
        elif before[name] != now[name]:
            verb = 0
        else:
            continue
        rank = 2 + _REST.index(name) if name in _REST else int(_VARIABLE.fullmatch(name) is not None)
        differences.append((rank, verb, name))
    if not differences:
        return None
    _, verb, name = min(differences)
    return f"{name} {('changed', 'appeared', 'is gone')[verb]}"


class _Collector:
    """Collects the inputs of one request.

    Args:
        directory: absolute path of the directory that pip would run in.
        environ: all variables that pip would run with.
    """

    def __init__(self, directory: str, environ: Mapping[str, str]) -> None:
        self.directory = os.path.normpath(directory)
        self.environ = environ
        self._inputs: dict[str, str] = {}
        self._hashed = 0  # requirements that are pinned and hashed
        self._loose = False  # whether there is any other

    def key(self) -> Key:
        lines = "\0".join(f"{self._inputs[name]} {name}" for name in sorted(self._inputs))
        return Key(
            digest=_digest(lines.encode("utf-8", "surrogateescape")),
            inputs={name: value[:16] for name, value in self._inputs.items()},
            pinned=self._hashed > 0 and not self._loose,
        )

    def add(self, name: str, value: str | bytes) -> None:
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        self._inputs[name] = _digest(data)

    def arguments(self, arguments: Arguments) -> None:
        for kind, option, value in arguments.options:
            if option == "--no-build-isolation":
                raise UnkeyableError(_REFUSED["no-build-isolation"])
            if value is None:
                continue
            if kind is Kind.EDITABLE:
                raise UnkeyableError(_REFUSED["editable"])
            if kind is Kind.REQUIREMENT_FILE:
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

    def interpreter(self, prefix: str, facts: Interpreter) -> None:
        """Add the interpreter and what environment markers and wheel tags depend on (PEP 508, PEP 425)."""
        parts = [facts.version, facts.tag, *sorted(facts.schemes.values())]
        if os.name == "nt":
            parts += [self.environ.get("PROCESSOR_ARCHITECTURE", ""), self.environ.get("PROCESSOR_ARCHITEW6432", "")]
        else:
            machine = os.uname()
            parts += [machine.sysname, machine.release, machine.version, machine.machine]
        try:
            parts.append(os.confstr("CS_GNU_LIBC_VERSION") or "")
        except (AttributeError, OSError, ValueError):
            parts.append("")
        # The path of the base interpreter stands for the rest: its platform, ABI and build.
        configured = (_read(os.path.join(prefix, "pyvenv.cfg")) or b"").decode("utf-8", "replace")
        for line in configured.splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            if name in {"home", "base-executable", "executable", "version", "version_info", "implementation"}:
                parts.append(f"{name}={value}")
            elif name == "include-system-site-packages" and value.lower() == "true":
                raise UnkeyableError("the environment sees the packages of its base interpreter")
        self.add(_INTERPRETER, "\0".join(parts))

    def variables(self) -> None:
        """Add the variables that pip, its interpreter and the usual build backends read."""
        for name, value in self.environ.items():
            if name.startswith("PIP_"):
                setting = _setting(name[4:])
                if setting not in _HARMLESS:
                    self.add(name, value)
                    self._apply(setting, value)
            elif name.startswith(_PREFIXES):
                if name not in _PYTHON_HARMLESS:
                    self.add(name, self._python_path(value) if name == "PYTHONPATH" else value)
            elif name in _BUILD or name.startswith(_BUILD_PREFIXES):
                self.add(name, value)

    def configuration(self, path: str) -> None:
        """Add the pip configuration file at *path*, if there is one."""
        data = _read(path)
        if data is None:
            return
        self.add(f"pip configuration {path}", data)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise UnkeyableError(f"{path} is not in UTF-8") from None
        if _TELLING.search(text) is None:
            return
        import configparser

        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text)
        except configparser.Error:
            raise UnkeyableError(f"{path} cannot be read") from None
        for section in ("global", "install"):
            if parser.has_section(section):
                for name, value in parser.items(section):
                    self._apply(_setting(name), value)

    def _apply(self, setting: str, value: str) -> None:
        """Add the files which *setting* of pip names with *value*, from a variable or a configuration file."""
        if not value:
            return
        if setting in _REFUSED:
            raise UnkeyableError(_REFUSED[setting])
        if setting == "no-require-hashes":
            self._loose = True
        elif setting in {"constraint", "build-constraint"}:
            for name in value.split():
                self._file(name, constraint=True)
        elif setting == "requirement":
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
            self._read_file(self._located(name, self.directory), (), constraint=constraint)

    def _lock(self, name: str) -> None:
        path = self._located(name, self.directory)
        shown, data = self._shown(path), self._content(path)
        if check_lock(decode(data, self.environ, shown), shown):
            self._hashed += 1
        else:
            self._loose = True

    def _group(self, value: str) -> None:
        name = value.rpartition(":")[0] or "pyproject.toml"
        if is_lock(without_extras(name)):
            self._lock(without_extras(name))
            return
        path = self._located(name, self.directory)
        shown, data = self._shown(path), self._content(path)
        check_project(decode(data, self.environ, shown), shown)
        self._loose = True

    def _read_file(self, path: str, readers: tuple[str, ...], *, constraint: bool) -> None:
        shown, data = self._shown(path), self._content(path)
        if path in readers:
            raise UnkeyableError(f"{shown} includes itself")
        used: set[str] = set()
        for raw in logical_lines(decode(data, self.environ, shown)):
            line = parse_line(expand(raw, self.environ, used), shown)
            for option, value in line.options:
                if option is Option.EDITABLE:
                    raise UnkeyableError(_REFUSED["editable"])
                if option is Option.NO_REQUIRE_HASHES:
                    self._loose = True
                if value is None:
                    continue
                if option in {Option.REQUIREMENT_FILE, Option.CONSTRAINT_FILE}:
                    nested = self._located(value, os.path.dirname(path))
                    # In a constraint file, too, "-r" names a file of requirements.
                    self._read_file(nested, (*readers, path), constraint=option is Option.CONSTRAINT_FILE)
                elif option is Option.FIND_LINKS:
                    beside = os.path.join(os.path.dirname(path), value)
                    self._find_links(beside if os.path.exists(beside) else value)
                elif option is Option.INDEX:
                    self._index(value)
            if line.requirement:
                exact = self._requirement(line.requirement)
                if not constraint:
                    self._hashed += exact and line.hashed
                    self._loose |= not (exact and line.hashed)
        for name in used:
            self.add(f"${{{name}}}", self.environ.get(name, ""))

    def _requirement(self, text: str) -> bool:
        """Add what *text* depends on; return whether it names exactly one version."""
        found = specifier(text, self.directory)
        if found.place is Place.LOCAL and found.path is not None:
            self._archive(found.path)
        return found.exact

    def _archive(self, path: str) -> None:
        kind = "wheel" if path.lower().endswith(".whl") else "sdist"
        size = os.stat(path).st_size
        content = _digest(_read(path) or b"") if size <= _DIGESTED else _stamp(path)
        self.add(f"local {kind} {self._shown(path)}", f"{path}\0{content}")

    def _find_links(self, location: str) -> None:
        path = self._local(location)
        if path is None:
            return
        name = f"find-links {self._shown(path)}"
        if os.path.isdir(path):
            parts: list[str] = [path]
            try:
                with os.scandir(path) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                raise UnkeyableError(f"{path} cannot be listed") from None
            for entry in found:
                if "htm" in entry.name.lower():
                    parts += [entry.name, self._page(entry.path)]
                elif entry.is_dir() and entry.name.lower().endswith(ARCHIVES):
                    raise UnkeyableError(f"{entry.path} may be taken for an archive")
                else:
                    parts += [entry.name, _stamp(entry.path)]
            self.add(f"{name}/", "\0".join(parts))
        elif os.path.isfile(path):
            page = "htm" in os.path.basename(path).lower()
            self.add(name, f"{path}\0{self._page(path) if page else _stamp(path)}")
        else:
            self.add(name, _ABSENT)

    def _page(self, path: str) -> str:
        """Return the digest of the page of links at *path*, which must name no local files."""
        data = _read(path) or b""
        text = data.decode("latin-1")
        if "<base" in text.lower() or len(_LINKS.findall(text)) != len(_REMOTE_LINKS.findall(text)):
            raise UnkeyableError(f"{self._shown(path)} may link to local files")
        return _digest(data)

    def _index(self, location: str) -> None:
        """Add the index at *location* if it is a local directory, as it shows in the inodes of its pages.

        pip reads the pages of the projects it meets, and which these are is not known here: so all count.  A file that
        a page links to is not looked at: where the page gives no hash of it, it could be another one under its name.
        """
        path = self._local(location)
        if path is None:
            return
        name = f"local index {self._shown(path)}"
        parts = [path]
        try:
            with os.scandir(path) as entries:
                projects = sorted(entry.name for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            self.add(name, _ABSENT)
            return
        except OSError:
            raise UnkeyableError(f"{path} cannot be listed") from None
        if len(projects) > _PROJECTS:
            raise UnkeyableError(f"the local index {path} is too large to be checked")
        for project in projects:
            directory = f"{path}{os.sep}{project}"
            parts += [project, _stamp(directory), _stamp(f"{directory}{os.sep}index.html")]
        self.add(name, "\0".join(parts))

    def _local(self, location: str) -> str | None:
        """Return the absolute path that *location* of find-links or of an index names, if it is a local one."""
        refuse_nul(location)
        if location.startswith("~"):
            home = self.environ.get("HOME")
            literal = os.path.lexists(os.path.join(self.directory, location))
            if literal or location[1:2] not in {"", os.sep} or not home:
                raise UnkeyableError("a path begins with ~")
            location = home + location[1:]
        if location.startswith("file:"):
            return os.path.normpath(local_path(location, self.directory))
        lowered = location.lower()
        if lowered.startswith(("http://", "https://")):
            return None
        if ":" in os.path.splitdrive(location)[1]:
            raise UnkeyableError(f"the location {lowered.partition(':')[0]}: is not known")
        return os.path.normpath(os.path.join(self.directory, location))

    def _python_path(self, value: str) -> str:
        """Return *value* of PYTHONPATH with the distributions that pip finds there."""
        parts = [value]
        for entry in value.split(os.pathsep):
            path = os.path.join(self.directory, entry)
            try:
                names = sorted(os.listdir(path))
            except OSError:
                parts += [path, _stamp(path)]
                continue
            for name in names:
                if name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link")):
                    files = (os.path.join(path, name, file) for file in ("METADATA", "PKG-INFO"))
                    parts += [name, _stamp(os.path.join(path, name)), *map(_stamp, files)]
        return "\0".join(parts)

    def _located(self, name: str, base: str) -> str:
        """Return the absolute path of the requirement file *name*, relative to *base*."""
        refuse_nul(name)
        if ":" in os.path.splitdrive(name)[1]:
            raise UnkeyableError("a requirement file is a URL")
        path = os.path.join(base, name)
        plain = os.path.normpath(path)
        # Newer pips resolve ".." in the text, older ones on the disk.
        if ".." in name and os.path.realpath(path) != os.path.realpath(plain):
            raise UnkeyableError(f"{name} leads through a symbolic link")
        return plain

    def _content(self, path: str) -> bytes:
        """Add the file at *path* and return its content."""
        data = _read(path)
        if data is None:
            raise UnkeyableError(f"{self._shown(path)} cannot be read")
        self.add(self._shown(path), data)
        return data

    def _shown(self, path: str) -> str:
        """Return the name of *path* for a user, which is never that of another input."""
        start = self.directory + os.sep
        shown = path[len(start) :] if path.startswith(start) else path
        taken = " " in shown or shown in _REST or _VARIABLE.fullmatch(shown) is not None
        return f".{os.sep}{shown}" if taken and not os.path.isabs(shown) else shown


def _setting(name: str) -> str:
    """Return *name* of a variable or in a configuration file as pip compares it."""
    return name.lower().replace("_", "-").removeprefix("--")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: str) -> bytes | None:
    """Return the content of the regular file at *path*, ``None`` where it cannot be read."""
    try:
        # Not opened at once: a pipe would wait, and what is read from it is lost to pip.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as stream:
            return stream.read()
    except (OSError, ValueError):
        return None


def _stamp(path: str) -> str:
    """Return what tells one state of the file at *path* from another without reading it."""
    try:
        found = os.stat(path)
    except OSError:
        return _ABSENT
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"

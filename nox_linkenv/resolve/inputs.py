"""The inputs of a request: the files and values that pip's answer depends on, each under a name for a user."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_linkenv.wheel import Scheme

__all__ = [
    "ABSENT",
    "ARGUMENTS",
    "INSTALLED",
    "INTERPRETER",
    "LEFT",
    "NOT_KEPT",
    "PIP",
    "Inputs",
    "Interpreter",
    "UnkeyableError",
    "changed",
    "differences",
    "digest",
    "read_file",
    "refuse_nul",
    "stamp",
    "veiled",
]

ARGUMENTS: Final = "arguments"
INTERPRETER: Final = "interpreter"
PIP: Final = "pip's version"
INSTALLED: Final = "what is installed"
#: Stands among the inputs of a request whose answer was not kept, with the reason.
NOT_KEPT: Final = "not kept"
#: Ends the name of an input as builds have left it, beside what it was before.
LEFT: Final = ", as it was left"
_REST: Final = (ARGUMENTS, INTERPRETER, PIP, INSTALLED)
#: How the input of a variable is called: as the variable, or ``${NAME}`` where a requirement file uses it.
_VARIABLE: Final = r"_?[A-Z][A-Za-z0-9_]*|\$\{\w+\}"
ABSENT: Final = "absent"


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


class UnkeyableError(Exception):
    """Only pip itself knows what the request depends on; *reason* is one clause that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Inputs:
    """The inputs of one request.

    Args:
        directory: absolute path of the directory that pip would run in.
    """

    def __init__(self, directory: str) -> None:
        self.directory = os.path.normpath(directory)
        self._digests: dict[str, str] = {}
        self._files: dict[str, str] = {}  # by their names, which do not count
        self._contents: list[tuple[str, str]] = []  # who names a file, and the digest of what it says

    def add(self, name: str, value: str | bytes) -> None:
        self._digests[name] = digest(
            veiled(value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)
        )

    def add_secret(self, name: str, value: str) -> None:
        """Add *value*, which may be a password or token."""
        from nox_linkenv.resolve.veil import slow_digest

        self._digests[name] = digest(slow_digest(value.encode("utf-8", "surrogateescape")) if value else b"")

    def add_file(self, path: str, reader: str | None = None) -> bytes:
        """Add the file at *path* and return its content.

        Args:
            reader: what names it.  Of the files with one reader, the order counts and what they say, not their paths.
                Without one, the path counts.

        Raises:
            UnkeyableError: it cannot be read.
        """
        data = read_file(path)
        if data is None:
            raise UnkeyableError(f"{self.shown(path)} cannot be read")
        if reader is None:
            self.add(self.shown(path), data)
        else:
            content = digest(veiled(data))
            self._files[self.shown(path)] = content
            self._contents.append((reader, content))
        return data

    def add_remote(self, url: str, bare: str, reader: str) -> None:
        """Add the requirement file at *url*, of which nothing is known but where it is.

        Args:
            bare: the URL without user name and password.
            reader: what names it; the order of what one reader names counts.
        """
        place = digest(veiled(url.encode("utf-8", "surrogateescape")))
        self._files[bare] = place
        self._contents.append((reader, place))

    def add_interpreter(self, prefix: str, facts: Interpreter, environ: Mapping[str, str]) -> None:
        """Add the interpreter and what environment markers and wheel tags depend on (PEP 508, PEP 425).

        Args:
            prefix: absolute path of the environment.
            facts: about its interpreter.
            environ: all variables that pip would run with.

        Raises:
            UnkeyableError: it sees packages from outside of the environment.
        """
        parts = [facts.version, facts.tag, *sorted(facts.schemes.values())]
        if sys.platform == "win32":
            parts += [environ.get("PROCESSOR_ARCHITECTURE", ""), environ.get("PROCESSOR_ARCHITEW6432", "")]
        else:
            machine = os.uname()
            parts += [machine.sysname, machine.release, machine.version, machine.machine]
            try:
                parts.append(os.confstr("CS_GNU_LIBC_VERSION") or "")
            except (AttributeError, OSError, ValueError):
                parts.append("")
        # The path of the base interpreter stands for the rest: its platform, ABI and build.
        configured = (read_file(os.path.join(prefix, "pyvenv.cfg")) or b"").decode("utf-8", "replace")
        for line in configured.splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            if name in {"home", "base-executable", "executable", "version", "version_info", "implementation"}:
                parts.append(f"{name}={value}")
            elif name == "include-system-site-packages" and value.lower() == "true":
                raise UnkeyableError("the environment sees the packages of its base interpreter")
        self.add(INTERPRETER, "\0".join(parts))

    def shown(self, path: str) -> str:
        """Return the name of *path* for a user, which is never that of another input."""
        start = self.directory + os.sep
        shown = path[len(start) :] if path.startswith(start) else path
        taken = " " in shown or shown in _REST or re.fullmatch(_VARIABLE, shown) is not None
        return f".{os.sep}{shown}" if taken and not os.path.isabs(shown) else shown

    def digest(self) -> str:
        """Return the hexadecimal SHA-256 over all of them."""
        lines = "\0".join(f"{self._digests[name]} {name}" for name in sorted(self._digests))
        if self._contents:
            # Variables come in any order, what one of them names in its own.
            ordered = sorted(self._contents, key=lambda item: item[0])
            lines += "\0\0" + "\0".join(f"{content} {reader}" for reader, content in ordered)
        return digest(lines.encode("utf-8", "surrogateescape"))

    def short(self) -> dict[str, str]:
        """Return a short digest of each."""
        return {name: value[:16] for name, value in (*self._digests.items(), *self._files.items())}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Return the first of the :func:`differences`, ``None`` where there is none."""
    return next(iter(differences(before, now)), None)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return how the short inputs of two keys differ, such as ``requirements.txt changed``, the most telling first.

    Files come before variables and these before the rest.  A file that is named by its absolute path stands for
    another one that was before.
    """
    before = _named_as(before, now)
    found: list[tuple[int, int, str]] = []
    for name in {**before, **now}:
        if name not in now:
            verb = 2
        elif name not in before:
            verb = 1
        elif before[name] != now[name]:
            verb = 0
        else:
            continue
        rank = 2 + _REST.index(name) if name in _REST else int(re.fullmatch(_VARIABLE, name) is not None)
        found.append((rank, verb, name))
    return [f"{name} {('changed', 'appeared', 'is gone')[verb]}" for _, verb, name in sorted(found)]


def _named_as(before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
    """Return *before* with files at absolute paths under the paths that those in their places have *now*."""
    gone = [name for name in before if name not in now and os.path.isabs(name)]
    new = [name for name in now if name not in before and os.path.isabs(name)]
    if not gone or len(gone) != len(new):
        return before
    names = dict(zip(gone, new, strict=True))
    return {names.get(name, name): value for name, value in before.items()}


def refuse_nul(text: str) -> None:
    """Check that *text* can be a path.

    Raises:
        UnkeyableError: it cannot, on any system.
    """
    if "\0" in text:
        raise UnkeyableError("a name holds a NUL")


def digest(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of *data*."""
    return hashlib.sha256(data).hexdigest()


def veiled(data: bytes) -> bytes:
    """Return *data* with something else in the place of each user name and password in a URL.

    Digests of it are kept where others may read them: nobody is to find out a password by trying.
    """
    if b"@" not in data or b"://" not in data:
        return data
    from nox_linkenv.resolve.veil import veil

    return veil(data)


def read_file(path: str) -> bytes | None:
    """Return the content of the regular file at *path*, ``None`` where it cannot be read."""
    try:
        # Not opened at once: a pipe would wait, and what is read from it is lost to pip.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as stream:
            return stream.read()
    except (OSError, ValueError):
        return None


def stamp(path: str) -> str:
    """Return what tells one state of the file at *path* from another without reading it."""
    try:
        found = os.stat(path)
    except OSError:
        return ABSENT
    # Who writes a file can set back its time of modification, but not that of its last change.
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"

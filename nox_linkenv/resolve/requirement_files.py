"""Reading requirement files and requirements as far as needed to know what a request depends on.

What pip would understand in another way is never guessed at: it raises :class:`UnkeyableError`.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import codecs
import enum
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "ARCHIVES",
    "Line",
    "Option",
    "Place",
    "Specifier",
    "UnkeyableError",
    "check_lock",
    "check_project",
    "decode",
    "expand",
    "is_lock",
    "local_path",
    "logical_lines",
    "parse_line",
    "refuse_nul",
    "specifier",
    "without_extras",
]


class UnkeyableError(Exception):
    """Only pip itself knows what the request depends on; *reason* is one clause that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def refuse_nul(text: str) -> None:
    """Check that *text* can be a path.

    Raises:
        UnkeyableError: it cannot, on any system.
    """
    if "\0" in text:
        raise UnkeyableError("a name holds a NUL")


# The order matters: the mark of UTF-16 begins that of UTF-32.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING: Final = re.compile(rb"coding[:=]\s*([-\w.]+)")  # PEP 263
_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)\}")


def decode(data: bytes, environ: Mapping[str, str], shown: str) -> str:
    """Return the text of the requirement file *data*, which messages call *shown*.

    Raises:
        UnkeyableError: pip may read it in another encoding.
    """
    try:
        for mark, encoding in _BYTE_ORDER_MARKS:
            if data.startswith(mark):
                return data[len(mark) :].decode(encoding)
        for line in data.split(b"\n", 2)[:2]:
            if line.startswith(b"#") and (found := _CODING.search(line)) is not None:
                return data.decode(found[1].decode("ascii"))
        text = data.decode("utf-8")
    except (LookupError, UnicodeError):
        raise UnkeyableError(f"{shown} is not in UTF-8") from None
    # Older pips read it in the encoding of the locale, and so does any pip where UTF-8 fails.
    if not text.isascii() and not _speaks_utf8(environ):
        raise UnkeyableError(f"{shown} is not in ASCII, and the locale may not be one of UTF-8")
    return text


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    if sys.getfilesystemencoding().lower().replace("-", "") != "utf8":
        return False
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C"
    if locale in {"C", "POSIX"}:  # read as UTF-8: PEP 538, PEP 540
        return environ.get("PYTHONUTF8") != "0" and environ.get("PYTHONCOERCECLOCALE") != "0"
    return "utf8" in locale.lower().replace("-", "")


def logical_lines(text: str) -> Iterator[str]:
    """Yield the lines of *text*, continuations joined, without comments and empty lines."""
    parts: list[str] = []
    for line in text.splitlines():
        comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        # The blank keeps a comment after a continuation a comment.
        parts.append(f" {line}" if comment else line)
        if joined := _COMMENT.sub("", "".join(parts)).strip():
            yield joined
        parts.clear()
    if joined := _COMMENT.sub("", "".join(parts)).strip():
        yield joined


def expand(line: str, environ: Mapping[str, str], used: set[str]) -> str:
    """Return *line* with the values of the variables in it, whose names are added to *used*."""
    if "${" not in line:
        return line
    for name in _VARIABLE.findall(line):
        used.add(name)
        if value := environ.get(name):  # pip leaves an empty one as it is
            line = line.replace(f"${{{name}}}", value)
    return line


class Option(enum.Enum):
    """What an option in a requirement file means to us."""

    REQUIREMENT_FILE = enum.auto()
    CONSTRAINT_FILE = enum.auto()
    EDITABLE = enum.auto()
    INDEX = enum.auto()
    FIND_LINKS = enum.auto()
    HASH = enum.auto()
    SETTING = enum.auto()  # of the build of one requirement
    NO_REQUIRE_HASHES = enum.auto()
    OTHER = enum.auto()  # names no file


_VALUED: Final = {
    "-r": Option.REQUIREMENT_FILE,
    "--requirement": Option.REQUIREMENT_FILE,
    "-c": Option.CONSTRAINT_FILE,
    "--constraint": Option.CONSTRAINT_FILE,
    "-e": Option.EDITABLE,
    "--editable": Option.EDITABLE,
    "-i": Option.INDEX,
    "--index-url": Option.INDEX,
    "--pypi-url": Option.INDEX,
    "--extra-index-url": Option.INDEX,
    "-f": Option.FIND_LINKS,
    "--find-links": Option.FIND_LINKS,
    "--hash": Option.HASH,
    "-C": Option.SETTING,
    "--config-settings": Option.SETTING,
    "--config-setting": Option.SETTING,
    "--no-binary": Option.OTHER,
    "--only-binary": Option.OTHER,
    "--trusted-host": Option.OTHER,
    "--use-feature": Option.OTHER,
    "--all-releases": Option.OTHER,
    "--only-final": Option.OTHER,
}
_FLAGS: Final = {
    "--no-index": Option.OTHER,
    "--prefer-binary": Option.OTHER,
    "--require-hashes": Option.OTHER,
    "--no-require-hashes": Option.NO_REQUIRE_HASHES,
    "--pre": Option.OTHER,
}
_OF_REQUIREMENT: Final = {Option.HASH, Option.SETTING}


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: a requirement with its own options, or options alone.

    Args:
        requirement: as written, empty where there is none.
        options: each with its value.
    """

    requirement: str
    options: tuple[tuple[Option, str | None], ...]

    @property
    def hashed(self) -> bool:
        """Whether a strong hash stands beside the requirement."""
        return any(
            option is Option.HASH and value is not None and value.startswith(("sha256:", "sha384:", "sha512:"))
            for option, value in self.options
        )


def parse_line(line: str, shown: str) -> Line:
    """Return the logical *line* of the file that messages call *shown*.

    Raises:
        UnkeyableError: something in it is not known, or pip would ignore it.
    """
    if line.startswith("-"):
        requirement, rest = "", line
    else:  # pip looks for options after blanks alone: a tab belongs to the requirement
        requirement, separator, rest = line.partition(" -")
        rest = f"-{rest}" if separator else ""
        requirement = requirement.strip(" ")
    options: list[tuple[Option, str | None]] = []
    tokens = _split(rest, shown)
    while tokens:
        token = tokens.pop(0)
        if token.startswith("--"):
            name, separator, value = token.partition("=")
        else:
            name, value = token[:2], token[2:]
            separator = value
        if name in _VALUED and (separator or tokens):
            options.append((_VALUED[name], value if separator else tokens.pop(0)))
        elif name in _FLAGS and not separator:
            options.append((_FLAGS[name], None))
        else:
            raise UnkeyableError(f"{shown} has a line that is not understood")
    if any((option in _OF_REQUIREMENT) is not bool(requirement) for option, _ in options):
        raise UnkeyableError(f"{shown} has an option where pip ignores it")
    return Line(requirement, tuple(options))


def _split(text: str, shown: str) -> list[str]:
    if "'" in text or '"' in text or "\\" in text:
        import shlex

        try:
            return shlex.split(text)
        except ValueError:
            raise UnkeyableError(f"{shown} has a line that is not understood") from None
    return [token for token in re.split(r"[ \t\r\n]+", text) if token]


class Place(enum.Enum):
    """Where the distribution of a requirement comes from."""

    INDEX = enum.auto()
    REMOTE = enum.auto()
    LOCAL = enum.auto()


@dataclass(frozen=True, slots=True)
class Specifier:
    """What a requirement asks for.

    Args:
        place: where it comes from.
        exact: whether it is of the form ``name==version``.
        path: of the local file, if it is one.
    """

    place: Place
    exact: bool = False
    path: str | None = None


#: Ends of the names that pip takes for archives, in lower case.
ARCHIVES: Final = (
    ".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma",
)  # fmt: skip
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS: Final = r"(?:\[[\w\s.,-]*\])?"
_PLAIN: Final = re.compile(rf"{_NAME}\s*{_EXTRAS}\s*(?:\(?\s*[<>=!~][\w\s.,<>=!~*+-]*\)?)?", re.ASCII)
_EXACT: Final = re.compile(rf"{_NAME}\s*{_EXTRAS}\s*==\s*[\w.!+-]+", re.ASCII)
_DIRECT: Final = re.compile(rf"{_NAME}\s*{_EXTRAS}\s*@\s*(\S+)", re.ASCII)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_TRAILING_EXTRAS: Final = re.compile(r"(.+?)\s*\[[^\]]+\]")
_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))


def without_extras(text: str) -> str:
    """Return *text* without ``[extras]`` at its end."""
    found = _TRAILING_EXTRAS.fullmatch(text)
    return text if found is None else found[1]


def specifier(text: str, directory: str) -> Specifier:
    """Return what the requirement *text* asks for, in pip's order: URL, existing path, ``name @ URL``, name.

    Paths are relative to *directory*, the working directory, even in a requirement file.

    Raises:
        UnkeyableError: a local project, a VCS, or something that is not understood.
    """
    refuse_nul(text)
    text = text.strip()
    if (scheme := _SCHEME.match(text)) is not None and os.path.splitdrive(text)[0] == "":
        return _url(scheme[1], text.split("; ", 1)[0].strip(), directory)
    name = text.split(";", 1)[0].strip()
    bare = without_extras(name)
    if name.startswith(".") or any(separator in name for separator in _SEPARATORS):
        # ".." is resolved in the text and not on the disk, as pip does.
        path = os.path.normpath(os.path.join(directory, bare))
        if os.path.lexists(path):
            return _local(path)
    elif bare.lower().endswith(ARCHIVES) and os.path.lexists(path := os.path.join(directory, bare)):
        return _local(path)
    if (direct := _DIRECT.match(text)) is not None:
        url = direct[1]
        if (scheme := _SCHEME.match(url)) is None:
            raise UnkeyableError(f"the requirement {name.partition('@')[0].strip()} is not understood")
        return _url(scheme[1], url, directory)
    if _PLAIN.fullmatch(name) is None:
        raise UnkeyableError("a requirement is not understood")
    return Specifier(Place.INDEX, exact=_EXACT.fullmatch(name) is not None)


def _url(scheme: str, url: str, directory: str) -> Specifier:
    if scheme.lower() in {"http", "https"}:
        return Specifier(Place.REMOTE)
    if scheme == "file":
        return _local(os.path.normpath(local_path(url, directory)))
    raise UnkeyableError("a version control system is among the requirements" if "+" in scheme else "a URL is unknown")


def _local(path: str) -> Specifier:
    if os.path.isdir(path):
        raise UnkeyableError("a local project is among the requirements")
    if not os.path.isfile(path) or not path.lower().endswith(ARCHIVES):
        raise UnkeyableError(f"{path} is not an archive")
    return Specifier(Place.LOCAL, path=path)


def local_path(url: str, directory: str) -> str:
    """Return the path that the ``file:`` URL *url* names, a relative one as relative to *directory*.

    Raises:
        UnkeyableError: it names another host, or nothing that can be a path.
    """
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        raise UnkeyableError("a URL is not understood") from None
    if parts.netloc not in {"", "localhost"} or os.name == "nt":
        raise UnkeyableError("a file: URL names another host")
    path = unquote(parts.path)
    refuse_nul(path)
    return os.path.join(directory, path)


def is_lock(name: str) -> bool:
    """Return whether pip takes the file *name* for a lock file.

    Source: https://packaging.python.org/en/latest/specifications/pylock-toml/#file-name
    """
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", os.path.basename(name)) is not None


_ESCAPE: Final = re.compile(r"\\[uUxX]")
_LOCAL_KEY: Final = re.compile(r"""(?:^|[{,.\[])\s*["']?(?:path|vcs|directory)["']?\s*[=.\]]""", re.MULTILINE)
_URL_KEY: Final = re.compile(r"""\burl["']?\s*=\s*["']""")
_REMOTE_KEY: Final = re.compile(r"""\burl["']?\s*=\s*["']https?://""")
_HASHES: Final = re.compile(r"""\bhashes["']?\s*=\s*\{[^}]*\bsha(?:256|384|512)["']?\s*=""")
_OTHER_URL: Final = re.compile(r"@[\s\\btnfr]*(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:")


def check_lock(text: str, shown: str) -> bool:
    """Return whether every artifact in the lock file *text* is hashed.

    The text is only searched: reading it as TOML takes longer than all the rest, and where the search is in doubt
    pip is asked.

    Raises:
        UnkeyableError: it may name local projects, local files or a VCS.
    """
    urls = len(_URL_KEY.findall(text))
    if _ESCAPE.search(text) or _LOCAL_KEY.search(text) or len(_REMOTE_KEY.findall(text)) != urls:
        raise UnkeyableError(f"{shown} may name local files or a version control system")
    return 0 < urls == len(_HASHES.findall(text))


def check_project(text: str, shown: str) -> None:
    """Check that no dependency group in the ``pyproject.toml`` *text* can name a local project or a VCS.

    Raises:
        UnkeyableError: one may.
    """
    if _ESCAPE.search(text) or _OTHER_URL.search(text):
        raise UnkeyableError(f"{shown} may name local files or a version control system")

"""Reading requirement files as far as needed to know what a request depends on.

What pip would understand in another way is never guessed at: it raises
:class:`~nox_linkenv.resolve.inputs.UnkeyableError`.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import codecs
import enum
import os
import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.resolve.inputs import UnkeyableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Line", "Option", "decode", "expand", "is_lock", "logical_lines", "parse_line"]


# The order matters: the mark of UTF-16 begins that of UTF-32.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING: Final = rb"coding[:=]\s*([-\w.]+)"  # PEP 263
_COMMENT: Final = r"(^|\s+)#.*$"
_VARIABLE: Final = r"\$\{([A-Z0-9_]+)\}"


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
            if line.startswith(b"#") and (found := re.search(_CODING, line)) is not None:
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
        comment = re.match(_COMMENT, line) is not None
        if line.endswith("\\") and not comment:
            parts.append(line.strip("\\"))
            continue
        # The blank keeps a comment after a continuation a comment.
        parts.append(f" {line}" if comment else line)
        if joined := re.sub(_COMMENT, "", "".join(parts)).strip():
            yield joined
        parts.clear()
    if joined := re.sub(_COMMENT, "", "".join(parts)).strip():
        yield joined


def expand(line: str, environ: Mapping[str, str], used: set[str]) -> str:
    """Return *line* with the values of the variables in it, whose names are added to *used*."""
    if "${" not in line:
        return line
    for name in re.findall(_VARIABLE, line):
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


class Line(NamedTuple):
    """A logical line: a requirement with its own options, or options alone.

    Args:
        requirement: as written, empty where there is none.
        options: each with its value.
        names: of the options, as they are written.
    """

    requirement: str
    options: tuple[tuple[Option, str | None], ...]
    names: tuple[str, ...] = ()

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
    names: list[str] = []
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
        names.append(name)
    if any((option in _OF_REQUIREMENT) is not bool(requirement) for option, _ in options):
        raise UnkeyableError(f"{shown} has an option where pip ignores it")
    return Line(requirement, tuple(options), tuple(names))


def _split(text: str, shown: str) -> list[str]:
    if "'" in text or '"' in text or "\\" in text:
        import shlex

        try:
            return shlex.split(text)
        except ValueError:
            raise UnkeyableError(f"{shown} has a line that is not understood") from None
    return [token for token in re.split(r"[ \t\r\n]+", text) if token]


def is_lock(name: str) -> bool:
    """Return whether pip takes the file *name* for a lock file.

    Source: https://packaging.python.org/en/latest/specifications/pylock-toml/#file-name
    """
    return re.fullmatch(r"pylock(\.[^.]+)?\.toml", os.path.basename(name)) is not None

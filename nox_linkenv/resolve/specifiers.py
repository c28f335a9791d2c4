"""What requirements and locations name: a distribution, an archive, a directory, or something far away.

What pip would understand in another way is never guessed at: it raises
:class:`~nox_linkenv.resolve.inputs.UnkeyableError`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.resolve.inputs import UnkeyableError, refuse_nul

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARCHIVES",
    "LOCAL_PROJECT",
    "SDISTS",
    "Specifier",
    "bare",
    "editable_reason",
    "file_named",
    "is_remote",
    "local_place",
    "specifier",
    "without_extras",
]


class Specifier(NamedTuple):
    """What a requirement asks for.

    Args:
        exact: whether it is of the form ``name==version``.
        path: of the local file, if it is one.
    """

    exact: bool = False
    path: str | None = None


#: Why a directory is not keyed here.
LOCAL_PROJECT: Final = "a local project is among the requirements"
#: Ends of the names that pip takes for archives, in lower case.
ARCHIVES: Final = (
    ".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz", ".tar.lzma",
)  # fmt: skip
#: Those of them that sdists have.
SDISTS: Final = (".tar.gz", ".zip")
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS: Final = r"(?:\[[\w\s.,-]*\])?"
_PLAIN: Final = rf"(?a){_NAME}\s*{_EXTRAS}\s*(?:\(?\s*[<>=!~][\w\s.,<>=!~*+-]*\)?)?"
_EXACT: Final = rf"(?a){_NAME}\s*{_EXTRAS}\s*==\s*[\w.!+-]+"
_DIRECT: Final = rf"(?a){_NAME}\s*{_EXTRAS}\s*@\s*(\S+)"
_REPOSITORY: Final = "version control is looked up each time, unless a commit of git is named in full"
_CHECKED_OUT: Final = "an editable of version control is checked out anew each time"
#: A commit named in full never moves, unlike a branch or a tag.
_COMMIT: Final = r"git\+[a-z]+://\S+@[0-9a-f]{40}(?:#\S*)?"
_SCHEME: Final = r"([A-Za-z][A-Za-z0-9+.-]*):"
_TRAILING_EXTRAS: Final = r"(.+?)\s*\[[^\]]+\]"
_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))


def without_extras(text: str) -> str:
    """Return *text* without ``[extras]`` at its end."""
    found = re.fullmatch(_TRAILING_EXTRAS, text) if text.endswith("]") else None
    return text if found is None else found[1]


def specifier(text: str, directory: str) -> Specifier:
    """Return what the requirement *text* asks for, in pip's order: URL, existing path, ``name @ URL``, name.

    Paths are relative to *directory*, the working directory, even in a requirement file.

    Raises:
        UnkeyableError: a local project, a VCS, or something that is not understood.
    """
    refuse_nul(text)
    text = text.strip()
    if ":" in text and (scheme := re.match(_SCHEME, text)) is not None and os.path.splitdrive(text)[0] == "":
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
    if "@" in text and (direct := re.match(_DIRECT, text)) is not None:
        url = direct[1]
        if (scheme := re.match(_SCHEME, url)) is None:
            raise UnkeyableError(f"the requirement {name.partition('@')[0].strip()} is not understood")
        return _url(scheme[1], url, directory)
    if re.fullmatch(_PLAIN, name) is None:
        raise UnkeyableError("a requirement is not understood")
    return Specifier(exact="==" in name and re.fullmatch(_EXACT, name) is not None)


def _url(scheme: str, url: str, directory: str) -> Specifier:
    if scheme.lower() in {"http", "https"}:
        return Specifier()
    if scheme == "file":
        return _local(os.path.normpath(_file_path(url, directory)))
    if re.fullmatch(_COMMIT, url) is not None:
        return Specifier()
    raise UnkeyableError(_REPOSITORY if "+" in scheme else "a URL is unknown")


def editable_reason(value: str) -> str:
    """Return why the editable *value* has no key, in one clause."""
    return _CHECKED_OUT if re.match(r"[A-Za-z]+\+[A-Za-z]+:", value) else LOCAL_PROJECT


def _local(path: str) -> Specifier:
    if os.path.isdir(path):
        raise UnkeyableError(LOCAL_PROJECT)
    if not os.path.isfile(path) or not path.lower().endswith(ARCHIVES):
        raise UnkeyableError(f"{path} is not an archive")
    return Specifier(path=path)


def _file_path(url: str, directory: str) -> str:
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


def local_place(location: str, directory: str, environ: Mapping[str, str]) -> str | None:
    """Return the absolute path that *location*, of find-links or of an index, names; ``None`` where it is far away.

    Raises:
        UnkeyableError: pip may take it for something else.
    """
    refuse_nul(location)
    if location.startswith("~"):
        home = environ.get("HOME")
        literal = os.path.lexists(os.path.join(directory, location))
        if literal or location[1:2] not in {"", os.sep} or not home:
            raise UnkeyableError("a path begins with ~")
        location = home + location[1:]
    if location.startswith("file:"):
        return os.path.normpath(_file_path(location, directory))
    lowered = location.lower()
    if lowered.startswith(("http://", "https://")):
        return None
    if ":" in os.path.splitdrive(location)[1]:
        raise UnkeyableError(f"the location {lowered.partition(':')[0]}: is not known")
    return os.path.normpath(os.path.join(directory, location))


def bare(url: str) -> str:
    """Return *url* without user name, password and fragment."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def is_remote(name: str) -> bool:
    """Return whether the requirement file *name* is one that pip asks a server for."""
    return name.startswith(("http://", "https://"))


def file_named(name: str, base: str) -> str:
    """Return the absolute path of the requirement file *name*, relative to *base*.

    Raises:
        UnkeyableError: it is a URL of a kind that is not known, or pips differ in which file it is.
    """
    refuse_nul(name)
    if ":" in os.path.splitdrive(name)[1]:
        raise UnkeyableError("a requirement file is a URL")
    path = os.path.join(base, name)
    plain = os.path.normpath(path)
    # Newer pips resolve ".." in the text, older ones on the disk.
    if ".." in name and os.path.realpath(path) != os.path.realpath(plain):
        raise UnkeyableError(f"{name} leads through a symbolic link")
    return plain

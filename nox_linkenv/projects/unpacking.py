"""Unpacking an sdist as pip does before it builds it: into a new directory, without the one that holds all of it.

What pip has rules of its own for (hard links, links that lead out of it, several directories at the top, names that
lead elsewhere) is left to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from nox_linkenv.projects.backend import BackendError
from nox_linkenv.projects.fingerprint import repository_above
from nox_linkenv.projects.looking import temporary_places
from nox_linkenv.store.files import open_new
from nox_linkenv.store.temporary import directory_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["unpacked"]

#: Bytes of all files of one.
_MOST: Final = 256 << 20
#: File types of a zip's members; many have none.
_PLAIN: Final = (0, stat.S_IFREG, stat.S_IFDIR)


@contextlib.contextmanager
def unpacked(archive: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Unpack the sdist at the path *archive* for as long as the context lasts, and yield the directory's real path.

    Args:
        environ: the variables that pip would run with, and which say where it would do that.

    Raises:
        BackendError: it cannot be, or pip may make something else of it.
    """
    place = next(filter(os.path.isdir, temporary_places(environ)), None)
    if place is None or repository_above(os.path.realpath(place)):
        raise BackendError("there is no place apart from others to unpack it")
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(directory_in(os.path.realpath(place), shared=True))
            (_unzip if archive.lower().endswith(".zip") else _untar)(archive, directory)
        except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError, zlib.error) as error:
            raise BackendError(f"it cannot be unpacked here: {error}") from error
        yield directory


class _Places:
    """Where the members of one archive go in *directory*."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._top = ""
        self._left = _MOST
        self._links: set[str] = set()

    def directory(self, name: str) -> None:
        """Make the directory *name*, unless it stands."""
        os.makedirs(self._of(name.rstrip("/")), exist_ok=True)

    def file(self, name: str, stream: IO[bytes], size: int, *, executable: bool) -> str:
        """Write the file *name*, of *size* bytes, and return its path."""
        path = self._of(name)
        self._left -= size
        if self._left < 0 or path == self._directory:
            raise ValueError("it is large, or has a file in the place of its directory")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(open_new(path, 0o777 if executable else 0o666), "wb") as target:
            shutil.copyfileobj(stream, target)
        return path

    def link(self, name: str, target: str) -> None:
        """Make the symlink *name* to *target*, which is in the directory, too, and as plain as names are."""
        path = self._of(name)
        leads = os.path.normpath(os.path.join(os.path.dirname(path), target))
        plain = target == os.path.normpath(target) and not os.path.isabs(target) and "\\" not in target
        if not plain or not leads.startswith(f"{self._directory}/") or path == self._directory:
            raise ValueError(f"{name!r} is a link to {target!r}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
        self._links.add(path)

    def _of(self, name: str) -> str:
        parts = name.split("/")
        self._top = self._top or parts[0]
        if parts[0] != self._top or not {"", ".", ".."}.isdisjoint(parts) or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} is no plain name in its one directory")
        if any("/".join([self._directory, *parts[1:end]]) in self._links for end in range(2, len(parts) + 1)):
            raise ValueError(f"{name!r} is in the place of a link, or behind one")
        return os.path.join(self._directory, *parts[1:])


def _untar(archive: str, directory: str) -> None:
    places = _Places(directory)
    with tarfile.open(archive, "r:gz", encoding="utf-8") as reader:
        for member in reader:
            if member.isdir():
                places.directory(member.name)
                continue
            if member.issym():
                places.link(member.name, member.linkname)
                continue
            stream = reader.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
            if stream is None:
                raise ValueError(f"{member.name!r} is no plain file")
            path = places.file(member.name, stream, member.size, executable=bool(member.mode & 0o111))
            os.utime(path, (member.mtime, member.mtime))


def _unzip(archive: str, directory: str) -> None:
    places = _Places(directory)
    with zipfile.ZipFile(archive) as reader:
        for member in reader.infolist():
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in _PLAIN:
                raise ValueError(f"{member.filename!r} is no plain file")
            if member.is_dir():
                places.directory(member.filename)
                continue
            with reader.open(member) as stream:
                executable = stat.S_ISREG(mode) and bool(mode & 0o111)
                places.file(member.filename, stream, member.file_size, executable=executable)

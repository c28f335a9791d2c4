"""Taking the files of an archive into a store, each compared with its name while it comes."""

from __future__ import annotations

import enum
import hashlib
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.store.files import open_new, publish
from nox_linkenv.store.objects import EXECUTABLE_MODE, FILE_MODE, discard, finish, intact, owner_of
from nox_linkenv.transfer.file_names import FileName, file_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox_linkenv.store.layout import Layout
    from nox_linkenv.transfer.container import Archive, Body, Member, Pack

__all__ = ["Came", "FilesIn"]

#: How a pyc begins (PEP 552): flags of zero, for one that names the time and size of its source.
_PYC: Final = slice(4, 12)
_HEAD: Final = 12


class Came(NamedTuple):
    """What came into the store of a pack: how many files, and their bytes."""

    files: int
    size: int


class _There(enum.Enum):
    """What stands in a file's place."""

    NOTHING = enum.auto()
    WHOLE = enum.auto()
    CHANGED = enum.auto()


class FilesIn:
    """Takes files of *archive* into the store of *layout*; several threads may, packs of their own."""

    def __init__(self, layout: Layout, archive: Archive) -> None:
        self._layout = layout
        self._archive = archive
        self._base = layout.base
        self._owner = owner_of(layout.base)

    def take(self, pack: Pack, members: Sequence[Member], staging: str) -> Came:
        """Take in the *members* of *pack*, unless they are there.

        Args:
            staging: a directory to be made, of the store's filesystem, which is left.

        Raises:
            ArchiveError: what comes is not what it should be.
            OSError: the archive cannot be read, or the store cannot be written.
        """
        named = [(member, self._named(member)) for member in members]
        found = [self._found(member, name) for member, name in named]
        files, size = 0, 0
        if all(there is _There.WHOLE for there in found):
            return Came(files, size)
        os.mkdir(staging, 0o755)  # of its own: in one directory only one thread at a time makes a file
        with self._archive.body(pack) as body:
            for (member, name), there in zip(named, found, strict=True):
                self._take(member, name, there, body, f"{staging}/file")
                if there is not _There.WHOLE:
                    files, size = files + 1, size + member.size
            body.finish()
        return Came(files, size)

    def _named(self, member: Member) -> FileName:
        try:
            return file_named(member.name)
        except ValueError as error:
            raise self._archive.damaged(f"it has {error}") from error

    def _found(self, member: Member, name: FileName) -> _There:
        """Return what the store has of a file as its size, date and mode say, by which environments go, too."""
        path = f"{self._base}/{member.name}"
        try:
            status = os.lstat(path)
        except OSError:
            return _There.NOTHING
        if name.mtime is None:
            whole = status.st_size == member.size
        else:
            whole = intact(path, size=member.size, mtime=name.mtime, owner=self._owner)
        return _There.WHOLE if whole else _There.CHANGED

    def _take(self, member: Member, name: FileName, there: _There, body: Body, staged: str) -> None:
        """Read a file, and put it in unless it is there."""
        if there is _There.WHOLE:
            self._read(member, name, body, None)
            return
        mode = EXECUTABLE_MODE if name.executable else FILE_MODE
        descriptor = open_new(staged, mode)
        try:
            self._read(member, name, body, descriptor)
            if sys.platform != "win32":
                _finish(descriptor, mode, name.mtime)
        finally:
            os.close(descriptor)
        if sys.platform == "win32" and name.mtime is not None:
            finish(staged, executable=name.executable, mtime=name.mtime)
        if there is _There.CHANGED and name.mtime is not None:
            discard(self._layout, member.name)
        publish(staged, f"{self._base}/{member.name}")

    def _read(self, member: Member, name: FileName, body: Body, descriptor: int | None) -> None:
        """Read a file, write it to *descriptor*, and make sure that it is what its name says."""
        digest = hashlib.sha256()
        head = b""
        for part in body.blocks(member.size):
            if len(head) < _HEAD:  # a part may be a few bytes
                head += part[:_HEAD]
            digest.update(part)
            while descriptor is not None and part:
                part = part[os.write(descriptor, part) :]
        if not digest.hexdigest().startswith(name.digest):
            raise self._archive.damaged(f"{member.name} is not what its name says")
        if name.tag and not _fits(head, name):
            raise self._archive.damaged(f"{member.name} is not bytecode of what its name says")


def _finish(descriptor: int, mode: int, mtime: int | None) -> None:
    """Give an open file the mode and the modification time that it keeps for ever."""
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        os.chmod(descriptor, mode)
    if mtime is not None:
        os.utime(descriptor, (mtime, mtime))


def _fits(head: bytes, name: FileName) -> bool:
    """Return whether bytecode that begins with *head* is that of the interpreter and of the source that *name* says."""
    assert name.mtime is not None
    magic = name.tag.rpartition("-")[2]
    return head[:4].hex() == magic and head[_PYC] == bytes(4) + name.mtime.to_bytes(4, "little")

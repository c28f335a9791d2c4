"""Taking an archive into a store: files as they come, by many threads; notes when all files are there and found right.

Nothing that an archive says of itself is believed.  A file is named by the digest of what has come; a note has a digest
of itself, is read as everybody reads it, and must name nothing that is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.regular import read_regular
from nox_linkenv.resolve.cache import CachedResolution
from nox_linkenv.store.files import create, make_directory, publish, publish_bytes, staging_name
from nox_linkenv.store.layout import WHEELS
from nox_linkenv.store.notes import NoteError, parse_note
from nox_linkenv.store.objects import FILE_MODE
from nox_linkenv.store.store import writing
from nox_linkenv.transfer.container import Archive, Contents, Pack
from nox_linkenv.transfer.files_in import FilesIn
from nox_linkenv.transfer.helper import Helper, helpers_for
from nox_linkenv.transfer.members import ORDER, directory_of, parser_of
from nox_linkenv.transfer.merging import merged
from nox_linkenv.transfer.references import files_of, sizes_of, wheels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nox_linkenv.errors import ArchiveError
    from nox_linkenv.resolve.pages import PageState
    from nox_linkenv.store import Store
    from nox_linkenv.transfer.members import Carried

__all__ = ["TakenIn", "needed_by", "take_in"]

#: Packs that are taken in at a time by threads: one process cannot do much more at once.
_THREADS: Final = 8
#: Bytes that a note may have at most, as it is read at once: far more than any has.
_MOST: Final = 64 << 20


@dataclass(slots=True)
class TakenIn:
    """What came into a store.

    Args:
        size: bytes of the archive.
        files, present: how many files came, and how many were there before.
        written: bytes of those that came.
        notes, kept: how many notes came, and how many were there before as they were, or newer.
    """

    size: int = 0
    files: int = 0
    present: int = 0
    written: int = 0
    notes: int = 0
    kept: int = 0


class _Staged(NamedTuple):
    """A note that has been found right, in the file at *path*; it needs other notes."""

    name: str
    path: str
    needs: tuple[str, ...]


def take_in(store: Store, path: str, *, progress: Callable[[str], None], apart: bool = False) -> TakenIn:
    """Take the archive at *path*, which is absolute, into *store*.

    Whatever ends it early leaves a store that is whole, without any of the archive's notes: files that nothing names go
    with the next prune.

    Args:
        apart: whether processes of its own may be started for it, not only threads.

    Raises:
        ArchiveError: it is damaged, or no archive.
        StoreUnwritableError: the store cannot be written.
        OSError: the archive cannot be read.
    """
    archive = Archive(path)
    staging = staging_name(store.layout.staging)
    with writing(store.layout), store.locked():
        make_directory(staging)
        try:
            return _TakingIn(store, archive, staging, progress, apart=apart).run()
        finally:
            shutil.rmtree(staging, ignore_errors=True)


class _TakingIn:
    def __init__(
        self, store: Store, archive: Archive, staging: str, progress: Callable[[str], None], *, apart: bool
    ) -> None:
        self.store = store
        self.archive = archive
        self.staging = staging
        self.progress = progress
        self.apart = apart
        self.base = store.layout.base
        self.files = FilesIn(store.layout, archive)
        self.taken = TakenIn(size=os.path.getsize(archive.path))
        self.total = sum(pack.size for pack in archive.packs)
        self.done = 0
        self.stop = False
        self.guard = threading.Lock()
        self.there: dict[str, int] = {}  # sizes of files that came or were found

    def run(self) -> TakenIn:
        self._of_all([pack for pack in self.archive.packs if pack.contents is Contents.FILES])
        staged: list[_Staged] = []
        for pack in self.archive.packs:
            if pack.contents is Contents.NOTES:
                staged += self._notes(pack)
        rank = {directory: at for at, directory in enumerate(ORDER)}
        staged.sort(key=lambda note: rank[directory_of(note.name)])
        names = {note.name for note in staged}
        for note in staged:
            for needed in note.needs:
                if needed not in names and self.store.find(needed) is None:
                    raise self._lacking(note.name, needed)
        for note in staged:
            self._publish(note)
        return self.taken

    def _of_all(self, packs: list[Pack]) -> None:
        """Take in the files of *packs*, several packs at a time; the first that is damaged ends it."""
        left = iter(sorted(enumerate(packs), key=lambda item: item[1].size, reverse=True))
        with contextlib.ExitStack() as stack:
            helpers: list[Helper | None] = [None]
            if self.apart:
                for _ in range(helpers_for(self.total)):
                    helper = Helper(self.store.layout, self.archive.path)
                    stack.callback(helper.close)
                    helpers.append(helper)
            else:
                helpers *= min(os.cpu_count() or 1, _THREADS)
            with ThreadPoolExecutor(len(helpers)) as pool:
                futures = [pool.submit(self._some, left, helper) for helper in helpers]
                try:
                    for future in futures:
                        future.result()
                finally:
                    self.stop = True

    def _some(self, left: Iterator[tuple[int, Pack]], helper: Helper | None) -> None:
        """Take in one after the other of the packs that are *left*."""
        try:
            while not self.stop:
                with self.guard:
                    number, pack = next(left)
                self._taken(pack, f"{self.staging}/{number}", helper)
        except StopIteration:
            pass
        except BaseException:
            self.stop = True
            raise

    def _taken(self, pack: Pack, staging: str, helper: Helper | None) -> None:
        """Take in the files of *pack*."""
        members = self.archive.members(pack)
        came = None if helper is None else helper.take(pack, staging)
        if came is None:
            shutil.rmtree(staging, ignore_errors=True)  # of a helper that has failed
            came = self.files.take(pack, members, staging)
        with self.guard:
            self.there.update((member.name, member.size) for member in members)
            self.taken.files += came.files
            self.taken.present += len(members) - came.files
            self.taken.written += came.size
            self.done += pack.size
            self.progress(f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB")

    def _notes(self, pack: Pack) -> Iterator[_Staged]:
        """Yield the notes of *pack*, each read once, and written where nobody looks."""
        for name, content, entry in _read(self.archive, pack):
            self._check(name, entry)
            path = f"{self.staging}/{hashlib.sha256(name.encode()).hexdigest()}"
            with create(path) as stream:
                stream.write(content)
            yield _Staged(name, path, tuple(_needed(entry)))

    def _check(self, name: str, entry: Carried | PageState | None) -> None:
        """Make sure that the files which the note *name* refers to are there, with the sizes that it says."""
        for file in files_of(entry):
            if self._size(file) < 0:
                raise self._lacking(name, file)
        for file, size in sizes_of(entry):
            if self._size(file) != size:
                raise self.archive.damaged(f"{name} says of {file} that it has {size} bytes")

    def _size(self, name: str) -> int:
        if name not in self.there:
            found = self.store.find(name)
            self.there[name] = -1 if found is None else os.path.getsize(found)
        return self.there[name]

    def _lacking(self, name: str, needed: str) -> ArchiveError:
        return self.archive.damaged(f"{name} needs {needed}, which is neither in it nor in the store")

    def _publish(self, note: _Staged) -> None:
        """Bring a note into its place, unless what is there says as much."""
        path = f"{self.base}/{note.name}"
        try:
            before = read_regular(path)
        except OSError:
            before = None
        if before is None:
            os.chmod(note.path, FILE_MODE)
            publish(note.path, path)
            self.taken.notes += 1
        elif (content := merged(note.name, before, read_regular(note.path))) is None:
            self.store.renew(note.name)
            self.taken.kept += 1
        else:
            publish_bytes(self.store.layout.staging, path, content)
            self.taken.notes += 1


def needed_by(path: str) -> tuple[set[str], set[str]]:
    """Return the names of the notes in the archive at *path*, and of those without which they are of no use.

    Raises:
        ArchiveError: it is damaged, or no archive.
        OSError: it cannot be read.
    """
    archive = Archive(path)
    names: set[str] = set()
    needed: set[str] = set()
    for pack in archive.packs:
        if pack.contents is Contents.NOTES:
            for name, _, entry in _read(archive, pack):
                names.add(name)
                needed.update(_needed(entry))
    return names, needed - names


def _read(archive: Archive, pack: Pack) -> Iterator[tuple[str, bytes, Carried | PageState | None]]:
    """Yield the notes of *pack*: name, content, and what that is read as."""
    with archive.body(pack) as body:
        for member in archive.members(pack):
            if member.size > _MOST:
                raise archive.damaged(f"{member.name} is larger than any note is")
            content = b"".join(body.blocks(member.size))
            try:
                entry = parse_note(member.name, content, parser_of(member.name))
            except (NoteError, ValueError) as error:
                raise archive.damaged(f"in {member.name}, {error}") from error
            yield member.name, content, entry
        body.finish()


def _needed(entry: Carried | PageState | None) -> Iterator[str]:
    """Yield the names of the notes without which *entry* is of no use."""
    yield from map(WHEELS.file, wheels_of(entry))
    if isinstance(entry, CachedResolution) and entry.plan is not None:
        yield entry.plan

"""Writing an archive: what was selected is packed, packs are compressed over several cores, and written in order."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from nox_linkenv.digest import BLOCK
from nox_linkenv.errors import ArchiveError, remedy_for
from nox_linkenv.regular import open_regular, read_regular
from nox_linkenv.store.files import staging_name
from nox_linkenv.store.layout import ARCHIVES, BYTECODE, OBJECTS
from nox_linkenv.store.notes import NoteError, unseal
from nox_linkenv.transfer.container import Contents, Member, Pack, compressed, footer, header, index_of
from nox_linkenv.transfer.file_names import file_named
from nox_linkenv.transfer.members import directory_of
from nox_linkenv.transfer.zstd import compressor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nox_linkenv.store import Store
    from nox_linkenv.transfer.selection import Selection

__all__ = ["Exported", "export"]

#: A pack has no more than so many bytes, unless one file has more, and so many members: memory does not grow with it.
_BYTES: Final = 8 << 20
_MEMBERS: Final = 4096
#: Packs that are compressed at a time: each takes some 20 MB.
_THREADS: Final = 4
_KINDS: Final = {OBJECTS.name: "objects", BYTECODE.name: "bytecode", ARCHIVES.name: "built wheels"}


@dataclass(slots=True)
class Exported:
    """What an archive holds.

    Args:
        size: bytes of the archive.
        contents: bytes of all that is in it.
        packs: how many it has.
        counts: of its members, by kind.
    """

    size: int = 0
    contents: int = 0
    packs: int = 0
    counts: Counter[str] = field(default_factory=Counter)


class _Entry(NamedTuple):
    member: Member
    path: str


class _Made(NamedTuple):
    """A pack that has been compressed."""

    contents: Contents
    members: list[Member]
    head: bytes
    body: IO[bytes]
    length: int


def export(store: Store, selection: Selection, path: str, *, progress: Callable[[str], None]) -> Exported:
    """Write an archive of *selection* to the file *path*, in place of what was there: whole, or not at all.

    Equal contents give equal archives: the order is that of names, and no time, owner or path is in it.

    Raises:
        ArchiveError: a file of the store has gone or is damaged, or the archive cannot be written.
    """
    part = f"{staging_name(os.path.dirname(path) or '.')}.part"
    try:
        with open(part, "xb") as stream:
            exported = _Writing(store, stream, progress).run(selection)
        os.replace(part, path)
    except OSError as error:
        raise ArchiveError(
            f"The archive cannot be written ({error.strerror})", path=path, remedy=remedy_for(error)
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return exported


class _Writing:
    def __init__(self, store: Store, stream: IO[bytes], progress: Callable[[str], None]) -> None:
        self.store = store
        self.stream = stream
        self.progress = progress
        self.exported = Exported()
        self.packs: list[Pack] = []

    def run(self, selection: Selection) -> Exported:
        self.stream.write(header())
        with contextlib.ExitStack() as bodies, ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as pool:
            pending: deque[Future[_Made]] = deque()
            for contents, entries in self._packed(selection):
                body = bodies.enter_context(tempfile.SpooledTemporaryFile(2 * _BYTES))
                pending.append(pool.submit(_compress, contents, entries, body))
                if len(pending) > _THREADS:
                    self._write(pending.popleft().result())
            while pending:
                self._write(pending.popleft().result())
        index = index_of(self.packs)
        self.stream.write(index)
        self.stream.write(footer(index))
        self.exported.size = self.stream.tell()
        self.exported.packs = len(self.packs)
        return self.exported

    def _packed(self, selection: Selection) -> Iterator[tuple[Contents, list[_Entry]]]:
        for group in selection.files:
            yield from ((Contents.FILES, entries) for entries in _split(map(self._entry, group)))
        yield from ((Contents.NOTES, entries) for entries in _split(map(self._entry, selection.notes)))

    def _entry(self, name: str) -> _Entry:
        path = self.store.find(name)
        try:
            if path is None:
                raise _gone(f"{self.store.layout.base}/{name}")
            return _Entry(Member(name, os.lstat(path).st_size), path)
        except FileNotFoundError as error:
            raise _gone(f"{self.store.layout.base}/{name}") from error

    def _write(self, made: _Made) -> None:
        start = self.stream.tell()
        self.stream.write(made.head)
        with made.body:
            while block := made.body.read(BLOCK):
                self.stream.write(block)
        size = sum(member.size for member in made.members)
        digest = hashlib.sha256(made.head).hexdigest()
        self.packs.append(Pack(made.contents, start, len(made.head), made.length, size, digest))
        self.exported.contents += size
        for member in made.members:
            self.exported.counts[_kind(member.name, made.contents)] += 1
        self.progress(f"{self.exported.contents / 1e6:.0f} MB in {self.stream.tell() / 1e6:.0f} MB")


def _kind(name: str, contents: Contents) -> str:
    if contents is Contents.NOTES:
        return directory_of(name).name.rpartition("/")[2]
    return next(kind for directory, kind in _KINDS.items() if name.startswith(f"{directory}/"))


def _split(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    """Yield *entries* in lists that make packs."""
    pack: list[_Entry] = []
    size = 0
    for entry in entries:
        if pack and (size + entry.member.size > _BYTES or len(pack) == _MEMBERS):
            yield pack
            pack, size = [], 0
        pack.append(entry)
        size += entry.member.size
    if pack:
        yield pack


def _compress(contents: Contents, entries: list[_Entry], body: IO[bytes]) -> _Made:
    """Compress *entries* into *body*, a file without a name."""
    members = [entry.member for entry in entries]
    head = compressed([[member.name, member.size] for member in members])
    frame = compressor()
    for entry in entries:
        for block in (_file if contents is Contents.FILES else _note)(entry):
            body.write(frame.compress(block))
    body.write(frame.flush())
    length = body.tell()
    body.seek(0)
    return _Made(contents, members, head, body, length)


def _file(entry: _Entry) -> Iterator[bytes]:
    """Yield the content of a file, and make sure that it is what its name says."""
    digest = hashlib.sha256()
    left = entry.member.size
    try:
        with open(open_regular(entry.path), "rb", buffering=0) as stream:
            while left and (block := stream.read(min(left, BLOCK))):
                left -= len(block)
                digest.update(block)
                yield block
    except FileNotFoundError as error:
        raise _gone(entry.path) from error
    if left or not digest.hexdigest().startswith(file_named(entry.member.name).digest):
        raise ArchiveError(
            "A stored file is not what it was stored as",
            path=entry.path,
            remedy="Run linkenv verify --full --repair, then export again.",
        )


def _note(entry: _Entry) -> Iterator[bytes]:
    try:
        content = read_regular(entry.path)
        unseal(entry.member.name, content)
    except (FileNotFoundError, NoteError) as error:
        raise _gone(entry.path) from error
    if len(content) != entry.member.size:
        raise _gone(entry.path)
    yield content


def _gone(path: str) -> ArchiveError:
    return ArchiveError(
        "A file of the store has gone or changed while it was exported",
        path=path,
        remedy="Export again when nothing is pruned, and no session runs.",
    )

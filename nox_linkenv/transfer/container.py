"""The file of an archive: packs, each of two zstd frames, then an index of them, then a footer that leads to it.

What is not zstd stands in frames that zstd skips, so that ``zstd --test`` looks at the whole file.  See
``docs/store-format.md``.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from nox_linkenv.errors import ArchiveError
from nox_linkenv.regular import open_regular
from nox_linkenv.store.notes import rows
from nox_linkenv.transfer.zstd import decompressor, frame_of, zstd_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FORMAT", "Archive", "Body", "Contents", "Member", "Pack", "compressed", "footer", "header", "index_of"]

#: The format of archives that this version writes and reads.
FORMAT: Final = 1
#: A frame that zstd skips (RFC 8878, 3.1.2): its magic number, the bytes that follow.
_SKIPPED: Final = struct.Struct("<LL")
_MAGIC: Final = 0x184D2A5E
#: What stands in the first such frame, and in the last: bytes of the index, digest of header and index.
_HEADER: Final = struct.Struct("<8sQ")
_FOOTER: Final = struct.Struct("<8sQ32s")
_NAME: Final = b"linkenv\0"
#: Bytes read, and had from the decompressor, at a time: many small files are in one such block, and it is reused soon.
_BLOCK: Final = 1 << 18
#: Bytes that an index, or the head of a pack, may have at most: far more than any has.
_MOST: Final = 64 << 20


class Contents(enum.Enum):
    """What is in a pack."""

    FILES = "files"  # named by what they contain
    NOTES = "notes"  # each with a digest of itself; they come into a store when all files are there


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Args:
        name: relative to the format directory of a store, with ``/``.
        size: bytes.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack, as the index has it.

    Args:
        contents: of what kind its members are.
        start: where its head begins in the file.
        head: bytes of the frame that names its members.
        body: bytes of the frame with their contents.
        size: bytes of these contents.
        digest: SHA-256 of the frame of the head, hexadecimal.
    """

    contents: Contents
    start: int
    head: int
    body: int
    size: int
    digest: str


def header() -> bytes:
    """Return how an archive begins."""
    return _SKIPPED.pack(_MAGIC, _HEADER.size) + _HEADER.pack(_NAME, FORMAT)


def footer(index: bytes) -> bytes:
    """Return how an archive ends whose *index* is that frame."""
    digest = hashlib.sha256(header() + index).digest()
    return _SKIPPED.pack(_MAGIC, _FOOTER.size) + _FOOTER.pack(_NAME, len(index), digest)


def compressed(data: object) -> bytes:
    """Return the frame of *data*, which is plain, as JSON."""
    return frame_of(json.dumps(data, separators=(",", ":")).encode())


def index_of(packs: Sequence[Pack]) -> bytes:
    """Return the frame of the index of *packs*, which stand one after the other from the header on."""
    return compressed([[pack.contents.value, pack.head, pack.body, pack.size, pack.digest] for pack in packs])


class Archive:
    """An archive that is read; several threads may read packs of it at the same time.

    Args:
        path: of the file.

    Attributes:
        packs: what is in it, in its order.

    Raises:
        ArchiveError: it is none, is not whole, or has a newer format.
        OSError: it cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with self._open() as stream:
            self.packs = self._index(stream)

    def members(self, pack: Pack) -> list[Member]:
        """Return the members of *pack*.

        Raises:
            ArchiveError: its head is not what the index says.
        """
        with self._open() as stream:
            stream.seek(pack.start)
            frame = stream.read(pack.head)
        if hashlib.sha256(frame).hexdigest() != pack.digest:
            raise self.damaged("a list of files in it is not what it was")
        try:
            found = [Member(name, size) for name, size in rows(self._loads(frame), str, int)]
        except (TypeError, ValueError) as error:
            raise self.damaged("a list of files in it is of another shape") from error
        if any(member.size < 0 for member in found) or sum(member.size for member in found) != pack.size:
            raise self.damaged("a list of files in it is of another size")
        return found

    def body(self, pack: Pack) -> Body:
        """Return the contents of *pack*, to be read and closed."""
        stream = self._open()
        stream.seek(pack.start + pack.head)
        return Body(self, stream, pack.body)

    def damaged(self, why: str) -> ArchiveError:
        """Return the error that says what is wrong with it: *why* is a clause."""
        return ArchiveError(
            f"The archive is damaged: {why}",
            path=self.path,
            remedy="Nothing of it is used. Export it again; sessions run without it, too, and fetch what is missing.",
        )

    def _open(self) -> IO[bytes]:
        return open(open_regular(self.path), "rb")

    def _index(self, stream: IO[bytes]) -> list[Pack]:
        size = os.fstat(stream.fileno()).st_size
        begins = stream.read(_SKIPPED.size + _HEADER.size)
        if len(begins) < len(header()) or begins[:16] != header()[:16]:
            raise ArchiveError(
                "This is not an archive of nox-linkenv, or its beginning is damaged",
                path=self.path,
                remedy="Name a file that linkenv export has written.",
            )
        version = _HEADER.unpack_from(begins, _SKIPPED.size)[1]
        ends = _SKIPPED.size + _FOOTER.size
        stream.seek(max(size - ends, 0))
        tail = stream.read(ends)
        start = size - ends - (_FOOTER.unpack_from(tail, _SKIPPED.size)[1] if len(tail) == ends else 0)
        if not tail.startswith(_SKIPPED.pack(_MAGIC, _FOOTER.size) + _NAME) or start < len(header()):
            raise self.damaged("it is cut off, or its end was changed")
        if size - ends - start > _MOST:
            raise self.damaged("its index is larger than any is")
        stream.seek(start)
        index = stream.read(size - ends - start)
        if hashlib.sha256(begins + index).digest() != _FOOTER.unpack_from(tail, _SKIPPED.size)[2]:
            raise self.damaged("its index is not what it was")
        if version != FORMAT:
            raise ArchiveError(
                f"The archive has format {version}, this version of nox-linkenv reads format {FORMAT}",
                path=self.path,
                remedy="Export it again with this version, or use the version that wrote it.",
            )
        return self._packs(self._loads(index), start)

    def _packs(self, data: Any, end: int) -> list[Pack]:
        packs, start = [], len(header())
        try:
            for contents, head, body, size, digest in rows(data, str, int, int, int, str):
                if min(head, body, size) < 0 or head > _MOST:
                    raise ValueError("sizes that are none")
                packs.append(Pack(Contents(contents), start, head, body, size, digest))
                start += head + body
        except (TypeError, ValueError) as error:
            raise self.damaged("its index is of another shape") from error
        if start != end:
            raise self.damaged("it has more, or less, than its index says")
        return packs

    def _loads(self, frame: bytes) -> Any:
        """Return the JSON in *frame*."""
        failures: tuple[type[Exception], ...] = (*zstd_errors(), ValueError, RecursionError)
        try:
            frames = decompressor()
            text = frames.decompress(frame, max_length=_MOST)
            if not frames.eof or frames.unused_data:
                raise self.damaged("a list in it has another size")
            return json.loads(text)
        except failures as error:
            raise self.damaged("a list in it cannot be read") from error


class Body:
    """The contents of a pack, which are read one after the other, from *stream*, whose next *length* bytes they are."""

    def __init__(self, archive: Archive, stream: IO[bytes], length: int) -> None:
        self._archive = archive
        self._stream = stream
        self._left = length
        self._decompressor = decompressor()
        self._had = memoryview(b"")  # of the last block, what nobody has asked for

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def blocks(self, size: int) -> Iterator[memoryview]:
        """Yield the next *size* bytes in parts.

        Raises:
            ArchiveError: there are fewer, or what is there is not zstd.
        """
        while size:
            had = self._had or memoryview(self._next())
            part, self._had = had[:size], had[size:]
            size -= len(part)
            yield part

    def finish(self) -> None:
        """Make sure that everything has been read.

        Raises:
            ArchiveError: there is more.
        """
        if self._had or (not self._decompressor.eof and self._next(last=True)):
            raise self._archive.damaged("a pack has more in it than its list says")
        if self._left or self._decompressor.unused_data:
            raise self._archive.damaged("a pack is longer than it was")

    def _next(self, *, last: bool = False) -> bytes:
        try:
            while not self._decompressor.eof:
                data = b""
                if self._decompressor.needs_input:
                    data = self._stream.read(min(self._left, _BLOCK))
                    self._left -= len(data)
                    if not data:
                        break
                block: bytes = self._decompressor.decompress(data, max_length=_BLOCK)
                if block:
                    return block
        except zstd_errors() as error:
            raise self._archive.damaged(f"a pack cannot be read ({error})") from error
        if not (last and self._decompressor.eof):
            raise self._archive.damaged("a pack ends too early")
        return b""

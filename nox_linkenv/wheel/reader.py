"""The reader of wheels."""

from __future__ import annotations

import codecs
import copy
import hashlib
import stat
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ..digest import BLOCK
from . import metadata
from .archive import READ_ERRORS, members
from .model import EntryPoint, Scheme, WheelFile
from .record import Expected, Record, Row
from .refusal import refusal, unsupported

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import TracebackType

__all__ = ["Wheel"]

#: What RECORD cannot hold a hash of: itself and its signatures.
_UNHASHED: Final = frozenset({"RECORD", "RECORD.jws", "RECORD.p7s"})
_DIST_INFO: Final = ".dist-info"
_DATA: Final = ".data"
_SITE: Final = frozenset({Scheme.PURELIB, Scheme.PLATLIB})
#: Bytes that are held in memory, many times over once they are read; no honest wheel has as many.
_LIMITS: Final = {"RECORD": 16 << 20, "WHEEL": 1 << 20, "entry_points.txt": 1 << 20}


class Wheel:
    """An open wheel, checked; a context manager.  Make one with `Wheel.open`.

    Attributes:
        path: the wheel's file.
        name: project name as METADATA writes it.
        version: version as METADATA writes it.
        dist_info: name of the ``.dist-info`` directory.
        root_is_purelib: whether files at the root go to purelib (else platlib).
        tags: the Tag lines of WHEEL.
        files: what is to be installed, in the order of the archive.
        entry_points: the scripts to be generated.
        record: the rows of RECORD, as they stand there.
        unhashed: names of files of which RECORD states no secure hash, so that only the archive's own vouches for them.

    Source: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """

    path: Path
    name: str
    version: str
    dist_info: str
    root_is_purelib: bool
    tags: tuple[str, ...]
    files: tuple[WheelFile, ...]
    entry_points: tuple[EntryPoint, ...]
    record: tuple[Row, ...]
    unhashed: tuple[str, ...]

    def __init__(self, path: Path, stream: IO[bytes], archive: zipfile.ZipFile) -> None:
        self.path = path
        self._stream = stream
        self._archive = archive
        self._infos = {info.filename: info for info in members(archive, stream, path)}
        self._expected: dict[str, tuple[Expected, ...]] = {}
        identity = metadata.Identity.of(path)
        self.dist_info = self._find_dist_info(identity)
        self._check_data(identity)
        record = Record(self._text("RECORD"), path)
        self.record = record.rows
        self._expected = {name: record.expected(name) for name in self._infos if not self._is_info(name, {"RECORD"})}
        self.unhashed = tuple(
            name
            for name, expected in self._expected.items()
            if not any(one.secure for one in expected) and not self._is_info(name, _UNHASHED)
        )
        text = metadata.parse_wheel_text(self._text("WHEEL"), path)
        self.root_is_purelib, self.tags = text.root_is_purelib, text.tags
        self.name, self.version = metadata.name_and_version(self._fields(), identity, path)
        scripts = self._text("entry_points.txt") if f"{self.dist_info}/entry_points.txt" in self._infos else ""
        self.entry_points = metadata.entry_points(scripts, path)
        self.files = tuple(self._file(self._infos[name]) for name in self._expected)

    @classmethod
    def open(cls, path: Path) -> Wheel:
        """Open the wheel at *path* and check all of it that can be checked without decompressing its files.

        Raises:
            WheelError: the wheel is hostile or broken; the message names the member and what is wrong with it.
            UnsupportedWheelError: it is neither, but odd.
            OSError: the file cannot be opened or read.
        """
        path = Path(path)
        stream = path.open("rb")
        try:
            try:
                archive = zipfile.ZipFile(stream)
            except READ_ERRORS as error:
                raise refusal(path, f"is not a zip archive, or a truncated one ({error})") from error
            return cls(path, stream, archive)
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
        self._stream.close()

    def __enter__(self) -> Wheel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def read(self, file: WheelFile) -> Iterator[bytes]:
        """Yield the contents of *file* in blocks of at most `BLOCK` bytes.

        Once the last block has been yielded, size, CRC and all hashes in RECORD have been verified: only who exhausts
        the iterator may trust what it gave, and may then take ``file.digest`` for the digest of it.

        Raises:
            WheelError: the contents are not what the archive and RECORD say.
        """
        return self._blocks(self._infos[file.name], self._expected[file.name])

    def _blocks(self, info: zipfile.ZipInfo, expected: tuple[Expected, ...]) -> Iterator[bytes]:
        # zipfile cuts the contents at the declared size and would not tell of more.  Let it read one byte further: then
        # either the CRC is wrong, because it is taken over that byte too, or the size below is.
        probe = copy.copy(info)
        probe.file_size += 1
        size = 0
        digests = [hashlib.new(one.algorithm, usedforsecurity=False) for one in expected]
        try:
            with self._archive.open(probe) as stream:
                while block := stream.read(BLOCK):
                    size += len(block)
                    if size > info.file_size:
                        break
                    for digest in digests:
                        digest.update(block)
                    yield block
        except READ_ERRORS as error:
            raise refusal(self.path, f"cannot be read ({error})", member=info.filename) from error
        if size != info.file_size:
            relation = "more" if size > info.file_size else "fewer"
            raise refusal(self.path, f"holds {relation} bytes than the {info.file_size} declared", member=info.filename)
        for one, digest in zip(expected, digests, strict=True):
            if digest.digest() != one.digest:
                raise refusal(self.path, f"has another {one.algorithm} hash than RECORD says", member=info.filename)

    def _info(self, name: str) -> zipfile.ZipInfo:
        """Return the member *name* of ``.dist-info``."""
        member = f"{self.dist_info}/{name}"
        try:
            return self._infos[member]
        except KeyError:
            raise unsupported(self.path, f"has no {member}") from None

    def _text(self, name: str) -> str:
        """Return the contents of *name* in ``.dist-info``."""
        info = self._info(name)
        if info.file_size > _LIMITS[name]:
            raise unsupported(self.path, f"is larger than {_LIMITS[name]} bytes", member=info.filename)
        return "".join(self._decoded(info))

    def _fields(self) -> str:
        """Return the fields of METADATA."""
        info = self._info("METADATA")
        text = metadata.fields_of(self._decoded(info))
        if len(text) > metadata.FIELDS_LIMIT:
            what = f"has more than {metadata.FIELDS_LIMIT} characters of fields"
            raise unsupported(self.path, what, member=info.filename)
        return text

    def _decoded(self, info: zipfile.ZipInfo) -> Iterator[str]:
        """Yield the text of a member of ``.dist-info`` in blocks; it has been verified once the last one is."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for block in self._blocks(info, self._expected.get(info.filename, ())):
                yield decoder.decode(block)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise unsupported(self.path, f"is not UTF-8 ({error.reason})", member=info.filename) from error

    def _is_info(self, name: str, which: Collection[str]) -> bool:
        directory, _, rest = name.partition("/")
        return directory == self.dist_info and rest in which

    def _top_level(self) -> dict[str, None]:
        return dict.fromkeys(info.filename.partition("/")[0] for info in self._archive.infolist())

    def _find_dist_info(self, identity: metadata.Identity) -> str:
        # Letter case does not count: a second one would be the same directory on some filesystems.
        found = [name for name in self._top_level() if name.lower().endswith(_DIST_INFO)]
        if len(found) != 1:
            raise unsupported(self.path, f"has not one .dist-info directory but {len(found)} ({', '.join(found)})")
        if not found[0].endswith(_DIST_INFO) or not identity.is_dist_info(found[0]):
            what = f"has the .dist-info directory of another distribution than its file name says ({found[0]})"
            raise unsupported(self.path, what)
        return found[0]

    def _check_data(self, identity: metadata.Identity) -> None:
        found = [name for name in self._top_level() if name.endswith(_DATA)]
        if len(found) > 1:
            raise unsupported(self.path, f"has more than one .data directory ({', '.join(found)})")
        if found and not identity.is_data(found[0]):
            # pip would install it, other installers would not: not to be guessed at.
            raise unsupported(self.path, f"has the .data directory of another distribution ({found[0]})")

    def _file(self, info: zipfile.ZipInfo) -> WheelFile:
        directory, _, path = info.filename.partition("/")
        if directory.endswith(_DATA):
            key, _, path = path.partition("/")
            try:
                scheme = Scheme(key)
            except ValueError:
                raise unsupported(self.path, f"has the unknown scheme {key!r}", member=info.filename) from None
            if not path:
                raise unsupported(self.path, "is a file where a scheme's directory should be", member=info.filename)
            if scheme in _SITE and path.partition("/")[0].lower().endswith(_DIST_INFO):
                raise unsupported(self.path, "brings in a second .dist-info directory", member=info.filename)
        else:
            scheme = Scheme.PURELIB if self.root_is_purelib else Scheme.PLATLIB
            path = info.filename
        mode = info.external_attr >> 16
        sha256 = (one.sha256 for one in self._expected[info.filename])
        return WheelFile(
            name=info.filename,
            scheme=scheme,
            path=path,
            size=info.file_size,
            digest=next(filter(None, sha256), None),
            executable=stat.S_ISREG(mode) and bool(mode & 0o111),
        )

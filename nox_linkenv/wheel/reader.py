"""The reader of wheels."""

from __future__ import annotations

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
from .record import Expected, Record
from .refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["Wheel"]

_RECORDS: Final = frozenset({"RECORD", "RECORD.jws", "RECORD.p7s"})
_DIST_INFO: Final = ".dist-info"
_DATA: Final = ".data"
_SITE: Final = frozenset({Scheme.PURELIB, Scheme.PLATLIB})
#: Bytes; more than any honest METADATA or RECORD, and little enough to be held in memory.
_TEXT_LIMIT: Final = 64 << 20


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
        record: the rows (path, hash, size) of RECORD, as they stand there.

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
    record: tuple[tuple[str, str, str], ...]

    def __init__(self, path: Path, stream: IO[bytes], archive: zipfile.ZipFile) -> None:
        self.path = path
        self._stream = stream
        self._archive = archive
        self._infos = {info.filename: info for info in members(archive, stream, path)}
        self._expected: dict[str, Expected] = {}
        identity = metadata.Identity.of(path)
        self.dist_info = self._find_dist_info(identity)
        self._check_data(identity)
        record = Record(self._text("RECORD", required=True), path)
        self.record = record.rows
        for name, info in self._infos.items():
            if not self._is_record(name):
                self._expected[name] = record.expected(name, info.file_size)
        text = metadata.parse_wheel_text(self._text("WHEEL", required=True), path)
        self.root_is_purelib, self.tags = text.root_is_purelib, text.tags
        self.name, self.version = metadata.name_and_version(self._text("METADATA", required=True), identity, path)
        self.entry_points = metadata.entry_points(self._text("entry_points.txt", required=False), path)
        self.files = tuple(self._file(self._infos[name]) for name in self._expected)
        self._check_destinations()

    @classmethod
    def open(cls, path: Path) -> Wheel:
        """Open the wheel at *path* and check all of it that can be checked without decompressing its files.

        Raises:
            WheelError: the wheel is hostile or broken; the message names the member and what is wrong with it.
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

        Once the last block has been yielded, size, CRC and the hash of RECORD have been verified: only who exhausts
        the iterator may trust what it gave, and may then take ``file.digest`` for the digest of it.

        Raises:
            WheelError: the contents are not what the archive and RECORD say.
        """
        return self._blocks(self._infos[file.name], self._expected[file.name])

    def _blocks(self, info: zipfile.ZipInfo, expected: Expected | None) -> Iterator[bytes]:
        # zipfile cuts the contents at the declared size and would not tell of more.  Let it read one byte further: then
        # either the CRC is wrong, because it is taken over that byte too, or the size below is.
        probe = copy.copy(info)
        probe.file_size += 1
        size = 0
        digest = None if expected is None else hashlib.new(expected.algorithm)
        try:
            with self._archive.open(probe) as stream:
                while block := stream.read(BLOCK):
                    size += len(block)
                    if size > info.file_size:
                        break
                    if digest is not None:
                        digest.update(block)
                    yield block
        except READ_ERRORS as error:
            raise refusal(self.path, f"cannot be read ({error})", member=info.filename) from error
        if size != info.file_size:
            relation = "more" if size > info.file_size else "fewer"
            raise refusal(self.path, f"holds {relation} bytes than the {info.file_size} declared", member=info.filename)
        if digest is not None and expected is not None and digest.digest() != expected.digest:
            raise refusal(self.path, f"has another {expected.algorithm} hash than RECORD says", member=info.filename)

    def _text(self, name: str, *, required: bool) -> str:
        """Return the contents of *name* in ``.dist-info``, empty if it may be missing and is."""
        member = f"{self.dist_info}/{name}"
        info = self._infos.get(member)
        if info is None:
            if required:
                raise refusal(self.path, f"has no {member}")
            return ""
        if info.file_size > _TEXT_LIMIT:
            raise refusal(self.path, f"is larger than {_TEXT_LIMIT} bytes", member=member)
        try:
            return b"".join(self._blocks(info, self._expected.get(member))).decode("utf-8")
        except UnicodeDecodeError as error:
            raise refusal(self.path, f"is not UTF-8 ({error.reason})", member=member) from error

    def _is_record(self, name: str) -> bool:
        directory, _, rest = name.partition("/")
        return directory == self.dist_info and rest in _RECORDS

    def _top_level(self) -> dict[str, None]:
        return dict.fromkeys(info.filename.partition("/")[0] for info in self._archive.infolist())

    def _find_dist_info(self, identity: metadata.Identity) -> str:
        # Letter case does not count: a second one would be the same directory on some filesystems.
        found = [name for name in self._top_level() if name.lower().endswith(_DIST_INFO)]
        if len(found) != 1:
            raise refusal(self.path, f"has not one .dist-info directory but {len(found)} ({', '.join(found)})")
        if not found[0].endswith(_DIST_INFO) or not identity.is_dist_info(found[0]):
            what = f"has the .dist-info directory of another distribution than its file name says ({found[0]})"
            raise refusal(self.path, what)
        return found[0]

    def _check_data(self, identity: metadata.Identity) -> None:
        found = [name for name in self._top_level() if name.endswith(_DATA)]
        if len(found) > 1:
            raise refusal(self.path, f"has more than one .data directory ({', '.join(found)})")
        if found and not identity.is_data(found[0]):
            # pip would install it, other installers would not: not to be guessed at.
            raise refusal(self.path, f"has the .data directory of another distribution ({found[0]})")

    def _file(self, info: zipfile.ZipInfo) -> WheelFile:
        directory, _, path = info.filename.partition("/")
        if directory.endswith(_DATA):
            key, _, path = path.partition("/")
            try:
                scheme = Scheme(key)
            except ValueError:
                raise refusal(self.path, f"has the unknown scheme {key!r}", member=info.filename) from None
            if not path:
                raise refusal(self.path, "is a file where a scheme's directory should be", member=info.filename)
            if scheme in _SITE and path.partition("/")[0].lower().endswith(_DIST_INFO):
                raise refusal(self.path, "brings in a second .dist-info directory", member=info.filename)
        else:
            scheme = Scheme.PURELIB if self.root_is_purelib else Scheme.PLATLIB
            path = info.filename
        mode = info.external_attr >> 16
        return WheelFile(
            name=info.filename,
            scheme=scheme,
            path=path,
            size=info.file_size,
            digest=self._expected[info.filename].sha256,
            executable=stat.S_ISREG(mode) and bool(mode & 0o111),
        )

    def _check_destinations(self) -> None:
        """Refuse files that land on one another.  purelib and platlib are one directory in a virtual environment."""
        taken: dict[tuple[Scheme, str], str] = {}
        for file in self.files:
            other = taken.setdefault((_root(file.scheme), file.path), file.name)
            if other != file.name:
                raise refusal(self.path, f"would be installed to the same path as {other!r}", member=file.name)
        for name in self._infos.keys() - self._expected.keys():  # RECORD and its signatures
            taken.setdefault((Scheme.PURELIB, name), name)
        directories: set[tuple[Scheme, str]] = set()
        for scheme, path in taken:
            parent = path.rpartition("/")[0]
            while parent and (scheme, parent) not in directories:
                directories.add((scheme, parent))
                parent = parent.rpartition("/")[0]
        for both in sorted(taken[key] for key in directories & taken.keys()):
            raise refusal(self.path, "is a file and also the directory of another member", member=both)


def _root(scheme: Scheme) -> Scheme:
    return Scheme.PURELIB if scheme in _SITE else scheme

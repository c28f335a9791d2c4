"""The archive below a wheel: every byte of it must mean the same to every reader.

A zip file says everything twice, in the central directory and in local headers.  Readers differ in which of the two
they believe (pip: the central directory; streaming installers: the local headers), so an archive in which the two
disagree, overlap, or leave room for hidden members can install one thing here and show another thing to a scanner.

Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 to 4.5.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from ..digest import BLOCK
from .refusal import refusal, unsupported

if TYPE_CHECKING:
    from pathlib import Path

    from ..errors import UnsupportedWheelError

__all__ = ["READ_ERRORS", "members"]

#: What zipfile raises on archives that are broken in one way or another.
READ_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_DESCRIPTOR_SIGNATURE: Final = b"PK\x07\x08"
_HIDDEN: Final = re.compile(rb"PK(?:\x03\x04|\x01\x02)")
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # traditional, strong, masked central directory (APPNOTE 4.4.4)
_PATCH: Final = 0x20
_DESCRIPTOR: Final = 0x8
_UTF8: Final = 0x800
_UNICODE_PATH: Final = 0x7075
_IN_ZIP64: Final = 0xFFFF_FFFF
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def members(archive: zipfile.ZipFile, stream: IO[bytes], path: Path) -> list[zipfile.ZipInfo]:
    """Return the regular files in *archive*, which was opened from *stream*; directory entries are left out.

    Raises:
        WheelError: a name, a type or the layout of the archive is hostile.
        UnsupportedWheelError: it is not, but a name or a method is not fit for a wheel.
    """
    _check_layout(archive, stream, path)
    files: list[zipfile.ZipInfo] = []
    seen: set[str] = set()
    odd: UnsupportedWheelError | None = None
    for info in archive.infolist():
        _check_name(info, path)
        odd = odd or _oddity(info, path)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            # Installers ignore these, whatever else they say, and make directories as files need them.
            if kind == stat.S_IFLNK:
                raise refusal(path, "is a symbolic link", member=info.filename)
            continue
        if kind not in (0, stat.S_IFREG):
            what = "is a symbolic link" if kind == stat.S_IFLNK else f"is not a regular file (mode {kind:o})"
            raise refusal(path, what, member=info.filename)
        if info.filename in seen:
            raise refusal(path, "is listed twice", member=info.filename)
        seen.add(info.filename)
        files.append(info)
    if odd is not None:
        raise odd
    return files


def _oddity(info: zipfile.ZipInfo, path: Path) -> UnsupportedWheelError | None:
    """Return what keeps *info*, which is not hostile, from being stored exactly as pip installs it."""
    name = info.orig_filename
    if "\\" in name:
        return unsupported(path, "has a backslash in its name", member=name)
    segments = [segment for segment in name.split("/") if not info.is_dir() or segment not in ("", ".")]
    for segment in segments:
        if segment in ("", "."):
            return unsupported(path, f"has the segment {segment!r} in its path", member=name)
        if _DRIVE.match(segment):
            return unsupported(path, "has a drive letter in its path", member=name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & _PATCH:
        what = f"is neither stored nor deflated (method {info.compress_type})"
        return unsupported(path, what, member=name)
    return None


def _check_name(info: zipfile.ZipInfo, path: Path) -> None:
    name = info.orig_filename
    if "\0" in name:
        raise refusal(path, "has a NUL in its name", member=name)
    other = _unicode_path(info.extra)
    if (other is not None and other != name.encode()) or info.filename != name:
        # Only some readers know of it: zipfile of Python 3.11 and older does not.
        raise refusal(path, f"has a second name, {other or info.filename!r}", member=name)
    if name.startswith("/"):
        raise refusal(path, "has an absolute path", member=name)
    if ".." in re.split(r"[/\\]", name):
        raise refusal(path, "has the segment '..' in its path", member=name)


def _check_layout(archive: zipfile.ZipFile, stream: IO[bytes], path: Path) -> None:
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise refusal(path, "overlaps another member or lies before the archive", member=info.orig_filename)
        _check_gap(stream, end, info.header_offset, path)
        end = _check_member(stream, info, path)
    if end > archive.start_dir:
        raise refusal(path, "is truncated or has a member that overlaps the central directory")
    _check_gap(stream, end, archive.start_dir, path)


def _check_gap(stream: IO[bytes], start: int, end: int, path: Path) -> None:
    """Padding and a prefix are fine (pip installs such wheels) as long as no member hides in them."""
    if start == end:
        return
    stream.seek(start)
    left, tail = end - start, b""
    while left and (block := stream.read(min(left, BLOCK))):
        left -= len(block)
        if _HIDDEN.search(tail + block):
            raise refusal(path, "hides a member that its central directory does not list")
        tail = block[-3:]


def _check_member(stream: IO[bytes], info: zipfile.ZipInfo, path: Path) -> int:
    """Compare the local header of *info* with the central directory; return the offset where the member ends."""
    name = info.orig_filename
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL.size)
    if len(header) != _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
        raise refusal(path, "has no local header where the central directory says", member=name)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    raw_name, extra = stream.read(name_length), stream.read(extra_length)
    if (flags | info.flag_bits) & _ENCRYPTED:
        raise refusal(path, "is encrypted", member=name)
    if method != info.compress_type:
        raise _disagreement(path, name, "compression method", method, info.compress_type)
    if method == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise refusal(path, "is stored but has two sizes", member=name)
    try:
        local_name = raw_name.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise refusal(path, "has a local name which is not UTF-8", member=name) from None
    if local_name != name:
        raise _disagreement(path, name, "name", local_name, name)
    size, packed = _zip64(extra, size, packed)
    described = bool(flags & _DESCRIPTOR)
    for what, local, central in (
        ("CRC", crc, info.CRC),
        ("compressed size", packed, info.compress_size),
        ("size", size, info.file_size),
    ):
        # With a data descriptor the header may leave them out, as zero (APPNOTE 4.4.4).
        if local != central and not (described and local == 0):
            raise _disagreement(path, name, what, local, central)
    end: int = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
    return end + _descriptor_length(stream, end, info, path) if described else end


def _unicode_path(extra: bytes) -> bytes | None:
    """Return the name in the Unicode Path extra field (APPNOTE 4.6.9: version, CRC of the header's name, name)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_PATH:
            return extra[9 : 4 + length]
        extra = extra[4 + length :]
    return None


def _zip64(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """Return the real sizes of a local header (APPNOTE 4.5.3: extra field 1 holds the size, then the packed size)."""
    while len(extra) >= 4 and _IN_ZIP64 in (size, packed):
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            values: list[int] = [
                value for (value,) in struct.iter_unpack("<Q", extra[4 : 4 + length][: length // 8 * 8])
            ]
            if size == _IN_ZIP64 and values:
                size = values.pop(0)
            if packed == _IN_ZIP64 and values:
                packed = values.pop(0)
            break
        extra = extra[4 + length :]
    return size, packed


def _descriptor_length(stream: IO[bytes], offset: int, info: zipfile.ZipInfo, path: Path) -> int:
    """Return the length of the data descriptor at *offset*: with or without signature, of 32 or 64 bits."""
    stream.seek(offset)
    found = stream.read(24)
    for form in ("<LLL", "<LQQ"):
        try:
            expected = struct.pack(form, info.CRC, info.compress_size, info.file_size)
        except struct.error:  # sizes beyond 32 bits
            continue
        for signature in (_DESCRIPTOR_SIGNATURE, b""):
            if found.startswith(signature + expected):
                return len(signature + expected)
    raise refusal(path, "has a data descriptor that disagrees with the central directory", member=info.orig_filename)


def _disagreement(path: Path, name: str, what: str, local: object, central: object) -> Exception:
    return refusal(
        path, f"has the {what} {local!r} in its local header but {central!r} in the central directory", member=name
    )

"""Builds wheels: good ones, and the table of hostile and broken ones.  Shared by the tests of all layers."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Row = tuple[str, str, str]

#: Fields of a local header, as offset and struct format (APPNOTE 4.3.7).
LOCAL_FIELDS: Final = {
    "flags": (6, "<H"),
    "method": (8, "<H"),
    "crc": (14, "<L"),
    "packed": (18, "<L"),
    "size": (22, "<L"),
    "name": (30, "1s"),
}
#: The same of a central directory header (APPNOTE 4.3.12).
CENTRAL_FIELDS: Final = {
    "flags": (8, "<H"),
    "method": (10, "<H"),
    "crc": (16, "<L"),
    "packed": (20, "<L"),
    "size": (24, "<L"),
    "offset": (42, "<L"),
}


@dataclass(frozen=True)
class Member:
    """An archive member as it is to be written."""

    name: str
    content: bytes
    mode: int = stat.S_IFREG | 0o644
    method: int = zipfile.ZIP_DEFLATED
    #: Whether RECORD is to mention it.
    recorded: bool = True
    extra: bytes = b""


def make_wheel(
    directory: Path,
    name: str = "demo",
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    file_name: str | None = None,
    entry_points: str | None = None,
    metadata: bytes | None = None,
    wheel: bytes | None = None,
    dist_info: str | None = None,
    root_is_purelib: bool = True,
    tag: str = "py3-none-any",
    modes: Mapping[str, int] | None = None,
    omit: Sequence[str] = (),
    more: Sequence[Member] = (),
    hash_name: str = "sha256",
    rows: Callable[[list[Row]], list[Row]] | None = None,
    record: bytes | None = None,
    method: int = zipfile.ZIP_DEFLATED,
    streamed: bool = False,
    zip64: bool = False,
) -> Path:
    """Write a wheel into *directory* and return its path; without options that say otherwise it is a good one.

    Args:
        directory: where to write it; it must exist.
        name: project name.
        version: project version.
        files: contents by archive name; by default one module.
        file_name: name of the wheel's file, if not the usual one.
        entry_points: contents of entry_points.txt.
        metadata: contents of METADATA, if not the usual ones.
        wheel: contents of WHEEL, if not the usual ones.
        dist_info: name of the .dist-info directory, if not the usual one.
        root_is_purelib: what WHEEL says of it.
        tag: tag in the file name and in WHEEL.
        modes: Unix modes by archive name, type bits included; ``S_IFREG | 0o644`` for the others.
        omit: names in .dist-info to leave out, such as ``WHEEL``.
        more: further members, written before .dist-info, as they are.
        hash_name: algorithm of RECORD's hashes.
        rows: changes RECORD's rows.
        record: contents of RECORD, if not the usual ones.
        method: compression method.
        streamed: write as to a pipe: sizes and CRC follow in data descriptors.
        zip64: write the sizes as zip64 fields.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = dist_info or f"{stem}.dist-info"
    purelib = "true" if root_is_purelib else "false"
    modes = modes or {}
    files = {"demo.py": b"print('demo')\n"} if files is None else files
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        if metadata is None
        else metadata,
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n".encode()
        if wheel is None
        else wheel,
    }
    if entry_points is not None:
        texts["entry_points.txt"] = entry_points.encode()
    members = [Member(key, value, modes.get(key, stat.S_IFREG | 0o644), method) for key, value in files.items()]
    members += more
    members += [Member(f"{info}/{key}", value, method=method) for key, value in texts.items() if key not in omit]
    if "RECORD" not in omit:
        table = [_row(member, hash_name) for member in members if member.recorded and not member.name.endswith("/")]
        table.append((f"{info}/RECORD", "", ""))
        content = _table(rows(table) if rows else table) if record is None else record
        members.append(Member(f"{info}/RECORD", content, method=method))
    path = directory / (file_name or f"{stem}-{tag}.whl")
    _write(path, members, streamed=streamed, zip64=zip64)
    return path


def _row(member: Member, hash_name: str) -> Row:
    digest = hashlib.new(hash_name, member.content).digest()
    value = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return member.name, f"{hash_name}={value}", str(len(member.content))


def _table(rows: list[Row]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


class _Pipe(io.RawIOBase):
    """A file that cannot seek, so that zipfile writes data descriptors."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        block = bytes(memoryview(data))  # type: ignore[arg-type]
        self.written += block
        return len(block)


def _write(path: Path, members: Sequence[Member], *, streamed: bool, zip64: bool) -> None:
    pipe, buffer = _Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe if streamed else buffer, "w") as archive:
        for member in members:
            info = zipfile.ZipInfo(member.name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = member.mode << 16
            info.compress_type = member.method
            info.extra = member.extra
            if streamed or zip64:
                with archive.open(info, "w", force_zip64=zip64) as stream:
                    stream.write(member.content)
            else:
                archive.writestr(info, member.content)
    path.write_bytes(bytes(pipe.written) if streamed else buffer.getvalue())


def patch_local(path: Path, name: str, what: str, value: int | bytes) -> Path:
    """Overwrite a field of the local header of member *name*; return *path*."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset
    offset, form = LOCAL_FIELDS[what]
    return _patch(path, start + offset, struct.pack(form, value))


def patch_central(path: Path, name: str, what: str, value: int) -> Path:
    """Overwrite a field of the central directory header of member *name*; return *path*."""
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir  # type: ignore[attr-defined,unused-ignore]
    data = path.read_bytes()
    offset, form = CENTRAL_FIELDS[what]
    while True:
        name_length, extra_length, comment_length = struct.unpack_from("<3H", data, start + 28)
        if data[start + 46 : start + 46 + name_length] == name.encode():
            return _patch(path, start + offset, struct.pack(form, value))
        start += 46 + name_length + extra_length + comment_length


def patch_both(path: Path, name: str, what: str, value: int) -> Path:
    """Overwrite a field of member *name* in both headers; return *path*."""
    return patch_central(patch_local(path, name, what, value), name, what, value)


def _patch(path: Path, offset: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    return path


def insert(path: Path, where: str | None, data: bytes) -> Path:
    """Put *data* in the gap before member *where* (None: before the central directory), all offsets put right."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        directory: int = archive.start_dir  # type: ignore[attr-defined,unused-ignore]
        at = directory if where is None else archive.getinfo(where).header_offset
    for info in infos:
        if info.header_offset >= at:
            patch_central(path, info.filename, "offset", info.header_offset + len(data))
    old = path.read_bytes()
    new = bytearray(old[:at] + data + old[at:])
    end = new.rindex(b"PK\x05\x06")
    struct.pack_into("<L", new, end + 16, directory + len(data))
    path.write_bytes(new)
    return path


def local_member(name: str, content: bytes) -> bytes:
    """Return a stored member as bytes: local header and content, listed nowhere."""
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, len(content), len(content), len(name), 0)
    return header + name.encode() + content


_MODULE: Final = b"print('demo')\n"
_INFO: Final = "demo-1.0.dist-info"
_BOMB: Final = b"\0" * 5_000_000


@dataclass(frozen=True)
class HostileWheel:
    """A wheel to be refused: *build* writes it into a directory; *match* is found in the error's message."""

    id: str
    build: Callable[[Path], Path]
    match: str
    #: Whether it shows only once the files are decompressed; the others are refused by opening them.
    on_read: bool = False


def _files(*names: str) -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, files=dict.fromkeys(names, _MODULE))


def _member(name: str, mode: int, content: bytes = b"demo.py") -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, more=[Member(name, content, mode)])


def _scripts(line: str, group: str = "console_scripts") -> Callable[[Path], Path]:
    return lambda directory: make_wheel(directory, entry_points=f"[{group}]\n{line}\n")


def _local(what: str, value: int | bytes, *, streamed: bool = False) -> Callable[[Path], Path]:
    return lambda directory: patch_local(make_wheel(directory, streamed=streamed), "demo.py", what, value)


def _twice(directory: Path) -> Path:
    """Two members with one name; the second one is what pip would take."""
    path = make_wheel(directory, files={"demo.py": _MODULE, "demo.px": b"import os\n"})
    data = path.read_bytes().replace(b"demo.px", b"demo.py")
    path.write_bytes(data)
    return path


def _nul(directory: Path) -> Path:
    """A name with a NUL in it: what follows the NUL is cut off by some readers."""
    path = make_wheel(directory, files={"demo.py?.txt": _MODULE})
    path.write_bytes(path.read_bytes().replace(b"demo.py?.txt", b"demo.py\0.txt"))
    return path


def _second_name(directory: Path) -> Path:
    """A Unicode Path extra field that gives another name than the header."""
    text = struct.pack("<BL", 1, zlib.crc32(b"demo.py")) + b"evil.py"
    extra = struct.pack("<HH", 0x7075, len(text)) + text
    return make_wheel(directory, files={}, more=[Member("demo.py", _MODULE, extra=extra)])


def _prefixed(directory: Path) -> Path:
    path = make_wheel(directory)
    path.write_bytes(local_member("evil.py", b"import os\n") + path.read_bytes())
    return path


def _overlapping(directory: Path) -> Path:
    """Two entries of the central directory that share one local member."""
    path = make_wheel(directory, files={"demo.py": _MODULE, "demo.px": _MODULE})
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("demo.py").header_offset
    return patch_central(path, "demo.px", "offset", offset)


def _accented(directory: Path) -> Path:
    return make_wheel(directory, files={"\u00e9.py": _MODULE})


def _beyond(directory: Path) -> Path:
    """A last member that reaches into the central directory."""
    path = make_wheel(directory)
    return patch_both(path, f"{_INFO}/RECORD", "packed", path.stat().st_size)


def _cut(directory: Path, *, keep: float) -> Path:
    path = make_wheel(directory, files={f"demo/{i}.py": bytes([i]) * 999 for i in range(50)})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def _missing_middle(directory: Path) -> Path:
    """A central directory that is whole after members that are not."""
    path = make_wheel(directory, files={f"demo/{i}.py": bytes([i]) * 999 for i in range(50)})
    data = path.read_bytes()
    path.write_bytes(data[:100] + data[500:])
    return path


def _changed_byte(directory: Path, *, hash_name: str = "sha256") -> Path:
    path = make_wheel(directory, files={"demo.py": _MODULE}, method=zipfile.ZIP_STORED, hash_name=hash_name)
    path.write_bytes(path.read_bytes().replace(_MODULE, _MODULE.replace(b"demo", b"evil")))
    return path


def _forged(directory: Path, *, hash_name: str = "sha256") -> Path:
    """Other contents of the same size, with a CRC that is right: only RECORD can tell."""
    path = _changed_byte(directory, hash_name=hash_name)
    return patch_both(path, "demo.py", "crc", zlib.crc32(_MODULE.replace(b"demo", b"evil")))


def _bomb(directory: Path, *, declared: int, checked: int | None = None) -> Path:
    """More (or fewer) bytes than declared; RECORD is right for the declared size, the CRC for the *checked* bytes."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(_BOMB[:declared]).digest()).rstrip(b"=").decode()

    def change(rows: list[Row]) -> list[Row]:
        return [("demo.bin", f"sha256={digest}", str(declared)), *rows[1:]]

    path = make_wheel(directory, files={"demo.bin": _BOMB}, rows=change)
    patch_both(path, "demo.bin", "crc", zlib.crc32(_BOMB[: declared if checked is None else checked]))
    return patch_both(path, "demo.bin", "size", declared)


def _garbage(directory: Path) -> Path:
    path = directory / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"<html>404 Not Found</html>" * 100)
    return path


def _empty(directory: Path) -> Path:
    path = directory / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"")
    return path


_Row = tuple[str, "Callable[[Path], Path]", str]

_PATHS: Final[list[_Row]] = [
    ("parent", _files("../evil.py"), r"'\.\./evil\.py'.*'\.\.'"),
    ("parent-inside", _files("demo/../../evil.py"), r"'\.\.' in its path"),
    ("parent-data", _files("demo-1.0.data/scripts/../../evil"), r"'\.\.' in its path"),
    ("parent-directory", _files("demo.py", "../evil/"), r"'\.\.' in its path"),
    ("absolute", _files("/etc/evil.py"), "absolute"),
    ("parent-backslash", _files("..\\evil.py"), r"'\.\.' in its path"),
    ("nul", _nul, "NUL"),
    ("second-name", _second_name, "second name, b?'evil.py'"),
    ("twice", _twice, "'demo.py'.*listed twice"),
]

_TYPES: Final[list[_Row]] = [
    ("symlink", _member("link.py", stat.S_IFLNK | 0o777), "'link.py'.*symbolic link"),
    ("symlink-directory", _member("link/", stat.S_IFLNK | 0o777, b""), "symbolic link"),
    ("device", _member("null", stat.S_IFCHR | 0o666), "not a regular file"),
    ("fifo", _member("fifo", stat.S_IFIFO | 0o666), "not a regular file"),
    ("metadata-hash", lambda d: _swap_digests(d), "(METADATA|WHEEL)'.*another sha256 hash"),
    ("encrypted", lambda d: patch_both(make_wheel(d), "demo.py", "flags", 1), "encrypted"),
    ("encrypted-local", _local("flags", 1), "encrypted"),
]

_SCRIPTS: Final[list[_Row]] = [
    ("script-parent", _scripts("../evil = demo:main"), "entry point name '../evil'"),
    ("script-absolute", _scripts("/bin/evil = demo:main"), "entry point name"),
    ("script-dots", _scripts(".. = demo:main", "gui_scripts"), r"entry point name '\.\.'"),
]

_ARCHIVES: Final[list[_Row]] = [
    ("local-name", _local("name", b"x"), "name 'xemo.py' in its local header"),
    ("local-method", _local("method", 0), "compression method 0 in its local header"),
    ("local-size", _local("size", 1), "size 1 in its local header"),
    ("local-packed", _local("packed", 1), "compressed size 1 in its local header"),
    ("local-crc", _local("crc", 1), "CRC 1 in its local header"),
    ("local-crc-zero", _local("crc", 0), "CRC 0 in its local header"),
    ("streamed-size", _local("size", 1, streamed=True), "size 1 in its local header"),
    ("descriptor", lambda d: patch_central(make_wheel(d, streamed=True), "demo.py", "crc", 1), "data descriptor"),
    ("local-name-latin1", lambda d: patch_local(_accented(d), "\u00e9.py", "name", b"\xe9"), "local name.*not UTF-8"),
    ("beyond", _beyond, "overlaps the central directory"),
    ("stored-sizes", lambda d: patch_both(make_wheel(d, method=0), "demo.py", "size", 9), "stored but has two sizes"),
    ("offset", lambda d: patch_central(make_wheel(d), "demo.py", "offset", 1), "no local header"),
    ("offset-beyond", lambda d: patch_central(make_wheel(d), "demo.py", "offset", 1 << 30), "hides|no local header"),
    ("overlap", _overlapping, "overlaps another member"),
    ("hidden-gap", lambda d: insert(make_wheel(d), f"{_INFO}/WHEEL", local_member("e.py", b"x")), "hides a member"),
    ("hidden-end", lambda d: insert(make_wheel(d), None, local_member("e.py", b"x")), "hides a member"),
    ("hidden-start", _prefixed, "hides a member"),
    ("truncated", partial(_cut, keep=0.5), "not a zip archive"),
    ("truncated-end", partial(_cut, keep=0.99), "not a zip archive|truncated"),
    ("missing-middle", _missing_middle, "no local header|hides|overlaps"),
    ("not-a-zip", _garbage, "not a zip archive"),
    ("empty", _empty, "not a zip archive"),
]

_CONTENTS: Final[list[_Row]] = [
    (
        "contradiction",
        lambda d: make_wheel(d, rows=lambda rows: [(rows[0][0], rows[1][1], rows[0][2]), *rows]),
        "'demo.py'.*another sha256 hash",
    ),
    ("md5-of-another", partial(_forged, hash_name="md5"), "'demo.py'.*another md5 hash"),
    ("changed-byte", _changed_byte, "'demo.py'.*Bad CRC-32"),
    ("forged", _forged, "'demo.py'.*another sha256 hash"),
    ("bomb", partial(_bomb, declared=100), "'demo.bin'.*Bad CRC-32"),
    ("bomb-large", partial(_bomb, declared=4_500_000), "'demo.bin'.*Bad CRC-32"),
    ("bomb-zero", partial(_bomb, declared=0), "'demo.bin'.*Bad CRC-32"),
    ("bomb-one-more", partial(_bomb, declared=100, checked=101), "'demo.bin'.*more bytes than the 100 declared"),
    ("shortfall", partial(_bomb, declared=6_000_000), "'demo.bin'.*fewer bytes than the 6000000 declared"),
]


def _swap_digests(directory: Path) -> Path:
    """METADATA and WHEEL with each other's hashes."""

    def change(rows: list[Row]) -> list[Row]:
        first, second = rows[1], rows[2]
        return [rows[0], (first[0], second[1], first[2]), (second[0], first[1], second[2]), rows[3]]

    return make_wheel(directory, rows=change)


#: Every hostile wheel; ids are unique.
HOSTILE: Final[list[HostileWheel]] = [
    HostileWheel(*row) for table in (_PATHS, _TYPES, _SCRIPTS, _ARCHIVES) for row in table
] + [HostileWheel(*row, on_read=True) for row in _CONTENTS]

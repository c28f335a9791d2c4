"""What a built wheel tells about its build: whether it holds the path of the environment, or the time, of its build."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import os
import re
import sys
import time
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nox_linkenv.store.layout import object_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nox_linkenv.store import Manifest, Store

__all__ = ["Product", "look_through", "tells_when_or_where", "unpacked"]

#: Bytes that are looked through at most; what is larger is taken to hold anything.
_MANY: Final = 1 << 30
#: How deep archives may lie in archives.
_DEPTH: Final = 3
_COMPRESSED: Final = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
#: Between the parts of a date.
_GAP: Final = rb"[-./_, ]{0,2}"
#: What goes on with a path.
_REST: Final = rb"([\w./+@-]*)"


@dataclass(frozen=True, slots=True)
class Product:
    """What was found in a wheel.

    Attributes:
        paths: what follows on the path that was looked for, for each time that it is there.
        date: whether a date of the time of its build is in it.
        moment: whether the minute of it is.
        facts: fields of :func:`os.uname` that are in it.
    """

    paths: frozenset[str]
    date: bool
    moment: bool
    facts: frozenset[str] = frozenset()


def look_through(
    store: Store, manifest: Manifest, path: str, *, began: float, ended: float, sources: Collection[str] = ()
) -> Product:
    """Look through the stored wheel of *manifest* for a *path*, and for when it was built.

    Args:
        path: absolute; found in compressed parts of the wheel, too, and as UTF-16.
        began, ended: when it was built, in seconds since the epoch.
        sources: hexadecimal digests of files which it was made of: what is the same was not made by the build.
    """
    plain = re.compile(re.escape(path.encode("utf-8", "surrogateescape")) + _REST)
    wide = path.encode("utf-16-le", "surrogatepass")
    when = _When(began, ended)
    paths: set[str] = set()
    facts: set[str] = set()
    machine = {name: re.compile(rb"(?<![\w.-])" + re.escape(value) + rb"(?![\w-])") for name, value in _machine()}
    date, moment = when.is_calendar(manifest.version), False
    for content in _contents(store, manifest, sources):
        if content is None:
            return Product(frozenset({""}), date=True, moment=False, facts=frozenset(name for name, _ in _machine()))
        paths.update(found.decode("utf-8", "replace") for found in plain.findall(content))
        if wide in content:
            paths.add("")
        facts.update(name for name, value in machine.items() if name not in facts and value.search(content))
        dated = when.is_dated(content)
        date |= dated
        moment |= when.is_stamped(content, dated=dated)
    return Product(frozenset(paths), date, moment, frozenset(facts))


def _machine() -> Iterator[tuple[str, bytes]]:
    """Yield what tells machines apart, and what this one has there; Windows is not asked."""
    if sys.platform == "win32":
        return
    for name in ("nodename", "release"):
        value = getattr(os.uname(), name)
        if value and value != "localhost":
            yield name, os.fsencode(value)


def tells_when_or_where(content: bytes, path: str, *, began: float, ended: float) -> bool:
    """Return whether *content*, made between two moments (seconds since the epoch), may hold one of them, or *path*."""
    when = _When(began, ended)
    dated = when.is_dated(content)
    return dated or when.is_stamped(content, dated=dated) or path.encode("utf-8", "surrogateescape") in content


def _contents(store: Store, manifest: Manifest, sources: Collection[str]) -> Iterator[bytes | None]:
    """Yield the version, and the content that the build has made; ``None`` for what is too much or cannot be read."""
    yield manifest.version.encode()
    left = _MANY
    for file in manifest.files:
        if not file.size or file.address[:64] in sources:
            continue
        left -= file.size
        found = store.find(object_name(file.address))
        if left < 0 or found is None:
            yield None
            return
        with open(found, "rb") as stream:
            yield from unpacked(stream.read(), _DEPTH)


def unpacked(content: bytes, depth: int) -> Iterator[bytes | None]:
    """Yield *content*, and what it holds where it is compressed."""
    yield content
    if depth == 0:
        return
    for beginning, decompress in _COMPRESSED.items():
        if content.startswith(beginning):
            try:
                plain = decompress(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                continue  # it only begins like that
            yield from unpacked(plain, depth - 1)
    if content.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                parts = [archive.read(member) for member in archive.infolist()]
        except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            return
        for part in parts:
            yield from unpacked(part, depth - 1)


class _When:
    """Finds the time between two moments, in seconds since the epoch, here and in UTC."""

    def __init__(self, began: float, ended: float) -> None:
        first, last = int(began), int(ended) + 1
        self.parts = [into(moment) for moment in (first, last) for into in (time.gmtime, time.localtime)]
        self.hints = {time.strftime(form, parts).encode() for parts in self.parts for form in ("%Y", "%b")}
        days = {form for parts in self.parts for form in _days(parts)}
        self.days = re.compile(rb"(?<!\d)(?:" + b"|".join(sorted(days)) + rb")(?!\d)")
        minutes = {
            time.strftime("%H[:.h]?%M", into(min(moment, last))).encode()
            for moment in range(first, last + 60, 60)
            for into in (time.gmtime, time.localtime)
        }
        self.minutes = re.compile(rb"(?<!\d)(?:" + b"|".join(sorted(minutes)) + rb")(?=\D|\d\d(?!\d)|$)")
        # The digits that all seconds between the two begin with, and as many after them as there are.
        length = next((n for n, (a, b) in enumerate(zip(str(first), str(last), strict=False)) if a != b), 10)
        self.beginning = str(first)[:length].encode()
        self.seconds = re.compile(rb"(?<!\d)" + self.beginning + rb"\d{%d}(?!\d)" % (len(str(first)) - length))

    def is_dated(self, content: bytes) -> bool:
        return any(hint in content for hint in self.hints) and self.days.search(content) is not None

    def is_stamped(self, content: bytes, *, dated: bool) -> bool:
        if dated and self.minutes.search(content) is not None:
            return True
        return self.beginning in content and self.seconds.search(content) is not None

    def is_calendar(self, version: str) -> bool:
        """Return whether *version* may be made of the year and the month."""
        numbers = re.findall(r"\d+", version)
        for parts in self.parts:
            years = {f"{parts.tm_year}", f"{parts.tm_year % 100}"}
            if any(a in years and int(b) == parts.tm_mon for a, b in itertools.pairwise(numbers)):
                return True
            if f"{parts.tm_year}" in numbers or f"{parts.tm_year}{parts.tm_mon:02}" in version:
                return True
        return False


def _days(parts: time.struct_time) -> Iterator[bytes]:
    """Yield patterns of a date in its usual forms."""
    year, month, day = b"%d" % parts.tm_year, b"0?%d" % parts.tm_mon, b"0?%d" % parts.tm_mday
    name = time.strftime("%b", parts).encode()
    yield year + _GAP + month + _GAP + day
    yield month + _GAP + day + _GAP + year
    yield day + _GAP + month + _GAP + year
    yield name + rb"[a-z]*" + _GAP + day
    yield day + _GAP + name

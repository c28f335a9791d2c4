"""What a wheel holds: schemes, files and entry points, as plain data."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["EntryPoint", "Scheme", "WheelFile"]


class Scheme(enum.Enum):
    """Where a file goes; the values are the installation scheme keys of sysconfig and of ``.data`` directories."""

    PURELIB = "purelib"
    PLATLIB = "platlib"
    SCRIPTS = "scripts"
    DATA = "data"
    HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A script to generate: an entry of ``console_scripts`` or, with *gui*, of ``gui_scripts``.

    Args:
        name: name of the script, without any path separator.
        value: ``module:attribute``, extras stripped.
        gui: whether it came from ``gui_scripts``.

    Source: https://packaging.python.org/en/latest/specifications/entry-points/
    """

    name: str
    value: str
    gui: bool


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A regular file to be installed.  RECORD is not among them: each installer writes its own.

    Args:
        name: name in the archive.
        scheme: where the file goes; files at the root go to purelib or platlib as ``Root-Is-Purelib`` says.
        path: path within the scheme, relative, separated by ``/``, without ``.`` and ``..``.
        size: bytes, uncompressed.
        digest: hexadecimal SHA-256 if RECORD states it, ``None`` if it states another hash or none.
        executable: whether the archive marks it as an executable regular file (pip's own rule).
    """

    name: str
    scheme: Scheme
    path: str
    size: int
    digest: str | None
    executable: bool

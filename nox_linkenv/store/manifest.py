"""The manifest: what one wheel holds, as the store keeps it.

Addressed by the wheel's digest.  It names no environment and no interpreter: where a scheme's files go is the
business of :mod:`nox_linkenv.env.plan`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from nox_linkenv.store.notes import rows, string
from nox_linkenv.wheel.model import EntryPoint, Scheme

__all__ = ["Manifest", "StoredFile"]

_ADDRESS: Final = re.compile(r"[0-9a-f]{64}x?")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a wheel.

    Args:
        name: its name in the archive, which is also its name in the archive's RECORD.
        scheme: the installation scheme key it belongs to.
        path: its path within the scheme, with ``/``.
        address: of its object.
        size: bytes.
        shebang: whether it starts with ``#!python``, so that its first line is rewritten on installation
            (binary distribution format, "Recommended installer features").
    """

    name: str
    scheme: Scheme
    path: str
    address: str
    size: int
    shebang: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """One stored wheel.

    Args:
        digest: hexadecimal SHA-256 of the archive.
        name, version: as its METADATA writes them.
        dist_info: name of its ``.dist-info`` directory.
        root_is_purelib: which of purelib and platlib its root goes to.
        files: everything that is installed, RECORD aside.
        record: the rows of its RECORD as they stand there.
        entry_points: console and GUI scripts.
        unhashed: names of files of which RECORD states no secure hash; known only when the wheel has just been stored.
    """

    digest: str
    name: str
    version: str
    dist_info: str
    root_is_purelib: bool
    files: tuple[StoredFile, ...]
    record: tuple[tuple[str, str, str], ...]
    entry_points: tuple[EntryPoint, ...]
    unhashed: tuple[str, ...] = ()

    def dumps(self) -> str:
        """Return the manifest as JSON text."""
        return json.dumps(
            {
                "digest": self.digest,
                "name": self.name,
                "version": self.version,
                "dist_info": self.dist_info,
                "root_is_purelib": self.root_is_purelib,
                "files": [[f.name, f.scheme.value, f.path, f.address, f.size, f.shebang] for f in self.files],
                "record": self.record,
                "entry_points": [[e.name, e.value, e.gui] for e in self.entry_points],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Manifest:
        """Return the manifest that :meth:`dumps` wrote as JSON.

        Raises:
            ValueError, KeyError, TypeError: *data* is not one.
        """
        files = rows(data["files"], str, str, str, str, int, bool)
        if not all(_ADDRESS.fullmatch(file[3]) for file in files):
            raise ValueError("an address of another form")
        return cls(
            digest=string(data["digest"]),
            name=string(data["name"]),
            version=string(data["version"]),
            dist_info=string(data["dist_info"]),
            root_is_purelib=bool(data["root_is_purelib"]),
            files=tuple(
                StoredFile(name, Scheme(scheme), path, addr, size, shebang)
                for name, scheme, path, addr, size, shebang in files
            ),
            record=tuple((path, digest, size) for path, digest, size in rows(data["record"], str, str, str)),
            entry_points=tuple(
                EntryPoint(name, value, gui) for name, value, gui in rows(data["entry_points"], str, str, bool)
            ),
        )

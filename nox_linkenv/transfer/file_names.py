"""Which files may be in an archive, by their names, which say what they contain.

A name in an archive is never used as a path before it has been found, here or among the notes, to be one that this
package gives.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from nox_linkenv.digest import EXECUTABLE_SUFFIX, mtime_of
from nox_linkenv.store.layout import ARCHIVES, BYTECODE, OBJECTS

__all__ = ["TAG", "FileName", "file_named"]

#: What the tag of an interpreter looks like, as a pattern.
TAG: Final = r"\w[\w.+-]*"
_OBJECT: Final = re.compile(rf"{OBJECTS.name}/([0-9a-f]{{2}})/([0-9a-f]{{62}}x?)")
_PYC: Final = re.compile(rf"{BYTECODE.name}/({TAG})/([0-9a-f]{{2}})/([0-9a-f]{{62}})-([0-9a-f]{{32}})\.pyc")
_KEPT: Final = re.compile(rf"{ARCHIVES.name}/([0-9a-f]{{64}})/\w[^/\\:\0]*\.whl")


class FileName(NamedTuple):
    """What the name of a file says of it.

    Attributes:
        digest: how its SHA-256 begins, hexadecimal.
        mtime: its modification time, in seconds since the epoch; ``None`` where that does not matter.
        executable: whether it can be run.
        tag: of the interpreter whose bytecode it is; empty for anything else.
    """

    digest: str
    mtime: int | None
    executable: bool = False
    tag: str = ""


def file_named(name: str) -> FileName:
    """Return what *name*, relative to the format directory, says of the file.

    Raises:
        ValueError: it is not the name of an object, of bytecode, or of a built wheel that is kept.
    """
    if (found := _OBJECT.fullmatch(name)) is not None:
        addr = found[1] + found[2]
        return FileName(addr[:64], mtime_of(addr), executable=addr.endswith(EXECUTABLE_SUFFIX))
    if (found := _PYC.fullmatch(name)) is not None:
        return FileName(found[4], mtime_of(found[2] + found[3]), tag=found[1])
    if (found := _KEPT.fullmatch(name)) is not None:
        return FileName(found[1], None)
    raise ValueError("not the name of a file that an archive carries")

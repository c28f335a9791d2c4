"""Notes of a store as a test changes them: with the right digest, as whoever can write to a store can make it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nox_linkenv.store.notes import read_note, seal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["name_of", "note_in", "write_note"]


def name_of(path: Path) -> str:
    """Return the name, relative to the format directory, of the note in the file at *path*."""
    (base, *_) = (parent for parent in path.parents if parent.name[:1] == "v" and parent.name[1:].isdigit())
    return path.relative_to(base).as_posix()


def note_in(path: Path) -> Any:
    """Return the JSON of the note in the file at *path*."""
    return json.loads(bytes(read_note(str(path), name_of(path))))


def write_note(path: Path, data: object) -> None:
    """Write *data* as the note in the file at *path*."""
    path.write_bytes(seal(name_of(path), json.dumps(data)))

"""What becomes of a note that an archive has and the store, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_linkenv.env.bytecode import Bytecode
from nox_linkenv.env.links import Links
from nox_linkenv.store.notes import NoteError, parse_note, seal
from nox_linkenv.transfer.members import parser_of

if TYPE_CHECKING:
    from nox_linkenv.resolve.pages import PageState
    from nox_linkenv.transfer.members import Carried

__all__ = ["merged"]


def merged(name: str, before: bytes, after: bytes) -> bytes | None:
    """Return the content of the note *name* where it is *before* in the store and *after* in an archive.

    Lists of bytecode add up.  Of two answers, builds or pages the newer one stands; of the rest, what is there.

    Args:
        after: what has been found right.

    Returns:
        ``None`` where the store's own stands.
    """
    if before == after:
        return None
    parse = parser_of(name)
    try:
        ours = parse_note(name, before, parse)
    except NoteError:
        return after
    theirs = parse_note(name, after, parse)
    if isinstance(ours, Bytecode) and isinstance(theirs, Bytecode):
        both = _together(ours, theirs)
        return None if both == ours else seal(name, both.dumps())
    return after if _time(theirs) > _time(ours) else None


def _time(entry: Carried | PageState | None) -> float:
    time: float = getattr(entry, "time", 0.0)
    return time


def _together(ours: Bytecode, theirs: Bytecode) -> Bytecode:
    """Return the bytecode of both; where both have some of the same module, *ours*."""
    links = Links(list(dict.fromkeys([*ours.links.directories, *theirs.links.directories])))
    taken: set[str] = set()
    for some in (ours.links, theirs.links):
        for path, source, size, mtime in zip(some.paths, some.sources, some.sizes, some.mtimes, strict=True):
            if path not in taken:
                links.add_source(path, source, size, mtime)
        taken.update(some.paths)
    empty = list(dict.fromkeys([*ours.empty, *theirs.empty]))
    return Bytecode(links, empty, ours.empty_source or theirs.empty_source)

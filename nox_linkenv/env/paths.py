"""Whether a stored plan or skeleton can lead out of the environment, or out of the store, when it is carried out.

Plans are read from the store, which may have come out of somebody's archive.  One that is not as our own plans are is
treated like one that cannot be read: it is made anew.
"""

from __future__ import annotations

import os
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["OWN", "check_paths", "check_sources", "is_below"]

#: The directory in an environment in which only notes of our own are; nothing that is installed lies there.
OWN: Final = ".linkenv"
#: Parts that a path must not have, and what a path ends with whose last part may be one of them.
_BAD: Final = frozenset({"", ".", ".."})
_ENDS: Final = frozenset({".", "/"})
_last_character: Final = itemgetter(-1)


def is_below(path: str) -> bool:
    """Return whether *path*, with ``/``, names something below the directory that it is relative to, in one way."""
    parts = path.split("/")
    if not _BAD.isdisjoint(parts) or "\0" in path:
        return False
    return os.name == "posix" or not ("\\" in path or ":" in path)


def check_paths(
    directories: Sequence[str],
    *files: Sequence[str],
    inside: Iterable[str] = (),
    folders: Sequence[str] | None = None,
) -> None:
    """Make sure that *directories* and *files* can only lie below one directory, and none in a file or our own.

    Args:
        directories: relative, with ``/``, parents first.
        files: relative, with ``/``; each in one of *directories* or at the top.
        inside: directories that have been found sound before.
        folders: the directory of each of the first *files*, where that is known.

    Raises:
        ValueError: that is not so.
        TypeError: a path is no text.
    """
    text = "/" + "/\n/".join(directories) + "/"
    if directories and ("//" in text or "/./" in text or "/../" in text or f"\n/{OWN}/" in f"\n{text}"):
        raise ValueError("a directory lies where none may")
    _check_characters(text)
    known = {"", *inside}
    for directory in directories:
        if directory.rpartition("/")[0] not in known:
            raise ValueError(f"a directory comes before the one that it is in: {directory!r}")
        known.add(directory)
    taken = known | {OWN}
    for paths in files:
        # What is in a known directory is sound but for its last part; most often one look at the last characters tells.
        if not known.issuperset(folders or [path.rpartition("/")[0] for path in paths]) or not taken.isdisjoint(paths):
            raise ValueError("a file lies where none may")
        if not _ENDS.isdisjoint(map(_last_character, paths)) and not all(map(is_below, paths)):
            raise ValueError("a path has a part that is no name")
        _check_characters("\n".join(paths))
        folders = None


def check_sources(sources: Sequence[str]) -> None:
    """Make sure that *sources*, relative to the store's format directory, are of its objects or of its bytecode.

    Raises:
        ValueError: one is not.
        TypeError: one is no text.
    """
    if not {source[:9] for source in sources if source[:8] != "objects/"} <= {"bytecode/"}:
        raise ValueError("a source is no file of the store")
    text = "\n".join(sources)
    if "." in text and ".." in text:  # names of objects have no full stop at all
        raise ValueError("a source is no file of the store")
    _check_characters(text)


def _check_characters(text: str) -> None:
    if "\0" in text or (os.name != "posix" and ("\\" in text or ":" in text)):
        raise ValueError("a path has a character that is not fit for names")

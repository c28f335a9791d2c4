"""Files that a build writes into the project: kept with it, and written again where it is used again.

A backend that takes the version from version control writes it into a module of the project, which the repository
ignores: so a fresh clone has none, and one that was built has it.
"""

from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING, Final

from nox_linkenv.digest import file_digest
from nox_linkenv.store.files import write_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from nox_linkenv.projects.fingerprint import Tree

__all__ = ["Generated", "generated_files", "is_inside", "places", "write_again"]

#: Path relative to the project, with ``/``, and content of each file.
Generated = tuple[tuple[str, str], ...]

#: Bytes of all files together that are kept with a build.
_MOST: Final = 64 << 10


def generated_files(
    before: Tree, after: Tree, made: AbstractSet[str], *, counts: Callable[[str], bool], lasts: Callable[[bytes], bool]
) -> Generated | None:
    """Return the files that a build has written where nothing stood before.

    Args:
        made: real paths of what the build was seen to make.
        counts: tells which paths, relative to the project, are no mere leavings.
        lasts: tells which contents another build would write again.

    Returns:
        ``None`` where anything else has changed, or it is more than what is kept.
    """
    names = sorted(filter(counts, before.changes(after)))
    found: dict[str, str] = {}
    size = 0
    for name in names:
        path = os.path.join(before.project, name)
        inside = os.path.relpath(path, before.root).replace(os.sep, "/")
        entry = after.entries.get(inside, "")
        if not is_inside(name) or inside in before.entries or made.isdisjoint(_and_above(path, before.root)):
            return None
        if entry == "directory":
            continue
        text = _text(path, entry, lasts)
        size += 0 if text is None else len(text)
        if text is None or size > _MOST:
            return None
        found[name] = text
    kept = tuple(found.items())
    return kept if places(kept).issuperset(names) else None


def _text(path: str, entry: str, lasts: Callable[[bytes], bool]) -> str | None:
    """Return the content of the file at *path*, ``None`` where it is no plain text, or not what *entry* says."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MOST + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text if entry == f"file 0 {file_digest(io.BytesIO(content))}" and lasts(content) else None


def _and_above(path: str, root: str) -> Iterator[str]:
    while path != root:
        yield path
        path = os.path.dirname(path)


def places(generated: Generated) -> frozenset[str]:
    """Return the paths of *generated* and of the directories that they are in."""
    parts = [path.split("/") for path, _ in generated]
    return frozenset("/".join(part[:end]) for part in parts for end in range(1, len(part) + 1))


def is_inside(path: str) -> bool:
    """Return whether *path*, relative to a project, stays in it and out of its repository's own files."""
    return bool(path) and {"", ".", "..", ".git"}.isdisjoint(path.split("/")) and "\0" not in path


def write_again(project: str, generated: Generated) -> bool:
    """Write *generated* into the directory *project*, as its build did; return whether they stand there now.

    What stands there already is left as it is.
    """
    try:
        return all(_write(project, path.split("/"), text.encode()) for path, text in generated)
    except OSError:
        return False


def _write(place: str, parts: list[str], content: bytes) -> bool:
    for part in parts[:-1]:
        place = os.path.join(place, part)
        if not os.path.lexists(place):
            os.mkdir(place)
        elif not stat.S_ISDIR(os.lstat(place).st_mode):
            return False
    path = os.path.join(place, parts[-1])
    if os.path.lexists(path):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open(path, "rb") as stream:
            return stream.read(_MOST + 1) == content
    write_new(path, content, 0o666)
    return True
